"""Members of one program: each ends as it does alone."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skkeras_tune.frozen import freeze
from skkeras_tune.training.engine import train
from skkeras_tune.training.groups import slots, timed_program
from skkeras_tune.training.groups.group import Group
from skkeras_tune.training.groups.slots import Slots, programs, train_members
from skkeras_tune.training.plan import (
    StoppingRule,
    TrainingResult,
)
from skkeras_tune.training.programs.cache import ProgramCache
from tests.plans import ADAM, ALL, ARCHITECTURE, DATA, DROPPING, MOMENTUM, PLAN, enrol

STOPPING = StoppingRule("val_loss", 1, 0.0, True)
EarlyStopping = keras.callbacks.EarlyStopping
Plateau = keras.callbacks.ReduceLROnPlateau


def train_group(members, n_slots=None):
    """Train members side by side and return the outcome of each, in their order."""
    ended = dict(train_members(members, n_slots or len(members)))
    assert len(ended) == len(members)
    return [ended[member] for member in members]


def train_alone(plan, data, start=None, callbacks=()):
    """Train a plan in a program of its own."""
    return train(plan, data, start=start, callbacks=callbacks, engine="compiled")


def assert_same(here, there):
    """Two results are the same to float32's tolerance."""
    assert isinstance(here, TrainingResult), here
    assert here.history.keys() == there.history.keys()
    for name, values in there.history.items():
        assert_allclose(here.history[name], values, rtol=2e-5, atol=1e-7, err_msg=name)
    assert here.best_epoch == there.best_epoch
    for one, two in zip(here.state.weights, there.state.weights, strict=True):
        assert_allclose(one, two, rtol=1e-3, atol=1e-5)
    for one, two in zip(
        here.state.optimizer_state, there.state.optimizer_state, strict=True
    ):
        assert_allclose(one, two, rtol=1e-3, atol=1e-5)


def assert_as_alone(settings, n_slots=None, *, interpret=False):
    """Members with these (plan, data) end in a group as each ends alone."""
    alone = [train_alone(plan, data) for plan, data in settings]
    members = [enrol(plan, data, may_interpret=interpret) for plan, data in settings]
    for here, there in zip(train_group(members, n_slots), alone, strict=True):
        assert_same(here, there)
    return alone


def vary_optimizer(**changes):
    """Return Adam with these settings."""
    optimizer = keras.optimizers.Adam(**{"learning_rate": 0.05, **changes})
    return replace(ADAM, optimizer=freeze(optimizer))


def vary_network(**changes):
    """Return the plan with these changes of its network."""
    return replace(PLAN, network=replace(ARCHITECTURE, **changes))


