"""The state with which a program ends with a member in; its weights and optimizer out.

A training that went astray raises, with what to change.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.training.callbacks import raise_diverged
from skkeras_tune.training.members.member_state import crop, unpack_weights
from skkeras_tune.training.optimizers.rule import OptimizerRule
from skkeras_tune.training.optimizers.state import list_keras_variables
from skkeras_tune.training.programs.design import Design
from skkeras_tune.training.programs.program import LOSS_NOT_FINITE, VALIDATION_NAN


def refuse_diverged(
    status: int, history: Mapping[str, list[float]], epoch: int, rate: float
) -> None:
    """Raise if a loss has ended the training by not being finite."""
    if status == LOSS_NOT_FINITE:
        raise_diverged("training loss", str(history["loss"][-1]), epoch, rate)
    if status == VALIDATION_NAN:
        raise_diverged("validation loss", "nan", epoch, rate)


def refuse_infinite(weights: list[NDArray[Any]], epoch: int, rate: float) -> None:
    """Raise if a weight is not finite."""
    if not all(np.isfinite(weight).all() for weight in weights):
        raise_diverged("weights", "not finite", epoch, rate)


def read_weights(
    parts: Mapping[str, Any], network: Any, room: Design
) -> list[NDArray[Any]]:
    """Return the weights of a state, or of what is kept of one, in Keras's order."""
    trained = iter(unpack_weights(parts["weights"], room, network.trained_shapes))
    others = map(crop, parts["others"], network.other_shapes)
    return [next(trained) if on else next(others) for on in network.trainable]


def read_optimizer_variables(
    state: Mapping[str, Any], rule: OptimizerRule, network: Any, room: Design
) -> list[NDArray[Any]]:
    """Return the variables of Keras's optimizer, in its order."""
    shapes = network.trained_shapes
    rows = {
        name: unpack_weights(row, room, shapes) for name, row in state["slots"].items()
    }
    slots = [{name: rows[name][i] for name in rows} for i in range(len(shapes))]
    return list_keras_variables(rule, slots, state["counters"])
