"""Trainings that end when their time is up."""

import time
import warnings
from dataclasses import replace
from math import ceil

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_validate

from skkeras_tune import KerasClassifier, KerasRegressor, fused
from skkeras_tune.training import TrainingData
from skkeras_tune.training import deadline as deadline_module
from skkeras_tune.training.deadline import (
    Deadline,
    current_deadline,
    share_time,
    train_until,
)
from skkeras_tune.training.groups import timed_program
from skkeras_tune.training.groups.group import Group
from skkeras_tune.training.groups.slots import Slots, train_members
from skkeras_tune.training.groups.timed_program import TimedProgram, count_turns
from skkeras_tune.training.programs.cache import ProgramCache
from skkeras_tune.training.programs.program import RUNNING, STOPPED
from tests.plans import ARCHITECTURE, PLAN, enrol, note_trainings


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
        build_long(engine=engine).fit(*diabetes)  # warms up
    with train_until(Deadline(time.monotonic() + 3)):
        network = build_long(engine=engine).fit(*diabetes)
    assert network.n_epochs_ == len(network.history_["loss"]) > 1
    assert np.isfinite(network.predict(diabetes[0])).all()


@pytest.fixture
def patient(monkeypatch):
    """Let an epoch of some steps be over before Keras's loop is cut."""
    monkeypatch.setattr(deadline_module, "_LEAST_SECONDS", 60.0)


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_a_late_training_still_gives_a_model(engine, diabetes, now, patient):
    """A training that begins too late has one epoch."""
    with train_until(now):
        network = build_long(engine=engine).fit(*diabetes)
    assert network.n_epochs_ == 1
    assert count_steps(network) == ceil(len(diabetes[0]) / 32)


def count_steps(network):
    """Return how many steps an optimizer has taken."""
    return int(network.model_.optimizer.iterations.numpy())


N_TALL, BATCH = 20_000, 32


@pytest.fixture(scope="module")
def tall():
    """Return rows that a large network visits for seconds."""
    X = np.random.default_rng(0).normal(size=(N_TALL, 8)).astype("float32")
    return X, X.sum(axis=1)


def build_deep(meta):
    """A model function of a large network."""
    hidden = [keras.layers.Dense(512, "relu") for _ in range(3)]
    return keras.Sequential([*hidden, keras.layers.Dense(1)])


@pytest.mark.parametrize(
    "params",
    [
        {"engine": "compiled"},
        {"engine": "keras"},
        {"engine": "compiled", "model": build_deep, "loss": "mse"},
    ],
)
def test_a_long_epoch_is_cut(params, tall):
    """What a deadline leaves time for is trained, and makes a model."""
    deadline = Deadline(time.monotonic())
    built_in = {} if "model" in params else {"units": 512, "n_hidden": 3}
    network = KerasRegressor(
        epochs=2, batch_size=8, random_state=0, **built_in, **params
    )
    with train_until(deadline):
        network.fit(*tall)
    assert network.n_epochs_ == 1
    assert 1 <= count_steps(network) < 0.9 * N_TALL / 8 / 2
    assert np.isfinite(network.history_["val_loss"]).all()
    assert deadline.has_cut


def of_rows(n_rows, batch_size=BATCH):
    """Return the plan of a small network, and so many rows."""
    rows = np.arange(n_rows)
    X = np.linspace(0, 1, n_rows, dtype="float32")[:, np.newaxis]
    data = TrainingData(X, X, None, rows, rows[:0])
    network = replace(ARCHITECTURE, input_shape=(1,))
    return replace(PLAN, network=network, batch_size=batch_size), data


def expect_long(program, arguments, members):
    """Take an epoch for one of 12,000 seconds."""
    program.note(12_000.0, 1, members[0].n_batches)


def test_members_in_turn_have_parts_of_an_epoch(monkeypatch):
    """Where there is no time for one of each, nobody who waits is left without."""
    monkeypatch.setattr(TimedProgram, "measure", expect_long)
    plan, data = of_rows(N_TALL)
    with train_until(Deadline(time.monotonic() + 6000.0)):
        members = [enrol(replace(plan, seed=seed), data) for seed in range(3)]
        ended = dict(train_members(members, n_slots=1))
    parts = [ended[m].state.optimizer_state[0] * BATCH / N_TALL for m in members]
    assert parts == pytest.approx([1 / 6, 1 / 4, 1 / 2], abs=0.02)
    assert all(ended[m].is_cut for m in members)


@pytest.mark.parametrize(("seconds", "part"), [(12, 1), (6, 0.5), (-9, 0)])
def test_the_rows_that_a_deadline_leaves(seconds, part):
    """After 2 of an epoch's 10 seconds, for held-out rows, come its batches."""
    member = enrol(*of_rows(8000, batch_size=10))
    program = TimedProgram(member.design, None, ProgramCache())
    program.note(10.0, 1, member.n_batches)
    program.fixed_seconds = 2.0
    expected = pytest.approx(8000 * part, abs=400) if part else 10
    assert program.count_rows(member, seconds) == expected


def test_what_is_known_is_not_measured_again():
    """When the longest has ended, the time stays that of its steps."""
    member, shorter = (enrol(*of_rows(n, batch_size=10)) for n in (8000, 2000))
    program = TimedProgram(member.design, None, ProgramCache())
    program.note(10.0, 1, member.n_batches)
    program.measure(None, [shorter])
    assert program.count_rows(shorter, 3.0) == 2000


