"""Types and constants of NumPy's in, StableHLO's text for them out."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]

_KINDS = {"b": "i", "i": "i", "u": "ui", "f": "f"}


@lru_cache(1024)
def format_type(shape: Shape, dtype: np.dtype[Any]) -> str:
    """Return the type of an array."""
    if dtype.kind not in _KINDS:
        raise TypeError(f"no number of a module is of type {dtype}")
    n_bits = 1 if dtype.kind == "b" else 8 * dtype.itemsize
    sizes = "".join(f"{size}x" for size in shape)
    return f"tensor<{sizes}{_KINDS[dtype.kind]}{n_bits}>"


def format_integers(numbers: Iterable[int]) -> str:
    """Return whole numbers as an attribute of an operation."""
    listed = ", ".join(map(str, numbers))
    return f"array<i64: {listed}>" if listed else "array<i64>"


def format_constant(array: NDArray[Any]) -> str:
    """Return an array as an attribute of an operation."""
    return f"dense<{_format_numbers(array)}> : {format_type(array.shape, array.dtype)}"


def _format_numbers(array: NDArray[Any]) -> str:
    """Return a number if all are equal to it, and else the bits of all.

    A float is written by its bits, too, since not all have decimals.
    """
    if array.size == 0:
        return ""
    first = array.reshape(-1)[:1]
    if array.tobytes() == first.tobytes() * array.size:
        array = first[0]
    if array.dtype.kind == "b":
        return str(array.tolist()).lower()
    if array.size > 1:
        return f'"0x{array.astype(array.dtype.newbyteorder("<")).tobytes().hex()}"'
    if array.dtype.kind == "f":
        bits = array.reshape(()).view(f"u{array.dtype.itemsize}")
        return f"0x{int(bits):0{2 * array.dtype.itemsize}X}"
    return str(array.item())
