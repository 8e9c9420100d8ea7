"""Members into parcels for another process, and what that process does with them.

Rows are large and shared by many members, so they travel apart: a parcel says which of
the arrays beside it are its own.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import keras

from skkeras_tune._compat.keras import use_thread_settings
from skkeras_tune.training.deadline import Deadline
from skkeras_tune.training.groups.group import Group
from skkeras_tune.training.groups.rescue import train_group
from skkeras_tune.training.groups.slots import Outcome, Slots
from skkeras_tune.training.groups.timed_program import LaneRun
from skkeras_tune.training.members.member import Member
from skkeras_tune.training.plan import Training
from skkeras_tune.training.programs.store import open_program_store

KerasSettings = tuple[str, float]


def read_settings() -> KerasSettings:
    """Return Keras's float type and fuzz factor, which are a process's own."""
    return keras.config.floatx(), keras.config.epsilon()


class Stored(Protocol):
    """Stands for an array that the other process reads itself."""

    def load(self) -> Any:
        """Return the array."""
        ...


@dataclass(frozen=True, eq=False)
class Parcel:
    """A member whose arrays are places among those beside it.

    Attributes
    ----------
    training : Training
        What the member trains, but for the arrays.
    may_interpret : bool
        As of the member.
    places : tuple of int
        Of the features, the targets and, if there are any, the weights.
    deadline : float or None
        The member's, by the clock of `time.time`: the other one is each process's own.
    """

    training: Training
    may_interpret: bool
    places: tuple[int, ...]
    deadline: float | None

    def unpack(self, arrays: Sequence[Any]) -> Member:
        """Return the member again."""
        x, y, *weight = (arrays[place] for place in self.places)
        data = replace(
            self.training.data, x=x, y=y, weight=weight[0] if weight else None
        )
        training = replace(self.training, data=data)
        member = Member(training, may_interpret=self.may_interpret)
        if self.deadline is not None:
            member.deadline = Deadline(time.monotonic() + self.deadline - time.time())
        return member


@dataclass(frozen=True, eq=False)
class Run:
    """What a process has trained.

    Attributes
    ----------
    outcomes : list of TrainingResult or Exception
        In the order of the parcels.
    lanes : list of LaneRun
        What was done, for each time that it began.
    """

    outcomes: list[Outcome]
    lanes: list[LaneRun]


def train_parcels(
    parcels: Sequence[Parcel], n_slots: int, settings: KerasSettings, *arrays: Any
) -> Run:
    """Train members of one kind in this process.

    Parameters
    ----------
    parcels : sequence of Parcel
    n_slots : int
        How many are trained side by side.
    settings : tuple of (str, float)
        Keras's float type and fuzz factor in the process that sends.
    *arrays : ndarray, sparse matrix or Stored
        What the parcels' places mean.
    """
    floatx, epsilon = settings
    if settings != read_settings():
        keras.config.set_floatx(floatx)
        keras.config.set_epsilon(epsilon)
    open_program_store()
    rows = [a.load() if hasattr(a, "load") else a for a in arrays]
    runs: list[Slots] = []
    with use_thread_settings({}):
        members = [parcel.unpack(rows) for parcel in parcels]
        group = Group(members)
        outcomes = dict(train_group(group, n_slots, lambda slots: None, runs.append))
    return Run(
        [outcomes[member] for member in members],
        [slots.record for slots in runs],
    )
