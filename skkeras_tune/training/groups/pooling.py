"""The rows of several members joined into arrays that hold equal ones once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from skkeras_tune.training.groups.tensors import join_rows
from skkeras_tune.training.members.member import Member

_SAMPLE = 16


@dataclass(frozen=True)
class Pool:
    """Joined arrays, and where the rows of each member begin in them.

    Attributes
    ----------
    arrays : dict of str to list of ndarray
        "x", "y" and perhaps "weight": the distinct arrays, one after the other.
    offsets : dict of str to list of int
        For each member, in the order in which they were given.
    """

    arrays: dict[str, list[NDArray[Any]]]
    offsets: dict[str, list[int]]

    @property
    def rows(self) -> list[int]:
        """Rows of each joined array."""
        return [_count_rows(parts) for parts in self.arrays.values()]

    def add(self, arrays: Mapping[str, NDArray[Any]]) -> bool:
        """Find equal arrays for one more member; return whether there are."""
        places = {n: _find_equal(self.arrays[n], array) for n, array in arrays.items()}
        if any(place == len(self.arrays[name]) for name, place in places.items()):
            return False
        for name, place in places.items():
            self.offsets[name].append(_count_rows(self.arrays[name][:place]))
        return True

    def load(self, sizes: Sequence[int]) -> dict[str, tf.Tensor]:
        """Return the joined arrays, padded with zeros to these sizes."""
        pairs = zip(self.arrays.items(), sizes, strict=True)
        return {name: join_rows(parts, size) for (name, parts), size in pairs}


def pool_arrays(members: Sequence[Member]) -> Pool:
    """Join the arrays of members of one kind; folds that are equal are held once."""
    arrays: dict[str, list[NDArray[Any]]] = {}
    offsets: dict[str, list[int]] = {}
    for member in members:
        for name, array in member.arrays.items():
            distinct = arrays.setdefault(name, [])
            place = _find_equal(distinct, array)
            if place == len(distinct):
                distinct.append(array)
            offsets.setdefault(name, []).append(_count_rows(distinct[:place]))
    return Pool(arrays, offsets)


def _count_rows(arrays: Sequence[NDArray[Any]]) -> int:
    return sum(map(len, arrays))


def _find_equal(distinct: list[NDArray[Any]], array: NDArray[Any]) -> int:
    """Return the place of an equal array, or the number of arrays."""
    for place, other in enumerate(distinct):
        if other is array or are_equal(other, array):
            return place
    return len(distinct)


def are_equal(one: NDArray[Any], two: NDArray[Any]) -> bool:
    """Whether two arrays have the same type and values."""
    if one.shape != two.shape or one.dtype != two.dtype:
        return False
    step = max(1, len(one) // _SAMPLE)  # most that differ do so among a few rows
    return np.array_equal(one[::step], two[::step]) and np.array_equal(one, two)
