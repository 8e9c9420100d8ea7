"""Values, arrays and numbers in, values of one type or of one shape out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skkeras_tune.training.arithmetic.stablehlo.module import Module, V, Value
from skkeras_tune.training.arithmetic.stablehlo.operations import broadcast, convert

_KINDS = "biuf"  # each holds those before it


def type_constants(module: Module[V], inputs: Sequence[Any]) -> list[V]:
    """Return values as they are, and arrays and numbers as constants.

    A number of Python's has the type of the first value, and so has an array of the
    same kind.
    """
    known = [x.dtype for x in inputs if isinstance(x, Value)]
    if known:
        inputs = [_follow(x, known[0]) for x in inputs]
    return [module.as_value(x) for x in inputs]


def promote(module: Module[V], inputs: Sequence[Any]) -> list[V]:
    """Return values of one type, which is NumPy's for theirs."""
    values = type_constants(module, inputs)
    dtype = np.result_type(*[value.dtype for value in values])
    return [convert(value, dtype) for value in values]


def _follow(x: Any, dtype: np.dtype[Any]) -> Any:
    """Return an array or number in the type of a value, if it is to have that."""
    if isinstance(x, Value):
        return x
    array = np.asarray(x)
    follows = array.dtype.kind == dtype.kind
    if isinstance(x, bool | int | float):
        follows = _KINDS.index(array.dtype.kind) <= _KINDS.index(dtype.kind)
    return array.astype(dtype) if follows else array


def broadcast_together(values: Sequence[V]) -> list[V]:
    """Return values of one shape."""
    shape = values[0].shape
    if any(value.shape != shape for value in values):
        shape = np.broadcast_shapes(*(value.shape for value in values))
    return [broadcast(value, shape) for value in values]
