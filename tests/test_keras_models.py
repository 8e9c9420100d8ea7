"""Keras models are built whole, and their states are read and put back."""

import pytest

from skkeras_tune.training import Compilation
from skkeras_tune.training.models.model import build_model, read_state, restore_state
from tests.plans import (
    ADAM,
    ARCHITECTURE,
    DATA,
    MOMENTUM,
    PLAN,
    X,
    Y,
    assert_same_weights,
    train,
)


def test_a_built_model_has_all_its_variables():
    """Weights and the optimizer's variables are there before the first step."""
    model = build_model(ARCHITECTURE, ADAM, 0)
    state = read_state(model)
    assert_same_weights(state.weights, ARCHITECTURE.initial_weights(0))
    assert len(state.optimizer_state) == 2 + 2 * len(state.weights)


def test_states_go_back():
    """A state that was read can be put back after anything."""
    model = build_model(ARCHITECTURE, ADAM, 0)
    model.train_on_batch(X, Y)
    state = read_state(model)
    model.train_on_batch(X, Y)
    restore_state(model, state)
    assert_same_weights(read_state(model).weights, state.weights)
    assert_same_weights(read_state(model).optimizer_state, state.optimizer_state)


def test_the_learning_rate_may_stay():
    """A state can be put back without the learning rate."""
    model = build_model(ARCHITECTURE, MOMENTUM, 0)
    state = read_state(model)
    model.optimizer.learning_rate = 0.5
    restore_state(model, state, with_rate=False)
    assert float(model.optimizer.learning_rate.numpy()) == 0.5
    restore_state(model, state)
    assert float(model.optimizer.learning_rate.numpy()) == pytest.approx(0.05)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_another_optimizer_starts_afresh(name):
    """The state of an optimizer of another kind is left out, the weights put back."""
    state = train(PLAN, DATA).state
    model = build_model(ARCHITECTURE, Compilation(name, "mse"), 1)
    fresh = read_state(model).optimizer_state
    restore_state(model, state)
    assert_same_weights(read_state(model).weights, state.weights)
    assert_same_weights(read_state(model).optimizer_state, fresh)
