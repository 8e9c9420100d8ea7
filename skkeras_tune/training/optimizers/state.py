"""What an optimizer keeps between steps, as slots of weights and as Keras's variables.

Both ways: out of a program for a model, and back when training goes on.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.training.optimizers.rule import OptimizerRule


def initial_slots(
    rule: OptimizerRule, weights: list[NDArray[Any]], numbers: Mapping[str, float]
) -> list[dict[str, NDArray[Any]]]:
    """Return what is kept for each weight of one member, as training begins."""
    start = numbers.get("initial_accumulator_value", 0.0)
    return [
        {name: np.full_like(weight, start) for name in rule.slots} for weight in weights
    ]


def list_keras_variables(
    rule: OptimizerRule,
    slots: list[dict[str, NDArray[Any]]],
    counters: Mapping[str, NDArray[Any]],
) -> list[NDArray[Any]]:
    """Return the state as the variables of Keras's optimizer, in its order."""
    variables: list[NDArray[Any]] = []
    for name in _spread_layout(rule, len(slots)):
        if isinstance(name, tuple):
            index, slot = name
            variables.append(slots[index][slot])
        else:
            variables.append(counters[name])
    return variables


def read_keras_variables(
    rule: OptimizerRule, variables: list[NDArray[Any]], n_weights: int
) -> tuple[list[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]] | None:
    """Return slots and counters from Keras's optimizer variables, if they fit."""
    names = _spread_layout(rule, n_weights)
    if len(names) != len(variables):
        return None
    slots: list[dict[str, NDArray[Any]]] = [{} for _ in range(n_weights)]
    counters = {}
    for name, value in zip(names, variables, strict=True):
        if isinstance(name, tuple):
            slots[name[0]][name[1]] = value
        else:
            counters[name] = value
    return slots, counters


def _spread_layout(rule: OptimizerRule, n_weights: int) -> list[Any]:
    """Extend the order of the variables of two weights to that of `n_weights`."""
    spread: list[Any] = []
    layout, place = list(rule.layout), 0
    while place < len(layout):
        run = _take_run(layout, place)
        if run:
            spread += [(i, slot) for i in range(n_weights) for slot in run]
            place += 2 * len(run)
        else:
            spread.append(layout[place])
            place += 1
    return spread


def _take_run(layout: list[str], place: int) -> list[str]:
    """Return the slots of the first weight that begin at `place`."""
    run = []
    while place < len(layout) and layout[place].startswith("first_"):
        run.append(layout[place].removeprefix("first_"))
        place += 1
    return run
