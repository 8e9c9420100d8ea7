"""Members of one kind in; out comes the design of the program that is to train them.

A program that there is may have more room than they need. What it computes in vain may
cost less than compiling another.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from skkeras_tune.training.members.member import Member
from skkeras_tune.training.mlp.stacked_mlp import StackedMLP
from skkeras_tune.training.programs.cache import ProgramCache
from skkeras_tune.training.programs.costs import (
    CALL_SECONDS,
    COMPILE_SECONDS,
    SEVERAL_SECONDS,
    estimate_numpy_step,
    estimate_step,
)
from skkeras_tune.training.programs.design import (
    Design,
    describe_kind,
    pad_members,
    resolve_epochs,
)

# More slots are not worth a part of the time that they save: estimates are no better,
# in fewer slots others follow where one has stopped, and lanes share who waits.
_SMALL_PART = 0.05
_MAX_SLOTS = 64
# The weights, their gradients, the best ones, and what optimizers keep.
_COPIES = 6
# On a busy machine a program may take so many times what the slowest of late has taken.
_MARGIN = 2
# Arrays of so many times the rows that are needed are left to others.
_MOST_ROWS = 2


def list_rooms(programs: Iterable[Design], design: Design) -> list[Design]:
    """Return which of these can train what `design` can, joined rows apart."""
    kind = describe_kind(design)
    return [room for room in programs if _covers(room, design, kind)]


def is_estimated(design: Design) -> bool:
    """Tell whether anybody knows what its steps take: not those of a user's model."""
    return isinstance(design.network, StackedMLP)


def estimate_room(room: Design, lengths: Sequence[int], n_lanes: int = 1) -> float:
    """Return about how many seconds members of so many steps take, in all lanes."""
    layout = room.layout
    if room.machine == "numpy":
        n_lanes, estimate = 1, estimate_numpy_step  # one thread at a time computes
    else:
        estimate = estimate_step
    n_steps = count_steps(lengths, n_lanes * layout.members)
    return n_steps * estimate(layout.members, room.network.trained_shapes, layout.batch)


