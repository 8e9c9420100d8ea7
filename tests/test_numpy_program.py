"""What NumPy runs ends as what XLA runs, and only where it is sooner."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info, threadpool_limits

from skkeras_tune import KerasClassifier, KerasRegressor, fused
from skkeras_tune.training.arithmetic.blas import one_blas_thread
from skkeras_tune.training.engine import train
from skkeras_tune.training.groups.group import Group
from skkeras_tune.training.groups.slots import train_members
from skkeras_tune.training.mlp.activations import (
    HAVE_FORMULAS,
    activate,
    activate_with_way_back,
)
from tests.plans import DATA, PLAN, enrol

BASE = {"epochs": 6, "units": 9, "n_hidden": 2, "learning_rate": 0.01}
SETTINGS = {
    "plain": {},
    "dropout": {"dropout": 0.4, "l1": 1e-3, "l2": 1e-3},
    "batch": {"normalization": "batch", "optimizer": "sgd"},
    "layer": {"normalization": "layer", "dropout": 0.1},
    "wide": {"wide": True, "activation": "silu"},
    "ragged": {"batch_size": 7, "optimizer__clipnorm": 0.1},
    "all rows": {"early_stopping": False},
    "stopping": {"epochs": 40, "patience": 1, "min_delta": 0.01},
    "smoothed": {"loss__label_smoothing": 0.1},
    "weights": {"class_weight": "balanced"},
    "restarted": {"refit_full": 1.2},
    "members": {"n_members": 3, "dropout": 0.2},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_as_compiled(iris, programs, name):
    """Every part of a network ends with the same losses and weights, dropout too."""
    model = KerasClassifier(random_state=0, **{**BASE, **SETTINGS[name]})
    here = clone(model).fit(*iris)
    assert not list(programs)
    there = clone(model).set_params(engine="compiled").fit(*iris)
    assert list(programs)
    assert here.best_epoch_ == there.best_epoch_
    for key, values in there.history_.items():
        assert_allclose(here.history_[key], values, rtol=1e-3, err_msg=key)
    assert_allclose(
        here.predict_proba(iris[0]), there.predict_proba(iris[0]), atol=1e-4
    )


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_whoever_has_fewer_batches_ends_as_alone(programs, normalization):
    """A member without rows in a step has nothing to normalise, and waits."""
    plan = replace(PLAN, network=replace(PLAN.network, normalization=normalization))
    parts = [replace(DATA, train_rows=DATA.train_rows[:n]) for n in (20, 10)]
    members = [enrol(plan, data, may_interpret=True) for data in parts]
    ended = dict(train_members(members, len(members)))
    assert not list(programs)
    for member, data in zip(members, parts, strict=True):
        losses = train(plan, data).history["loss"]
        assert_allclose(ended[member].history["loss"], losses, rtol=1e-4)


@pytest.mark.parametrize("activation", sorted(HAVE_FORMULAS))
def test_every_activation_that_numpy_knows(diabetes, programs, activation):
    """Each has Keras's values and gradients."""
    model = KerasRegressor(**BASE, activation=activation, random_state=0)
    here = clone(model).fit(*diabetes)
    assert not list(programs)
    there = clone(model).set_params(engine="keras").fit(*diabetes)
    assert_allclose(here.history_["loss"], there.history_["loss"], rtol=1e-4)


@pytest.mark.parametrize("activation", sorted(HAVE_FORMULAS))
def test_slopes_are_those_of_the_functions(activation):
    """The way back agrees with small differences, at large inputs and small."""
    x = np.array([[-30.0, -3.0, -0.5, -1e-3, 1e-3, 0.5, 3.0, 30.0]])
    _, back = activate_with_way_back(activation, x)
    step = 1e-6
    ahead, behind = activate(activation, x + step), activate(activation, x - step)
    assert_allclose(back(np.ones_like(x)), (ahead - behind) / (2 * step), atol=1e-8)


@pytest.mark.parametrize(
    "loss", ["mse", "mae", "huber", keras.losses.Huber(0.1), "poisson"]
)
def test_losses_that_numpy_knows(diabetes, programs, loss):
    """They are what XLA runs too, and nothing is compiled for a short training."""
    X, y = diabetes
    model = KerasRegressor(**BASE, loss=loss, random_state=0)
    here = clone(model).fit(X, np.abs(y))
    assert not list(programs)
    there = clone(model).set_params(engine="compiled").fit(X, np.abs(y))
    assert_allclose(here.history_["loss"], there.history_["loss"], rtol=1e-4)


@pytest.mark.parametrize(
    "params",
    [
        {"engine": "compiled"},
        {"metrics": ["accuracy"]},
        {"activation": "softsign"},
        {"loss": "kl_divergence"},
        {"epochs": 10_000},
    ],
)
def test_what_numpy_does_not_run(iris, programs, params):
    """Other parts of Keras's, long trainings, and what is to be compiled."""
    model = KerasClassifier(**{**BASE, "early_stopping": False, **params})
    assert model.fit(*iris).engine_ == "compiled"
    assert len(list(programs)) == 1


