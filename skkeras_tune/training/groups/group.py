"""Members of one kind: their rows joined, and who of them still waits for a slot."""

import math
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from skkeras_tune.training.groups.pooling import pool_arrays
from skkeras_tune.training.groups.room import (
    choose_design,
    choose_machine,
    find_room,
    gets_farther_by_numpy,
    interpret,
)
from skkeras_tune.training.members.member import Member
from skkeras_tune.training.programs.cache import ProgramCache
from skkeras_tune.training.programs.design import Design, join_designs, pad_members
from skkeras_tune.training.programs.formula_program import find_formulas

# Its first multiples, however many, lie evenly between 0 and 1 without their integers.
_GOLDEN = (5**0.5 - 1) / 2


def spread_steps(members: Sequence[Member], n_batches: int = 0) -> list[int]:
    """Return about how many steps each still trains: some stop earlier than others.

    The lengths lie between the quartiles, since the folds of a candidate stop at about
    the same time.

    Parameters
    ----------
    members : sequence of Member
    n_batches : int, default=0
        Steps of an epoch at least.
    """
    quantiles = [(1 + 2 * (i * _GOLDEN % 1)) / 4 for i in range(1, len(members) + 1)]
    return [
        math.ceil(
            member.expect_epochs(quantile=quantile) * max(member.n_batches, n_batches)
        )
        for member, quantile in zip(members, quantiles, strict=True)
    ]


class Group:
    """Members that programs of the same design can train, in several threads at once.

    Parameters
    ----------
    members : sequence of Member
        All of the same `Member.kind`.
    shares : bool, default=True
        Whether a program may train them that was built for others.
    n_times : int, default=1
        How often the like may be trained in this process.
    """

    def __init__(
        self, members: Sequence[Member], *, shares: bool = True, n_times: int = 1
    ) -> None:
        self._shares, self._n_times = shares, n_times
        self._may_interpret = all(member.may_interpret for member in members)
        self._lock = threading.RLock()
        self._pool = pool_arrays(members)
        self._designs = [member.design for member in members]
        self._waiting = deque(enumerate(members))
        self._arrays: dict[tuple[int, ...], dict[str, Any]] = {}
        self._room: Design | None = None
        #: How many threads train its members.
        self.n_lanes = 1

    @property
    def n_waiting(self) -> int:
        """How many have not begun."""
        return len(self._waiting)

    @property
    def order_length(self) -> int:
        """How many rows a member visits in an epoch, about."""
        return max(design.layout.order for design in self._designs)

    def take(self, n_members: int) -> list[tuple[int, Member]]:
        """Return up to so many that wait, each with its place in the group."""
        with self._lock:
            n_taken = max(min(n_members, len(self._waiting)), 0)
            return [self._waiting.popleft() for _ in range(n_taken)]

    def add(self, member: Member) -> bool:
        """Let another member wait, if its rows are here and the design has room."""
        with self._lock:
            design = join_designs(self._designs, 2, self._pool.rows)
            added = join_designs([*self._designs, member.design], 2, self._pool.rows)
            # With more members NumPy may not be sooner any more.
            is_refused = design != added or self._is_by_numpy
            if is_refused or not self._pool.add(member.arrays):
                return False
            self._waiting.append((len(self._designs), member))
            self._designs.append(member.design)
        return True

    def join(self, n_slots: int) -> Design:
        """Return the design of a program with so many slots."""
        with self._lock:
            return join_designs(self._designs, pad_members(n_slots), self._pool.rows)

    def choose_room(self, most_slots: int, programs: ProgramCache) -> Design:
        """Return the design of the program that trains members, the same for all lanes.

        It has as many slots if it is new.
        """
        with self._lock:
            if self._room is None:
                self._room = self._find_room(most_slots, programs)
            return self._room

    def _find_room(self, most_slots: int, programs: ProgramCache) -> Design:
        waiting = [member for _, member in self._waiting]
        lengths = spread_steps(waiting)
        own = choose_design(
            self.join,
            lengths,
            self.n_lanes,
            most_slots,
            stops=any(member.may_stop for member in waiting),
        )
        if self._shares:
            room = find_room(own, lengths, self.n_lanes, programs)
            if room in programs:
                return room
        if not self._may_interpret or find_formulas(own) is None:
            return own
        wide = self.join(min(most_slots, math.ceil(len(waiting) / self.n_lanes)))
        seconds = max(member.count_seconds(in_turn=False) for member in waiting)
        if gets_farther_by_numpy(
            own, wide, lengths, seconds, programs, n_lanes=self.n_lanes
        ):
            return interpret(wide)
        most = [member.n_steps for member in waiting]
        return choose_machine(own, wide, most, self._n_times)

    @property
    def _is_by_numpy(self) -> bool:
        return self._room is not None and self._room.machine == "numpy"

    def load(self, design: Design) -> dict[str, Any]:
        """Return the joined arrays on the device, loaded once."""
        with self._lock:
            rows = design.layout.rows
            if rows not in self._arrays:
                self._arrays[rows] = self._pool.load(rows)
            return self._arrays[rows]

    def find_offsets(self, index: int) -> dict[str, int]:
        """Return where the rows of a member begin in each array."""
        return {name: values[index] for name, values in self._pool.offsets.items()}