DECAYING = vary_optimizer(
    learning_rate=keras.optimizers.schedules.PiecewiseConstantDecay([4], [0.1, 0.01])
)
FEWER = replace(DATA, train_rows=DATA.train_rows[:-3])
HALF = replace(DATA, train_rows=DATA.train_rows[::2])
OTHER = replace(DATA, x=DATA.x[::-1].copy())
WEIGHTED = replace(DATA, weight=np.linspace(0.5, 1.5, len(DATA.x), dtype="float32"))
DIFFERENT = {
    "seeds": [(replace(PLAN, seed=seed), DATA) for seed in range(3)],
    "numbers of rows": [(PLAN, DATA), (PLAN, FEWER)],
    "numbers of batches": [
        (vary_network(normalization="batch"), data) for data in (DATA, HALF)
    ],
    "held-out rows": [
        (PLAN, DATA),
        (PLAN, replace(DATA, validation_rows=DATA.validation_rows[:2])),
    ],
    "features": [(PLAN, DATA), (PLAN, OTHER), (PLAN, DATA)],
    "targets": [(PLAN, DATA), (PLAN, replace(DATA, y=-DATA.y))],
    "weights": [
        (PLAN, WEIGHTED),
        (PLAN, replace(WEIGHTED, weight=WEIGHTED.weight[::-1].copy())),
    ],
    "epochs": [(replace(PLAN, epochs=epochs), DATA) for epochs in (5, 1, 3)],
    "first epochs": [(replace(PLAN, first_epoch=first), DATA) for first in (0, 7)],
    "learning rates": [
        (replace(PLAN, compilation=vary_optimizer(learning_rate=rate)), DATA)
        for rate in (0.1, 0.001)
    ],
    "betas and decay": [
        (
            replace(PLAN, compilation=vary_optimizer(beta_1=beta, weight_decay=beta)),
            DATA,
        )
        for beta in (0.5, 0.9)
    ],
    "momenta": [
        (
            replace(
                PLAN,
                compilation=replace(
                    MOMENTUM, optimizer=freeze(keras.optimizers.SGD(0.01, momentum))
                ),
            ),
            DATA,
        )
        for momentum in (0.5, 0.95)
    ],
    "metrics": [(replace(PLAN, compilation=ADAM, seed=seed), DATA) for seed in (0, 1)],
    "rates of a schedule": [
        (replace(PLAN, first_epoch=first, compilation=DECAYING), DATA)
        for first in (0, 4)
    ],
    "widths": [(vary_network(hidden_units=(u,)), DATA) for u in (3, 11, 4)],
    "widths of layers": [
        (replace(DROPPING, network=replace(DROPPING.network, **changes)), DATA)
        for changes in (
            {"hidden_units": (3, 9), "wide": True, "l1": 0.01},
            {"hidden_units": (8, 2), "wide": True, "activation": "tanh"},
        )
    ],
    "widths and clipping": [
        (
            replace(
                vary_network(hidden_units=(units,), activation="sigmoid", wide=True),
                compilation=vary_optimizer(global_clipnorm=0.1),
                stopping=STOPPING,
                epochs=6,
            ),
            DATA,
        )
        for units in (2, 5)
    ],
    "penalties": [(vary_network(l2=l2), DATA) for l2 in (0.0, 0.1, 0.001)],
    "both penalties": [(vary_network(l1=l1, l2=0.0), DATA) for l1 in (0.0, 0.1)],
    "dropout": [
        (replace(DROPPING, network=replace(DROPPING.network, dropout=rate)), DATA)
        for rate in (0.0, 0.2, 0.5)
    ],
    "patience": [
        (
            replace(PLAN, epochs=12, stopping=replace(STOPPING, patience=patience)),
            DATA,
        )
        for patience in (1, 3)
    ],
    "min_delta": [
        (
            replace(PLAN, epochs=12, stopping=replace(STOPPING, min_delta=delta)),
            data,
        )
        for delta, data in ((0.0, DATA), (0.5, FEWER))
    ],
}


@pytest.mark.parametrize("interpret", [False, True])
@pytest.mark.parametrize("what", DIFFERENT)
def test_members_may_differ(what, interpret):
    """Members that differ in this end as each does alone, compiled or not."""
    assert_as_alone(DIFFERENT[what], interpret=interpret)


@pytest.mark.parametrize("what", DIFFERENT)
def test_members_may_take_turns(what):
    """In a single slot, one after the other, members end as each does alone."""
    assert_as_alone(DIFFERENT[what], n_slots=1)


@pytest.mark.parametrize("what", DIFFERENT)
def test_members_that_may_differ_are_of_one_kind(what):
    """One program serves them all."""
    assert len({enrol(plan, data).kind for plan, data in DIFFERENT[what]}) == 1


APART = {
    "batch size": (replace(PLAN, batch_size=5), DATA),
    "depth": (vary_network(hidden_units=(4, 4)), DATA),
    "activation": (vary_network(activation="relu"), DATA),
    "normalisation": (vary_network(normalization="layer"), DATA),
    "optimizer": (replace(PLAN, compilation=ADAM), DATA),
    "loss": (replace(PLAN, compilation=replace(MOMENTUM, loss="mae")), DATA),
    "stopping": (replace(PLAN, stopping=STOPPING), DATA),
    "held-out rows at all": (PLAN, ALL),
    "weights at all": (PLAN, WEIGHTED),
    "type of the features": (PLAN, replace(DATA, x=DATA.x.astype("float64"))),
}


@pytest.mark.parametrize("what", APART)
def test_what_makes_another_kind(what):
    """Members that differ in this need programs of their own."""
    assert enrol(*APART[what]).kind != enrol(PLAN, DATA).kind


