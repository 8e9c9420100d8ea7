"""Operations that take arrays of NumPy and tensors of TensorFlow alike.

What a program computes is written once, out of these and of the arithmetic operators:
of tensors they make a graph, and of arrays they give the numbers at once. Symbolic
arrays are used as arrays are, and make the text of a module.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from skkeras_tune.training.arithmetic.stablehlo.operations import slice_window
from skkeras_tune.training.arithmetic.stablehlo.symbolic_array import SymbolicArray

_NUMPY = (np.ndarray, np.generic, SymbolicArray)


def is_array(x: Any) -> bool:
    """Tell whether a value is used as NumPy's arrays are."""
    return isinstance(x, _NUMPY)


def matmul(
    one: Any, two: Any, *, turn_one: bool = False, turn_two: bool = False
) -> Any:
    """Return the products of stacked matrices, of which either may be transposed."""
    if not is_array(one):
        return tf.matmul(one, two, transpose_a=turn_one, transpose_b=turn_two)
    one = one.swapaxes(1, 2) if turn_one else one
    return one @ (two.swapaxes(1, 2) if turn_two else two)


def expand(x: Any, axis: int) -> Any:
    """Add an axis of one place."""
    if not is_array(x):
        return tf.expand_dims(x, axis)
    return x.reshape((*x.shape[:axis], 1, *x.shape[axis:]))


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """Return the same numbers in another shape."""
    return x.reshape(shape) if is_array(x) else tf.reshape(x, shape)


def concat(parts: Sequence[Any], axis: int) -> Any:
    """Join arrays along an axis."""
    if is_array(parts[0]):
        return np.concatenate(parts, axis)
    return tf.concat(parts, axis=axis)


def stack(parts: Sequence[Any], axis: int) -> Any:
    """Join arrays along a new axis."""
    return (np if is_array(parts[0]) else tf).stack(parts, axis=axis)


def split(x: Any, sizes: Sequence[int]) -> list[Any]:
    """Part an array of shape (P, n) into columns of these sizes."""
    if not is_array(x):
        parts: list[Any] = tf.split(x, sizes, axis=1)
        return parts
    ends = accumulate(sizes)
    return [x[:, end - size : end] for size, end in zip(sizes, ends, strict=True)]


def add_up(x: Any, axis: int | Sequence[int], *, keepdims: bool = False) -> Any:
    """Return the sum along axes."""
    if not is_array(x):
        return tf.reduce_sum(x, axis=axis, keepdims=keepdims)
    return x.sum(axis if isinstance(axis, int) else tuple(axis), keepdims=keepdims)


def add_up_each(x: Any) -> Any:
    """Return the sum of each member's numbers, of an array of shape (P, ...).

    The last axis goes by a product with ones: of all axes at once XLA adds up one
    number after the other, and of all but the last many side by side.
    """
    columns = add_up(x, list(range(1, len(x.shape) - 1)))
    columns = reshape(columns, [x.shape[0], 1, -1])
    ones = as_type_of(x, np.ones((x.shape[0], columns.shape[2], 1)))
    return reshape(matmul(columns, ones), [-1])


def any_of(x: Any) -> Any:
    """Tell whether any condition holds."""
    return x.any() if is_array(x) else tf.reduce_any(x)


def average(x: Any, axis: int, *, keepdims: bool = False) -> Any:
    """Return the mean along an axis."""
    if not is_array(x):
        return tf.reduce_mean(x, axis=axis, keepdims=keepdims)
    return x.mean(axis, keepdims=keepdims)


def square(x: Any) -> Any:
    """Return each number times itself."""
    return x * x if is_array(x) else tf.square(x)


def where(condition: Any, one: Any, other: Any) -> Any:
    """Take values from one array where a condition holds, else from another."""
    return (np if is_array(condition) else tf).where(condition, one, other)


def maximum(one: Any, other: Any) -> Any:
    """Return the larger of each two numbers."""
    return (np if is_array(one) else tf).maximum(one, other)


def sign(x: Any) -> Any:
    """Return -1, 0 or 1 for each number."""
    return (np if is_array(x) else tf).sign(x)


def clip(x: Any, low: Any, high: Any) -> Any:
    """Bring numbers between two bounds."""
    return np.clip(x, low, high) if is_array(x) else tf.clip_by_value(x, low, high)


def cast(x: Any, dtype: Any) -> Any:
    """Return numbers of another type, by its name or as TensorFlow's."""
    if not is_array(x):
        return tf.cast(x, dtype)
    return x.astype(getattr(dtype, "as_numpy_dtype", dtype), copy=False)


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Return zeros, or False, in the shape of an array."""
    if is_array(x):
        return np.zeros_like(x, dtype and tf.as_dtype(dtype).as_numpy_dtype)
    return tf.zeros_like(x, dtype)


def zero(like: Any) -> Any:
    """Return the number zero in the type of an array."""
    return like.dtype.type(0) if is_array(like) else tf.constant(0, like.dtype)


def as_type_of(like: Any, values: NDArray[Any]) -> NDArray[Any]:
    """Return NumPy's values as numbers of the type of another array."""
    dtype = like.dtype if is_array(like) else like.dtype.as_numpy_dtype
    return values.astype(dtype)


def equal(one: Any, other: Any) -> Any:
    """Tell which numbers are equal."""
    return one == other if is_array(one) else tf.equal(one, other)


def both(one: Any, other: Any) -> Any:
    """Tell where two conditions hold."""
    return (np if is_array(one) else tf).logical_and(one, other)


def either(one: Any, other: Any) -> Any:
    """Tell where one of two conditions holds."""
    return (np if is_array(one) else tf).logical_or(one, other)


def neither(x: Any) -> Any:
    """Tell where a condition does not hold."""
    return (np if is_array(x) else tf).logical_not(x)


def take_rows(x: Any, places: Any) -> Any:
    """Return the rows that stand at some places."""
    return x[places] if is_array(x) else tf.gather(x, places)


def take_window(x: Any, starts: Sequence[Any], sizes: Sequence[int]) -> Any:
    """Return a part of known size that begins at places which may be tensors."""
    if isinstance(x, SymbolicArray):
        return slice_window(x, starts, sizes)
    if is_array(x):
        ends = (start + size for start, size in zip(starts, sizes, strict=True))
        return x[tuple(map(slice, starts, ends))]
    return tf.slice(x, starts, sizes)


def reread(x: Any, dtype: Any) -> Any:
    """Return the same bits as numbers of another type of the same size."""
    dtype = tf.as_dtype(dtype)
    return x.view(dtype.as_numpy_dtype) if is_array(x) else tf.bitcast(x, dtype)


def shift_right(x: Any, n_bits: int) -> Any:
    """Move the bits of 32-bit numbers without a sign down."""
    if is_array(x):
        return x >> np.uint32(n_bits)
    return tf.bitwise.right_shift(x, tf.constant(n_bits, tf.uint32))
