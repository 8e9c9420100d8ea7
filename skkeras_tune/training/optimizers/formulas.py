"""The formulas of Keras 3's optimizers, element by element, as pure functions.

A gradient, what is kept for its weight and the numbers in; the change of the weight and
what to keep for the next step out.
"""

from collections.abc import Callable, Mapping
from typing import Any

from skkeras_tune.training.arithmetic.arrays import maximum, sign, square
from skkeras_tune.training.arithmetic.primitives import absolute, rsqrt, sqrt

Slots = dict[str, Any]
Step = Callable[..., tuple[Any, Slots]]


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


def find_nadam_momenta(c: Mapping[str, Any], product: Any) -> dict[str, Any]:
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

#: The change of a weight, and what is kept for it, by the name of the Keras class.
STEPS: dict[str, Step] = {
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
