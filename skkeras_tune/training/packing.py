"""Weights into a few rows and back: small ones share a row, large ones stand alone.

A step on one row is a few loops, on a row for each weight as many for each. Large
weights stand alone, since sharing would copy them twice in every step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.training.arrays import concat, reshape, split

#: Numbers in a weight from which on it has a row of its own.
_LARGE = 2**14

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Packing:
    """Where each of the weights of these shapes stands.

    Rows have the members of a program as their first axis; those of `pack_arrays` and
    `unpack_arrays`, which belong to one member, have no such axis.
    """

    shapes: tuple[Shape, ...]

    @cached_property
    def groups(self) -> list[list[int]]:
        """The places of the weights of each row."""
        places = range(len(self.shapes))
        small = [i for i in places if is_small(self.shapes[i])]
        large = [[i] for i in places if not is_small(self.shapes[i])]
        return [small, *large] if small else large

    def pack(self, weights: Sequence[Any]) -> tuple[Any, ...]:
        """Return the rows of tensors of shape (P, ...)."""
        rows = [reshape(w, [w.shape[0], -1]) for w in weights]
        return tuple(concat([rows[i] for i in group], 1) for group in self.groups)

    def unpack(self, rows: Sequence[Any]) -> list[Any]:
        """Return the tensors that stand in rows."""
        parts: dict[int, Any] = {}
        for group, row in zip(self.groups, rows, strict=True):
            sizes = [_count(self.shapes[i]) for i in group]
            parts |= dict(zip(group, split(row, sizes), strict=True))
        return [
            reshape(parts[i], [parts[i].shape[0], *shape])
            for i, shape in enumerate(self.shapes)
        ]

    def pack_arrays(self, weights: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
        """Return the rows of one member's weights."""
        return tuple(
            np.concatenate([weights[i].ravel() for i in group]) for group in self.groups
        )

    def unpack_arrays(self, rows: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return one member's weights, as arrays of their own."""
        parts: dict[int, NDArray[Any]] = {}
        for group, row in zip(self.groups, rows, strict=True):
            ends = np.cumsum([_count(self.shapes[i]) for i in group])
            parts |= dict(zip(group, np.split(row, ends[:-1]), strict=True))
        return [parts[i].reshape(s).copy() for i, s in enumerate(self.shapes)]


def is_small(shape: Shape) -> bool:
    """Tell whether a weight shares a row with others."""
    return _count(shape) < _LARGE


def _count(shape: Shape) -> int:
    return math.prod(shape)
