"""A Keras optimizer in; out come what it does and its numbers, apart.

What no compiled form is known of is refused with a reason.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from skkeras_tune._compat.keras import fresh_names, name_optimizer_variables
from skkeras_tune.frozen import FrozenObject
from skkeras_tune.training.optimizers.formulas import STEPS
from skkeras_tune.training.plan import NotCompilable

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
    if kind not in STEPS or settings["module"] != "keras.optimizers":
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
