"""Plan and data in, result out, through one XLA program for each shape."""

from collections.abc import Sequence

import keras

from skkeras_tune.training.member import Member
from skkeras_tune.training.plan import (
    ModelState,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)
from skkeras_tune.training.slots import train_members


def train_compiled(
    plan: TrainingPlan,
    data: TrainingData,
    start: ModelState | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    may_interpret: bool = False,
) -> TrainingResult:
    """Train the built-in network as the plan says.

    Parameters
    ----------
    plan : TrainingPlan
    data : TrainingData
    start : ModelState, default=None
        Go on from these weights and this optimizer state; None starts afresh.
    callbacks : sequence of keras.callbacks.Callback, default=()
        Belong to this run alone, which leaves them as Keras's loop would.
    may_interpret : bool, default=False
        Whether a program of few steps may go uncompiled, with the same answer.

    Raises
    ------
    NotCompilable
        If no program can express the plan.
    ValueError
        If the loss is not finite.
    """
    member = Member(plan, data, start, callbacks, may_interpret=may_interpret)
    ((_, outcome),) = train_members([member])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
