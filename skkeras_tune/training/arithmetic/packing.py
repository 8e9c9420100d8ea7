"""Weights into a few rows and back: small ones share a row, large ones stand alone.

A step on one row is a few loops, on a row for each weight as many for each. Large
weights stand alone, since sharing copies them twice in every step: as gradients into
the row, and, where there are several members, as weights out of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.training.arithmetic.arrays import concat, reshape, split

#: Numbers from which on a weight of one member has a row of its own.
_LARGE = 2**14
#: The same for weights of several members, of all of these together.
_LARGE_TOGETHER = 2**10

Shape = tuple[int, ...]
#: The shapes of a kernel and its bias, or that of a weight alone.
Block = tuple[Shape, ...]


@dataclass(frozen=True)
class Packing:
    """Where each of the weights of these blocks stands.

    Rows have the members of a program as their first axis; those of `pack_arrays` and
    `unpack_arrays`, which belong to one member, have no such axis.
    """

    blocks: tuple[Block, ...]
    n_members: int = 1

    @cached_property
    def shapes(self) -> list[Shape]:
        """The shape of each weight."""
        return [shape for block in self.blocks for shape in block]

    @cached_property
    def joined(self) -> "Packing":
        """The same rows, in which a small kernel has its bias as its last row."""
        blocks = tuple((_join(block),) for block in self._parts)
        return Packing(blocks, self.n_members)

    @cached_property
    def groups(self) -> list[list[int]]:
        """The places of the weights of each row."""
        places = iter(range(len(self.shapes)))
        shared: list[int] = []
        alone: list[list[int]] = []
        for block in self._parts:
            here = [next(places) for _ in block]
            if self._is_large(block):
                alone.append(here)
            else:
                shared += here
        return [shared, *alone] if shared else alone

    @cached_property
    def _parts(self) -> list[Block]:
        """The blocks, a bias apart from a kernel with which it would be large."""
        parts: list[Block] = []
        for block in self.blocks:
            alone = [(shape,) for shape in block]
            parts += alone if self._is_large(block) else [block]
        return parts

    def _is_large(self, block: Block) -> bool:
        least = _LARGE if self.n_members == 1 else _LARGE_TOGETHER
        return self.n_members * sum(map(math.prod, block)) >= least

    def pack(self, weights: Sequence[Any]) -> tuple[Any, ...]:
        """Return the rows of tensors of shape (P, ...)."""
        rows = [reshape(w, [w.shape[0], -1]) for w in weights]
        return tuple(concat([rows[i] for i in group], 1) for group in self.groups)

    def unpack(self, rows: Sequence[Any]) -> list[Any]:
        """Return the tensors that stand in rows."""
        parts: dict[int, Any] = {}
        for group, row in zip(self.groups, rows, strict=True):
            sizes = [math.prod(self.shapes[i]) for i in group]
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
            ends = np.cumsum([math.prod(self.shapes[i]) for i in group])
            parts |= dict(zip(group, np.split(row, ends[:-1]), strict=True))
        return [parts[i].reshape(s).copy() for i, s in enumerate(self.shapes)]


def _join(block: Block) -> Shape:
    if len(block) == 1:
        return block[0]
    (n_inputs, n_outputs), _ = block
    return n_inputs + 1, n_outputs