def test_a_training_ends_alike_whatever_was_trained_before(diabetes):
    """The machine is chosen by the plan alone: not even the last bit differs."""
    model = KerasRegressor(epochs=100, units=30, random_state=0)
    first = clone(model).fit(*diabetes)
    model.set_params(engine="compiled").fit(*diabetes)
    again = clone(model).set_params(engine="auto").fit(*diabetes)
    for here, there in zip(first.weights_, again.weights_, strict=True):
        assert_array_equal(here, there)


def test_fits_of_a_search_are_compiled_sooner(diabetes, programs):
    """One program serves all of its folds, so that NumPy runs the shortest alone."""
    model = KerasRegressor(epochs=100, early_stopping=False, random_state=0)
    clone(model).set_params(epochs=2).fit(*diabetes)
    model.fit(*diabetes)
    assert not list(programs)
    clone(model).fit(*diabetes)
    assert len(list(programs)) == 1


def test_single_epochs_are_compiled_sooner(programs):
    """Whoever trains by single epochs does so many times."""
    X = np.random.default_rng(0).normal(size=(20_000, 4))
    model = KerasRegressor(epochs=1, early_stopping=False)
    model.fit(X, X[:, 0])
    assert not list(programs)
    model.partial_fit(X, X[:, 0])
    assert len(list(programs)) == 1


@pytest.mark.parametrize("n_rates", [2, 200])
def test_a_group_is_compiled_when_all_of_it_takes_longer(diabetes, programs, n_rates):
    """NumPy runs a search of a few fits, and XLA one of many."""
    grid = {"learning_rate": np.geomspace(1e-4, 1e-2, n_rates)}
    model = KerasRegressor(epochs=50, early_stopping=False, random_state=0)
    with fused() as fusion:
        GridSearchCV(model, grid, cv=3, refit=False).fit(*diabetes)
    assert len(list(programs)) == (0 if n_rates == 2 else 1)
    report = fusion.report()
    assert ("run by NumPy" in str(report)) == (n_rates == 2)


def test_a_program_that_there_is_runs_a_short_group_too(diabetes, programs):
    """What has been compiled for a search runs the few fits that come later."""
    model = KerasRegressor(epochs=50, early_stopping=False, random_state=0)
    search = GridSearchCV(model, {}, cv=3, refit=False)
    with fused():
        clone(search).set_params(estimator__engine="compiled").fit(*diabetes)
    with fused() as fusion:
        search.fit(*diabetes)
    assert len(list(programs)) == 1
    assert "run by NumPy" not in str(fusion.report())


def test_nobody_joins_a_group_that_numpy_runs(programs):
    """With more members it might not be sooner any more."""
    members = [
        enrol(replace(PLAN, seed=seed), DATA, may_interpret=True) for seed in range(3)
    ]
    group = Group(members[:2])
    assert group.choose_room(2, programs).machine == "numpy"
    assert not group.add(members[2])
    assert group.n_waiting == 2


def test_members_that_stop_leave_room(iris, programs):
    """Fewer and fewer are trained side by side, and each ends as alone."""
    patience = {"patience": [1, 2, 5, 40], "random_state": [0, 1]}
    model = KerasClassifier(**{**BASE, "epochs": 60}, min_delta=0.01)
    search = GridSearchCV(model, patience, cv=2, refit=False)
    expected = clone(search).fit(*iris).cv_results_["mean_test_score"]
    with fused():
        search.fit(*iris)
    assert not list(programs)
    assert_allclose(search.cv_results_["mean_test_score"], expected, atol=1e-6)


def test_a_loss_that_is_not_finite_is_told(diabetes):
    """NumPy's own warnings stay away, and the error names what has happened."""
    model = KerasRegressor(optimizer="sgd", learning_rate=1e30, epochs=3)
    with pytest.raises(ValueError, match="training loss became"):
        model.fit(*diabetes)


# --- threads of matrix products


def count_blas_threads():
    """Return the threads that each library of matrix products uses."""
    found = threadpool_info()
    return [pool["num_threads"] for pool in found if pool["user_api"] == "blas"]


def test_matrix_products_have_one_thread_while_anybody_says_so():
    """The last to leave puts back what was before the first came."""
    with threadpool_limits(2, user_api="blas"):
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(count_blas_threads()) == {1}
        second.__exit__(None, None, None)
        assert set(count_blas_threads()) == {2}


def test_an_error_leaves_the_threads_as_they_were():
    """Whatever ends the block, others find their threads again."""
    before = count_blas_threads()
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert count_blas_threads() == before
