"""A program in, how long its epochs take out, and what of one ends before a deadline.

Training is a pure function: a few steps can be timed and their outcome dropped.
"""

import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from skkeras_tune.training.groups.group import Group
from skkeras_tune.training.groups.room import estimate_room, is_estimated
from skkeras_tune.training.members.member import Member
from skkeras_tune.training.programs.cache import ProgramCache
from skkeras_tune.training.programs.costs import CALL_SECONDS
from skkeras_tune.training.programs.design import Design, Machine
from skkeras_tune.training.programs.program import Program

#: What a program takes: data, run, numbers and state.
Arguments = tuple[Any, dict[str, Any], Any, dict[str, Any]]

# Less than this is no compiling, but finding a program that there is.
_FOUND_SECONDS = 0.1
# An epoch that is expected to take less is not timed before it is trained; another is
# by a twentieth of its steps.
_QUICK_SECONDS, _PART = 0.02, 20


class LaneRun(NamedTuple):
    """What the slots of a lane have done.

    Attributes
    ----------
    n_slots : int
        Members trained side by side.
    machine : {"xla", "tensorflow", "numpy"}
        What ran the program.
    compile_seconds, train_seconds : float
    """

    n_slots: int
    machine: Machine
    compile_seconds: float
    train_seconds: float


class TimedProgram:
    """The program of a design, and what its calls have taken.

    Parameters
    ----------
    design : Design
    program : Program
    programs : ProgramCache
        Is told what compiling and training have taken.
    """

    def __init__(
        self, design: Design, program: Program, programs: ProgramCache
    ) -> None:
        self._design, self._program, self._programs = design, program, programs
        self.compile_seconds = self.train_seconds = 0.0
        #: Of a whole epoch; 0.0 while nobody knows.
        self.epoch_seconds = 0.0
        self._n_batches = 1
        #: Of these, what it takes whatever its steps: held-out rows, for the most part.
        self.fixed_seconds = 0.0

    def prepare(self, arguments: Arguments) -> float:
        """Trace and compile, if nobody has, and return what that took."""
        start = time.perf_counter()
        self._program.prepare(*arguments)
        seconds = time.perf_counter() - start
        self.compile_seconds += seconds
        if seconds > _FOUND_SECONDS:
            self._programs.record_build(seconds)
        return seconds

    def train(self, arguments: Arguments) -> tuple[dict[str, Any], NDArray[Any], float]:
        """Return the state after a call, the values of its epochs, and its seconds."""
        start = time.perf_counter()
        state, history = self._program.train(*arguments)
        values: NDArray[Any] = history.numpy()
        seconds = time.perf_counter() - start
        self.train_seconds += seconds
        return state, values, seconds

    # --- how long an epoch takes

    def note(self, seconds: float, n_epochs: int, n_batches: int) -> None:
        """Take note of what so many whole epochs of so many batches have taken."""
        if self.epoch_seconds:  # of which the same part is fixed now
            self.fixed_seconds *= seconds / n_epochs / self.epoch_seconds
        self.epoch_seconds, self._n_batches = seconds / n_epochs, n_batches
        if self._design.machine == "xla" and is_estimated(self._design):
            estimate = estimate_room(self._design, [n_epochs * n_batches])
            self._programs.record_training(seconds, estimate)

    def measure(self, arguments: Arguments, members: Sequence[Member | None]) -> None:
        """Find out by a few steps what an epoch takes, if nobody knows.

        Parameters
        ----------
        arguments : tuple
            Of a call that is to follow.
        members : sequence of Member or None
            Who is in each slot.
        """
        if self.epoch_seconds:
            return
        there = [member for member in members if member]
        n_batches = self._n_batches = max(member.n_batches for member in there)
        few = n_batches // _PART + 1
        if few >= n_batches or self._is_quick(n_batches):
            return
        shortest = self._time_epoch(arguments, members, 1)
        if shortest > min(member.count_seconds(in_turn=False) for member in there):
            self.epoch_seconds = n_batches * shortest  # no time to find out more
            return
        longer = self._time_epoch(arguments, members, 1 + few)
        is_clear = longer > shortest
        step = (longer - shortest) / few if is_clear else longer / (1 + few)
        self.fixed_seconds = max(shortest - step, 0.0)
        self.epoch_seconds = self.fixed_seconds + n_batches * step

    def _is_quick(self, n_batches: int) -> bool:
        if not is_estimated(self._design):
            return False
        return estimate_room(self._design, [n_batches]) < _QUICK_SECONDS

    def _time_epoch(
        self, arguments: Arguments, members: Sequence[Member | None], n_batches: int
    ) -> float:
        """Return what an epoch of so many batches takes, whose outcome is dropped."""
        data, run, numbers, state = arguments
        n_rows = [member.count_rows(n_batches) if member else 0 for member in members]
        short = {"n_rows": tf.constant(n_rows), "n_epochs": tf.constant(1)}
        *_, seconds = self.train((data, {**run, **short}, numbers, state))
        return seconds

    # --- what ends in time

    def count_epochs(self, seconds: float) -> int:
        """Return how many epochs these seconds hold, at least one."""
        return max(1, int(seconds / (self.epoch_seconds or np.inf)))

    def leave_out(
        self, arguments: Arguments, members: Sequence[Member | None], group: Group
    ) -> None:
        """Leave the last rows of an epoch out that would not end in time.

        Parameters
        ----------
        arguments : tuple
            Of a call that is to follow, whose `run` is changed.
        members : sequence of Member or None
            Who is in each slot; those whose rows are left out are marked as cut.
        group : Group
            Others wait in it.
        """
        _, run, *_ = arguments
        self.measure(arguments, members)
        n_rows = np.array(run["n_rows"])
        for place, member in enumerate(members):
            if member is None or member.deadline is None:
                continue
            self.limit(member, count_turns(group, place, len(members)))
            seconds = member.count_seconds(in_turn=group.n_waiting > 0)
            n_left = self.count_rows(member, seconds)
            if n_left < member.n_rows:
                n_rows[place], member.is_cut = n_left, True
                run["n_epochs"] = tf.constant(1)
        run["n_rows"] = tf.constant(n_rows)

    def limit(self, member: Member, n_turns: int) -> None:
        """Leave time for those who wait for a member's place, once epochs are timed.

        Each of them has what it is expected to take, or an equal part of what there is.
        """
        if member.is_limited or not self.epoch_seconds:
            return
        left = member.count_seconds(in_turn=False)
        needed = n_turns * member.expect_epochs() * self.epoch_seconds
        member.limit(max(left / (1 + n_turns), left - needed))

    def count_rows(self, member: Member, seconds: float) -> int:
        """Return the rows of a member's next epoch: those that there is time for.

        There is a batch at least. No epoch is cut that takes no longer than a call of a
        program is meant to, however late it is.
        """
        free = max(seconds, CALL_SECONDS) - self.fixed_seconds
        steps = self.epoch_seconds - self.fixed_seconds
        if free * self._n_batches >= steps * member.n_batches:
            return member.n_rows
        return member.count_rows(max(1, int(free / steps * self._n_batches)))


def count_turns(group: Group, place: int, n_slots: int) -> int:
    """Return how many members of a group wait for a slot, about."""
    n_others = max(group.n_waiting - place, 0)
    return math.ceil(n_others / (group.n_lanes * n_slots))
