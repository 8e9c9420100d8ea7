"""Arrays into tensors of more rows, with one copy."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# What TensorFlow and XLA want of the memory that they do not allocate themselves.
_ALIGNMENT = 64
_KINDS = "fiu"


def pad_rows(array: NDArray[Any], n_rows: int) -> Any:
    """Return a tensor of `n_rows` rows: those of the array, and then zeros.

    It shares no memory with the array, which may change later. `tf.constant` would copy
    the padded rows once more, which takes as long again.
    """
    shape = (n_rows, *array.shape[1:])
    if array.dtype.kind not in _KINDS or 0 in shape:
        missing = np.zeros((n_rows - len(array), *array.shape[1:]), array.dtype)
        return tf.constant(np.concatenate([array, missing]))
    padded = _allocate(shape, array.dtype.newbyteorder("="))
    padded[: len(array)] = array
    padded[len(array) :] = 0
    return tf.experimental.dlpack.from_dlpack(padded.__dlpack__())


def _allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array that begins at an aligned address."""
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(n_bytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + n_bytes].view(dtype).reshape(shape)
