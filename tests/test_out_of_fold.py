"""Out-of-fold predictions: each for rows that the fit did not see."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_predict,
)

from skkeras_tune.ensemble.out_of_fold import (
    join_folds,
    list_splits,
    predict_out_of_fold,
)
from skkeras_tune.ensemble.rows import Rows
from skkeras_tune.ensemble.targets import Labels, Numbers
from tests.searches import GROUPS, WEIGHTS, X, y

LABELS = Labels(np.arange(3))


def predict(cv, members=None, X=X, target=LABELS, y=y, **options):
    """Cross-validate one member, or several."""
    members = {"one": LogisticRegression()} if members is None else members
    splits = list_splits(cv, next(iter(members.values())), X, y, None)
    rows = Rows(X, y, target, **options)
    return predict_out_of_fold(members, rows, splits), splits


def test_equals_scikit_learn():
    """The predictions of each member are those of `cross_val_predict`."""
    members = {"weak": LogisticRegression(C=0.01), "strong": LogisticRegression()}
    found, _ = predict(4, members)
    np.testing.assert_array_equal(found.rows, np.arange(150))
    for member, predictions in zip(members.values(), found.predictions, strict=True):
        expected = cross_val_predict(member, X, y, cv=4, method="predict_proba")
        np.testing.assert_allclose(predictions, expected)


def test_weights_matter():
    """The fits are weighted."""
    splits = list_splits(3, LogisticRegression(), X, y, None)
    found, _ = predict(3, sample_weight=WEIGHTS)
    train, test = splits[1]
    fitted = LogisticRegression().fit(X[train], y[train], WEIGHTS[train])
    np.testing.assert_allclose(
        found.predictions[0][test], fitted.predict_proba(X[test])
    )


def test_rows_tested_twice_are_averaged():
    """Of repeated folds, each row has the average of its predictions."""
    repeated = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    found, splits = predict(repeated)
    halves = [
        cross_val_predict(
            LogisticRegression(), X, y, cv=splits[part], method="predict_proba"
        )
        for part in (slice(0, 3), slice(3, 6))
    ]
    np.testing.assert_allclose(found.predictions[0], np.mean(halves, axis=0))


@pytest.mark.parametrize(
    "cv", [ShuffleSplit(2, test_size=0.3, random_state=0), TimeSeriesSplit(2)]
)
def test_rows_never_tested_are_left_out(cv):
    """Folds need not cover all rows."""
    numbers = X[:, 0]
    found, splits = predict(cv, {"r": Ridge()}, X[:, 1:], Numbers(1), numbers)
    tested = np.unique(np.concatenate([test for _, test in splits]))
    np.testing.assert_array_equal(found.rows, tested)
    assert len(tested) < 150
    assert found.predictions.shape == (1, len(tested), 1)


def test_folds_that_lack_a_class():
    """A class that a fold's fit never saw has the probability zero there."""
    found, _ = predict(KFold(3))  # sorted labels: each fold lacks its own class
    np.testing.assert_array_equal(found.predictions[0][np.arange(150), y], 0.0)
    np.testing.assert_allclose(found.predictions[0].sum(axis=1), 1)


def test_frames():
    """Rows are taken of a DataFrame as of an array."""
    found, _ = predict(3, X=pd.DataFrame(X))
    plain, _ = predict(3)
    np.testing.assert_allclose(found.predictions, plain.predictions)


def test_masks():
    """Folds may be given as masks."""
    half = np.arange(150) % 2 == 0
    splits = [(half, ~half), (~half, half)]
    rows = [(np.flatnonzero(a), np.flatnonzero(b)) for a, b in splits]
    members = {"one": LogisticRegression()}
    data = Rows(X, y, LABELS)
    found = predict_out_of_fold(members, data, splits)
    expected = predict_out_of_fold(members, data, rows)
    np.testing.assert_array_equal(found.predictions, expected.predictions)


def test_groups_and_strata():
    """A classifier's folds are stratified, and groups reach the splitter."""
    for _, test in list_splits(5, LogisticRegression(), X, y, None):
        assert np.bincount(y[test]).tolist() == [10, 10, 10]
    for _, test in list_splits(GroupKFold(5), LogisticRegression(), X, y, GROUPS):
        assert len(set(GROUPS[test])) == 1


def test_used_up_generators():
    """Folds that were used up are told from none."""
    folds = iter(KFold(3).split(X))
    list(folds)
    with pytest.raises(ValueError, match="yields no folds; if it is a generator"):
        list_splits(folds, LogisticRegression(), X, y, None)


def test_bad_predictions():
    """Members that predict NaN, or unlike the first, are named."""
    splits = [(np.arange(1), np.arange(2))]
    good = np.zeros((2, 1))
    with pytest.raises(ValueError, match="The member 'b' predicts NaN"):
        join_folds(["a", "b"], [[good], [good * np.nan]], splits)
    with pytest.raises(ValueError, match=r"'a' and 'b' predict in different shapes"):
        join_folds(["a", "b"], [[good], [np.zeros((2, 2))]], splits)
