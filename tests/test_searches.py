"""Every search over a Pipeline, in this process and in two of loky's."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import loguniform
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    cross_validate,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import BayesSearchCV, KerasClassifier, KerasRegressor

NETWORK = {"patience": 2, "epochs": 5, "random_state": 0}
GRID = {"net__hidden_layer_sizes": [(8,), (16, 8)], "net__learning_rate": [1e-3, 0.05]}
RATES = {
    "net__hidden_layer_sizes": [(8,), (16, 8)],
    "net__learning_rate": loguniform(1e-3, 0.1),
}


def build_pipeline() -> Pipeline:
    return Pipeline([("scale", StandardScaler()), ("net", KerasClassifier(**NETWORK))])


def build_search(name, **params):
    """Return a search over a pipeline, of a few candidates."""
    model, params = build_pipeline(), {"cv": 2, "error_score": "raise", **params}
    seeded = {**params, "random_state": 0}
    halving = {**seeded, "resource": "net__epochs", "max_resources": 6, "factor": 3}
    return {
        "grid": lambda: GridSearchCV(model, GRID, **params),
        "random": lambda: RandomizedSearchCV(model, RATES, n_iter=3, **seeded),
        "halving": lambda: HalvingGridSearchCV(model, GRID, **halving),
        "halving_random": lambda: HalvingRandomSearchCV(
            model, RATES, n_candidates=3, **halving
        ),
        "bayes": lambda: BayesSearchCV(
            model,
            {**GRID, "net__learning_rate": (1e-3, 0.1, "log-uniform")},
            n_iter=4,
            optimizer_kwargs={"n_initial_points": 3},
            **seeded,
        ),
    }[name]()


NAMES = ["grid", "random", "halving", "halving_random", "bayes"]


@pytest.fixture
def workers_find_the_tests(monkeypatch):
    """Let worker processes import this module, and start without messages."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")


def assert_found(search, X, y):
    """The search refitted its best candidate, scores well and pickles."""
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ > 0.85
    assert search.score(X, y) > 0.9
    assert search.best_params_["net__hidden_layer_sizes"] in [(8,), (16, 8)]
    loaded = pickle.loads(pickle.dumps(search))
    assert_array_equal(loaded.predict_proba(X), search.predict_proba(X))
    assert loaded.best_params_ == search.best_params_


@pytest.mark.parametrize("name", NAMES)
def test_a_search_over_a_pipeline(cancer, name):
    """Each search tunes a pipeline with early stopping, and pickles when fitted."""
    assert_found(build_search(name).fit(*cancer), *cancer)


@pytest.mark.slow
@pytest.mark.usefixtures("workers_find_the_tests")
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_find_the_same(cancer, name):
    """With `n_jobs=2`, each search gives the scores that it gives with one process."""
    X, y = cancer
    one = build_search(name).fit(X, y)
    two = build_search(name, n_jobs=2).fit(X, y)
    assert_found(two, X, y)
    assert two.cv_results_["params"] == one.cv_results_["params"]
    assert_allclose(
        two.cv_results_["mean_test_score"],
        one.cv_results_["mean_test_score"],
    )


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("workers_find_the_tests")
def test_cross_validate(cancer, n_jobs):
    """cross_validate over a pipeline returns scores, times and fitted pipelines."""
    scores = cross_validate(
        build_pipeline(),
        *cancer,
        cv=2,
        n_jobs=n_jobs,
        scoring=["accuracy", "roc_auc"],
        return_train_score=True,
        return_estimator=True,
    )
    assert scores["test_roc_auc"].min() > 0.9
    assert scores["train_accuracy"].shape == (2,)
    assert scores["estimator"][1].predict(cancer[0]).shape == (569,)


def test_halving_trains_more_epochs_for_fewer_candidates(cancer):
    """The resource of a halving search is the number of epochs."""
    search = build_search("halving").fit(*cancer)
    iterations = search.cv_results_["iter"]
    epochs = np.array([p["net__epochs"] for p in search.cv_results_["params"]])
    assert set(epochs[iterations == 0]) == {2}
    assert set(epochs[iterations == 1]) == {6}
    assert (iterations == 0).sum() > (iterations == 1).sum()


def test_failing_candidates_are_scored_by_error_score(diabetes):
    """A candidate whose loss explodes gets `error_score`, and the others their own."""
    X, y = diabetes
    search = GridSearchCV(
        KerasRegressor(optimizer="sgd", epochs=9, loss="mse", n_hidden=0),
        {"learning_rate": [1e-3, 1e6]},
        cv=2,
        error_score=np.nan,
    )
    with (
        pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4"),
        pytest.warns(UserWarning, match="test scores are non-finite"),
    ):
        search.fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    assert search.best_params_ == {"learning_rate": 1e-3}


def test_routed_parameters_can_be_searched(iris):
    """Parameters of optimizer, loss and model function are searched by their names."""
    search = GridSearchCV(
        KerasClassifier(optimizer="sgd", loss="categorical_crossentropy", **NETWORK),
        {"optimizer__momentum": [0.0, 0.9], "loss__label_smoothing": [0.0, 0.1]},
        cv=2,
    ).fit(*iris)
    assert len({tuple(p.items()) for p in search.cv_results_["params"]}) == 4
    assert len(set(search.cv_results_["mean_test_score"])) > 1


def test_the_optimizer_itself_can_be_searched(iris):
    """`optimizer` takes names and instances side by side."""
    import keras

    sgd = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)
    search = GridSearchCV(
        KerasClassifier(**NETWORK), {"optimizer": ["adam", sgd]}, cv=2, refit=False
    ).fit(*iris)
    assert search.cv_results_["mean_test_score"][1] > 0.8
    assert not sgd.built
