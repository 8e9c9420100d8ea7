"""Trainings that end when their time is up."""

import time
import warnings

import keras
import numpy as np
import pytest
from sklearn.model_selection import cross_validate

from skkeras_tune import KerasClassifier, KerasRegressor, fused
from skkeras_tune.training.deadline import (
    Deadline,
    current_deadline,
    share_time,
    train_until,
)


def build_long(**params):
    """Return a network that trains for minutes."""
    return KerasRegressor(
        units=8, epochs=1_000_000, early_stopping=False, random_state=0, **params
    )


@pytest.fixture
def now():
    """Return a deadline that has passed."""
    return Deadline(time.monotonic())


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_training_ends_at_its_deadline(engine, diabetes):
    """A training stops with the epoch in which its time is up."""
    with train_until(Deadline(time.monotonic())):
        build_long(engine=engine).fit(*diabetes)  # compiles
    with train_until(Deadline(time.monotonic() + 3)):
        network = build_long(engine=engine).fit(*diabetes)
    assert network.n_epochs_ == len(network.history_["loss"]) > 1
    assert np.isfinite(network.predict(diabetes[0])).all()


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_a_late_training_still_gives_a_model(engine, diabetes, now):
    """A training that begins too late has one epoch."""
    with train_until(now):
        assert build_long(engine=engine).fit(*diabetes).n_epochs_ == 1


def test_fused_trainings_end_too(diabetes):
    """The deadline goes along to the threads of a fused call."""
    options = {"cv": 3, "return_estimator": True, "error_score": "raise"}
    with fused(), train_until(Deadline(time.monotonic())):
        cross_validate(build_long(), *diabetes, **options)  # compiles
    with fused(), train_until(Deadline(time.monotonic() + 3)):
        found = cross_validate(build_long(), *diabetes, **options)
    assert all(network.n_epochs_ > 1 for network in found["estimator"])


def test_the_best_epoch_so_far_is_kept(iris):
    """A training that is cut goes back to its best epoch, as it would have."""
    X, y = iris
    network = KerasClassifier(epochs=10**6, patience=10**6, random_state=0)
    with train_until(Deadline(time.monotonic() + 0.5)):
        network.fit(X, y)
    losses = network.history_["val_loss"]
    assert network.best_epoch_ == int(np.argmin(losses)) + 1


def test_chunks_change_nothing(iris):
    """A deadline that is not reached leaves no trace."""
    X, y = iris
    network = KerasClassifier(epochs=9, random_state=0)
    plain = network.fit(X, y).weights_
    with train_until(Deadline(time.monotonic() + 600)):
        timed = network.fit(X, y).weights_
    for a, b in zip(plain, timed, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_cut_refit_is_dropped(iris, now):
    """Training again on all rows counts only if it came to its end."""
    X, y = iris
    network = KerasClassifier(epochs=3, refit_full=True, random_state=0)
    with train_until(now):
        network.fit(X, y)
    assert not hasattr(network, "refit_history_")


def test_a_cut_training_is_not_remembered(diabetes, now, tmp_path):
    """Memory keeps what was trained to its end, and nothing else."""
    network = KerasRegressor(
        units=8, epochs=5, early_stopping=False, random_state=0, memory=tmp_path
    )
    with train_until(now):
        assert network.fit(*diabetes).n_epochs_ == 1
    assert network.fit(*diabetes).n_epochs_ == 5


def test_a_deadline_hears_of_programs(iris):
    """What took to compile under it is noted, and no later training shortens it."""
    deadline = Deadline(time.monotonic() + 600)
    with train_until(deadline):
        network = KerasClassifier(units=7, epochs=3, random_state=0, engine="compiled")
        network.fit(*iris)
        longest = deadline.program_seconds
        network.fit(*iris)
    assert deadline.program_seconds == longest > 0


def test_deadlines_nest():
    """The innermost context decides, and none is none."""
    outer, inner = Deadline(1.0), Deadline(2.0)
    with train_until(outer):
        with train_until(inner):
            assert current_deadline() is inner
        with train_until(None):
            assert current_deadline() is None
        assert current_deadline() is outer
    assert current_deadline() is None


def test_no_warning_comes_of_it(iris, now):
    """A user who set a budget need not be told."""
    with warnings.catch_warnings(), train_until(now):
        warnings.simplefilter("error")
        KerasClassifier(epochs=3, random_state=0).fit(*iris)


def test_shares_of_the_time_left():
    """The first of several has its part of it, the last all that is left then."""
    with train_until(Deadline(time.monotonic() + 900)):
        with share_time(3):
            assert current_deadline().seconds_left == pytest.approx(300, abs=60)
        with share_time(1):
            assert current_deadline().seconds_left == pytest.approx(900, abs=60)
    with share_time(3):
        assert current_deadline() is None


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_what_a_deadline_has_cut_is_noted(engine, diabetes):
    """Who set a deadline can tell whether it ended what had hardly begun."""
    for epochs, patience, is_cut in ((1, 9, False), (5, 9, True), (5, 0, False)):
        network = KerasRegressor(
            units=8, epochs=epochs, patience=patience, engine=engine, random_state=0
        )
        deadline = Deadline(time.monotonic())
        with train_until(deadline):
            network.fit(*diabetes)
        assert deadline.has_cut is is_cut


def test_what_is_noted_under_a_share_is_noted_for_all():
    """The longest program counts, whichever training it was compiled for."""
    whole = Deadline(time.monotonic() + 60)
    for seconds in (0.5, 2.0, 1.0):
        with train_until(whole), share_time(3):
            current_deadline().note_program(seconds)
    assert whole.program_seconds == 2.0


SEEN = []


class NoteDeadline(keras.callbacks.Callback):
    """Notes when each training has to end."""

    def on_train_begin(self, logs=None):
        """Note it."""
        SEEN.append(current_deadline().at)


def build_line(meta):
    """A model function of a single layer."""
    return keras.Sequential([keras.layers.Dense(meta["n_outputs_"])])


@pytest.mark.parametrize(
    "params", [{"engine": "keras"}, {"model": build_line, "loss": "mse"}]
)
def test_members_that_train_in_turn_share_the_time(params, diabetes):
    """Each has an equal part of what those before it have left."""
    SEEN.clear()
    network = KerasRegressor(
        epochs=1, n_members=3, callbacks=[NoteDeadline()], random_state=0, **params
    )
    start = time.monotonic()
    with train_until(Deadline(start + 9000)):
        network.fit(*diabetes)
    parts = [at - start for at in SEEN]
    assert parts == pytest.approx([3000, 4500, 9000], abs=600)
