"""Gradients in, the next weights out: Keras's optimizers as pure functions.

All weights have a leading member axis, and so have the numeric settings: members of one
program may differ in every number. The formulas are those of Keras 3.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from skkeras_tune._compat import fresh_names, name_optimizer_variables
from skkeras_tune.frozen import FrozenObject
from skkeras_tune.training.arrays import (
    add_up_each,
    cast,
    clip,
    expand,
    maximum,
    reshape,
    sign,
    square,
)
from skkeras_tune.training.members import map_members
from skkeras_tune.training.plan import NotCompilable
from skkeras_tune.training.primitives import absolute, rsqrt, sqrt

Slots = dict[str, Any]
Rows = tuple[Any, ...]
Step = Callable[..., tuple[Any, Slots]]

_UNSUPPORTED = ("use_ema", "loss_scale_factor", "gradient_accumulation_steps")
_CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")
_COMPLEMENTED = ("rho", "beta_1", "beta_2")
_CAST = ("momentum", "beta_1", "beta_2", "weight_decay")
_SWITCHES = ("nesterov", "centered", "amsgrad")


@dataclass(frozen=True)
class OptimizerRule:
    """What an optimizer does, apart from its numbers.

    Attributes
    ----------
    kind : str
        Name of the Keras class.
    switches : frozenset of str
        Those of "nesterov", "centered", "amsgrad", "momentum" and "weight_decay" that
        are on.
    clip : str or None
        Which way of clipping the gradients is on.
    schedule : FrozenObject or None
        A learning rate that follows the steps.
    layout : tuple of str
        Names of Keras's optimizer variables for one weight, in its order over two.
    """

    kind: str
    switches: frozenset[str]
    clip: str | None
    schedule: FrozenObject | None
    layout: tuple[str, ...]

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of what is kept for each weight."""
        first = [name for name in self.layout if name.startswith("first_")]
        return tuple(name.removeprefix("first_") for name in first)


def read_optimizer(frozen: Any) -> tuple[OptimizerRule, dict[str, float]]:
    """Return an optimizer's rule and its numbers.

    Raises
    ------
    NotCompilable
        If it is none of Keras's optimizers listed here, or does more than they do.
    """
    settings = json.loads(frozen.config)
    kind, config = settings["class_name"], settings["config"]
    if kind not in _STEPS or settings["module"] != "keras.optimizers":
        raise NotCompilable(f"the optimizer {kind} has no compiled form")
    extras = [name for name in _UNSUPPORTED if config.get(name)]
    if extras:
        raise NotCompilable(f"the optimizer uses {', '.join(extras)}")
    switches = {name for name in _SWITCHES if config.get(name)}
    switches |= {"momentum"} if config.get("momentum") else set()
    switches |= {"weight_decay"} if config.get("weight_decay") is not None else set()
    clip = next((name for name in _CLIPS if config.get(name)), None)
    rate, schedule = config["learning_rate"], None
    if not isinstance(rate, float):
        schedule, rate = FrozenObject(json.dumps(rate), frozen.custom_objects), 0.0
    rule = OptimizerRule(
        kind, frozenset(switches), clip, schedule, _read_layout(frozen)
    )
    numbers = {"learning_rate": rate, **_read_numbers(config, clip)}
    return rule, numbers


def _read_numbers(config: Mapping[str, Any], clip: str | None) -> dict[str, float]:
    """Return the numeric settings, with one minus each decay in double precision.

    Keras rounds what it casts to a tensor to single precision, whatever floatx is.
    """
    names = ("momentum", "rho", "beta_1", "beta_2", "epsilon", "weight_decay")
    numbers = {n: float(config[n]) for n in names if config.get(n) is not None}
    complements = {f"1-{n}": 1 - numbers[n] for n in _COMPLEMENTED if n in numbers}
    rounded = {n: float(np.float32(numbers[n])) for n in _CAST if n in numbers}
    start = config.get("initial_accumulator_value")
    if start is not None:
        numbers["initial_accumulator_value"] = float(start)
    if clip is not None:
        numbers["clip"] = float(config[clip])
    return numbers | complements | rounded


_layouts: dict[FrozenObject, tuple[str, ...]] = {}


def _read_layout(frozen: FrozenObject) -> tuple[str, ...]:
    """Return the names of Keras's own variables, for two weights."""
    key = FrozenObject(_blur(frozen.config), frozen.custom_objects)
    if key not in _layouts:
        with fresh_names():  # Nadam's product is "variable", or else "variable_9"
            optimizer = frozen.thaw()
            weights = [keras.Variable([0.0], name=name) for name in ("first", "second")]
            optimizer.build(weights)
        if len(_layouts) > 256:
            _layouts.clear()
        _layouts[key] = tuple(name_optimizer_variables(optimizer, weights))
    return _layouts[key]


def _blur(config: str) -> str:
    """Return a config with its numbers as whether they are zero.

    Keras makes a variable or not by that, and to see which takes milliseconds.
    """
    settings = json.loads(config)
    settings["config"] = {
        name: bool(value) if isinstance(value, int | float) else value
        for name, value in settings["config"].items()
    }
    return json.dumps(settings, sort_keys=True)


# --- state


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


