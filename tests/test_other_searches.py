"""Optuna's search and a genetic one over the estimators."""

import random
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import (
    EnsembleClassifier,
    KerasClassifier,
    KerasRegressor,
    SearchDisplay,
    best_params,
    fused,
    results_frame,
)
from tests.searches import GROUPS, X, y

FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
RATE, DROPOUT = "network__learning_rate", "network__dropout"


def build_pipeline(model=KerasClassifier, **changes):
    """Return a small network behind a scaler."""
    network = model(**{"units": 4, "epochs": 4, "random_state": 0, **changes})
    return Pipeline([("scale", StandardScaler()), ("network", network)])


def build_optuna(pipeline=None, **options):
    """Return a small search of Optuna's."""
    optuna = pytest.importorskip("optuna")
    integration = pytest.importorskip("optuna_integration")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {
        RATE: optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True),
        DROPOUT: optuna.distributions.FloatDistribution(0.0, 0.5),
        "network__activation": optuna.distributions.CategoricalDistribution(
            ["relu", "tanh"]
        ),
    }
    settings = {"cv": FOLDS, "n_trials": 4, "random_state": 0, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls itself experimental
        return integration.OptunaSearchCV(
            build_pipeline() if pipeline is None else pipeline, space, **settings
        )


def build_genetic(pipeline=None, **options):
    """Return a small genetic search."""
    genetic = pytest.importorskip("sklearn_genetic")
    space = genetic.space
    random.seed(0)
    settings = {
        "cv": FOLDS,
        "population_size": 3,
        "generations": 1,
        "verbose": False,
        **options,
    }
    return genetic.GASearchCV(
        build_pipeline() if pipeline is None else pipeline,
        param_grid={
            RATE: space.Continuous(1e-3, 1e-1, "log-uniform", random_state=1),
            DROPOUT: space.Continuous(0.0, 0.5, random_state=2),
            "network__activation": space.Categorical(["relu", "tanh"], random_state=3),
        },
        **settings,
    )


KINDS = {"optuna": build_optuna, "genetic": build_genetic}


@pytest.mark.parametrize("kind", KINDS)
def test_searches_end_in_a_model(kind):
    """The best setting is refit, and predicts and scores as elsewhere."""
    search = KINDS[kind]().fit(X, y)
    assert set(search.best_params_) == {RATE, DROPOUT, "network__activation"}
    assert search.predict(X).shape == y.shape
    assert search.predict_proba(X).shape == (150, 3)
    assert search.score(X, y) > 0.5
    best = search.best_estimator_[-1]
    assert best.dropout == search.best_params_[DROPOUT]
    assert best.history_["loss"]


@pytest.mark.parametrize("kind", KINDS)
def test_searches_are_the_same_when_fused(kind):
    """Within `fused` the folds of a setting train together, with the same scores."""
    expected = KINDS[kind]().fit(X, y)
    search = KINDS[kind]()
    with fused() as fusion:
        search.fit(X, y)
    assert search.best_params_ == expected.best_params_
    assert search.best_score_ == pytest.approx(expected.best_score_)
    assert {group.n_fits for group in fusion.report().groups} == {3}


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_read_as_those_of_any_search(kind):
    """The best settings, the table and the plots take them."""
    search = KINDS[kind]().fit(X, y)
    assert best_params(search, 1)[0] == search.best_params_
    assert len(best_params(search, 3)) == 3
    frame = results_frame(search, splits=True)
    assert frame["mean_score"].iloc[0] == pytest.approx(search.best_score_)
    folds = frame.filter(regex=r"^split\d_score").mean(axis=1)
    assert_allclose(folds, frame["mean_score"])
    display = SearchDisplay.from_search(search)
    assert len(display.points_[0].get_xdata()) == len(frame)
    display = SearchDisplay.from_search(search, kind="parameters", parameters=RATE)
    assert display.ax_.get_xlabel() == RATE


def test_regressors_of_a_genetic_search(diabetes):
    """Numbers are searched for as well."""
    search = build_genetic(build_pipeline(KerasRegressor), cv=3)
    assert search.fit(*diabetes).predict(diabetes[0]).shape == diabetes[1].shape


@pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental")
def test_ensembles_of_optuna_are_recorded():
    """An ensemble fits the search, and gathers its predictions on the way."""
    ensemble = EnsembleClassifier(build_optuna(), n_best=2, random_state=0)
    with fused():
        ensemble.fit(X, y)
    assert ensemble.recorded_
    assert len(ensemble.names_) == 2
    assert ensemble.score(X, y) > 0.5
    again = EnsembleClassifier(ensemble.search_, n_best=2, cv=2).fit(X, y)
    assert again.recorded_reason_ == "the search was fitted before"


def test_ensembles_of_a_fitted_genetic_search():
    """Its best settings are cross-validated once more."""
    search = build_genetic().fit(X, y)
    ensemble = EnsembleClassifier(search, n_best=2, random_state=0).fit(X, y)
    assert ensemble.recorded_reason_ == "the search was fitted before"
    assert len(ensemble.names_) == 2


@pytest.mark.filterwarnings("ignore")
def test_trials_that_fail_are_left_out():
    """A trial that fails in every fold has no rank in the table."""
    search = build_optuna(error_score=np.nan, n_trials=8, catch=ValueError)
    distribution = type(search.param_distributions[RATE])
    search.param_distributions[DROPOUT] = distribution(0.0, 2.0)
    search.fit(X, y)
    frame = results_frame(search)
    assert 0 < frame["mean_score"].notna().sum() < len(frame)
    assert frame["rank"].isna().sum() == frame["mean_score"].isna().sum()
    assert all(params[DROPOUT] < 1 for params in best_params(search, 8))


def test_groups_of_optuna():
    """`groups` goes to the folds, and to the network where it is asked for."""
    search = build_optuna(cv=GroupKFold(3)).fit(X, y, groups=GROUPS)
    assert search.n_splits_ == 3


def test_pruning_trains_epoch_by_epoch():
    """With pruning, Optuna trains by `partial_fit` and looks after each epoch."""
    optuna = pytest.importorskip("optuna")
    space = {"learning_rate": optuna.distributions.FloatDistribution(1e-3, 1e-1)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = pytest.importorskip("optuna_integration").OptunaSearchCV(
            KerasClassifier(units=4, random_state=0),
            space,
            cv=FOLDS,
            n_trials=2,
            max_iter=3,
            enable_pruning=True,
            random_state=0,
        )
        search.fit(X, y)
    steps = [len(trial.intermediate_values) for trial in search.trials_]
    assert steps[0] == 3


def test_searches_that_are_not_fitted():
    """What is not fitted has no results."""
    with pytest.raises(NotFittedError):
        best_params(build_optuna(), 1)
    with pytest.raises(NotFittedError):
        best_params(build_genetic(), 1)
