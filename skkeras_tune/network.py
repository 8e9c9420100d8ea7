"""Hyper-parameters in, a Keras model out: the built-in multilayer perceptron.

Building is pure: the same architecture and seed give the same model and weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from skkeras_tune.frozen import freeze
from skkeras_tune.initial_weights import draw_dense, list_normalization
from skkeras_tune.randomness import derive_seed, isolated_randomness

Activation = str | Callable[..., Any]
Normalization = Literal["batch", "layer"] | None

_HE_ACTIVATIONS = frozenset(
    {
        "celu", "elu", "exponential", "gelu", "leaky_relu", "mish", "relu", "relu6",
        "silu", "softplus", "swish",
    }
)  # fmt: skip


def _global_policy() -> str:
    return str(keras.config.dtype_policy().name)


@dataclass(frozen=True)
class MLPArchitecture:
    """The shape of a multilayer perceptron: everything but its weights."""

    input_shape: tuple[int, ...]
    hidden_units: tuple[int, ...]
    activation: Activation | None
    dropout: float
    normalization: Normalization
    l1: float
    l2: float
    wide: bool
    kernel_initializer: Any
    output_units: int
    output_activation: Activation | None
    dtype_policy: str = field(default_factory=_global_policy)

    @property
    def n_inputs(self) -> int:
        return int(np.prod(self.input_shape))

    def build(self, seed: int) -> keras.Model:
        """Return the uncompiled Keras model with its initial weights."""
        with isolated_randomness(seed):
            model = _assemble(self, seed)
        model.set_weights(self.initial_weights(seed))
        return model

    def initial_weights(self, seed: int) -> list[NDArray[Any]]:
        """Draw the initial weights, in the order of ``model.get_weights()``.

        Kernels come from the layers' initializers (the output layer's is
        Glorot-uniform, as Keras's default), biases are zero.
        """
        weights: list[NDArray[Any]] = []
        fan_in = self.n_inputs
        hidden = resolve_initializer(self.kernel_initializer, self.activation)
        for index, units in enumerate(self.hidden_units):
            weights += draw_dense(hidden, (fan_in, units), seed, index)
            weights += list_normalization(self.normalization, units)
            fan_in = units
        if self.wide and self.hidden_units:
            fan_in += self.n_inputs
        shape = (fan_in, self.output_units)
        return weights + draw_dense("glorot_uniform", shape, seed, -1)

    def dropout_seeds(self, seed: int) -> list[int]:
        """Return the seed of each dropout layer, first to last."""
        return [derive_seed(seed, "dropout", i) for i in range(len(self.hidden_units))]


def build_mlp(
    input_shape: int | Sequence[int],
    output_units: int = 1,
    output_activation: Activation | None = None,
    *,
    hidden_layer_sizes: Sequence[int] | None = None,
    n_hidden: int = 1,
    units: int = 100,
    activation: Activation | None = "relu",
    dropout: float = 0.0,
    normalization: Normalization = None,
    l1: float = 0.0,
    l2: float = 0.0,
    wide: bool = False,
    kernel_initializer: Any = "auto",
    random_state: int = 0,
) -> keras.Model:
    """Build the multilayer perceptron that the estimators train.

    Parameters
    ----------
    input_shape : int or tuple of int
        Number of features, or the shape of one input. Inputs of more than one axis
        are flattened.
    output_units : int, default=1
        Width of the output layer.
    output_activation : str, callable or None, default=None
        Activation of the output layer; None is linear.
    hidden_layer_sizes : sequence of int, default=None
        Width of each hidden layer; an empty one gives a linear model. None takes
        `n_hidden` layers of `units`.
    n_hidden : int, default=1
        Number of hidden layers when `hidden_layer_sizes` is None.
    units : int, default=100
        Width of each hidden layer when `hidden_layer_sizes` is None.
    activation : str, callable or None, default="relu"
        Activation of the hidden layers, by any name that Keras knows.
    dropout : float in [0, 1), default=0.0
        Share of each hidden layer's outputs that is dropped in training [1]_.
    normalization : {None, "batch", "layer"}, default=None
        Normalisation between each hidden layer's weights and its activation.
    l1, l2 : float, default=0.0
        Penalties on the kernels of all layers, added to the loss.
    wide : bool, default=False
        Also join the inputs to the last layer, as in wide & deep learning [2]_.
    kernel_initializer : str or keras.initializers.Initializer, default="auto"
        Initializer of the hidden layers' kernels. "auto" is He-normal [3]_ for ReLU
        and its kin, LeCun-normal for SELU, and Glorot-uniform otherwise.
    random_state : int, default=0
        Seed of the initial weights and of dropout.

    Returns
    -------
    keras.Model
        A functional model, not compiled.

    References
    ----------
    .. [1] N. Srivastava et al., "Dropout: a simple way to prevent neural networks
       from overfitting", JMLR 15, 2014.
    .. [2] H.-T. Cheng et al., "Wide & deep learning for recommender systems", 2016.
    .. [3] K. He et al., "Delving deep into rectifiers", ICCV 2015.

    Examples
    --------
    >>> from skkeras_tune import build_mlp
    >>> model = build_mlp(8, 3, "softmax", hidden_layer_sizes=(30, 20))
    >>> model.count_params()
    953
    """
    shape = tuple(int(size) for size in np.atleast_1d(np.asarray(input_shape)))
    if normalization not in (None, "batch", "layer"):
        message = (
            "The 'normalization' parameter of build_mlp must be 'batch', 'layer' or "
            f"None. Got {normalization!r} instead."
        )
        raise ValueError(message)
    architecture = MLPArchitecture(
        input_shape=shape,
        hidden_units=resolve_hidden_units(hidden_layer_sizes, n_hidden, units),
        activation=activation,
        dropout=dropout,
        normalization=normalization,
        l1=l1,
        l2=l2,
        wide=wide,
        kernel_initializer=freeze(kernel_initializer),
        output_units=output_units,
        output_activation=output_activation,
    )
    return architecture.build(random_state)


def resolve_hidden_units(
    hidden_layer_sizes: Sequence[int] | int | None, n_hidden: int, units: int
) -> tuple[int, ...]:
    """Return the width of each hidden layer."""
    if hidden_layer_sizes is None:
        return (int(units),) * int(n_hidden)
    return tuple(int(width) for width in np.atleast_1d(np.asarray(hidden_layer_sizes)))


def resolve_initializer(kernel_initializer: Any, activation: Activation | None) -> Any:
    """Return the initializer that suits the activation where it is "auto"."""
    if kernel_initializer != "auto":
        return kernel_initializer
    name = getattr(activation, "__name__", activation)
    if name == "selu":
        return "lecun_normal"
    return "he_normal" if name in _HE_ACTIVATIONS else "glorot_uniform"


def _assemble(architecture: MLPArchitecture, seed: int) -> keras.Model:
    inputs = keras.Input(architecture.input_shape)
    flat = (
        keras.layers.Flatten()(inputs) if len(architecture.input_shape) > 1 else inputs
    )
    outputs = flat
    for units, dropout_seed in zip(
        architecture.hidden_units, architecture.dropout_seeds(seed), strict=True
    ):
        outputs = _hidden_layer(architecture, outputs, units, dropout_seed)
    if architecture.wide and architecture.hidden_units:
        outputs = keras.layers.Concatenate()([flat, outputs])
    outputs = keras.layers.Dense(
        architecture.output_units,
        activation=architecture.output_activation,
        kernel_regularizer=_regularizer(architecture),
        dtype=_output_dtype(architecture.dtype_policy),
    )(outputs)
    return keras.Model(inputs, outputs, name="mlp")


def _output_dtype(policy: str) -> str:
    """Return the precision of the output: never half, as Keras's guide advises."""
    return keras.config.floatx() if policy.startswith("mixed") else policy


def _hidden_layer(
    architecture: MLPArchitecture, inputs: Any, units: int, dropout_seed: int
) -> Any:
    dtype = architecture.dtype_policy
    layers = [
        keras.layers.Dense(
            units, kernel_regularizer=_regularizer(architecture), dtype=dtype
        )
    ]
    if architecture.normalization == "batch":
        layers.append(keras.layers.BatchNormalization(dtype=dtype))
    elif architecture.normalization == "layer":
        layers.append(keras.layers.LayerNormalization(dtype=dtype))
    activation = architecture.activation or "linear"
    layers.append(keras.layers.Activation(activation, dtype=dtype))
    if architecture.dropout:
        layers.append(
            keras.layers.Dropout(architecture.dropout, seed=dropout_seed, dtype=dtype)
        )
    for layer in layers:
        inputs = layer(inputs)
    return inputs


def _regularizer(architecture: MLPArchitecture) -> Any:
    if not (architecture.l1 or architecture.l2):
        return None
    return keras.regularizers.L1L2(l1=architecture.l1, l2=architecture.l2)
