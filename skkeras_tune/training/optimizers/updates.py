"""Gradients in, the next weights out: a step of Keras's optimizers, and clipping.

All weights have a leading member axis, and so have the numeric settings: members of one
program may differ in every number.
"""

from collections.abc import Mapping
from typing import Any

from skkeras_tune.training.arithmetic.arrays import (
    add_up_each,
    cast,
    clip,
    expand,
    maximum,
    reshape,
    square,
)
from skkeras_tune.training.arithmetic.mapping import map_members
from skkeras_tune.training.arithmetic.primitives import sqrt
from skkeras_tune.training.optimizers.formulas import STEPS, find_nadam_momenta
from skkeras_tune.training.optimizers.rule import OptimizerRule

Rows = tuple[Any, ...]


def apply_gradients(
    rule: OptimizerRule,
    weights: Rows,
    gradients: Rows,
    slots: Mapping[str, Rows],
    counters: dict[str, Any],
    numbers: Mapping[str, Any],
    squares: Rows | None = None,
) -> tuple[Rows, dict[str, Rows], dict[str, Any]]:
    """Take one step, on whole rows of weights: the formulas are element by element.

    Parameters
    ----------
    rule : OptimizerRule
    weights, gradients : tuples of tensors of shape (P, n_weights)
    slots : mapping of str to tuples of tensors of shape (P, n_weights)
    counters : dict of tensors of shape (P,)
        "iteration", "learning_rate" and, for Nadam, "variable".
    numbers : mapping of tensors of shape (P,)
    squares : tuple of tensors of shape (P, n_weights), default=None
        What stands for the gradients' squares, if it is not these; heeded by the
        optimizers in `TAKE_SPARSE`.
    """
    rate = counters["learning_rate"]
    if rule.schedule is not None:
        schedule = rule.schedule.thaw()
        rate = _scheduled_rate(schedule, counters["iteration"], weights[0].dtype)
    step_number = cast(counters["iteration"] + 1, weights[0].dtype)
    settings = {**numbers, "rate": rate, "step": step_number}
    if rule.kind == "Nadam":
        settings |= find_nadam_momenta(settings, counters["variable"])
        counters = {**counters, "variable": settings["product"]}
    settings = _Columns(settings)
    if "weight_decay" in rule.switches:
        shrink = settings["weight_decay"], settings["rate"]
        weights = tuple(row - row * shrink[0] * shrink[1] for row in weights)
    given = slots if squares is None else {**slots, "square": squares}
    steps = [
        STEPS[rule.kind](row, {n: given[n][i] for n in given}, settings, rule.switches)
        for i, row in enumerate(gradients)
    ]
    weights = tuple(w + change for w, (change, _) in zip(weights, steps, strict=True))
    new = {name: tuple(kept[name] for _, kept in steps) for name in slots}
    return weights, new, {**counters, "iteration": counters["iteration"] + 1}


class _Columns(dict[str, Any]):
    """Numbers of members as columns, made of those alone that are asked for."""

    def __init__(self, numbers: Mapping[str, Any]) -> None:
        super().__init__()
        self._numbers = numbers

    def __missing__(self, name: str) -> Any:
        self[name] = column = expand(self._numbers[name], 1)
        return column


def _scheduled_rate(schedule: Any, iterations: Any, dtype: Any) -> Any:
    """Ask the schedule for each member: some of them branch on a scalar."""

    def find(iteration: Any) -> Any:
        return cast(schedule(iteration), dtype)

    return map_members(find, (iterations,))


def _spread(value: Any, like: Any) -> Any:
    return reshape(value, [-1] + [1] * (len(like.shape) - 1))


def clip_gradients(
    kind: str | None, gradients: list[Any], numbers: Mapping[str, Any]
) -> list[Any]:
    """Clip the gradients of each weight, of shape (P, ...), as `kind` says."""
    if kind is None:
        return gradients
    limit = numbers["clip"]
    if kind == "clipvalue":
        bounds = [_spread(limit, g) for g in gradients]
        return [clip(g, -b, b) for g, b in zip(gradients, bounds, strict=True)]
    norms = [sqrt(add_up_each(square(g))) for g in gradients]
    if kind == "global_clipnorm":
        total = sqrt(sum(square(norm) for norm in norms))
        norms = [total] * len(gradients)
    factors = [limit / maximum(norm, limit) for norm in norms]
    return [g * _spread(f, g) for g, f in zip(gradients, factors, strict=True)]
