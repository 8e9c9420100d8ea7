"""A group in, its members' results out as each ends: one program trains in slots.

A member that stops leaves its slot to the next that waits. When nobody waits and
enough have left, those that go on move to a smaller program.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from skkeras_tune.training.groups.group import Group
from skkeras_tune.training.groups.orders import Orders
from skkeras_tune.training.groups.room import choose_smaller_room
from skkeras_tune.training.groups.timed_program import LaneRun, TimedProgram
from skkeras_tune.training.members.member import Member
from skkeras_tune.training.members.member_state import repack_state
from skkeras_tune.training.plan import TrainingResult
from skkeras_tune.training.programs.cache import ProgramCache
from skkeras_tune.training.programs.costs import CALL_SECONDS, REPEATS
from skkeras_tune.training.programs.design import Design, Machine, pad_members
from skkeras_tune.training.programs.program import RUNNING, STOPPED, Program

Outcome = TrainingResult | BaseException
#: Called before each call of a program; an exception it raises ends the training.
Pulse = Callable[["Slots"], None]

_FIRST_EPOCHS = 8

programs = ProgramCache()


def train_members(
    members: Sequence[Member], n_slots: int = 1
) -> Generator[tuple[Member, Outcome], None, None]:
    """Train members of one kind, and yield each with its outcome when it ends.

    Parameters
    ----------
    members : sequence of Member
    n_slots : int, default=1
        How many are trained side by side.

    Yields
    ------
    member : Member
    outcome : TrainingResult or Exception
        What it gives, or why it failed; the others go on.
    """
    # One alone ends alike, to the last bit, whatever was trained before.
    n_times = REPEATS if any(member.training.is_repeated for member in members) else 1
    group = Group(members, shares=len(members) > 1, n_times=n_times)
    yield from Slots(group, n_slots).run()


class Slots:
    """The slots of a program, for members of a group.

    Parameters
    ----------
    group : Group
        Several instances may train its members, in threads of their own.
    n_slots : int
        How many are trained side by side.
    pulse : callable, default does nothing
        Called every few epochs; what it raises ends the training of all.
    """

    def __init__(
        self, group: Group, n_slots: int, pulse: Pulse = lambda slots: None
    ) -> None:
        self._group, self._pulse = group, pulse
        self.n_slots = pad_members(n_slots)
        self._slots: list[tuple[int, Member] | None] = []
        self._orders = Orders(n_slots, group.order_length)
        self._n_epochs = 1
        self._programs: dict[Design, TimedProgram] = {}
        self._design: Design
        self._machine: Machine = "xla"
        self._state: dict[str, Any] = {}

    def run(self) -> Iterator[tuple[Member, Outcome]]:
        """Train members of the group while some wait, and yield each as it ends."""
        try:
            while True:
                yield from self._fill()
                if self._running:
                    self._pulse(self)
                    yield from self._train()
                elif not self._group.n_waiting:
                    return
        finally:
            for member in self.members:
                member.close()

    @property
    def record(self) -> LaneRun:
        """What has been done until now."""
        timed = self._programs.values()
        compiled = sum(program.compile_seconds for program in timed)
        trained = sum(program.train_seconds for program in timed)
        return LaneRun(self.n_slots, self._machine, compiled, trained)

    @property
    def n_free(self) -> int:
        """How many more members could train."""
        return self.n_slots - len(self._running)

    @property
    def members(self) -> list[Member]:
        """Those that have begun and not ended."""
        return [member for _, member in self._running]

    @property
    def _running(self) -> list[tuple[int, Member]]:
        return [slot for slot in self._slots if slot is not None]

    # --- who is in which slot

    def _fill(self) -> Iterator[tuple[Member, Outcome]]:
        """Let those that wait take free slots; yield those that cannot begin."""
        new: list[Any] = []
        room = self._choose_room()
        n_free = room.layout.members - len(self._running)
        for index, member in self._group.take(n_free):
            try:
                _refuse_cancelled(member)
                new.append(((index, member), member.initial_state(room)))
            except Exception as error:
                yield member, error
        if new or (self._running and room != self._design):
            self._seat(new, room)

    def _choose_room(self) -> Design:
        """Return the design to go on with: a smaller one when nobody waits."""
        if self._group.n_waiting or not self._running:
            return self._group.choose_room(self.n_slots, programs)
        seconds = self._expect_epochs() * self._program.epoch_seconds
        return choose_smaller_room(self._design, len(self._running), seconds, programs)

    def _expect_epochs(self) -> float:
        """Return about how many epochs those that have begun still train."""
        waits = np.zeros(len(self._slots), np.int32)
        if "wait" in self._state:
            waits = self._state["wait"].numpy()
        pairs = zip(self._slots, waits.tolist(), strict=True)
        return max(slot[1].expect_epochs(wait) for slot, wait in pairs if slot)

    def _seat(self, new: list[Any], room: Design) -> None:
        """Give slots to those that go on and to new members."""
        size = room.layout.members
        before = self._read_states([p for p, s in enumerate(self._slots) if s])
        kept = [repack_state(state, self._design, room) for state in before]
        seated = list(zip(self._running, kept, strict=True)) + new
        self._slots = [slot for slot, _ in seated]  # whatever fails from here on
        for (_, member), _ in new:
            member.open()
        self._slots += [None] * (size - len(seated))
        states = [state for _, state in seated]
        if size > len(seated):
            nobody = {**states[0], "status": np.int32(STOPPED)}
            states += [nobody] * (size - len(seated))
        self._state = _stack(states)
        numbers = [member.list_numbers(room) for member in self.members]
        self._numbers = _stack(numbers + numbers[:1] * (size - len(seated)))
        if new:
            self._n_epochs = _FIRST_EPOCHS
            self.n_slots = size
        self._prepare(room)

    def _prepare(self, design: Design) -> None:
        """Find the program of a design, and what stays the same between calls."""
        self._design, size = design, design.layout.members
        self._machine = design.machine
        self._program = self._find_program(design)
        self._arrays = self._group.load(design)
        held = np.zeros((size, design.layout.held), np.int32)
        n_held, n_rows = np.zeros(size, np.int32), np.zeros(size, np.int32)
        offsets = {name: np.zeros(size, np.int32) for name in self._arrays}
        for place, (index, member) in enumerate(self._running):
            held[place, : member.n_held] = member.data.validation_rows
            n_held[place], n_rows[place] = member.n_held, member.n_rows
            for name, offset in self._group.find_offsets(index).items():
                offsets[name][place] = offset
        fixed = {"held": held, "n_held": n_held, "n_rows": n_rows, "offsets": offsets}
        shape = design.layout.epochs, size, len(design.keys)
        fixed["history"] = np.zeros(shape, design.dtype)
        self._fixed = tf.nest.map_structure(tf.constant, fixed)

    def _find_program(self, design: Design) -> TimedProgram:
        if design not in self._programs:
            program = self._build_program(design)
            self._programs[design] = TimedProgram(design, program, programs)
        return self._programs[design]

    def _build_program(self, design: Design) -> Program:
        member = self.members[0]
        if design.machine == "numpy":  # is built in no time
            return member.build_program(design)
        program: Program = programs.find(design, lambda: member.build_program(design))
        return program

    # --- training

    def _train(self) -> Iterator[tuple[Member, Outcome]]:
        """Train a few epochs, and yield those that have ended."""
        yield from self._begin_epoch()
        if not self.members:
            return
        by_epoch = any(member.goes_by_epoch for member in self.members)
        most = 1 if by_epoch else self._design.layout.epochs
        left = max(member.epochs_left for member in self.members)
        n_epochs = min(self._n_epochs, left, most, self._count_epochs_in_time())
        run = {
            **self._fixed,
            "orders": self._draw_orders(n_epochs),
            "n_epochs": tf.constant(n_epochs),
            "first_epoch": tf.constant(self._list_epochs()),
        }
        with self._drawing_ahead(n_epochs):
            values = self._call(run)
        yield from self._take_ended(values)
        # While a longer call goes on, empty slots wait.
        self._n_epochs = min(2 * n_epochs, self._program.count_epochs(CALL_SECONDS))

    def _drawing_ahead(self, n_epochs: int) -> AbstractContextManager[None]:
        """Let another core draw what the next calls visit, if one is idle."""
        is_idle = len(self._slots) == 1 and self._design.machine != "numpy"
        most = self._design.layout.epochs if is_idle else 0
        epochs = range(n_epochs, n_epochs + most)
        return self._orders.drawn_ahead(self.members, epochs)

    def _count_seconds(self, member: Member) -> float:
        """Return how long a member may train."""
        return member.count_seconds(in_turn=self._group.n_waiting > 0)

    def _count_epochs_in_time(self) -> int:
        """Return how many epochs end before the next deadline, at least one."""
        seconds = min(map(self._count_seconds, self.members))
        if math.isinf(seconds):
            return self._n_epochs
        # Those to come may be slower: by halves the end is met more closely.
        return self._program.count_epochs(seconds / 2)

    def _call(self, run: dict[str, Any]) -> NDArray[Any]:
        """Train some epochs, and return their values."""
        arguments = (self._arrays, run, self._numbers, self._state)
        compile_seconds = self._program.prepare(arguments)
        in_time = [m.deadline for m in self.members if m.deadline is not None]
        for deadline in in_time:
            deadline.note_program(compile_seconds)
        if in_time:
            members = [slot and slot[1] for slot in self._slots]
            self._program.leave_out(arguments, members, self._group)
        self._state, values, seconds = self._program.train(arguments)
        if not any(member.is_cut for member in self.members):
            n_batches = max(member.n_batches for member in self.members)
            self._program.note(seconds, self._count_new_epochs(), n_batches)
        return values

    def _count_new_epochs(self) -> int:
        """Return how many epochs the last call has trained: no more when all stop."""
        counts: list[int] = self._state["epochs"].numpy().tolist()
        pairs = zip(self._slots, counts, strict=True)
        return max(count - slot[1].done for slot, count in pairs if slot is not None)

    def _begin_epoch(self) -> Iterator[tuple[Member, Outcome]]:
        """Ask for the rates that the host decides; yield those whose asking fails."""
        rates = {}
        for place, slot in enumerate(self._slots):
            if slot is None:
                continue
            try:
                _refuse_cancelled(slot[1])
                rate = slot[1].begin_epoch()
            except Exception as error:
                yield self._fail(place), error
            else:
                if rate is not None:
                    rates[place] = rate
        if rates:
            counters = self._state["counters"]
            values = counters["learning_rate"].numpy()
            values[list(rates)] = list(rates.values())
            counters["learning_rate"] = tf.constant(values)

    def _fail(self, place: int) -> Member:
        """Take a member out of its slot in the middle of its training."""
        slot, self._slots[place] = self._slots[place], None
        assert slot is not None
        slot[1].close()
        self._stop([place])
        return slot[1]

    def _stop(self, places: list[int]) -> None:
        """Let the program pass over slots whose members have left."""
        status = self._state["status"].numpy()
        status[places] = STOPPED
        self._state["status"] = tf.constant(status)

    def _list_epochs(self) -> list[int]:
        return [slot[1].epoch if slot else 0 for slot in self._slots]

    def _draw_orders(self, n_epochs: int) -> Any:
        layout = self._design.layout
        orders = np.zeros((layout.epochs, layout.members, layout.order), np.int32)
        for place, slot in enumerate(self._slots):
            if slot is not None:
                _, member = slot
                for i in range(min(n_epochs, member.epochs_left)):
                    order = self._orders.draw(member, i)
                    orders[i, place, : member.n_rows] = order
        return tf.constant(orders)

    def _take_ended(self, history: Any) -> Iterator[tuple[Member, Outcome]]:
        """Hand each member its epochs; free the slots of those that have ended."""
        status, counts = self._state["status"].numpy(), self._state["epochs"].numpy()
        ended = []
        for place, slot in enumerate(self._slots):
            if slot is None:
                continue
            try:
                self._record(place, history[:, place], int(counts[place]))
            except Exception as error:
                yield self._fail(place), error
            else:
                is_done = slot[1].epochs_left == 0 or slot[1].has_stopped
                has_ended = status[place] != RUNNING or is_done
                is_late = self._count_seconds(slot[1]) <= self._program.fixed_seconds
                slot[1].is_cut |= is_late and not has_ended
                if has_ended or slot[1].is_cut:
                    ended.append(place)
        states = self._read_states(ended)
        if ended:
            self._stop(ended)
        for place, state in zip(ended, states, strict=True):
            slot, self._slots[place] = self._slots[place], None
            assert slot is not None
            yield slot[1], _end(slot[1], state, self._design)

    def _record(self, place: int, history: Any, n_epochs: int) -> None:
        slot = self._slots[place]
        assert slot is not None
        keys, read = self._design.keys, partial(self._read_weights, place)
        for values in history[: n_epochs - slot[1].done].tolist():
            slot[1].end_epoch(dict(zip(keys, values, strict=True)), read)

    def _read_weights(self, place: int) -> list[NDArray[Any]]:
        """Return the weights that a member has now."""
        slot, (state,) = self._slots[place], self._read_states([place])
        assert slot is not None
        return slot[1].read_weights(state, self._design)

    def _read_states(self, places: list[int]) -> list[dict[str, Any]]:
        """Return the states of some members, as copies."""
        if not places:
            return []
        host = tf.nest.map_structure(lambda tensor: tensor.numpy(), self._state)
        return [
            tf.nest.map_structure(lambda array, p=p: np.array(array[p]), host)
            for p in places
        ]


def _refuse_cancelled(member: Member) -> None:
    if member.is_cancelled:
        raise CancelledError


def _end(member: Member, state: dict[str, Any], room: Design) -> Outcome:
    try:
        return member.read_result(state, room)
    except Exception as error:
        return error
    finally:
        member.close()


def _stack(states: list[Any]) -> Any:
    """Give nested values of several members a member axis."""
    return tf.nest.map_structure(lambda *values: tf.constant(np.stack(values)), *states)
