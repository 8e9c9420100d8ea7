"""Who trains what a thread's fits want trained: each alone, unless it is told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from skkeras_tune.training.member import Member
from skkeras_tune.training.plan import TrainingResult
from skkeras_tune.training.slots import train_members

_here = threading.local()


class Trainer(Protocol):
    """Trains for the threads that use it."""

    def train(self, member: Member) -> TrainingResult:
        """Train a member of a program, and raise what it fails with."""
        ...

    def train_apart(
        self, reason: str, run: Callable[[], TrainingResult]
    ) -> TrainingResult:
        """Run a training that no program can express, for the reason given."""
        ...


def train_alone(member: Member) -> TrainingResult:
    """Train a member of a program on its own, and raise what it fails with."""
    ((_, outcome),) = train_members([member])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


class Alone:
    """Trains each fit alone, in its own thread."""

    def train(self, member: Member) -> TrainingResult:
        """Train a member of a program, and raise what it fails with."""
        return train_alone(member)

    def train_apart(
        self, reason: str, run: Callable[[], TrainingResult]
    ) -> TrainingResult:
        """Run a training that no program can express."""
        return run()


_ALONE = Alone()


def current_trainer() -> Trainer:
    """Return the trainer of this thread."""
    trainer: Trainer = getattr(_here, "trainer", _ALONE)
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
