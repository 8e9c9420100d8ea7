"""Targets and raw outputs in, losses and their slopes out, by short formulas.

Raw outputs are those that the loss prefers: logits for a crossentropy.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from skkeras_tune._compat.keras import read_omitted_arguments
from skkeras_tune.training.arithmetic.arrays import (
    add_up,
    as_type_of,
    average,
    cast,
    clip,
    expand,
    sign,
    square,
    where,
)
from skkeras_tune.training.arithmetic.primitives import (
    absolute,
    binary_crossentropy,
    sigmoid,
)


class DirectLoss(NamedTuple):
    """A loss of raw outputs.

    Attributes
    ----------
    losses : callable
        Takes targets of shape (P, B, ...) and raw outputs of shape (P, B, n_outputs),
        and returns the loss of each row, of shape (P, B).
    slope : callable
        Takes the same, and returns how each row's loss grows with its raw outputs.
    """

    losses: Callable[[Any, Any], Any]
    slope: Callable[[Any, Any], Any]


def _square_errors(targets: Any, raw: Any) -> Any:
    return average(square(raw - cast(targets, raw.dtype)), -1)


def _square_slope(targets: Any, raw: Any) -> Any:
    return (2 / raw.shape[-1]) * (raw - cast(targets, raw.dtype))


def _absolute_errors(targets: Any, raw: Any) -> Any:
    return average(absolute(raw - cast(targets, raw.dtype)), -1)


def _absolute_slope(targets: Any, raw: Any) -> Any:
    return sign(raw - cast(targets, raw.dtype)) / raw.shape[-1]


def _build_huber(delta: float) -> DirectLoss:
    """Return the loss that is the squared error up to `delta`, and linear beyond."""

    def find_losses(targets: Any, raw: Any) -> Any:
        error = raw - cast(targets, raw.dtype)
        size = absolute(error)
        beyond = delta * size - 0.5 * delta**2
        return average(where(size <= delta, 0.5 * square(error), beyond), -1)

    def find_slope(targets: Any, raw: Any) -> Any:
        error = raw - cast(targets, raw.dtype)
        return clip(error, -delta, delta) / raw.shape[-1]

    return DirectLoss(find_losses, find_slope)


def _poisson_losses(targets: Any, raw: Any) -> Any:
    rate = np.exp(raw)
    logarithm = np.log(rate + keras.config.epsilon())
    return average(rate - cast(targets, raw.dtype) * logarithm, -1)


def _poisson_slope(targets: Any, raw: Any) -> Any:
    rate = np.exp(raw)
    share = rate / (rate + keras.config.epsilon())
    return (rate - cast(targets, raw.dtype) * share) / raw.shape[-1]


def _binary_losses(targets: Any, raw: Any) -> Any:
    return average(binary_crossentropy(targets, raw), -1)


def _binary_slope(targets: Any, raw: Any) -> Any:
    return (sigmoid(raw) - targets) / raw.shape[-1]


def _exponentiate(raw: Any) -> tuple[Any, Any, Any]:
    """Return the largest of each row's raw outputs, exponentials, and their sum."""
    largest = raw.max(-1, keepdims=True)
    powers = np.exp(raw - largest)
    return largest, powers, powers.sum(-1, keepdims=True)


def _categorical_losses(targets: Any, raw: Any) -> Any:
    largest, _, total = _exponentiate(raw)
    return add_up(targets * (np.log(total) + largest - raw), -1)


def _categorical_slope(targets: Any, raw: Any) -> Any:
    _, powers, total = _exponentiate(raw)
    return powers / total * add_up(targets, -1, keepdims=True) - targets


def _mark_classes(targets: Any, raw: Any) -> Any:
    return as_type_of(raw, expand(targets, 2) == np.arange(raw.shape[-1]))


SQUARED = DirectLoss(_square_errors, _square_slope)
BINARY = DirectLoss(_binary_losses, _binary_slope)
#: For arrays alone, since TensorFlow has crossentropies of one operation.
CATEGORICAL = DirectLoss(_categorical_losses, _categorical_slope)
SPARSE = DirectLoss(
    lambda targets, raw: _categorical_losses(_mark_classes(targets, raw), raw),
    lambda targets, raw: _categorical_slope(_mark_classes(targets, raw), raw),
)

ABSOLUTE = DirectLoss(_absolute_errors, _absolute_slope)
#: Of the logarithms of the rates.
POISSON = DirectLoss(_poisson_losses, _poisson_slope)

_KINDS: dict[type, tuple[DirectLoss | None, str]] = {
    keras.losses.MeanSquaredError: (SQUARED, "linear"),
    keras.losses.MeanAbsoluteError: (ABSOLUTE, "linear"),
    keras.losses.Huber: (None, "linear"),  # depends on its delta
    keras.losses.Poisson: (POISSON, "exponential"),
    keras.losses.BinaryCrossentropy: (BINARY, "sigmoid"),
    keras.losses.CategoricalCrossentropy: (CATEGORICAL, "softmax"),
    keras.losses.SparseCategoricalCrossentropy: (SPARSE, "softmax"),
}


def find_direct_loss(
    loss: keras.losses.Loss, activation: Any, n_outputs: int, shape: tuple[int, ...]
) -> DirectLoss | None:
    """Return a loss's formulas, if there are some.

    Parameters
    ----------
    loss : keras.losses.Loss
    activation : str or callable
        Of the outputs.
    n_outputs : int
    shape : tuple of int
        Of a row's targets.
    """
    direct, expected = _KINDS.get(type(loss), (None, ""))
    if type(loss) is keras.losses.Huber:
        direct = _build_huber(float(read_omitted_arguments(loss)["delta"]))
    if getattr(loss, "from_logits", False):
        expected = "linear"
    if direct is None or (activation or "linear") != expected:
        return None
    if (
        getattr(loss, "axis", -1) != -1
        or getattr(loss, "ignore_class", None) is not None
    ):
        return None
    return direct if shape == (() if direct is SPARSE else (n_outputs,)) else None
