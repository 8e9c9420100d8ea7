"""Requests become jobs: who trains with whom, and in how many slots."""

from dataclasses import replace

import pytest
import tensorflow as tf
from sklearn.model_selection import cross_val_score

from skkeras_tune import KerasClassifier, fused
from skkeras_tune.fusion import lanes
from skkeras_tune.fusion.lanes import Batch, plan_jobs, split_by_size
from skkeras_tune.fusion.request import Call, Request, Task
from skkeras_tune.training.member import Member
from skkeras_tune.training.program import Program
from skkeras_tune.training.program_cache import ProgramCache
from tests.test_keras_loop import ARCHITECTURE, DATA, PLAN


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
    task = Task(Call(), lambda: found.append(Request(Member(plan, data))), None)
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
    widths = (200_000, 3, 190_000, 5)
    parts = split_by_size([request(units=units, epochs=2000) for units in widths])
    assert list_sizes(parts) == [[190_000, 200_000], [3, 5]]


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
    long = Batch([request(seed=s, epochs=5000) for s in range(8)])
    jobs = plan_jobs([*short, long], 2, 10**9)
    assert [job.n_slots for job in jobs] == [4, 4, 2, 2]
    assert jobs[0].batch is long


def test_memory_bounds_the_slots():
    """States that would not fit are trained one after the other."""
    batch = Batch([request(units=1000, seed=seed) for seed in range(6)])
    state = 6 * 4 * 5001
    assert [job.n_slots for job in plan_jobs([batch], 1, 3 * state)] == [3]
    assert [job.n_slots for job in plan_jobs([batch], 1, 1)] == [1]


def test_what_fails_for_a_whole_program_is_tried_alone(iris, monkeypatch):
    """A group that does not fit into memory, say, does not fail its members."""
    train = Program.train

    def run_out(self, *arguments):
        if self.layout.members > 1:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return train(self, *arguments)

    model = KerasClassifier(epochs=2, units=5, random_state=0)
    expected = cross_val_score(model, *iris, cv=4)
    monkeypatch.setattr(Program, "train", run_out)
    with fused() as fusion:
        scores = cross_val_score(model, *iris, cv=4, error_score="raise")
    assert scores == pytest.approx(expected)
    assert fusion.report().groups[0].n_failed == 0
