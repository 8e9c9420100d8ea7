"""Ensembles in company: trained together under `fused`, and fed by metadata routing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import (
    BayesSearchCV,
    EnsembleClassifier,
    EnsembleRegressor,
    HyperbandSearchCV,
    KerasClassifier,
    KerasRegressor,
    fused,
)
from skkeras_tune.fusion import lanes
from skkeras_tune.training.programs.cache import ProgramCache
from tests.searches import GROUPS, WEIGHTS, X, y

QUICK = {"units": 6, "epochs": 4, "learning_rate": 0.03, "random_state": 0}


@pytest.fixture(autouse=True)
def _no_programs(monkeypatch):
    """No programs of other tests, in which near widths would better train apart."""
    monkeypatch.setattr(lanes, "programs", ProgramCache())


def build_search(**changes):
    """Return a search of small networks."""
    network = KerasClassifier(**{**QUICK, **changes})
    return GridSearchCV(network, {"learning_rate": [0.01, 0.03, 0.1]}, cv=3)


def list_networks():
    """Return members that have a shape of network in common, and a forest."""
    return [
        ("one", make_pipeline(StandardScaler(), KerasClassifier(**QUICK))),
        ("two", KerasClassifier(**{**QUICK, "units": 5, "l2": 1e-3})),
        ("forest", RandomForestClassifier(n_estimators=10, random_state=0)),
    ]


# --- fused


def test_an_ensemble_of_a_search_is_the_same_when_fused():
    """Weights, report and predictions agree, and all fits but the search's refit fuse.

    Of the search 3 x 3 fits, and the members' own.
    """
    ensemble = EnsembleClassifier(build_search(), n_best=2, random_state=0)
    expected = clone(ensemble).fit(X, y)
    with fused() as fusion:
        found = clone(ensemble).fit(X, y)
    assert found.names_ == expected.names_
    assert found.recorded_
    assert_allclose(found.weights_, expected.weights_, atol=1e-6)
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-5)
    assert_allclose(found.report().log_loss, expected.report().log_loss, rtol=1e-4)
    assert fusion.report().n_fused == 9 + (found.weights_ > 0).sum()


def test_an_ensemble_of_a_list_is_the_same_when_fused():
    """The members' folds train together, in pipelines or alone."""
    ensemble = EnsembleClassifier(list_networks(), cv=3, random_state=0)
    expected = clone(ensemble).fit(X, y)
    with fused() as fusion:
        found = clone(ensemble).fit(X, y)
    assert_allclose(found.weights_, expected.weights_, atol=1e-6)
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-5)
    assert fusion.report().groups[0].n_fits == 6


@pytest.mark.parametrize("kind", ["search", "list"])
def test_cross_validated_ensembles_are_the_same_when_fused(kind):
    """Folds of the outer cross-validation train with those of the inner one."""
    members = build_search() if kind == "search" else list_networks()
    ensemble = EnsembleClassifier(members, n_best=2, cv=None, random_state=0)
    if kind == "list":
        ensemble.set_params(cv=2)
    expected = cross_validate(ensemble, X, y, cv=3, error_score="raise")
    with fused() as fusion:
        found = cross_validate(ensemble, X, y, cv=3, error_score="raise")
    assert_allclose(found["test_score"], expected["test_score"], atol=1e-6)
    largest = max(group.n_fits for group in fusion.report().groups)
    assert largest >= (27 if kind == "search" else 12)


def test_a_fused_search_is_ensembled_later():
    """A search that was fitted under `fused` gives its best settings."""
    with fused():
        search = build_search().fit(X, y)
    ensemble = EnsembleClassifier(search, n_best=2, random_state=0).fit(X, y)
    assert ensemble.recorded_reason_ == "the search was fitted before"
    assert ensemble.score(X, y) > 0.7


def test_a_search_over_ensembles_when_fused(diabetes):
    """An ensemble's own parameters can be searched, with regressors as members."""
    members = [("a", KerasRegressor(**QUICK)), ("b", Ridge())]
    ensemble = EnsembleRegressor(members, cv=2, random_state=0)
    search = GridSearchCV(ensemble, {"weighting": ["mean", "greedy"]}, cv=2)
    expected = clone(search).fit(*diabetes)
    with fused():
        search.fit(*diabetes)
    assert_allclose(
        search.cv_results_["mean_test_score"],
        expected.cv_results_["mean_test_score"],
        rtol=1e-4,
    )


# --- metadata routing


