"""Values of a module in, the results of StableHLO's operations out.

Each function takes what StableHLO's does: operands of one type, and of one shape. What
would change nothing is not written.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from skkeras_tune.training.arithmetic.stablehlo.module import V
from skkeras_tune.training.arithmetic.stablehlo.text import Shape, format_integers


def compare(direction: str, one: V, two: V) -> V:
    """Tell where numbers are "LT", "LE", "GT", "GE", "EQ" or "NE" to others."""
    return one.module.define(
        "stablehlo.compare",
        [one, two],
        one.shape,
        bool,
        comparison_direction=f"#stablehlo<comparison_direction {direction}>",
    )


def select(condition: V, one: V, two: V) -> V:
    """Take numbers from one array where a condition holds, else from another."""
    operands = [condition, one, two]
    return one.module.define("stablehlo.select", operands, one.shape, one.dtype)


def convert(x: V, dtype: DTypeLike) -> V:
    """Return numbers of another type."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    return x.module.define("stablehlo.convert", [x], x.shape, dtype)


def bitcast(x: V, dtype: DTypeLike) -> V:
    """Return the same bits as numbers of another type of the same size."""
    dtype = np.dtype(dtype)
    if dtype.itemsize != x.dtype.itemsize:
        raise TypeError(f"{dtype} has not as many bits as {x.dtype}")
    return x.module.define("stablehlo.bitcast_convert", [x], x.shape, dtype)


def reshape(x: V, shape: Sequence[int]) -> V:
    """Return the same numbers in another shape."""
    shape = tuple(shape)
    if shape == x.shape:
        return x
    if min(shape, default=0) < 0 or math.prod(shape) != math.prod(x.shape):
        raise ValueError(f"an array of shape {x.shape} cannot have the shape {shape}")
    return x.module.define("stablehlo.reshape", [x], shape, x.dtype)


def transpose(x: V, order: Sequence[int]) -> V:
    """Return the array with its axes in another order."""
    shape = [x.shape[axis] for axis in order]
    return x.module.define(
        "stablehlo.transpose", [x], shape, x.dtype, permutation=format_integers(order)
    )


def broadcast(x: V, shape: Shape) -> V:
    """Repeat an array along the axes that it has not, or has one place on."""
    if x.shape == shape:
        return x
    n_new = len(shape) - len(x.shape)
    kept = [i for i, size in enumerate(x.shape) if size == shape[n_new + i]]
    x = reshape(x, [x.shape[i] for i in kept])
    return x.module.define(
        "stablehlo.broadcast_in_dim",
        [x],
        shape,
        x.dtype,
        broadcast_dimensions=format_integers(n_new + i for i in kept),
    )


def concatenate(parts: Sequence[V], axis: int) -> V:
    """Join arrays along an axis."""
    first = parts[0]
    if len(parts) == 1:
        return first
    others = {(*part.shape[:axis], *part.shape[axis + 1 :]) for part in parts}
    if len(others) > 1:
        shapes = ", ".join(str(part.shape) for part in parts)
        raise ValueError(
            f"arrays of shapes {shapes} cannot be joined along axis {axis}"
        )
    shape = list(first.shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return first.module.define(
        "stablehlo.concatenate", parts, shape, first.dtype, dimension=f"{axis} : i64"
    )


def slice_ranges(x: V, ranges: Sequence[range]) -> V:
    """Return what stands in an ascending range of each axis."""
    if all(r == range(size) for r, size in zip(ranges, x.shape, strict=True)):
        return x
    return x.module.define(
        "stablehlo.slice",
        [x],
        [len(r) for r in ranges],
        x.dtype,
        start_indices=format_integers(r.start for r in ranges),
        limit_indices=format_integers(max(r.start, r.stop) for r in ranges),
        strides=format_integers(r.step for r in ranges),
    )


def slice_window(x: V, starts: Sequence[Any], sizes: Sequence[int]) -> V:
    """Return a part of known size that begins where values or numbers say."""
    starts = [s if isinstance(s, type(x)) else np.int32(s) for s in starts]
    return x.module.define(
        "stablehlo.dynamic_slice",
        [x, *map(x.module.as_value, starts)],
        sizes,
        x.dtype,
        slice_sizes=format_integers(sizes),
    )


def gather_rows(x: V, indices: V) -> V:
    """Return the rows with these indices, in the shape of the indices.

    An index below zero does not count from the end.
    """
    if indices.dtype.kind not in "iu":
        raise TypeError(f"an index is a whole number, and not of type {indices.dtype}")
    rest, n_axes = x.shape[1:], len(indices.shape)
    offsets = list(range(n_axes, n_axes + len(rest)))
    numbers = (
        f"offset_dims = {offsets}, collapsed_slice_dims = [0], "
        f"start_index_map = [0], index_vector_dim = {n_axes}"
    )
    return x.module.define(
        "stablehlo.gather",
        [x, indices],
        (*indices.shape, *rest),
        x.dtype,
        dimension_numbers=f"#stablehlo.gather<{numbers}>",
        indices_are_sorted="false",
        slice_sizes=format_integers((1, *rest)),
    )


def multiply_matrices(one: V, two: V) -> V:
    """Return the matrix products of two stacks of one shape."""
    n_stacked = len(one.shape) - 2
    if n_stacked < 0 or one.shape[-1:] != two.shape[-2:-1]:
        shapes = f"{one.shape} and {two.shape}"
        raise ValueError(f"arrays of shapes {shapes} have no product of matrices")
    stacked = list(range(n_stacked))
    numbers = (
        f"lhs_batching_dimensions = {stacked}, rhs_batching_dimensions = {stacked}, "
        f"lhs_contracting_dimensions = [{n_stacked + 1}], "
        f"rhs_contracting_dimensions = [{n_stacked}]"
    )
    return one.module.define(
        "stablehlo.dot_general",
        [one, two],
        (*one.shape[:-1], two.shape[-1]),
        one.dtype,
        dot_dimension_numbers=f"#stablehlo.dot<{numbers}>",
    )


def reduce(operation: str, initial: V, x: V, axes: Sequence[int]) -> V:
    """Return what an operation makes of an initial number and those along axes."""
    module = x.module
    region, _ = module.write_region(
        [initial, initial], lambda *pair: [module.define(operation, pair, (), x.dtype)]
    )
    return module.define(
        "stablehlo.reduce",
        [x, initial],
        [size for axis, size in enumerate(x.shape) if axis not in axes],
        x.dtype,
        [region],
        dimensions=format_integers(axes),
    )
