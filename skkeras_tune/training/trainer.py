"""Who trains what a thread's fits want trained: each alone, unless it is told."""

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Protocol

from skkeras_tune.training.groups.room import bound_slots
from skkeras_tune.training.groups.slots import train_members
from skkeras_tune.training.members.member import Member
from skkeras_tune.training.plan import TrainingResult

_here = threading.local()
# Of the states of members that train side by side; more of them wait for a slot.
_MAX_BYTES = 2**30


class Trainer(Protocol):
    """Trains for the threads that use it."""

    def train(self, members: Sequence[Member]) -> list[TrainingResult]:
        """Train members side by side, and raise what any of them fails with."""
        ...

    def train_apart(
        self, reason: str, run: Callable[[], TrainingResult]
    ) -> TrainingResult:
        """Run a training that no program can express, for the reason given."""
        ...


def train_alone(member: Member) -> TrainingResult:
    """Train a member of a program on its own, and raise what it fails with."""
    return _train_same([member], 1)[member]


def _train_same(
    members: Sequence[Member], n_slots: int
) -> dict[Member, TrainingResult]:
    results = {}
    with closing(train_members(members, n_slots)) as outcomes:
        for member, outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            results[member] = outcome
    return results


class Alone:
    """Trains what each fit wants trained apart from other fits, in its own thread."""

    def train(self, members: Sequence[Member]) -> list[TrainingResult]:
        """Train members side by side; the first that fails ends the training."""
        if len(members) == 1:
            return [train_alone(members[0])]
        kinds: dict[Hashable, list[Member]] = {}
        for member in members:
            kinds.setdefault(member.kind, []).append(member)
        results: dict[Member, TrainingResult] = {}
        for same in kinds.values():
            n_slots = min(len(same), bound_slots(same, _MAX_BYTES))
            results |= _train_same(same, n_slots)
        return [results[member] for member in members]

    def train_apart(
        self, reason: str, run: Callable[[], TrainingResult]
    ) -> TrainingResult:
        """Run a training that no program can express."""
        return run()


ALONE = Alone()


def current_trainer() -> Trainer:
    """Return the trainer of this thread."""
    trainer: Trainer = getattr(_here, "trainer", ALONE)
    return trainer


@contextmanager
def use_trainer(trainer: Trainer) -> Iterator[None]:
    """Let this thread's fits be trained by another, while the context lasts."""
    before = current_trainer()
    _here.trainer = trainer
    try:
        yield
    finally:
        _here.trainer = before
