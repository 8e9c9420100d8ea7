"""Which loop trains: a compiled program where it can express the plan, or Keras's."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import keras

from skkeras_tune.network import MLPArchitecture
from skkeras_tune.training import keras_loop
from skkeras_tune.training.deadline import leaves_time_for
from skkeras_tune.training.member import Member
from skkeras_tune.training.model_member import ModelMember
from skkeras_tune.training.plan import (
    ModelState,
    NotCompilable,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)
from skkeras_tune.training.trainer import current_trainer, train_alone

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
    reason, may_interpret = "engine='keras'", engine == "auto"
    is_own = isinstance(plan.network, MLPArchitecture)
    model = None if is_own else keras_loop.start_model(plan, start)
    options: dict[str, Any] = {"callbacks": callbacks, "may_interpret": may_interpret}
    if engine != "keras":
        try:
            if model is None:
                return current_trainer().train(Member(plan, data, start, **options))
            run = partial(train_alone, ModelMember(model, plan, data, **options))
            return current_trainer().train_apart("a model of one's own", run)
        except NotCompilable as error:
            reason = str(error)
            if engine == "compiled":
                message = (
                    f"engine='compiled' cannot train this: {reason}. Use "
                    "engine='auto', which falls back to Keras's own loop."
                )
                raise ValueError(message) from error
    run = partial(
        keras_loop.train, plan, data, start=start, callbacks=callbacks, model=model
    )
    result = current_trainer().train_apart(reason, run)
    result.reason = reason
    # Keras's loop does not say what has ended it.
    result.is_cut = not leaves_time_for(0.0)
    return result