def test_a_shorter_member_needs_less_time():
    """What a step takes was found out by the longest member of a group."""
    member, shorter = (enrol(*of_rows(n, batch_size=10)) for n in (8000, 2000))
    program = TimedProgram(member.design, None, ProgramCache())
    program.note(10.0, 1, member.n_batches)
    assert program.count_rows(shorter, 3.0) == 2000
    assert program.count_rows(member, 3.0) == pytest.approx(2400, abs=100)


@pytest.mark.parametrize(
    ("seconds", "n_turns", "expected"), [(900, 2, 840), (90, 2, 30), (90, 0, 90)]
)
def test_who_waits_has_time_too(seconds, n_turns, expected):
    """What all expect to take is left to them, or else an equal part of the time."""
    program = TimedProgram(None, None, None)
    with train_until(Deadline(time.monotonic() + seconds)):
        member = enrol(*of_rows(100))
    program.limit(member, n_turns)
    assert not member.is_limited  # while nobody knows how long an epoch takes
    program.epoch_seconds = 30.0 / member.expect_epochs()
    program.limit(member, n_turns)
    program.epoch_seconds = 9.0
    program.limit(member, n_turns)  # once is enough
    assert member.count_seconds(in_turn=True) == pytest.approx(expected, abs=10)
    assert member.count_seconds(in_turn=False) == pytest.approx(seconds, abs=10)


def test_how_many_wait_for_a_slot():
    """Five for four slots: one of them after another."""
    group = Group([enrol(*of_rows(100)) for _ in range(5)])
    assert [count_turns(group, place, 4) for place in range(4)] == [2, 1, 1, 1]


def test_who_is_cut_does_not_train_again(tall, monkeypatch):
    """It would take the time of those who wait, and from too few epochs."""
    monkeypatch.setattr(TimedProgram, "measure", expect_long)
    trained = note_trainings(monkeypatch, lambda _, result: result.is_cut)
    network = KerasRegressor(units=8, epochs=2, refit_full=True, random_state=0)
    with train_until(Deadline(time.monotonic() + 6000.0)):
        network.fit(*tall)
    assert trained == [True]
    assert not hasattr(network, "refit_history_")


def test_an_empty_slot_trains_nobody(now, monkeypatch):
    """Others go on beside the slot of a member that has been cut."""
    train, seen = TimedProgram.train, []

    def note(program, arguments):
        seen.append(arguments[-1]["status"].numpy().tolist())
        return train(program, arguments)

    monkeypatch.setattr(TimedProgram, "train", note)
    plan, data = of_rows(100)
    with train_until(now):
        members = [enrol(plan, data)]
    members.append(enrol(replace(plan, epochs=40), data))
    slots = Slots(Group(members), 2)
    monkeypatch.setattr(slots, "_choose_room", lambda: slots._group.join(2))
    ended = dict(slots.run())
    assert ended[members[0]].is_cut
    assert len(ended[members[1]].history["loss"]) == 40
    assert [STOPPED, RUNNING] in seen
    assert seen.count([RUNNING, RUNNING]) == 1


@pytest.mark.parametrize(("longer", "left"), [(3.0, 0.5), (1.0, 0.5), (0.5, 0.5)])
def test_an_epoch_is_timed_by_a_few_steps(monkeypatch, longer, left):
    """However uneven the machine, there is a time for each step."""
    member = enrol(*of_rows(N_TALL))
    few = member.n_batches // 20 + 1
    seconds = {1: 1.0, 1 + few: longer}
    monkeypatch.setattr(
        TimedProgram, "_time_epoch", lambda self, _, members, n: seconds[n]
    )
    monkeypatch.setattr(timed_program, "_QUICK_SECONDS", 0.0)
    program = TimedProgram(member.design, None, ProgramCache())
    program.measure(None, [member])
    assert program.epoch_seconds > longer
    assert 0 < program.count_rows(member, left) < N_TALL


def test_who_is_late_is_timed_by_one_step(monkeypatch):
    """What is left of the time is for training."""
    timed = []

    def time_epoch(program, arguments, members, n_batches):
        timed.append(n_batches)
        return 5.0

    monkeypatch.setattr(TimedProgram, "_time_epoch", time_epoch)
    monkeypatch.setattr(timed_program, "_QUICK_SECONDS", 0.0)
    with train_until(Deadline(time.monotonic() + 3.0)):
        member = enrol(*of_rows(N_TALL))
    program = TimedProgram(member.design, None, ProgramCache())
    program.measure(None, [member])
    assert timed == [1]
    assert program.count_rows(member, 3.0) == N_TALL - (member.n_batches - 1) * BATCH


def test_numpy_trains_where_compiling_takes_too_long(tall, programs):
    """A program that is not compiled in time trains nothing."""
    network = KerasRegressor(units=8, epochs=10**6, random_state=0)
    for seconds in (600.0, 0.1):
        programs.record_build(seconds)
    with train_until(Deadline(time.monotonic() + 1)):
        network.fit(*tall)
    assert not list(programs)
    with train_until(Deadline(time.monotonic() + 10**6)):
        clone(network).set_params(epochs=1000, patience=0).fit(*tall)
    assert list(programs)


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


@pytest.mark.parametrize("engine", ["auto", "compiled"])
def test_chunks_change_nothing(iris, monkeypatch, engine):
    """A deadline that is not reached leaves no trace, nor does timing an epoch."""
    monkeypatch.setattr(timed_program, "_QUICK_SECONDS", 0.0)
    X, y = iris
    network = KerasClassifier(epochs=9, engine=engine, random_state=0)
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
def test_what_a_deadline_has_cut_is_noted(engine, diabetes, patient):
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
