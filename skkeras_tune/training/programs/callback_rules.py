"""Keras's callbacks as parts of a program: what each watches, and what it then does.

`read_rules` turns callbacks into rules, which belong to a program's design, and into
numbers, which are its arguments. A rule's `follow` is the callback's end of an epoch,
for all members at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skkeras_tune._compat.keras import is_old_plateau
from skkeras_tune.training.arithmetic.arrays import (
    both,
    cast,
    either,
    equal,
    maximum,
    neither,
    reshape,
    where,
    zeros_like,
)
from skkeras_tune.training.arithmetic.primitives import is_missing
from skkeras_tune.training.plan import NotCompilable

_callbacks = keras.callbacks
_PLATEAU_NUMBERS = ("min_delta", "patience", "factor", "cooldown", "min_lr")
_STOPPING_NUMBERS = ("min_delta", "patience", "baseline", "start_from_epoch")
_NUMBERS: dict[type, tuple[str, ...]] = {
    _callbacks.EarlyStopping: _STOPPING_NUMBERS,
    _callbacks.ReduceLROnPlateau: _PLATEAU_NUMBERS,
}
_RATES = (_callbacks.ReduceLROnPlateau, _callbacks.LearningRateScheduler)
_KINDS = (*_NUMBERS, *_RATES, _callbacks.TerminateOnNaN, _callbacks.History)


@dataclass(frozen=True)
class Watch:
    """What early stopping looks at, apart from its numbers."""

    key: str
    sign: float
    restores: bool

    def start(self, dtype: str, weights: Any) -> dict[str, Any]:
        """Return what a member has seen as training begins."""
        seen = {"best": np.asarray(np.inf, dtype), "wait": np.int32(0)}
        seen["best_epoch"] = np.int32(0)
        return {**seen, "best_weights": weights} if self.restores else seen

    def follow(self, moment: "Moment", numbers: Any, seen: Any) -> tuple[Any, Any]:
        """Follow Keras's EarlyStopping: what each member has seen, and who stops.

        ``best_epoch`` counts from one, so that zero is none.
        """
        value = moment.values[self.key] * self.sign
        reached = _add(value, numbers["min_delta"])
        is_better = either(equal(seen["best_epoch"], 0), reached < seen["best"])
        beats_all = is_better
        if "baseline" in numbers:
            baseline = cast(numbers["baseline"] * self.sign, value.dtype)
            beats_all = both(
                is_better, either(is_missing(baseline), reached < baseline)
            )
        waited = seen["wait"] + 1
        now = {
            "best": where(is_better, value, seen["best"]),
            "best_epoch": where(is_better, moment.count, seen["best_epoch"]),
            "wait": where(beats_all, 0, waited),
        }
        if self.restores:
            now["best_weights"] = choose(
                is_better, moment.weights, seen["best_weights"]
            )
        is_late = cast(waited, "float64") >= cast(numbers["patience"], "float64")
        stops = both(both(is_late, moment.epoch > 0), neither(is_better))
        if "start_from_epoch" in numbers:
            epoch = cast(moment.epoch, "float64")
            is_warm = epoch >= numbers["start_from_epoch"]
            now, stops = choose(is_warm, now, seen), both(is_warm, stops)
        return now, stops


@dataclass(frozen=True)
class Plateau:
    """What a falling learning rate looks at, apart from its numbers."""

    key: str
    sign: float
    in_double: bool

    def start(self, dtype: str, weights: Any) -> dict[str, Any]:
        """Return what a member has seen as training begins."""
        best = np.asarray(np.inf, dtype)
        counts = {"wait": np.float64(0), "cooldown": np.float64(0)}
        return {"best": best, "is_new": np.bool_(not self.in_double), **counts}

    def follow(self, moment: "Moment", numbers: Any, seen: Any) -> tuple[Any, Any]:
        """Follow Keras's ReduceLROnPlateau: what each has seen, and its next rate."""
        value = moment.values[self.key] * self.sign
        is_better = either(seen["is_new"], self._improves(value, numbers, seen["best"]))
        was_cooling = seen["cooldown"] > 0
        cooldown = seen["cooldown"] - cast(was_cooling, "float64")
        waits = both(neither(is_better), cooldown <= 0)
        wait = where(either(was_cooling, is_better), zeros_like(cooldown), seen["wait"])
        wait += cast(waits, "float64")
        is_late = both(waits, wait >= numbers["patience"])
        rate = moment.rate
        is_above = cast(rate, "float32") > cast(numbers["min_lr"], "float32")
        reduces = both(is_late, is_above)
        lower = cast(rate, "float64") * numbers["factor"]
        lower = cast(maximum(lower, numbers["min_lr"]), rate.dtype)
        now = {
            "best": where(is_better, value, seen["best"]),
            "is_new": zeros_like(is_better),
            "wait": where(reduces, zeros_like(wait), wait),
            "cooldown": where(reduces, numbers["cooldown"], cooldown),
        }
        return now, where(reduces, lower, rate)

    def _improves(self, value: Any, numbers: Any, best: Any) -> Any:
        if not self.in_double:
            return _add(value, numbers["min_delta"]) < best
        bound = cast(best, "float64") - numbers["min_delta"]
        return cast(value, "float64") < bound


