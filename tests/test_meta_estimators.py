"""The estimators inside scikit-learn's meta-estimators and tools."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, roc_auc_score
from sklearn.model_selection import (
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skkeras_tune import EnsembleClassifier, KerasClassifier, KerasRegressor

FAST = {
    "epochs": 8,
    "learning_rate": 0.05,
    "early_stopping": False,
    "batch_size": 64,
    "random_state": 0,
}
CLASSIFIER = KerasClassifier(**FAST)
REGRESSOR = KerasRegressor(**FAST)


def test_folds_are_stratified_by_default(iris):
    """On labels sorted by class, `cv=3` gives each fold all classes, unlike `KFold`."""
    assert cross_val_score(CLASSIFIER, *iris, cv=3).min() > 0.75
    assert cross_val_score(CLASSIFIER, *iris, cv=KFold(3)).max() < 0.25


@pytest.mark.parametrize(
    ("scoring", "least"),
    [("roc_auc", 0.95), ("neg_log_loss", -0.4), ("average_precision", 0.95)],
)
def test_scorers_that_need_probabilities(cancer, scoring, least):
    """Scorers on probabilities give right numbers for two classes."""
    assert cross_val_score(CLASSIFIER, *cancer, cv=3, scoring=scoring).min() > least


def test_roc_auc_of_several_classes(iris):
    """The one-vs-rest ROC AUC is defined for more than two classes."""
    assert cross_val_score(CLASSIFIER, *iris, scoring="roc_auc_ovr").mean() > 0.95


def test_several_scores_at_once(cancer):
    """cross_validate takes several scorers, and returns the fitted estimators."""
    scores = cross_validate(
        CLASSIFIER,
        *cancer,
        cv=2,
        scoring={"auc": make_scorer(roc_auc_score, response_method="predict_proba")}
        | {"accuracy": "accuracy"},
        return_estimator=True,
    )
    assert scores["test_auc"].min() > 0.98
    assert len(scores["estimator"][0].history_["loss"]) == 8


def test_out_of_fold_probabilities(iris):
    """cross_val_predict puts each row's probabilities in the order of the rows."""
    probabilities = cross_val_predict(CLASSIFIER, *iris, method="predict_proba")
    assert (probabilities.argmax(axis=1) == iris[1]).mean() > 0.9


@pytest.mark.parametrize(
    "classifier", [CLASSIFIER, EnsembleClassifier([CLASSIFIER, CLASSIFIER], cv=2)]
)
def test_out_of_fold_logarithms(iris, classifier):
    """The logarithms of probabilities are predicted wherever these are."""
    logarithms, probabilities = (
        cross_val_predict(classifier, *iris, cv=2, method=method)
        for method in ["predict_log_proba", "predict_proba"]
    )
    np.testing.assert_allclose(np.exp(logarithms), probabilities, rtol=1e-5)


def test_an_impossible_class_has_no_warning():
    """The logarithm of 0 is minus infinity, on which a user could do nothing."""
    X, y = np.array([[-1.0], [1.0]] * 10), np.array([0, 1] * 10)
    model = clone(CLASSIFIER).fit(X, y)
    assert model.predict_log_proba([[1e30]]).min() == -np.inf


def test_calibration(cancer):
    """CalibratedClassifierCV calibrates it, fold by fold."""
    X, y = cancer
    model = CalibratedClassifierCV(CLASSIFIER, cv=3).fit(X, y)
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_voting(cancer, voting):
    """VotingClassifier takes it as one of several."""
    X, y = cancer
    members = [("net", CLASSIFIER), ("linear", LogisticRegression())]
    assert VotingClassifier(members, voting=voting).fit(X, y).score(X, y) > 0.95


def test_voting_regressors(diabetes):
    """VotingRegressor averages it with others."""
    members = [("net", REGRESSOR), ("linear", Ridge())]
    assert VotingRegressor(members).fit(*diabetes).score(*diabetes) > 0.4


