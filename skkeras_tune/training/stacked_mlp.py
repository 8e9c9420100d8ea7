"""The built-in network as a pure function of stacked weights.

Every weight has a leading member axis: one pass computes the outputs of all members.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skkeras_tune._compat import mark_logits
from skkeras_tune.network import MLPArchitecture
from skkeras_tune.randomness import hash_bits
from skkeras_tune.training.plan import NotCompilable
from skkeras_tune.training.primitives import absolute, relu, rsqrt

# Keras's defaults, which the built-in network keeps.
_EPSILON, _MOMENTUM = 1e-3, 0.99
# An odd number, so that no two rows of a batch begin at the same place.
_ROW = 0x9E3779B1


# Activations of each unit by itself.
_ELEMENTWISE = frozenset(
    {
        "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid",
        "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid",
        "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softplus",
        "softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "swish", "tanh",
        "tanh_shrink", "threshold",
    }
)  # fmt: skip


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
    dropout: Any
    keys: Any


@dataclass(frozen=True)
class StackedMLP:
    """A multilayer perceptron, apart from its numbers and its weights.

    The numeric settings of `architecture` are normalised: two networks that differ in
    these alone are equal, and share a program.
    """

    architecture: MLPArchitecture

    @classmethod
    def of(cls, architecture: MLPArchitecture) -> "StackedMLP":
        """Leave the numbers out.

        Raises
        ------
        NotCompilable
            If the network has a function of the user's, or is of mixed precision.
        """
        if architecture.dtype_policy not in ("float32", "float64"):
            raise NotCompilable(f"the precision is {architecture.dtype_policy}")
        if architecture.dtype_policy != keras.config.floatx():
            raise NotCompilable("the precision is not that of keras.config.floatx()")
        for activation in (architecture.activation, architecture.output_activation):
            if not _is_kerass(activation):
                raise NotCompilable(f"the activation {activation!r} is not Keras's own")
        return cls(
            replace(
                architecture,
                dropout=1.0 if architecture.dropout else 0.0,
                l1=1.0 if architecture.l1 else 0.0,
                l2=1.0 if architecture.l2 else 0.0,
                kernel_initializer="auto",
            )
        )

    @property
    def can_be_widened(self) -> bool:
        """Whether units could be added that change nothing: each stands for itself."""
        name = self.architecture.activation or "linear"
        name = getattr(name, "__name__", name)
        return name in _ELEMENTWISE and self.architecture.normalization != "layer"

    @property
    def kind(self) -> "StackedMLP":
        """What networks of one program have in common, of the widest that can be."""
        shape = replace(self.architecture, dropout=1.0, l1=1.0, l2=1.0)
        if self.can_be_widened:
            shape = replace(shape, hidden_units=(0,) * len(shape.hidden_units))
        return StackedMLP(shape)

    def join(self, networks: Sequence["StackedMLP"]) -> "StackedMLP":
        """Return a network that has room for any of these."""
        shapes = [network.architecture for network in networks]
        widths = [shape.hidden_units for shape in shapes]
        units = tuple(max(layer) for layer in zip(*widths, strict=True))
        return StackedMLP(
            replace(
                self.architecture,
                hidden_units=units,
                dropout=max(shape.dropout for shape in shapes),
                l1=max(shape.l1 for shape in shapes),
                l2=max(shape.l2 for shape in shapes),
            )
        )

    @property
    def trainable(self) -> list[bool]:
        """Whether each weight is trained, in the order of the weights."""
        flags: list[bool] = []
        for _ in self.architecture.hidden_units:
            flags += [True, True]
            if self.architecture.normalization is not None:
                flags += [True, True]
            if self.architecture.normalization == "batch":
                flags += [False, False]
        return [*flags, True, True]

    @property
    def output_units(self) -> int:
        """Width of the outputs."""
        return self.architecture.output_units

    @property
    def trained_shapes(self) -> list[tuple[int, ...]]:
        """Shape of each trained weight of one member."""
        shape, fan_in = self.architecture, self.architecture.n_inputs
        shapes: list[tuple[int, ...]] = []
        for units in shape.hidden_units:
            shapes += [(fan_in, units), (units,)]
            shapes += [(units,), (units,)] if shape.normalization else []
            fan_in = units
        if shape.wide and shape.hidden_units:
            fan_in += shape.n_inputs
        return [*shapes, (fan_in, shape.output_units), (shape.output_units,)]

    @property
    def n_weights(self) -> int:
        """Number of trained weights of one member."""
        return sum(map(math.prod, self.trained_shapes))

    @property
    def other_shapes(self) -> list[tuple[int, ...]]:
        """Shape of each weight of one member that has no gradients."""
        if self.architecture.normalization != "batch":
            return []
        units = self.architecture.hidden_units
        return [(width,) for width in units for _ in range(2)]

    def __call__(
        self,
        weights: list[Any],
        x: Any,
        training: TrainingPass | None = None,
        *,
        raw: bool = False,
    ) -> tuple[Any, list[Any]]:
        """Return the outputs and the weights that training moves without gradients.

        Parameters
        ----------
        weights : list of tensors of shape (P, ...)
        x : tensor of shape (P, B, ...)
        training : TrainingPass, default=None
            None predicts.
        raw : bool, default=False
            Whether probabilities may stay the logits that they are computed from,
            which a crossentropy finds.
        """
        shape = self.architecture
        taken, moved = iter(weights), []
        flat = tf.reshape(x, [x.shape[0], -1, shape.n_inputs])
        outputs = flat
        for layer in range(len(shape.hidden_units)):
            outputs = _dense(outputs, taken)
            if shape.normalization == "batch":
                outputs, moving = _normalize_batch(outputs, taken, training)
                moved += moving
            elif shape.normalization == "layer":
                outputs = _normalize_layer(outputs, taken)
            outputs = _activate(shape.activation, outputs)
            if shape.dropout and training is not None:
                outputs = _drop(outputs, training, layer)
        if shape.wide and shape.hidden_units:
            outputs = tf.concat([flat, outputs], axis=-1)
        outputs = _dense(outputs, taken)
        if raw and shape.output_activation in ("sigmoid", "softmax"):
            return mark_logits(outputs), moved
        return _activate(shape.output_activation, outputs), moved

    def penalty(self, weights: list[Any], l1: Any, l2: Any) -> Any:
        """Return what the kernels add to the loss, of shape (P,), or zero."""
        shape = self.architecture
        if not (shape.l1 or shape.l2):
            return tf.zeros_like(l1)
        kernels = [w for w in weights if len(w.shape) == 3]
        total = tf.zeros_like(l1)
        for kernel in kernels:
            if shape.l1:
                total += l1 * tf.reduce_sum(absolute(kernel), axis=[1, 2])
            if shape.l2:
                total += l2 * tf.reduce_sum(tf.square(kernel), axis=[1, 2])
        return total


def _is_kerass(activation: Any) -> bool:
    if activation is None or isinstance(activation, str):
        return True
    return (getattr(activation, "__module__", None) or "").startswith("keras.")


def _dense(x: Any, weights: Iterator[Any]) -> Any:
    kernel, bias = next(weights), next(weights)
    return tf.matmul(x, kernel) + bias[:, tf.newaxis]


def _activate(activation: Any, x: Any) -> Any:
    if activation == "relu":
        return relu(x)
    return keras.activations.get(activation or "linear")(x)


def _normalize_batch(
    x: Any, weights: Iterator[Any], training: TrainingPass | None
) -> tuple[Any, list[Any]]:
    scale, shift, mean, variance = (next(weights)[:, tf.newaxis] for _ in range(4))
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


def _normalize_layer(x: Any, weights: Iterator[Any]) -> Any:
    scale, shift = (next(weights)[:, tf.newaxis] for _ in range(2))
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