@pytest.fixture
def routing():
    """Turn metadata routing on."""
    with config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_weights_and_groups_are_routed_to_an_ensemble():
    """A cross-validation gives an ensemble what it asks for, and so do its members."""
    members = [
        LogisticRegression(max_iter=1000).set_fit_request(sample_weight=True),
        KerasClassifier(**QUICK).set_fit_request(sample_weight=True),
    ]
    ensemble = EnsembleClassifier(members, cv=GroupKFold(2), random_state=0)
    ensemble.set_fit_request(sample_weight=True, groups=True)
    ensemble.set_score_request(sample_weight=False)
    found = cross_validate(
        ensemble,
        X,
        y,
        cv=GroupKFold(3),
        params={"sample_weight": WEIGHTS, "groups": GROUPS},
        return_estimator=True,
        return_indices=True,
        error_score="raise",
    )
    train = found["indices"]["train"][0]
    with config_context(enable_metadata_routing=False):
        direct = clone(ensemble).fit(
            X[train], y[train], WEIGHTS[train], groups=GROUPS[train]
        )
    fitted = found["estimator"][0]
    assert_allclose(fitted.predict_proba(X), direct.predict_proba(X), atol=1e-5)


@pytest.mark.usefixtures("routing")
def test_weights_reach_pipelines_by_their_requests():
    """Within a pipeline, the step that asks for weights gets them."""
    network = KerasClassifier(**QUICK).set_fit_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = make_pipeline(scaler, network)
    ensemble = EnsembleClassifier([pipeline], cv=2).fit(X, y, WEIGHTS)
    with config_context(enable_metadata_routing=False):
        plain = EnsembleClassifier([clone(pipeline)], cv=2).fit(X, y, WEIGHTS)
    assert_allclose(ensemble.predict_proba(X), plain.predict_proba(X), atol=1e-5)


@pytest.mark.usefixtures("routing")
def test_a_member_may_want_no_weights():
    """One that has said so is fitted without them."""
    wants = LogisticRegression(max_iter=1000).set_fit_request(sample_weight=True)
    member = clone(wants).set_fit_request(sample_weight=False)
    ensemble = EnsembleClassifier(
        [("with", wants), ("without", member)], weighting="mean", cv=2
    ).fit(X, y, WEIGHTS)
    plain = clone(member).fit(X, y)
    fitted = ensemble.named_estimators_
    assert_allclose(fitted["without"].coef_, plain.coef_)
    assert np.abs(fitted["with"].coef_ - plain.coef_).max() > 0.01


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("kind", ["grid", "bayes", "hyperband"])
def test_groups_reach_a_search_by_routing(kind):
    """A search's folds and networks get the groups, and nothing is trained twice."""
    network = KerasClassifier(**QUICK, patience=2).set_fit_request(groups=True)
    space, options = (
        {"units": [4, 5, 6, 7, 8]},
        {"cv": GroupKFold(3), "random_state": 0},
    )
    search = {
        "grid": GridSearchCV(network, space, cv=GroupKFold(3)),
        "bayes": BayesSearchCV(network, space, n_iter=2, **options),
        "hyperband": HyperbandSearchCV(network, space, max_epochs=3, **options),
    }[kind]
    ensemble = EnsembleClassifier(search, n_best=2, random_state=0)
    ensemble.fit(X, y, groups=GROUPS)
    assert ensemble.recorded_, ensemble.recorded_reason_
    plain = clone(search).fit(X, y, groups=GROUPS)
    assert_allclose(
        ensemble.search_.cv_results_["mean_test_score"],
        plain.cv_results_["mean_test_score"],
    )


@pytest.mark.usefixtures("routing")
def test_groups_that_nobody_has_asked_for_are_refused():
    """An ensemble of a search hears what the search alone would say."""
    search = GridSearchCV(KerasClassifier(**QUICK), {"units": [4]}, cv=GroupKFold(3))
    with pytest.raises(UnsetMetadataPassedError, match="not explicitly set"):
        EnsembleClassifier(search).fit(X, y, groups=GROUPS)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("kind", ["list", "search"])
def test_groups_reach_the_members_that_ask_for_them(kind):
    """Members of a list and of a search hold out whole groups, as alone."""
    asking = KerasClassifier(**QUICK, patience=2).set_fit_request(groups=True)
    search = GridSearchCV(asking, {"units": [6]}, cv=GroupKFold(3))
    members, cv = ([asking], GroupKFold(3)) if kind == "list" else (search, None)
    ensemble = EnsembleClassifier(members, cv=cv, random_state=0)
    ensemble.fit(X, y, groups=GROUPS)
    (member,) = ensemble.estimators_
    alone = clone(member).fit(X, y, groups=GROUPS)
    assert member.history_["val_loss"] == pytest.approx(alone.history_["val_loss"])


@pytest.mark.usefixtures("routing")
def test_members_that_take_no_weights_are_named():
    """Weights for a member that has no place for them are refused."""
    members = [KNeighborsClassifier(), LogisticRegression()]
    with pytest.raises(TypeError, match="KNeighborsClassifier takes no sample_weight"):
        EnsembleClassifier(members, cv=2).fit(X, y, WEIGHTS)


@pytest.mark.usefixtures("routing")
def test_what_is_not_asked_for_is_refused():
    """Weights that an ensemble has not asked for are an error in a router."""
    ensemble = EnsembleClassifier([LogisticRegression()], cv=2)
    with pytest.raises(ValueError, match="not explicitly set as requested"):
        cross_validate(ensemble, X, y, params={"sample_weight": np.ones(len(y))}, cv=2)
