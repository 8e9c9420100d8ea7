"""The layers of the built-in network over a member axis, with ways back through them.

The gradients are written out, of few operations, since each operation of a program
takes time to trace and compile, and for NumPy and StableHLO too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from skkeras_tune.training.arithmetic.arrays import (
    add_up,
    as_type_of,
    cast,
    concat,
    expand,
    matmul,
    maximum,
    reread,
    reshape,
    shift_right,
    square,
    where,
    zero,
)
from skkeras_tune.training.arithmetic.primitives import hash_bits, rsqrt
from skkeras_tune.training.mlp.activations import activate, activate_with_way_back

# Keras's defaults, which the built-in network keeps.
_EPSILON, _MOMENTUM = 1e-3, 0.99
# An odd number, so that no two rows of a batch begin at the same place.
_ROW = 0x9E3779B1
# From which on the places of a batch are computed in each step: a constant of so many
# numbers takes a megabyte of a program.
_MANY_PLACES = 2**18

#: From the gradient of a layer's outputs to that of its inputs and of its weights.
Back = Callable[[Any], tuple[Any, list[Any]]]


@dataclass(frozen=True)
class TrainingPass:
    """What a pass in training needs beside the rows.

    Attributes
    ----------
    mask : tensor of shape (P, B)
        One for each row that counts.
    dropout : tensor of shape (P,)
        Share of the hidden outputs to drop.
    keys : tensor of int32 of shape (P,)
        Decide which, a new one in each step.
    """

    mask: Any
    dropout: Any = None
    keys: Any = None


class Dense:
    """A dense layer as it was called.

    Parameters
    ----------
    x : tensor of shape (P, B, fan_in)
    weights : tuple of tensors
        The kernel, of shape (P, fan_in, units), and the bias, of shape (P, units); or
        one tensor, the kernel with the bias as its last row, whose gradients are found
        by one product.
    """

    def __init__(self, x: Any, weights: tuple[Any, ...]) -> None:
        self._is_joined = len(weights) == 1
        if self._is_joined:
            one = as_type_of(x, np.ones([*x.shape[:2], 1]))
            x = concat([x, one], 2)
        self._x, self._kernel = x, weights[0]
        self.outputs = matmul(x, self._kernel)
        if not self._is_joined:
            self.outputs += expand(weights[1], 1)

    def find_gradients(self, slope: Any) -> list[Any]:
        """Return the gradients of the weights, for that of the outputs."""
        kernel = matmul(self._x, slope, turn_one=True)
        return [kernel] if self._is_joined else [kernel, add_up(slope, 1)]

    def go_back(self, slope: Any) -> Any:
        """Return the gradient of the inputs, for that of the outputs."""
        back = matmul(slope, self._kernel, turn_two=True)
        return back[:, :, :-1] if self._is_joined else back


@dataclass(frozen=True)
class Hidden:
    """What follows the dense part of a hidden layer: its normalisation and so on.

    `dropout` tells whether any member drops outputs.
    """

    activation: Any
    normalization: str | None
    dropout: bool
    place: int

    def __call__(
        self,
        x: Any,
        trained: Iterator[Any],
        others: Iterator[Any],
        training: TrainingPass | None,
    ) -> tuple[Any, list[Any], Back]:
        """Return the outputs, the moved averages of the batches, and the way back."""
        scales = [next(trained) for _ in range(2 if self.normalization else 0)]
        averages = [next(others) for _ in range(2 * (self.normalization == "batch"))]
        norm, moved = self._normalize(x, scales, averages, training)
        if training is None:
            return activate(self.activation, norm.outputs), moved, _go_nowhere
        outputs, leave = activate_with_way_back(self.activation, norm.outputs)
        factors = None
        if self.dropout:
            factors = _draw_factors(outputs, training, self.place)
            outputs = outputs * factors

        def back(slope: Any) -> tuple[Any, list[Any]]:
            slope = leave(slope if factors is None else slope * factors)
            inputs: tuple[Any, list[Any]] = norm.go_back(slope)
            return inputs

        return outputs, moved, back

    def _normalize(
        self, x: Any, scales: list[Any], averages: list[Any], training: Any
    ) -> tuple[Any, list[Any]]:
        """Return the normalised inputs, and the averages of batches as they are now."""
        if self.normalization is None:
            return _Unchanged(x), []
        if self.normalization == "layer":
            return _Normalized(x, scales, 2, 1 / x.shape[2]), []
        if training is None:
            mean, variance = (expand(value, 1) for value in averages)
            return _Unchanged(
                _scale((x - mean) * rsqrt(variance + _EPSILON), scales)
            ), []
        # Whoever has no rows in a step has no mean, and none may be made of it.
        count = maximum(add_up(training.mask, 1, keepdims=True), 1)
        share = training.mask / count
        norm = _Normalized(x, scales, 1, expand(share, 2))
        pairs = zip(averages, norm.moments, strict=True)
        moved = [
            average * _MOMENTUM + now[:, 0] * (1 - _MOMENTUM) for average, now in pairs
        ]
        return norm, moved


def _go_nowhere(slope: Any) -> tuple[Any, list[Any]]:
    raise AssertionError("a prediction has no gradients")


@dataclass(frozen=True)
class _Unchanged:
    outputs: Any

    def go_back(self, slope: Any) -> tuple[Any, list[Any]]:
        return slope, []


class _Normalized:
    """Inputs brought to mean zero and variance one along an axis, then scaled.

    Parameters
    ----------
    x : tensor of shape (P, B, units)
    scales : list of two tensors of shape (P, units)
        By what to multiply, and what to add.
    axis : int
        1 normalises over the batch, 2 over the units.
    share : float or tensor
        How much each number counts in the mean; the shares add up to one.
    """

    def __init__(self, x: Any, scales: list[Any], axis: int, share: Any) -> None:
        self._axis, self._share, self._scale = axis, share, expand(scales[0], 1)
        mean = self._average(x)
        centered = x - mean
        variance = self._average(square(centered))
        self._inverse = rsqrt(variance + _EPSILON)
        self._normal = centered * self._inverse
        #: Mean and variance.
        self.moments = mean, variance
        self.outputs = _scale(self._normal, scales)

    def _average(self, x: Any) -> Any:
        return add_up(x * self._share, self._axis, keepdims=True)

    def go_back(self, slope: Any) -> tuple[Any, list[Any]]:
        """Return the gradients of the inputs and of the scales.

        As Ioffe and Szegedy (2015) derive them: the mean and the variance are functions
        of the inputs too.
        """
        scales = [add_up(slope * self._normal, 1), add_up(slope, 1)]
        slope = slope * self._scale
        if self._axis == 1:  # all rows have the same scale, so the sums are known
            along, total = (expand(sums, 1) * self._scale for sums in scales)
        else:
            along = add_up(slope * self._normal, self._axis, keepdims=True)
            total = add_up(slope, self._axis, keepdims=True)
        slope = slope - self._share * (total + self._normal * along)
        return slope * self._inverse, scales


def _scale(x: Any, scales: list[Any]) -> Any:
    factor, shift = (expand(value, 1) for value in scales)
    return x * factor + shift


def _draw_factors(x: Any, training: TrainingPass, layer: int) -> Any:
    """Return zero for outputs to drop, and what the others are multiplied by.

    A hash of key, layer and place decides, the same in any group. A place is the same
    in a wider layer.
    """
    n_members, n_rows, units = x.shape
    rows: Any = np.arange(n_rows, dtype=np.uint32) * np.uint32(_ROW)
    rows = rows[np.newaxis, :, np.newaxis]
    if n_rows * units > _MANY_PLACES:
        # Zero, but nobody can know before: so they are no part of the program.
        rows = rows + cast(reshape(training.dropout, [-1, 1, 1]) < 0, "uint32")
    places = hash_bits(rows + np.arange(units, dtype=np.uint32), 0)
    keys = hash_bits(reread(training.keys, "uint32"), layer + 1)
    bits = hash_bits(reshape(keys, [n_members, 1, 1]) ^ places, 0)
    uniform = cast(shift_right(bits, 8), x.dtype) * 2.0**-24
    rate = reshape(training.dropout, [-1, 1, 1])
    return where(uniform >= rate, 1 / (1 - rate), zero(x))
