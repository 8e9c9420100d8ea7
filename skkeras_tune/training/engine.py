"""Which loop trains: a compiled program where it can express the plan, or Keras's."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import keras

from skkeras_tune.training import keras_loop
from skkeras_tune.training.member import Member
from skkeras_tune.training.plan import (
    ModelState,
    NotCompilable,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)
from skkeras_tune.training.trainer import current_trainer

Engine = Literal["auto", "compiled", "keras"]


def train(
    plan: TrainingPlan,
    data: TrainingData,
    *,
    start: ModelState | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    engine: Engine = "auto",
) -> TrainingResult:
    """Train a model as the plan says.

    Parameters
    ----------
    plan : TrainingPlan
    data : TrainingData
    start : ModelState, default=None
        Go on from these weights and this optimizer state; None starts afresh.
    callbacks : sequence of keras.callbacks.Callback, default=()
        Belong to this run alone.
    engine : {"auto", "compiled", "keras"}, default="auto"
        "auto" compiles what can be compiled, with the same answer. A run of a few steps
        it traces only, since compiling would take longer than the steps.

    Raises
    ------
    ValueError
        If the loss is not finite, the model does not fit the targets, or
        ``engine="compiled"`` and the plan cannot be compiled.
    """
    reason = "engine='keras'"
    if engine != "keras":
        try:
            member = Member(
                plan, data, start, callbacks, may_interpret=engine == "auto"
            )
        except NotCompilable as error:
            reason = str(error)
            if engine == "compiled":
                message = (
                    f"engine='compiled' cannot train this: {reason}. Use "
                    "engine='auto', which falls back to Keras's own loop."
                )
                raise ValueError(message) from error
        else:
            return current_trainer().train(member)
    run = partial(keras_loop.train, plan, data, start=start, callbacks=callbacks)
    result = current_trainer().train_apart(reason, run)
    result.reason = reason
    return result