@pytest.mark.parametrize(
    "settings", [{"normalization": "layer"}, {"activation": "softmax"}]
)
def test_layers_whose_units_act_together_are_not_widened(settings):
    """Where a unit more would change the others, each width is a kind of its own."""
    members = [
        enrol(vary_network(hidden_units=(units,), **settings), DATA) for units in (4, 5)
    ]
    assert members[0].kind != members[1].kind


def test_slots_are_filled_again():
    """Seven members in two slots: each takes the place of one that has stopped."""
    plan = replace(PLAN, epochs=9, stopping=STOPPING)
    plans = [replace(plan, seed=seed, epochs=9 - seed) for seed in range(7)]
    alone = assert_as_alone([(plan, DATA) for plan in plans], n_slots=2)
    assert len({len(result.history["loss"]) for result in alone}) > 2


@pytest.mark.parametrize("units", [3, 100])
def test_members_move_to_a_smaller_program(units, monkeypatch):
    """When most have stopped, the others go on in fewer slots, as if alone.

    Kernels of 100 units have rows of their own, but not in the smaller program.
    """
    monkeypatch.setattr(slots, "programs", ProgramCache())
    monkeypatch.setattr(ProgramCache, "real_build_seconds", 0.0)
    plan = vary_network(hidden_units=(units,))
    stopping = StoppingRule("val_loss", 40, 0.0, True)
    optimizer = vary_optimizer(learning_rate=0.001)
    plan = replace(plan, compilation=optimizer, stopping=stopping)
    plans = [replace(plan, epochs=epochs) for epochs in (24, 24, 24, 40)]
    ended = train_group([enrol(plan, DATA) for plan in plans])
    assert [design.layout.members for design in slots.programs] == [4, 1]
    for here, plan in zip(ended, plans, strict=True):
        assert_same(here, train_alone(plan, DATA))


def test_a_smaller_group_begins_in_a_program_that_there_is(monkeypatch):
    """Empty slots cost less than compiling, unless there is much to train."""
    monkeypatch.setattr(slots, "programs", ProgramCache())
    plans = [replace(PLAN, seed=seed, epochs=5) for seed in range(4)]
    train_group([enrol(plan, DATA) for plan in plans])
    ended = train_group([enrol(plan, DATA) for plan in plans[:2]])
    assert [design.layout.members for design in slots.programs] == [4]
    for here, plan in zip(ended, plans, strict=False):
        assert_same(here, train_alone(plan, DATA))
    monkeypatch.setattr(ProgramCache, "real_build_seconds", 0.0)
    train_group([enrol(plan, DATA) for plan in plans[:2]])
    assert 2 in [design.layout.members for design in slots.programs]


def test_a_larger_program_is_kept_while_others_wait(monkeypatch):
    """Where some wait for a slot, the program that was found serves to the end."""
    monkeypatch.setattr(slots, "programs", ProgramCache())
    plans = [replace(PLAN, seed=seed, epochs=5) for seed in range(6)]
    train_group([enrol(plan, DATA) for plan in plans[:4]])
    train_group([enrol(plan, DATA) for plan in plans], n_slots=2)
    assert [design.layout.members for design in slots.programs] == [4]


def test_members_follow_their_own_callbacks():
    """Each member's callbacks end as they do alone."""
    plan = replace(PLAN, epochs=8)

    def build_sets():
        return [
            [
                Plateau(monitor="loss", patience=1, factor=factor, min_delta=1.0),
                EarlyStopping("loss", 0.5, patience, baseline=baseline),
            ]
            for factor, patience, baseline in ((0.5, 1, None), (0.9, 5, 0.1))
        ]

    sets, lone = build_sets(), build_sets()
    alone = [train_alone(plan, ALL, None, callbacks) for callbacks in lone]
    members = [enrol(plan, ALL, None, callbacks) for callbacks in sets]
    for here, there in zip(train_group(members), alone, strict=True):
        assert_same(here, there)
    for (plateau, stopping), (plateau_alone, stopping_alone) in zip(
        sets, lone, strict=True
    ):
        assert plateau.cooldown_counter == plateau_alone.cooldown_counter
        assert plateau.wait == plateau_alone.wait
        assert stopping.wait == stopping_alone.wait
        assert_allclose(stopping.best, stopping_alone.best, rtol=1e-5)
    lengths = [len(result.history["loss"]) for result in alone]
    assert lengths[0] != lengths[1]


