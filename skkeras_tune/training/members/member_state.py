"""A member's arrays in, the same in the room that a program has for them out, and back.

A program for several members has room for the widest network of them; what a narrower
one does not use is zero.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.training.arithmetic.packing import Shape
from skkeras_tune.training.programs.design import Design

Arrays = list[NDArray[Any]]
#: Trained weights, packed into rows or not.
Rows = Any


def pack_weights(weights: Arrays, room: Design) -> tuple[NDArray[Any], ...]:
    """Put trained weights into rows, each in the room it has."""
    padded = map(pad, weights, room.network.trained_shapes)
    return room.packing.pack_arrays(list(padded))


def unpack_weights(
    rows: tuple[NDArray[Any], ...], room: Design, shapes: Sequence[Shape]
) -> Arrays:
    """Cut trained weights out of their rows."""
    return list(map(crop, room.packing.unpack_arrays(rows), shapes))


def pad(array: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Add zeros at the end of each axis."""
    if array.shape == shape:
        return array
    sizes = zip(array.shape, shape, strict=True)
    return np.pad(array, [(0, room - size) for size, room in sizes])


def crop(array: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Return a copy of what stands at the beginning of each axis."""
    return array[tuple(map(slice, shape))].copy()


def pack_state(state: Mapping[str, Any], room: Design) -> dict[str, Any]:
    """Bring the state of a member into the form of a program."""
    shapes = room.network.other_shapes
    return _move(
        state,
        lambda weights: pack_weights(weights, room),
        lambda others: list(map(pad, others, shapes)),
    )


def unpack_state(
    state: Mapping[str, Any],
    room: Design,
    trained_shapes: Sequence[Shape],
    other_shapes: Sequence[Shape],
) -> dict[str, Any]:
    """Bring the state of a member into a form that any program can take."""
    return _move(
        state,
        lambda rows: unpack_weights(rows, room, trained_shapes),
        lambda others: list(map(crop, others, other_shapes)),
    )


def repack_state(
    state: dict[str, Any], before: Design, after: Design
) -> dict[str, Any]:
    """Bring a state from one program to another that has the same room for weights."""
    old, new = before.packing, after.packing
    if old.groups == new.groups:
        return state
    return _move(state, lambda rows: new.pack_arrays(old.unpack_arrays(rows)), list)


def _move(
    state: Mapping[str, Any],
    move_trained: Callable[[Rows], Rows],
    move_others: Callable[[Arrays], Arrays],
) -> dict[str, Any]:
    """Return a state with all weights in it, and what is like them, moved."""

    def move_best(seen: Mapping[str, Any]) -> dict[str, Any]:
        if "best_weights" not in seen:
            return dict(seen)
        best = seen["best_weights"]
        weights = move_trained(best["weights"])
        moved = {"weights": weights, "others": move_others(best["others"])}
        return {**seen, "best_weights": moved}

    moved = move_best(state)
    moved["weights"] = move_trained(state["weights"])
    moved["others"] = move_others(state["others"])
    moved["slots"] = {n: move_trained(rows) for n, rows in state["slots"].items()}
    if "rules" in state:
        moved["rules"] = tuple(map(move_best, state["rules"]))
    return moved