@dataclass(frozen=True)
class Moment:
    """The end of an epoch, as rules see it.

    Attributes
    ----------
    epoch : tensor of shape (P,)
        Its number, over the whole history of each model.
    count : tensor of shape (P,)
        Epochs that each member has trained now.
    values : dict of tensors of shape (P,)
    weights : nested tensors of shape (P, ...)
    rate : tensor of shape (P,)
    """

    epoch: Any
    count: Any
    values: Mapping[str, Any]
    weights: Any
    rate: Any


Rule = Watch | Plateau


@dataclass(frozen=True)
class Rules:
    """The rules of some callbacks, each with its numbers and its place among them."""

    rules: tuple[Rule, ...] = ()
    numbers: tuple[dict[str, float], ...] = ()
    places: tuple[int, ...] = ()


def read_rules(
    callbacks: Sequence[Any],
    directions: Mapping[str, str],
    keys: Sequence[str],
    *,
    has_schedule: bool,
) -> Rules:
    """Return what callbacks do at the end of an epoch.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
    directions : mapping of str to str
        Which way each value is better: "up", "down" or "".
    keys : sequence of str
        Names of the values of an epoch.
    has_schedule : bool
        Whether the learning rate follows a schedule of the optimizer's.

    Raises
    ------
    NotCompilable
        If a callback does more than a program can.
    """
    _refuse_unknown(callbacks)
    if has_schedule and any(isinstance(c, _RATES) for c in callbacks):
        raise NotCompilable("a callback changes a learning rate that has a schedule")
    places = tuple(i for i, c in enumerate(callbacks) if type(c) in _NUMBERS)
    watchers = [callbacks[i] for i in places]
    rules = tuple(_read_rule(c, directions, keys) for c in watchers)
    numbers = map(_read_numbers, watchers, rules)
    return Rules(rules, tuple(numbers), places)


def _refuse_unknown(callbacks: Sequence[Any]) -> None:
    unknown = sorted({type(c).__name__ for c in callbacks if type(c) not in _KINDS})
    if unknown:
        raise NotCompilable(f"the callbacks {', '.join(unknown)} run in Keras's loop")
    if len({id(c) for c in callbacks}) < len(callbacks):
        raise NotCompilable("a callback is given twice")
    for callback in callbacks:
        name = type(callback).__name__
        if getattr(callback, "verbose", 0):
            raise NotCompilable(f"the callback {name} prints as it goes (verbose)")
        if getattr(callback, "raise_error", False):
            raise NotCompilable(f"the callback {name} raises an error at a batch")


def _read_rule(
    callback: Any, directions: Mapping[str, str], keys: Sequence[str]
) -> Rule:
    name, key = type(callback).__name__, callback.monitor
    direction = find_direction(callback, directions)
    if key not in keys or direction not in ("up", "down"):
        raise NotCompilable(f"{name} monitors {key!r}, not a value with a direction")
    sign = 1.0 if direction == "down" else -1.0
    if isinstance(callback, _callbacks.EarlyStopping):
        return Watch(key, sign, bool(callback.restore_best_weights))
    return Plateau(key, sign, is_old_plateau(callback))


def find_direction(callback: Any, directions: Mapping[str, str]) -> str:
    """Return which way the value that a callback watches is better."""
    known = {"min": "down", "max": "up"}
    known |= {keras.ops.less: "down", keras.ops.greater: "up"}  # of an earlier training
    direction = known.get(callback.monitor_op) or known.get(callback.mode)
    if direction is not None:
        return direction
    if is_old_plateau(callback):
        return "up" if "acc" in callback.monitor else "down"
    return directions.get(callback.monitor.removeprefix("val_"), "")


def _read_numbers(callback: Any, rule: Rule) -> dict[str, float]:
    """Return a callback's numbers; one without a baseline has NaN for it."""
    given = {name: getattr(callback, name) for name in _NUMBERS[type(callback)]}
    if given.get("baseline", 0.0) is None:
        given["baseline"] = np.nan
    try:
        numbers = {name: float(value) for name, value in given.items()}
    except (TypeError, ValueError) as error:
        name = type(callback).__name__
        raise NotCompilable(f"{name} has a parameter that is no number") from error
    if not is_old_plateau(callback):
        # Keras gives it the sign of the direction when training first ends an epoch.
        is_signed = callback.monitor_op is not None
        numbers["min_delta"] *= -rule.sign if is_signed else 1.0
    return numbers


def choose(condition: Any, chosen: Any, other: Any) -> Any:
    """Take each member's values from one of two states."""

    def pick(one: Any, two: Any) -> Any:
        shape = [-1] + [1] * (len(one.shape) - 1)
        return where(reshape(condition, shape), one, two)

    return tf.nest.map_structure(pick, chosen, other)


def _add(value: Any, delta: Any) -> Any:
    """Add in double precision and round, as Keras compares Python's numbers."""
    total = cast(value, "float64") + cast(delta, "float64")
    return cast(total, value.dtype)
