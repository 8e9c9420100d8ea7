"""Requests become jobs: who trains with whom, and in how many slots."""

import threading
from concurrent.futures import CancelledError
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.model_selection import GridSearchCV, cross_val_score

from skkeras_tune import KerasClassifier, fused
from skkeras_tune.fusion import coordinator, lanes
from skkeras_tune.fusion.coordinator import Coordinator
from skkeras_tune.fusion.lanes import Batch, Job, plan_jobs, split_by_size
from skkeras_tune.fusion.request import Call, Request, Task
from skkeras_tune.training.groups.group import Group
from skkeras_tune.training.groups.rescue import train_group
from skkeras_tune.training.plan import TrainingResult
from skkeras_tune.training.programs.cache import ProgramCache
from skkeras_tune.training.programs.program import Program
from tests.plans import ARCHITECTURE, DATA, PLAN, enrol


@pytest.fixture(autouse=True)
def _no_programs(monkeypatch):
    """No programs, and nothing known of what they took."""
    monkeypatch.setattr(lanes, "programs", ProgramCache())


def request(data=DATA, **changes):
    """Return the request of a task that wants a plan trained."""
    units = changes.pop("units", 4)
    network = replace(ARCHITECTURE, hidden_units=(units,))
    plan = replace(PLAN, network=network, **changes)
    found = []
    task = Task(Call(), lambda: found.append(Request(enrol(plan, data))), None)
    task.run()
    task.future.result()
    return found[0]


def list_sizes(parts):
    """Return the widths in each part."""
    return [sorted(r.member.plan.network.hidden_units[0] for r in p) for p in parts]


def test_small_networks_train_together():
    """What little networks compute in vain is less than a program costs."""
    parts = split_by_size([request(units=units) for units in (1, 9, 40)])
    assert list_sizes(parts) == [[1, 9, 40]]


def test_large_networks_train_apart():
    """A wide network that trains long would have the narrow ones wait for it."""
    widths = (200_000, 3, 199_000, 5)
    parts = split_by_size([request(units=units, epochs=600) for units in widths])
    assert list_sizes(parts) == [[199_000, 200_000], [3, 5]]


def test_few_rows_and_many_train_apart_where_that_is_long():
    """Members of a long epoch and of a short one are parted alike."""
    few = replace(DATA, train_rows=DATA.train_rows[:6])
    long = {"units": 50_000, "epochs": 50_000}
    assert len(split_by_size([request(**long), request(few, **long)])) == 2
    assert len(split_by_size([request(), request(few)])) == 1


def test_an_only_batch_goes_to_all_lanes():
    """Its members are shared out evenly."""
    batch = Batch([request(seed=seed) for seed in range(5)])
    jobs = plan_jobs([batch], 2, 10**9)
    assert [(job.batch, job.n_slots) for job in jobs] == [(batch, 3), (batch, 3)]


def test_several_batches_go_to_a_lane_each():
    """A program of few members is no faster, so small batches are not divided."""
    batches = [Batch([request(seed=s) for s in range(4)]) for _ in range(3)]
    jobs = plan_jobs(batches, 2, 10**9)
    assert [job.n_slots for job in jobs] == [4, 4, 4]


def test_a_long_batch_beside_short_ones_is_divided():
    """The longest comes first, in all lanes."""
    short = [Batch([request(seed=s) for s in range(2)]) for _ in range(2)]
    long = Batch([request(seed=s, epochs=500_000) for s in range(8)])
    jobs = plan_jobs([*short, long], 2, 10**9)
    assert [job.n_slots for job in jobs] == [4, 4, 2, 2]
    assert jobs[0].batch is long


def test_memory_bounds_the_slots():
    """States that would not fit are trained one after the other."""
    batch = Batch([request(units=1000, seed=seed) for seed in range(6)])
    state = 6 * 4 * 5001
    assert [job.n_slots for job in plan_jobs([batch], 1, 3 * state)] == [3]
    assert [job.n_slots for job in plan_jobs([batch], 1, 1)] == [1]


@pytest.fixture
def no_memory(monkeypatch, programs):
    """Let programs of several members find no memory."""
    train = Program.train

    def run_out(self, *arguments):
        if self.layout.members > 1:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return train(self, *arguments)

    return lambda: monkeypatch.setattr(Program, "train", run_out)


def test_what_fails_for_a_whole_program_is_tried_alone(iris, no_memory):
    """A group that does not fit into memory, say, does not fail its members."""
    model = KerasClassifier(epochs=2, units=5, random_state=0)
    expected = cross_val_score(model, *iris, cv=4)
    no_memory()
    with fused() as fusion:
        scores = cross_val_score(model, *iris, cv=4, error_score="raise")
    assert scores == pytest.approx(expected)
    assert fusion.report().groups[0].n_failed == 0


