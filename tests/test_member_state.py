"""What a member brings into a program is what comes out of it, whatever its room."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skkeras_tune.training.groups.group import Group
from skkeras_tune.training.members.final_state import (
    read_optimizer_variables,
    read_weights,
    refuse_diverged,
    refuse_infinite,
)
from skkeras_tune.training.members.initial_state import build_state, list_numbers
from skkeras_tune.training.plan import ModelState
from skkeras_tune.training.programs.program import (
    LOSS_NOT_FINITE,
    RUNNING,
    VALIDATION_NAN,
)
from tests.plans import ADAM, ARCHITECTURE, DATA, DROPPING, MOMENTUM, PLAN, enrol

WIDE = replace(PLAN, network=replace(ARCHITECTURE, hidden_units=(11,)))


def join(plan):
    """Return a member, and a program with room for a wider one beside it."""
    network = replace(plan.network, hidden_units=WIDE.network.hidden_units)
    members = [enrol(p, DATA) for p in (plan, replace(plan, network=network))]
    return members[0], Group(members).join(2)


@pytest.mark.parametrize("compilation", [MOMENTUM, ADAM])
@pytest.mark.parametrize("plan", [PLAN, DROPPING])
def test_weights_come_back(plan, compilation):
    """Weights and the optimizer's variables have their own shapes again."""
    member, room = join(replace(plan, compilation=compilation))
    network, rule = member.design.network, member.design.optimizer
    weights = member.plan.network.initial_weights(1)
    fresh = build_state(member.compiled, weights, None, room)
    variables = read_optimizer_variables(fresh, rule, network, room)
    generator = np.random.default_rng(0)
    moved = [
        generator.random(v.shape).astype(v.dtype) if v.shape else v for v in variables
    ]
    start = ModelState(weights, moved, optimizer=rule.kind)
    state = build_state(member.compiled, weights, start, room)
    for found, given in zip(read_weights(state, network, room), weights, strict=True):
        assert_array_equal(found, given)
    found = read_optimizer_variables(state, rule, network, room)
    for here, there in zip(found, moved, strict=True):
        assert_array_equal(here, there)


def test_another_optimizers_variables_are_no_start():
    """What one optimizer has kept says nothing to another."""
    member, room = join(PLAN)
    weights = member.plan.network.initial_weights(1)
    start = ModelState(weights, [np.ones(3)], optimizer="Adam")
    begun = build_state(member.compiled, weights, start, room)
    fresh = build_state(member.compiled, weights, None, room)
    assert begun["counters"] == fresh["counters"]
    for name, rows in fresh["slots"].items():
        for here, there in zip(begun["slots"][name], rows, strict=True):
            assert_array_equal(here, there)


def test_units_that_are_not_there_are_marked():
    """In a wider program, a member's numbers say which weights are its own."""
    member, room = join(PLAN)
    real = list_numbers(member.plan, member.compiled, room)["real"]
    n_weights = sum(w.size for w in member.plan.network.initial_weights(1))
    assert sum(int(row.sum()) for row in real) == n_weights
    own = list_numbers(member.plan, member.compiled, member.design)
    assert "real" not in own


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (LOSS_NOT_FINITE, "training loss became inf in epoch 2"),
        (VALIDATION_NAN, "validation loss became nan in epoch 2"),
    ],
)
def test_losses_that_are_not_finite_raise(status, what):
    """The error names the loss, the epoch and the learning rate."""
    with pytest.raises(ValueError, match=rf"{what}.*now 0\.5"):
        refuse_diverged(status, {"loss": [1.0, np.inf]}, 2, 0.5)
    refuse_diverged(RUNNING, {"loss": [1.0]}, 1, 0.5)


def test_weights_that_are_not_finite_raise():
    """One weight is enough."""
    with pytest.raises(ValueError, match="weights became not finite in epoch 3"):
        refuse_infinite([np.ones(2), np.array([1.0, np.nan])], 3, 0.5)
    refuse_infinite([np.ones(2)], 3, 0.5)
