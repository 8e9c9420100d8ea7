"""Arrays into tensors of more rows, with one copy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# What TensorFlow and XLA want of the memory that they do not allocate themselves.
_ALIGNMENT = 64
_KINDS = "fiu"


def join_rows(arrays: Sequence[NDArray[Any]], n_rows: int) -> Any:
    """Return a tensor of `n_rows` rows: those of the arrays, and then zeros.

    It shares no memory with the arrays, which may change later. `tf.constant` would
    copy the joined rows once more, which takes as long again.
    """
    first = arrays[0]
    shape, n_given = (n_rows, *first.shape[1:]), sum(map(len, arrays))
    if first.dtype.kind not in _KINDS or 0 in shape:
        missing = np.zeros((n_rows - n_given, *first.shape[1:]), first.dtype)
        return tf.constant(np.concatenate([*arrays, missing]))
    joined = _allocate(shape, first.dtype.newbyteorder("="))
    np.concatenate(arrays, out=joined[:n_given])
    joined[n_given:] = 0
    return tf.experimental.dlpack.from_dlpack(joined.__dlpack__())


def _allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array that begins at an aligned address."""
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(n_bytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + n_bytes].view(dtype).reshape(shape)