def test_a_rate_of_the_hosts_reaches_its_member_alone():
    """A LearningRateScheduler of one member leaves the others' rates alone."""
    sets = [
        [keras.callbacks.LearningRateScheduler(lambda epoch: 0.05 * 0.5**epoch)],
        [],
    ]
    alone = [train_alone(PLAN, DATA, None, callbacks) for callbacks in sets]
    members = [enrol(PLAN, DATA, None, callbacks) for callbacks in sets]
    for here, there in zip(train_group(members), alone, strict=True):
        assert_same(here, there)


def test_a_member_goes_on_where_it_was():
    """Members that begin from earlier states, and afresh, share a program."""
    state = train_alone(PLAN, DATA).state
    alone = [train_alone(PLAN, DATA, start) for start in (state, None)]
    members = [enrol(PLAN, DATA, start) for start in (state, None)]
    for here, there in zip(train_group(members), alone, strict=True):
        assert_same(here, there)


# --- failures


def fail(epoch):
    raise RuntimeError("out of paper")


def test_a_member_fails_alone():
    """Neither a loss that is not finite nor an error of a callback reaches others."""
    rate = keras.optimizers.SGD(1e30, momentum=0.9)
    diverging = replace(PLAN, compilation=replace(MOMENTUM, optimizer=freeze(rate)))
    stops = keras.callbacks.LearningRateScheduler(fail)
    members = [
        enrol(diverging, DATA),
        enrol(PLAN, DATA),
        enrol(PLAN, DATA, None, [stops]),
    ]
    diverged, fine, failed = train_group(members)
    assert isinstance(diverged, ValueError)
    assert "training loss became" in str(diverged)
    assert_same(fine, train_alone(PLAN, DATA))
    assert isinstance(failed, RuntimeError)
    assert str(failed) == "out of paper"
    assert stops.model is None


def test_a_member_that_cannot_begin_fails_alone():
    """A state of another network is its own member's error."""
    state = train_alone(vary_network(hidden_units=(5,)), DATA).state
    failed, fine = train_group([enrol(PLAN, DATA, state), enrol(PLAN, DATA)])
    assert "Training cannot go on" in str(failed)
    assert_same(fine, train_alone(PLAN, DATA))


def test_those_that_wait_begin_though_none_before_could():
    """A slot whose member cannot begin is the next one's."""
    state = train_alone(vary_network(hidden_units=(5,)), DATA).state
    members = [enrol(PLAN, DATA, state), enrol(PLAN, DATA, state), enrol(PLAN, DATA)]
    *_, fine = train_group(members, n_slots=1)
    assert_same(fine, train_alone(PLAN, DATA))


def test_what_the_pulse_raises_ends_all():
    """An interruption between calls ends the training and lets go of callbacks."""
    callback = Plateau(monitor="loss")
    calls = []

    def pulse(_):
        calls.append(len(calls))
        if len(calls) == 2:
            raise KeyboardInterrupt

    plan = replace(PLAN, epochs=1000)
    with pytest.raises(KeyboardInterrupt):
        list(Slots(Group([enrol(plan, DATA, None, [callback])]), 1, pulse).run())
    assert callback.model is None


def test_an_epoch_takes_its_part_of_those_trained(monkeypatch):
    """A call that ends since all have stopped has trained fewer epochs than asked."""
    ticks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(ticks))
    monkeypatch.setattr(timed_program, "time", clock)
    rule = StoppingRule("val_loss", 1, 1e3, False)  # which nothing improves
    group = Slots(Group([enrol(replace(PLAN, epochs=9, stopping=rule), DATA)]), 1)
    ((_, result),) = group.run()
    assert len(result.history["loss"]) == 2
    assert group._program.epoch_seconds == 1 / 2


def test_a_group_of_the_same_sizes_traces_nothing_again():
    """Other members of the same sizes and kind find the program."""
    train_group([enrol(replace(PLAN, seed=seed), DATA) for seed in range(3)])
    before = programs.n_built
    train_group([enrol(replace(PLAN, seed=seed), FEWER) for seed in range(3, 6)])
    assert programs.n_built == before