# --- one step


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
        settings |= _nadam_momenta(settings, counters["variable"])
        counters = {**counters, "variable": settings["product"]}
    settings = _Columns(settings)
    if "weight_decay" in rule.switches:
        shrink = settings["weight_decay"], settings["rate"]
        weights = tuple(row - row * shrink[0] * shrink[1] for row in weights)
    given = slots if squares is None else {**slots, "square": squares}
    steps = [
        _STEPS[rule.kind](row, {n: given[n][i] for n in given}, settings, rule.switches)
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


def _square(g: Any, slots: Slots) -> Any:
    return slots["square"] if "square" in slots else square(g)


def _sgd(g: Any, slots: Slots, c: Mapping[str, Any], on: frozenset[str]) -> Any:
    if "momentum" not in on:
        return -g * c["rate"], slots
    m = slots["momentum"] * c["momentum"] - g * c["rate"]
    change = m * c["momentum"] - g * c["rate"] if "nesterov" in on else m
    return change, {"momentum": m}


def _rmsprop(g: Any, slots: Slots, c: Mapping[str, Any], on: frozenset[str]) -> Any:
    new = {"velocity": c["rho"] * slots["velocity"] + c["1-rho"] * _square(g, slots)}
    denominator = new["velocity"]
    if "centered" in on:
        average = c["rho"] * slots["average_gradient"] + c["1-rho"] * g
        new["average_gradient"] = average
        denominator = denominator - square(average)
    increment = c["rate"] * g * rsqrt(denominator + c["epsilon"])
    if "momentum" in on:
        increment = c["momentum"] * slots["momentum"] + increment
        new["momentum"] = increment
    return -increment, new


def _adagrad(g: Any, slots: Slots, c: Mapping[str, Any], on: frozenset[str]) -> Any:
    total = slots["accumulator"] + _square(g, slots)
    return -c["rate"] * g * rsqrt(total + c["epsilon"]), {"accumulator": total}


def _adadelta(g: Any, slots: Slots, c: Mapping[str, Any], on: frozenset[str]) -> Any:
    rho, rest, epsilon = c["rho"], c["1-rho"], c["epsilon"]
    grad = rho * slots["accumulated_grad"] + rest * square(g)
    earlier = slots["accumulated_delta_var"]
    delta = -sqrt(earlier + epsilon) * g * rsqrt(grad + epsilon)
    deltas = rho * earlier + rest * square(delta)
    new = {"accumulated_grad": grad, "accumulated_delta_var": deltas}
    return c["rate"] * delta, new


def _adam(g: Any, slots: Slots, c: Mapping[str, Any], on: frozenset[str]) -> Any:
    power_1, power_2 = c["beta_1"] ** c["step"], c["beta_2"] ** c["step"]
    rate = c["rate"] * sqrt(1 - power_2) / (1 - power_1)
    m = slots["momentum"] + (g - slots["momentum"]) * c["1-beta_1"]
    v = slots["velocity"] + (_square(g, slots) - slots["velocity"]) * c["1-beta_2"]
    new, largest = {"momentum": m, "velocity": v}, v
    if "amsgrad" in on:
        largest = new["velocity_hat"] = maximum(slots["velocity_hat"], v)
    return -m * rate / (sqrt(largest) + c["epsilon"]), new


def _adamax(g: Any, slots: Slots, c: Mapping[str, Any], on: frozenset[str]) -> Any:
    m = slots["momentum"] + (g - slots["momentum"]) * c["1-beta_1"]
    norm = maximum(c["beta_2"] * slots["norm"], absolute(g))
    scale = (1 - c["beta_1"] ** c["step"]) * (norm + c["epsilon"])
    return -c["rate"] * m / scale, {"momentum": m, "norm": norm}


def _nadam_momenta(c: Mapping[str, Any], product: Any) -> dict[str, Any]:
    """Return Nadam's momentum of this step and the next, and the products so far."""
    now = c["beta_1"] * (1 - 0.5 * 0.96 ** c["step"])
    after = c["beta_1"] * (1 - 0.5 * 0.96 ** (c["step"] + 1))
    return {"now": now, "after": after, "product": product * now}


def _nadam(g: Any, slots: Slots, c: Mapping[str, Any], on: frozenset[str]) -> Any:
    m = slots["momentum"] + (g - slots["momentum"]) * (1 - c["beta_1"])
    v = slots["velocity"]
    v = v + (_square(g, slots) - v) * (1 - c["beta_2"])
    ahead = c["after"] * m / (1 - c["product"] * c["after"])
    ahead += (1 - c["now"]) * g / (1 - c["product"])
    spread = v / (1 - c["beta_2"] ** c["step"])
    change = -ahead * c["rate"] / (sqrt(spread) + c["epsilon"])
    return change, {"momentum": m, "velocity": v}


def _lion(g: Any, slots: Slots, c: Mapping[str, Any], on: frozenset[str]) -> Any:
    m = slots["momentum"]
    change = -c["rate"] * sign(m * c["beta_1"] + g * (1 - c["beta_1"]))
    return change, {"momentum": m * c["beta_2"] + g * (1 - c["beta_2"])}


#: Optimizers that use a gradient as it is and squared, and in no other way.
TAKE_SPARSE = frozenset({"SGD", "RMSprop", "Adagrad", "Adam", "AdamW", "Nadam", "Lion"})

_STEPS: dict[str, Step] = {
    "SGD": _sgd,
    "RMSprop": _rmsprop,
    "Adagrad": _adagrad,
    "Adadelta": _adadelta,
    "Adam": _adam,
    "AdamW": _adam,
    "Adamax": _adamax,
    "Nadam": _nadam,
    "Lion": _lion,
}
