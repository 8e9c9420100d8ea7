"""A function of NumPy's for single numbers and its arguments in, its value out."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import erf

from skkeras_tune.training.arithmetic.stablehlo import operations
from skkeras_tune.training.arithmetic.stablehlo.module import Module, V
from skkeras_tune.training.arithmetic.stablehlo.promotion import (
    broadcast_together,
    promote,
    type_constants,
)

_COMPARISONS = {
    np.equal: "EQ",
    np.greater: "GT",
    np.greater_equal: "GE",
    np.less: "LT",
    np.less_equal: "LE",
    np.not_equal: "NE",
}
_OPERATIONS = {
    np.add: "stablehlo.add",
    np.bitwise_xor: "stablehlo.xor",
    np.exp: "stablehlo.exponential",
    np.expm1: "stablehlo.exponential_minus_one",
    np.log: "stablehlo.log",
    np.log1p: "stablehlo.log_plus_one",
    np.logical_and: "stablehlo.and",
    np.logical_not: "stablehlo.not",
    np.logical_or: "stablehlo.or",
    np.maximum: "stablehlo.maximum",
    np.minimum: "stablehlo.minimum",
    np.multiply: "stablehlo.multiply",
    np.negative: "stablehlo.negate",
    np.power: "stablehlo.power",
    np.sqrt: "stablehlo.sqrt",
    np.subtract: "stablehlo.subtract",
    np.tanh: "stablehlo.tanh",
    np.true_divide: "stablehlo.divide",
    erf: "chlo.erf",
}


def apply_ufunc(module: Module[V], function: np.ufunc, inputs: Sequence[Any]) -> Any:
    """Return a function's value, or NotImplemented for a function that is not known."""
    if function not in UFUNCS:
        return NotImplemented
    if function in _COMPARISONS:
        one, two = broadcast_together(promote(module, inputs))
        return operations.compare(_COMPARISONS[function], one, two)
    values = type_constants(module, inputs)
    dtype = _find_type(function, *[value.dtype for value in values])
    values = [operations.convert(value, dtype) for value in values]
    if function in _FORMULAS:
        return _FORMULAS[function](*values)
    if function is np.add and dtype.kind == "b":
        function = np.logical_or  # TensorFlow 2.18 says True + True is False
    values = broadcast_together(values)
    return module.define(_OPERATIONS[function], values, values[0].shape, dtype)


@lru_cache(1024)
def _find_type(function: np.ufunc, *dtypes: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of a function's value, for arguments of some types."""
    found: np.dtype[Any] = function.resolve_dtypes((*dtypes, None))[-1]
    return found


def _absolute(x: V) -> V:
    if x.dtype.kind in ("b", "u"):
        return x
    return x.module.define("stablehlo.abs", [x], x.shape, x.dtype)


def _add_exponentials(one: Any, two: Any) -> Any:
    """Return ``log(exp(one) + exp(two))``, without overflow."""
    return np.maximum(one, two) + np.log1p(np.exp(-np.absolute(one - two)))


def _multiply_matrices(one: V, two: V) -> V:
    """Return the products of stacks of matrices, of which one may be repeated."""
    stack = np.broadcast_shapes(one.shape[:-2], two.shape[:-2])
    one = operations.broadcast(one, (*stack, *one.shape[-2:]))
    two = operations.broadcast(two, (*stack, *two.shape[-2:]))
    return operations.multiply_matrices(one, two)


def _shift_right(x: Any, n_bits: Any) -> Any:
    x, n_bits = broadcast_together([x, n_bits])
    kind = "logical" if x.dtype.kind == "u" else "arithmetic"
    operation = f"stablehlo.shift_right_{kind}"
    return x.module.define(operation, [x, n_bits], x.shape, x.dtype)


def _sign(x: Any) -> Any:
    if x.dtype.kind == "u":
        return np.minimum(x, 1)
    return x.module.define("stablehlo.sign", [x], x.shape, x.dtype)


#: Functions that are more than an operation.
_FORMULAS: dict[np.ufunc, Callable[..., Any]] = {
    np.absolute: _absolute,
    np.logaddexp: _add_exponentials,
    np.matmul: _multiply_matrices,
    np.right_shift: _shift_right,
    np.sign: _sign,
    np.square: lambda x: x * x,
}

#: The functions that a module can compute.
UFUNCS = frozenset([*_COMPARISONS, *_OPERATIONS, *_FORMULAS])
