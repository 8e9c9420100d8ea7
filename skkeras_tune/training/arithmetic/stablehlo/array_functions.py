"""Arguments of a function of NumPy's for whole arrays in, its value out."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.training.arithmetic.stablehlo import operations
from skkeras_tune.training.arithmetic.stablehlo.module import Module, V
from skkeras_tune.training.arithmetic.stablehlo.promotion import (
    broadcast_together,
    promote,
)


def take_slices(x: V, index: Sequence[Any]) -> V:
    """Return a part by slices, whole numbers and new axes: NumPy's basic indexing."""
    n_left = len(x.shape) - sum(item is not None for item in index)
    if n_left < 0:
        raise IndexError(f"{index} are too many indices for the shape {x.shape}")
    ranges, shape, sizes = [], [], iter(x.shape)
    for item in (*index, *[slice(None)] * n_left):
        if item is None:
            shape.append(1)
            continue
        taken = range(next(sizes))[item]
        if isinstance(taken, range):
            shape.append(len(taken))
        else:
            taken = range(taken, taken + 1)
        if taken.step < 0:
            raise IndexError(f"the step of {item} is below zero")
        ranges.append(taken)
    return operations.reshape(operations.slice_ranges(x, ranges), shape)


def reduce_axes(operation: str, initial: Any, x: V, axis: Any, keepdims: bool) -> V:
    """Return what an operation makes of the numbers along one or more axes."""
    every = range(len(x.shape))
    axes = sorted(every if axis is None else [every[i] for i in np.atleast_1d(axis)])
    start = x.module.as_value(np.asarray(initial, x.dtype))
    result = operations.reduce(operation, start, x, axes)
    kept = [1 if i in axes else size for i, size in enumerate(x.shape)]
    return operations.reshape(result, kept) if keepdims else result


def _where(module: Module[V], condition: Any, one: Any, two: Any) -> V:
    holds = operations.convert(module.as_value(condition), bool)
    chosen = promote(module, [one, two])
    return operations.select(*broadcast_together([holds, *chosen]))


def _concatenate(module: Module[V], parts: Sequence[Any], axis: int = 0) -> V:
    values = promote(module, parts)
    return operations.concatenate(values, range(len(values[0].shape))[axis])


def _stack(module: Module[V], parts: Sequence[Any], axis: int = 0) -> V:
    values = promote(module, parts)
    shape = list(values[0].shape)
    axis = range(len(shape) + 1)[axis]
    shape.insert(axis, 1)
    return operations.concatenate([operations.reshape(v, shape) for v in values], axis)


def _clip(module: Module[V], x: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


def _fill(module: Module[V], x: V, number: Any, dtype: Any = None) -> NDArray[Any]:
    return np.full(x.shape, number, dtype or x.dtype)


#: Each takes the module, and then what NumPy's function does.
ARRAY_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.clip: _clip,
    np.concatenate: _concatenate,
    np.full_like: _fill,
    np.ones_like: lambda module, x, dtype=None: _fill(module, x, 1, dtype),
    np.stack: _stack,
    np.where: _where,
    np.zeros_like: lambda module, x, dtype=None: _fill(module, x, 0, dtype),
}
