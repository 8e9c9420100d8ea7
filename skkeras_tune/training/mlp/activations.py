"""Activations by name in, outputs and the way back to their inputs out.

Tensors are given to Keras's own functions, and TensorFlow finds the way back. Arrays
are not, so what is used most is written here for them, by Keras's formulas.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.special import erf

from skkeras_tune.training.arithmetic.arrays import is_array, maximum, where
from skkeras_tune.training.arithmetic.primitives import (
    relu,
    relu_gradient,
    sigmoid,
    softplus,
)

#: From the gradient of the outputs to that of the inputs.
Back = Callable[[Any], Any]

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
_LEAK = 0.2

_Pair = tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]


def _elu(x: Any) -> Any:
    return where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _elu_slope(x: Any, outputs: Any) -> Any:
    return where(x > 0, np.ones_like(x), outputs + 1)


def _selu_slope(x: Any, outputs: Any) -> Any:
    low = outputs + _SELU_SCALE * _SELU_ALPHA
    return where(x > 0, np.full_like(x, _SELU_SCALE), low)


def _silu_slope(x: Any, outputs: Any) -> Any:
    share = sigmoid(x)
    return share + outputs * (1 - share)


def _gelu_slope(x: Any, outputs: Any) -> Any:
    density = np.exp(-0.5 * x * x) / np.sqrt(x.dtype.type(2 * np.pi))
    return _find_normal(x) + x * density


def _find_normal(x: Any) -> Any:
    return 0.5 * (1 + erf(x * x.dtype.type(0.5**0.5)))


def _mish(x: Any) -> Any:
    return x * np.tanh(softplus(x))


def _mish_slope(x: Any, outputs: Any) -> Any:
    share = np.tanh(softplus(x))
    return share + x * (1 - share * share) * sigmoid(x)


def _selu(x: Any) -> Any:
    low = _SELU_ALPHA * np.expm1(np.minimum(x, 0))
    return _SELU_SCALE * where(x > 0, x, low)


#: For arrays: each function, and its slope by what went in and what came out.
_FORMULAS: dict[str, _Pair] = {
    "elu": (_elu, _elu_slope),
    "gelu": (lambda x: x * _find_normal(x), _gelu_slope),
    "leaky_relu": (
        lambda x: maximum(x, _LEAK * x),
        lambda x, _: where(x > 0, np.ones_like(x), np.full_like(x, _LEAK)),
    ),
    "linear": (lambda x: x, lambda x, _: np.ones_like(x)),
    "mish": (_mish, _mish_slope),
    "selu": (_selu, _selu_slope),
    "sigmoid": (sigmoid, lambda _, outputs: outputs * (1 - outputs)),
    "silu": (lambda x: x * sigmoid(x), _silu_slope),
    "softplus": (softplus, lambda x, _: sigmoid(x)),
    "swish": (lambda x: x * sigmoid(x), _silu_slope),
    "tanh": (np.tanh, lambda _, outputs: 1 - outputs * outputs),
}

#: Names of the activations that have a formula, and a way back through it.
HAVE_FORMULAS = frozenset({*_FORMULAS, "relu"})


def _softmax(x: Any) -> Any:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


_FORWARD: dict[str, Callable[[Any], Any]] = {
    "exponential": np.exp,
    "relu": relu,
    "softmax": _softmax,
    **{name: function for name, (function, _) in _FORMULAS.items()},
}


def takes_arrays(activation: Any) -> bool:
    """Tell whether an activation can be applied to arrays."""
    name = activation or "linear"
    return isinstance(name, str) and name in _FORWARD


def activate(activation: Any, x: Any) -> Any:
    """Apply an activation of Keras's, by name or as it is."""
    if activation == "relu":
        return relu(x)
    if is_array(x):
        return _FORWARD[activation or "linear"](x)
    return keras.activations.get(activation or "linear")(x)


def activate_with_way_back(activation: Any, x: Any) -> tuple[Any, Back]:
    """Apply an activation, and return the outputs with the way back."""
    if activation == "relu":
        outputs = relu(x)
        return outputs, lambda slope: relu_gradient(outputs, slope)
    if is_array(x):
        outputs = activate(activation, x)
        _, find_slope = _FORMULAS[activation or "linear"]
        return outputs, lambda slope: slope * find_slope(x, outputs)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        outputs = activate(activation, x)
    return outputs, lambda slope: tape.gradient(outputs, x, output_gradients=slope)