def bound_slots(members: Iterable[Member], max_bytes: int) -> int:
    """Return how many members' states this memory holds."""
    state = max(_COPIES * 4 * member.n_weights for member in members)
    return max(1, min(max_bytes // state, _MAX_SLOTS))


def choose_design(
    join: Callable[[int], Design],
    lengths: Sequence[int],
    n_lanes: int,
    most_slots: int,
    *,
    stops: bool,
) -> Design:
    """Return the design in which members are trained the soonest, or nearly so.

    Parameters
    ----------
    join : callable
        Returns the design that just holds the members, with so many slots.
    lengths : sequence of int
        Steps that each member trains, about.
    n_lanes : int
        How many such programs train them at a time.
    most_slots : int
    stops : bool
        Whether members may stop before they have trained all their epochs.
    """
    most_slots = min(most_slots, math.ceil(len(lengths) / n_lanes))
    sizes = {pad_members(size) for size in range(1, most_slots + 1)}
    designs = [join(size) for size in sorted(sizes)]
    if len(designs) == 1:
        return designs[0]  # it may be of a user's model, whose steps nobody estimates
    seconds = [
        estimate_room(design, lengths, n_lanes)
        + _estimate_several(design, len(lengths) / n_lanes, stops=stops)
        for design in designs
    ]
    most = (1 + _SMALL_PART) * min(seconds)
    return next(d for d, s in zip(designs, seconds, strict=True) if s <= most)


def _estimate_several(design: Design, n_members: float, *, stops: bool) -> float:
    """Return what several slots cost that one does not.

    A slot whose member has stopped stands empty until the call ends: half a call.
    """
    n_slots = design.layout.members
    if n_slots == 1:
        return 0.0
    return SEVERAL_SECONDS + stops * n_members / n_slots * CALL_SECONDS / 2


def find_room(
    own: Design, lengths: Sequence[int], n_lanes: int, programs: ProgramCache
) -> Design:
    """Return the design of a program that there is, if that pays, or their own."""
    known = {
        room: estimate_room(room, lengths, n_lanes)
        for room in list_rooms(programs, own)
        if _holds(room.layout.rows, own.layout.rows)
    }
    best = min(known, key=known.__getitem__, default=own)
    new = programs.build_seconds + estimate_room(own, lengths, n_lanes)
    return best if known.get(best, math.inf) <= new else own


def choose_machine(
    own: Design, wide: Design, lengths: Sequence[int], n_times: int
) -> Design:
    """Return a design, or another run by NumPy if that is sooner than to compile it.

    Parameters
    ----------
    own : Design
    wide : Design
        The like of as many slots as there may be, that NumPy can run: a step of its
        costs the less for each member the more there are.
    lengths : sequence of int
        Steps that each member trains at most.
    n_times : int
        How often the like may be trained in this process: it is compiled once.
    """
    by_numpy = interpret(wide)
    longer = estimate_room(by_numpy, lengths) - estimate_room(own, lengths)
    return by_numpy if n_times * longer <= COMPILE_SECONDS else own


def interpret(design: Design) -> Design:
    """Return the design run by NumPy, which can run what has formulas."""
    return replace(design, machine="numpy")


def gets_farther_by_numpy(
    own: Design,
    wide: Design,
    lengths: Sequence[int],
    seconds: float,
    programs: ProgramCache,
    *,
    n_lanes: int = 1,
) -> bool:
    """Tell whether NumPy trains more in a time in which a new program does not finish.

    Parameters
    ----------
    own : Design
        Of the program that would have to be compiled.
    wide : Design
        That NumPy would run.
    lengths : sequence of int
        Steps that each member trains, about.
    seconds : float
        Until the deadline.
    programs : ProgramCache
        Knows how quick the machine is.
    n_lanes : int, default=1
        How many such programs train them at a time.
    """
    left = seconds - _MARGIN * programs.longest_build_seconds
    compiled = left / (programs.pace * estimate_room(own, lengths, n_lanes))
    by_numpy = seconds / (programs.pace * estimate_room(interpret(wide), lengths))
    return compiled < min(1.0, by_numpy)


def choose_smaller_room(
    room: Design, n_members: int, seconds: float, programs: ProgramCache
) -> Design:
    """Return the design in which a few members that are left go on, if it pays.

    Parameters
    ----------
    room : Design
        In which they are now.
    n_members : int
    seconds : float
        That they still take there, as far as one can tell.
    programs : ProgramCache
    """
    n_slots = room.layout.members
    if n_slots == 1:
        return room
    own = resize(room, n_members)
    if room.machine == "numpy":
        return own
    if own.layout.members > n_slots // 2:
        return room
    known = [
        other
        for other in list_rooms(programs, own)
        if other.layout.rows == room.layout.rows
        and (other.network, other.padded) == (room.network, room.padded)
        and n_members <= other.layout.members <= n_slots // 2
    ]
    best = min(known, key=lambda other: other.layout.members, default=None)
    for other, cost in ((best, 0.0), (own, programs.real_build_seconds)):
        if other is not None:
            saved = seconds * (1 - other.layout.members / n_slots)
            if saved > cost:
                return other
    return room


def resize(room: Design, n_members: int) -> Design:
    """Return the same room with another number of slots."""
    layout, n_slots = room.layout, pad_members(n_members)
    n_inputs = room.network.architecture.n_inputs
    n_epochs = resolve_epochs(layout.order * n_slots, n_inputs)
    return replace(room, layout=replace(layout, members=n_slots, epochs=n_epochs))


def count_steps(lengths: Iterable[int], n_slots: int) -> int:
    """Return how many steps so many slots take, one member after the other."""
    slots = [0] * n_slots
    for length in lengths:
        heapq.heapreplace(slots, slots[0] + length)
    return max(slots)


def _covers(room: Design, design: Design, kind: Design) -> bool:
    if not is_estimated(room) or describe_kind(room) != kind:
        return False
    here, there = room.layout, design.layout
    is_large = _holds((here.order, here.held), (there.order, there.held))
    # With dropout, penalties or smoothing a program also trains who has none.
    is_wide = room.network == room.network.join([room.network, design.network])
    shapes = room.network.trained_shapes, design.network.trained_shapes
    is_exact = shapes[0] == shapes[1] and not design.padded
    smooths = room.objective.smooths >= design.objective.smooths
    return is_large and is_wide and (room.padded or is_exact) and smooths


def _holds(sizes: Sequence[int], needed: Sequence[int]) -> bool:
    """Tell whether arrays of these sizes have room, but not far too much."""
    pairs = zip(sizes, needed, strict=True)
    return all(need <= size <= _MOST_ROWS * need for size, need in pairs)