def test_what_is_tried_alone_can_be_cancelled(no_memory, monkeypatch):
    """A member that trains again ends when nobody wants its result any more."""
    no_memory()
    members = [request(seed=seed, epochs=10_000).member for seed in range(2)]
    train = Program.train

    def cancel(self, *arguments):
        if self.layout.members == 1:
            for member in members:
                member.is_cancelled = True
        return train(self, *arguments)

    monkeypatch.setattr(Program, "train", cancel)
    outcomes = train_group(Group(members), 2, lambda slots: None, lambda slots: None)
    assert all(isinstance(outcome, CancelledError) for _, outcome in outcomes)


def test_a_program_that_has_failed_has_no_slots(no_memory):
    """While its members train alone, nobody waits to join them."""
    no_memory()
    batch = Batch([request(seed=seed) for seed in range(3)])
    job = Job(batch, 3)
    offers = []

    def offer(job, n_free):
        job.n_free = 5
        offers.append(n_free)

    assert [job.n_free for _ in job.run(offer)] == [0, 0, 0]
    assert offers


# --- what fails outside of training


def finish(function):
    """Return what a function gives, in a thread that is not waited for in vain."""
    found = []

    def run():
        try:
            found.append(function())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(120)
    assert found, "it waits for ever"
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("skkeras_tune")]
    return found[0]


def fail(*arguments, **options):
    """Stand for a fault of no fit's own."""
    raise RuntimeError("out of order")


def score_fused(**params):
    """Return the scores of two settings in two folds, trained together."""
    model = KerasClassifier(epochs=2, units=5, random_state=0, **params)
    X = np.random.default_rng(0).normal(size=(60, 3))
    rates = {"learning_rate": [0.01, 0.1]}
    search = GridSearchCV(model, rates, cv=2, refit=False, error_score=-1.0)
    with fused():
        return search.fit(X, X[:, 0] > 0).cv_results_["mean_test_score"].tolist()


PLACES = {
    "the slots": (Group, "join"),
    "the queue": (Group, "take"),
    "the rows": (Group, "__init__"),
    "the lanes": (coordinator, "plan_jobs"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_fault_reaches_every_fit(place, monkeypatch):
    """What breaks around the training fails the fits, and leaves no thread."""
    monkeypatch.setattr(*PLACES[place], fail)
    error = str(finish(score_fused))
    assert "All the 4 fits failed" in error
    assert "out of order" in error


def test_a_fault_of_one_lane_is_no_fault_of_others(monkeypatch):
    """Members that a lane has taken with it fail; others are trained."""
    take, n_calls = Group.take, []

    def fail_later(self, n_members):
        n_calls.append(n_members)
        if len(n_calls) == 2:
            fail()
        return take(self, n_members)

    monkeypatch.setattr(Group, "take", fail_later)
    kind = {"batch_size": 5}  # of which nobody has built a program
    batch = Batch([request(seed=seed, **kind) for seed in range(4)])
    job = Job(batch, 1)
    with pytest.raises(RuntimeError, match="out of order"):
        dict(job.run(lambda job, n_free: None))
    assert len(batch) == 3
    outcomes = [outcome for _, outcome in job.run(lambda job, n_free: None)]
    assert all(isinstance(outcome, TrainingResult) for outcome in outcomes)


def test_what_leaves_the_program_leaves_it_from_a_lane(monkeypatch):
    """An exit in a user's function ends the search, as it does outside of `fused`."""

    def leave(epoch, rate):
        raise SystemExit("enough")

    schedule = keras.callbacks.LearningRateScheduler(leave)
    error = finish(lambda: score_fused(callbacks=[schedule]))
    assert isinstance(error, SystemExit)


def test_who_cannot_join_a_group_trains_apart(monkeypatch):
    """A fault in joining a group in training fails neither the group nor the fit."""
    monkeypatch.setattr(Group, "add", fail)
    late = request(seed=1)
    late.wait.resumes.set()
    trainer = Coordinator(1, 4, 10**9)
    trainer._waiting.append(late)
    job = Job(Batch([request()]), 2)
    job.batch.group.take(1)  # it has its slot
    trainer._offer(job, 1)
    trainer.join()
    assert (len(job.batch), job.n_free) == (1, 1)
    assert isinstance(late.outcome, TrainingResult)


def test_an_idle_lane_takes_members_that_wait_for_a_slot():
    """It helps the lane that trains their group, once all jobs have begun."""
    trainer = Coordinator(2, 8, 10**9)
    batch = Batch([request(seed=seed) for seed in range(3)])
    trainer._n_busy = 2
    trainer._offer(Job(batch, 1), 0)
    trainer.join()
    assert batch.group.n_waiting == 3
    trainer._n_busy = 1
    trainer._offer(Job(batch, 1), 0)
    trainer.join()
    assert (len(batch), trainer._n_busy) == (0, 1)
