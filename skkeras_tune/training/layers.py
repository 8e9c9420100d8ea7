"""The layers of the built-in network over a member axis, with ways back through them.

A dense layer's gradients are written out, of few operations, since each operation of a
program takes time to trace and compile. For the rest TensorFlow finds them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skkeras_tune.randomness import hash_bits
from skkeras_tune.training.primitives import relu, relu_gradient, rsqrt

# Keras's defaults, which the built-in network keeps.
_EPSILON, _MOMENTUM = 1e-3, 0.99
# An odd number, so that no two rows of a batch begin at the same place.
_ROW = 0x9E3779B1

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
            one = np.ones([*x.shape[:2], 1], x.dtype.as_numpy_dtype)
            x = tf.concat([x, one], axis=2)
        self._x, self._kernel = x, weights[0]
        self.outputs = tf.matmul(x, self._kernel)
        if not self._is_joined:
            self.outputs += tf.expand_dims(weights[1], 1)

    def find_gradients(self, slope: Any) -> list[Any]:
        """Return the gradients of the weights, for that of the outputs."""
        kernel = tf.matmul(self._x, slope, transpose_a=True)
        return [kernel] if self._is_joined else [kernel, tf.reduce_sum(slope, axis=1)]

    def go_back(self, slope: Any) -> Any:
        """Return the gradient of the inputs, for that of the outputs."""
        back = tf.matmul(slope, self._kernel, transpose_b=True)
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
        if training is None:
            return *self._compute(x, scales, averages, None), _go_nowhere
        if self.activation == "relu" and not (self.normalization or self.dropout):
            outputs = relu(x)
            return outputs, [], lambda slope: (relu_gradient(outputs, slope), [])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([x, *scales])
            outputs, moved = self._compute(x, scales, averages, training)

        def back(slope: Any) -> tuple[Any, list[Any]]:
            slopes = tape.gradient(outputs, [x, *scales], output_gradients=slope)
            return slopes[0], slopes[1:]

        return outputs, moved, back

    def _compute(
        self, x: Any, scales: list[Any], averages: list[Any], training: Any
    ) -> tuple[Any, list[Any]]:
        moved: list[Any] = []
        if self.normalization == "batch":
            x, moved = _normalize_batch(x, scales, averages, training)
        elif self.normalization == "layer":
            x = _normalize_layer(x, scales)
        x = activate(self.activation, x)
        if self.dropout and training is not None:
            x = _drop(x, training, self.place)
        return x, moved


def _go_nowhere(slope: Any) -> tuple[Any, list[Any]]:
    raise AssertionError("a prediction has no gradients")


def activate(activation: Any, x: Any) -> Any:
    """Apply an activation of Keras's, by name or as it is."""
    if activation == "relu":
        return relu(x)
    return keras.activations.get(activation or "linear")(x)


def _normalize_batch(
    x: Any, scales: list[Any], averages: list[Any], training: TrainingPass | None
) -> tuple[Any, list[Any]]:
    scale, shift, mean, variance = (
        tf.expand_dims(value, 1) for value in (*scales, *averages)
    )
    moved = []
    if training is not None:
        share = training.mask / tf.reduce_sum(training.mask, axis=1, keepdims=True)
        share = share[:, :, tf.newaxis]
        here = tf.reduce_sum(x * share, axis=1, keepdims=True)
        spread = tf.reduce_sum(tf.square(x - here) * share, axis=1, keepdims=True)
        for moving, value in ((mean, here), (variance, spread)):
            new = moving * _MOMENTUM + tf.stop_gradient(value) * (1 - _MOMENTUM)
            moved.append(tf.squeeze(new, axis=1))
        mean, variance = here, spread
    inverse = rsqrt(variance + _EPSILON) * scale
    return (x - mean) * inverse + shift, moved


def _normalize_layer(x: Any, scales: list[Any]) -> Any:
    scale, shift = (tf.expand_dims(value, 1) for value in scales)
    mean = tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), axis=-1, keepdims=True)
    return (x - mean) * rsqrt(variance + _EPSILON) * scale + shift


def _drop(x: Any, training: TrainingPass, layer: int) -> Any:
    """Drop outputs: a hash of key, layer and place decides, the same in any group.

    A place is the same in a wider layer.
    """
    n_members, n_rows, units = x.shape
    rows = np.arange(n_rows, dtype=np.uint32) * np.uint32(_ROW)
    places = rows[:, np.newaxis] + np.arange(units, dtype=np.uint32)
    places = places[np.newaxis]
    keys = hash_bits(tf.bitcast(training.keys, tf.uint32), layer + 1)
    bits = hash_bits(tf.reshape(keys, [n_members, 1, 1]) ^ hash_bits(places, 0), 0)
    uniform = tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), x.dtype)
    rate = tf.reshape(training.dropout, [-1, 1, 1])
    kept = uniform * 2.0**-24 >= rate
    return tf.where(kept, x / (1 - rate), tf.zeros_like(x))