def test_stacking(cancer):
    """StackingClassifier stacks its out-of-fold probabilities."""
    X, y = cancer
    stack = StackingClassifier([("net", CLASSIFIER)], LogisticRegression(), cv=3)
    assert stack.fit(X, y).score(X, y) > 0.95


def test_bagging(iris):
    """BaggingClassifier trains it on bootstrap samples, by weights or by rows."""
    model = BaggingClassifier(CLASSIFIER, n_estimators=3, random_state=0).fit(*iris)
    assert model.score(*iris) > 0.9
    assert len({m.seed_ for m in model.estimators_}) == 3


def test_boosting(iris):
    """AdaBoostClassifier weighs rows, so it needs `sample_weight` to be right."""
    X, y = iris
    model = AdaBoostClassifier(CLASSIFIER, n_estimators=5, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9


def test_one_vs_rest(iris):
    """OneVsRestClassifier trains one binary network a class."""
    model = OneVsRestClassifier(CLASSIFIER).fit(*iris)
    assert model.score(*iris) > 0.9
    assert len(model.estimators_) == 3


def test_multi_output(diabetes):
    """MultiOutputRegressor trains one network for each column."""
    X, y = diabetes
    model = MultiOutputRegressor(REGRESSOR).fit(X, np.column_stack([y, -y]))
    assert model.predict(X).shape == (442, 2)


def test_targets_in_other_units(diabetes):
    """TransformedTargetRegressor standardises the target around it."""
    X, y = diabetes
    inner = make_pipeline(StandardScaler(), REGRESSOR)
    model = TransformedTargetRegressor(inner, transformer=StandardScaler())
    assert model.fit(X, 1e6 + 1e5 * y).score(X, 1e6 + 1e5 * y) > 0.4


def test_feature_selection(iris):
    """SequentialFeatureSelector finds features that separate the classes."""
    X, y = iris
    noise = np.random.default_rng(0).normal(size=(150, 1))
    selector = SequentialFeatureSelector(CLASSIFIER, n_features_to_select=1, cv=2)
    selector.fit(np.hstack([X[:, 2:3], noise]), y)
    assert_array_equal(selector.get_support(), [True, False])


def test_columns_of_a_data_frame(iris):
    """Behind a ColumnTransformer it takes frames with categories, dense or sparse."""
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["size"] = pd.cut(frame["c"], 3, labels=["small", "middle", "large"])
    columns = ColumnTransformer(
        [("scale", StandardScaler(), list("ab")), ("code", OneHotEncoder(), ["size"])],
        sparse_threshold=1.0,
    )
    model = make_pipeline(columns, CLASSIFIER).fit(frame, y)
    assert model.score(frame, y) > 0.9


def test_set_output(iris):
    """In a pipeline set to pandas, it learns the names that the scaler passes on."""
    frame = pd.DataFrame(iris[0], columns=list("abcd"))
    model = make_pipeline(StandardScaler(), CLASSIFIER).set_output(transform="pandas")
    model.fit(frame, iris[1])
    assert list(model[-1].feature_names_in_) == list("abcd")
    assert model.score(frame, iris[1]) > 0.9


def test_learning_and_validation_curves(iris):
    """Both curves vary what they are told to."""
    X, y = iris
    sizes, _, test = learning_curve(
        CLASSIFIER, X, y, train_sizes=[0.3, 1.0], cv=2, shuffle=True, random_state=0
    )
    assert_array_equal(sizes, [22, 75])
    assert test[1].mean() > 0.85
    train, _ = validation_curve(
        CLASSIFIER, X, y, param_name="epochs", param_range=[1, 8], cv=2
    )
    assert train[1].mean() > train[0].mean()


def test_permutations(iris):
    """Permuting labels destroys the score, and permuting a feature lowers it."""
    X, y = iris
    score, _, p_value = permutation_test_score(
        CLASSIFIER, X, y, cv=2, n_permutations=4, random_state=0
    )
    assert score > 0.85
    assert p_value == pytest.approx(0.2)
    model = KerasClassifier(**FAST).fit(X, y)
    importance = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    assert importance.importances_mean.max() > 0.1
