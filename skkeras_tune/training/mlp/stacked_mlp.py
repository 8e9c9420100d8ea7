"""The built-in network as a pure function of stacked weights.

Every weight has a leading member axis: one pass computes the outputs of all members.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from skkeras_tune._compat.keras import mark_logits
from skkeras_tune.network import MLPArchitecture
from skkeras_tune.training.arithmetic.arrays import (
    add_up_each,
    as_type_of,
    concat,
    reshape,
    sign,
    square,
    zeros_like,
)
from skkeras_tune.training.arithmetic.packing import Block, Shape
from skkeras_tune.training.arithmetic.primitives import absolute
from skkeras_tune.training.mlp.activations import activate
from skkeras_tune.training.mlp.layers import Back, Dense, Hidden
from skkeras_tune.training.plan import NotCompilable

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
    def outputs(self) -> Shape:
        """Shape of the outputs of a row."""
        return (self.architecture.output_units,)

    @property
    def blocks(self) -> list[Block]:
        """Shapes of the trained weights of one member, each kernel with its bias."""
        shape, fan_in = self.architecture, self.architecture.n_inputs
        blocks: list[Block] = []
        for units in shape.hidden_units:
            scales: list[Block] = [((units,),)] * 2 if shape.normalization else []
            blocks += [((fan_in, units), (units,)), *scales]
            fan_in = units
        if shape.wide and shape.hidden_units:
            fan_in += shape.n_inputs
        units = shape.output_units
        return [*blocks, ((fan_in, units), (units,))]

    @property
    def trained_shapes(self) -> list[Shape]:
        """Shape of each trained weight of one member."""
        return [shape for block in self.blocks for shape in block]

    @property
    def n_weights(self) -> int:
        """Number of trained weights of one member."""
        return sum(map(math.prod, self.trained_shapes))

    @property
    def other_shapes(self) -> list[Shape]:
        """Shape of each weight of one member that has no gradients."""
        if self.architecture.normalization != "batch":
            return []
        units = self.architecture.hidden_units
        return [(width,) for width in units for _ in range(2)]

    def forward(
        self, trained: Sequence[Any], others: Sequence[Any], x: Any, training: Any
    ) -> "Pass":
        """Compute the outputs, apart from their activation.

        Parameters
        ----------
        trained : sequence of tensors of shape (P, ...)
            In the shapes of `trained_shapes`, or small kernels with their bias as
            their last row.
        others : sequence of tensors of shape (P, ...)
        x : tensor of shape (P, B, ...)
        training : TrainingPass or None
            None predicts.
        """
        shape = self.architecture
        weights, averages = iter(trained), iter(others)
        layers: list[tuple[Dense, Back | None]] = []
        moved: list[Any] = []
        flat = outputs = reshape(x, [x.shape[0], -1, shape.n_inputs])
        for place in range(len(shape.hidden_units)):
            dense = _call_dense(outputs, weights)
            hidden = Hidden(
                shape.activation, shape.normalization, bool(shape.dropout), place
            )
            outputs, new, back = hidden(dense.outputs, weights, averages, training)
            layers.append((dense, back))
            moved += new
        n_skipped = 0
        if shape.wide and shape.hidden_units:
            n_skipped = shape.n_inputs
            outputs = concat([flat, outputs], 2)
        last = _call_dense(outputs, weights)
        return Pass(last.outputs, moved, [*layers, (last, None)], n_skipped)

    def finish(self, outputs: Any, *, raw: bool = False) -> Any:
        """Apply the activation of the outputs.

        If `raw`, probabilities stay the logits that they are computed from, which a
        crossentropy finds.
        """
        if raw and self.architecture.output_activation in ("sigmoid", "softmax"):
            return mark_logits(outputs)
        return activate(self.architecture.output_activation, outputs)

    def predict(self, weights: Sequence[Any], x: Any) -> Any:
        """Return the outputs, of all weights in Keras's order."""
        flags = self.trainable
        trained = [w for w, on in zip(weights, flags, strict=True) if on]
        others = [w for w, on in zip(weights, flags, strict=True) if not on]
        return self.finish(self.forward(trained, others, x, None).outputs)

    @property
    def is_penalized(self) -> bool:
        """Whether the kernels may add to the loss."""
        return bool(self.architecture.l1 or self.architecture.l2)

    def penalty(self, weights: list[Any], l1: Any, l2: Any) -> Any:
        """Return what the kernels add to the loss, of shape (P,), or zero."""
        shape = self.architecture
        if not self.is_penalized:
            return zeros_like(l1)
        total = zeros_like(l1)
        kernels = [weight for weight in weights if len(weight.shape) == 3]
        for weight, fan_in in zip(kernels, self._list_fan_ins(), strict=True):
            kernel = weight[:, :fan_in]
            if shape.l1:
                total = total + l1 * add_up_each(absolute(kernel))
            if shape.l2:
                total = total + l2 * add_up_each(square(kernel))
        return total

    def penalty_slopes(self, weights: list[Any], l1: Any, l2: Any) -> list[Any]:
        """Return the gradient of `penalty` for each weight, None for those without."""
        l1, l2 = (reshape(value, [-1, 1, 1]) for value in (l1, l2))
        shape, sizes = self.architecture, iter(self._list_fan_ins())
        slopes: list[Any] = []
        for weight in weights:
            if len(weight.shape) != 3:
                slopes.append(None)
                continue
            slope = 2 * l2 * weight if shape.l2 else zeros_like(weight)
            if shape.l1:
                slope = slope + l1 * sign(weight)
            is_kernel = np.arange(weight.shape[1]) < next(sizes)
            if not is_kernel.all():  # the last row of a joined kernel is the bias
                slope = slope * as_type_of(weight, is_kernel[:, np.newaxis])
            slopes.append(slope)
        return slopes

    def _list_fan_ins(self) -> list[int]:
        """Return how many rows of each kernel are no bias."""
        return [kernel[0] for kernel in self.trained_shapes if len(kernel) == 2]


@dataclass(frozen=True)
class Pass:
    """A network as it was called on a batch.

    Attributes
    ----------
    outputs : tensor of shape (P, B, output_units)
        Before their activation.
    moved : list of tensors
        The weights that training moves without gradients, as they are now.
    layers : list of tuples
        Each dense layer, and the way back through what follows it.
    n_skipped : int
        How many of the last layer's inputs are the features.
    """

    outputs: Any
    moved: list[Any]
    layers: list[tuple[Dense, Back | None]]
    n_skipped: int

    def find_gradients(self, slope: Any) -> list[Any]:
        """Return the gradients of the trained weights, for that of the outputs."""
        gradients: list[Any] = []
        for place in reversed(range(len(self.layers))):
            dense, back = self.layers[place]
            scales: list[Any] = []
            if back is not None:
                slope, scales = back(slope)
            gradients = [*dense.find_gradients(slope), *scales, *gradients]
            if place:
                slope = dense.go_back(slope)
            if back is None and self.n_skipped:
                slope = slope[:, :, self.n_skipped :]
        return gradients


def _call_dense(x: Any, weights: Iterator[Any]) -> Dense:
    """Call a dense layer, whose kernel has a row more than x if the bias is in it."""
    kernel = next(weights)
    is_joined = kernel.shape[1] > x.shape[2]
    return Dense(x, (kernel,) if is_joined else (kernel, next(weights)))


def _is_kerass(activation: Any) -> bool:
    if activation is None or isinstance(activation, str):
        return True
    return (getattr(activation, "__module__", None) or "").startswith("keras.")
