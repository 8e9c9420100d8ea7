"""Members: their names, what they must be able to do, and their fits."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skkeras_tune import KerasClassifier
from skkeras_tune.ensemble.members import (
    fit_member,
    group_arguments,
    is_search,
    name_members,
    validate_member,
    weight_arguments,
)
from skkeras_tune.ensemble.rows import Rows
from skkeras_tune.ensemble.targets import Labels
from tests.searches import WEIGHTS, Fragile, X, y


def test_names():
    """Members without a name have their class's, numbered where it is not alone."""
    members = [LogisticRegression(), ("mine", Ridge()), LogisticRegression(), Ridge()]
    names = ["logisticregression-1", "mine", "logisticregression-2", "ridge"]
    assert list(name_members(members)) == names
    assert list(name_members(members).values())[1] is members[1][1]


def test_given_names_are_kept():
    """A name that the user gave is no other member's."""
    members = [("ridge", Ridge()), Ridge(), ("ridge-1", Ridge())]
    assert list(name_members(members)) == ["ridge", "ridge-2", "ridge-1"]


def test_empty_lists_and_equal_names():
    """A list without members, or with two of a name, is refused."""
    with pytest.raises(ValueError, match="needs at least one member"):
        name_members([])
    with pytest.raises(ValueError, match=r"must differ. Got \['a', 'a'\]"):
        name_members([("a", Ridge()), ("a", Ridge())])


def test_lists_searches_and_others():
    """A list is no search, and what is neither is refused."""
    assert not is_search([Ridge()])
    assert is_search(GridSearchCV(Ridge(), {}))
    for other in (Ridge(), None, "ridge", {"a": Ridge()}):
        with pytest.raises(TypeError, match="must be a list of estimators"):
            is_search(other)


@pytest.mark.parametrize(
    ("member", "classifies", "problem"),
    [
        (LinearSVC(), True, r"'m' \(LinearSVC\) has no predict_proba"),
        (Ridge(), True, r"'m' \(Ridge\) has no predict_proba"),
        (LogisticRegression(), False, r"'m' \(LogisticRegression\) is no regressor"),
        (StandardScaler(), False, "is no regressor"),
        (Ridge, False, "is no estimator"),
        ("drop", True, "is no estimator: 'drop'"),
    ],
)
def test_members_that_cannot_be(member, classifies, problem):
    """What cannot predict what is averaged is refused before anything is fitted."""
    with pytest.raises(TypeError, match=problem):
        validate_member("m", member, classifies=classifies)


@pytest.mark.parametrize(
    ("member", "name"),
    [
        (LogisticRegression(), "sample_weight"),
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            "logisticregression__sample_weight",
        ),
        (
            make_pipeline(make_pipeline(StandardScaler(), KerasClassifier())),
            "pipeline__kerasclassifier__sample_weight",
        ),
        (GridSearchCV(LogisticRegression(), {}), "sample_weight"),
    ],
)
def test_weights_by_name(member, name):
    """A pipeline's last step gets the weights by its name."""
    assert list(weight_arguments(member, WEIGHTS)) == [name]
    assert weight_arguments(member, None) == {}


def test_weights_are_routed():
    """With metadata routing on, a pipeline takes them by their own name."""
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), LogisticRegression())
        assert list(weight_arguments(pipeline, WEIGHTS)) == ["sample_weight"]


def test_groups_go_to_members_that_ask_for_them():
    """Without metadata routing none can ask; groups are for the folds."""
    groups, plain = np.arange(150), make_pipeline(StandardScaler(), KerasClassifier())
    assert group_arguments(plain, groups) == {}
    with config_context(enable_metadata_routing=True):
        asking = clone(plain)
        asking[-1].set_fit_request(groups=True)
        assert group_arguments(asking, groups) == {"groups": groups}
        assert group_arguments(asking, None) == {}
        assert group_arguments(plain, groups) == {}
        assert group_arguments(LogisticRegression(), groups) == {}


def test_members_without_weights():
    """A member that takes no weights says so."""
    with pytest.raises(TypeError, match="KNeighborsClassifier takes no sample_weight"):
        weight_arguments(KNeighborsClassifier(), WEIGHTS)


def test_fits_on_some_rows():
    """Rows, weights and arguments with one value a row are cut alike."""
    rows = np.arange(0, 150, 2)
    member, note = Fragile(), np.arange(150)
    fitted = fit_member(
        member, Rows(X, y, Labels(np.arange(3)), WEIGHTS, None, {"note": note}), rows
    )
    expected = LogisticRegression().fit(X[rows], y[rows], WEIGHTS[rows])
    np.testing.assert_allclose(fitted.predict_proba(X), expected.predict_proba(X))
    np.testing.assert_array_equal(fitted.note_, note[rows])
    assert not hasattr(member, "model_")
