"""Which loop trains: a compiled program where it can express the plan, or Keras's."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import keras

from skkeras_tune.network import MLPArchitecture
from skkeras_tune.training import keras_loop
from skkeras_tune.training.deadline import share_time
from skkeras_tune.training.keras_models import restore_models, start_model
from skkeras_tune.training.member import Member
from skkeras_tune.training.model_member import ModelMember
from skkeras_tune.training.pausing import refuse_other_training, repeat_result
from skkeras_tune.training.plan import (
    ModelState,
    NotCompilable,
    PausedTraining,
    Training,
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
    paused: PausedTraining | None = None,
    pauses: bool = False,
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
        "auto" compiles what can be compiled, with the same answer. A short run
        it leaves to NumPy, or to TensorFlow's operations one after the other, where
        compiling would take longer than the steps.
    paused : PausedTraining, default=None
        Where an earlier call with the same plan, of fewer epochs, has paused. What was
        trained then is not trained again, and the result is that of one call.
    pauses : bool, default=False
        Whether the result is to say from where training may go on.

    Raises
    ------
    ValueError
        If the loss is not finite, the model does not fit the targets,
        ``engine="compiled"`` and the plan cannot be compiled, or `paused` is of another
        training.
    """
    training = Training(plan, data, start, callbacks, paused, pauses)
    (result,) = train_all([training], engine=engine)
    return result


def train_all(
    trainings: Sequence[Training], *, engine: Engine = "auto"
) -> list[TrainingResult]:
    """Train several models: side by side where one program can, else in turn.

    Parameters
    ----------
    trainings : sequence of Training
        Their networks are all built in, or all the user's own.
    engine : {"auto", "compiled", "keras"}, default="auto"
        As for `train`.

    Raises
    ------
    ValueError
        As `train`, where any of them fails.
    """
    ended = [_find_ended(training) for training in trainings]
    left = [t for t, result in zip(trainings, ended, strict=True) if result is None]
    new = iter(_train_left(left, engine) if left else [])
    return [next(new) if result is None else result for result in ended]


def _find_ended(training: Training) -> TrainingResult | None:
    """Return the result of a training that was over before its pause."""
    paused = training.paused
    if paused is None:
        return None
    refuse_other_training(paused, training.plan, training.data)
    if paused.result is None:
        return None
    return repeat_result(paused, training.callbacks)


def _train_left(trainings: Sequence[Training], engine: Engine) -> list[TrainingResult]:
    is_own = all(isinstance(t.plan.network, MLPArchitecture) for t in trainings)
    if not is_own:
        return _train_in_turn(trainings, partial(_train_model, engine=engine))
    reason = "engine='keras'"
    if engine != "keras":
        try:
            return current_trainer().train(_list_members(trainings, engine))
        except NotCompilable as error:
            reason = _read_reason(error, engine)
    return _train_in_turn(trainings, partial(_train_in_keras, reason=reason))


def _train_in_turn(
    trainings: Sequence[Training], train_one: Callable[[Training], TrainingResult]
) -> list[TrainingResult]:
    """Train one after the other, each for an equal share of the time left.

    If one fails, the models that all of them go on in are as they were.
    """
    results = []
    try:
        for n_before, training in enumerate(trainings):
            with share_time(len(trainings) - n_before):
                results.append(train_one(training))
    except BaseException:
        restore_models(training.start for training in trainings)
        raise
    return results


def _list_members(trainings: Sequence[Training], engine: Engine) -> list[Member]:
    members: list[Member] = []
    for training in trainings:
        member = Member(
            training.plan,
            training.data,
            training.start,
            training.callbacks,
            may_interpret=engine == "auto",
            paused=training.paused,
            pauses=training.pauses,
            is_repeated=training.is_repeated,
            listener=training.listener,
        )
        if members and training.data is members[0].data:
            member.arrays = members[0].arrays  # not made dense, or encoded, twice
        members.append(member)
    return members


def _train_model(training: Training, engine: Engine) -> TrainingResult:
    """Train a model of the user's."""
    plan, data, callbacks = training.plan, training.data, training.callbacks
    model = start_model(plan, training.start)
    reason = "engine='keras'"
    if engine != "keras":
        try:
            member = ModelMember(
                model,
                plan,
                data,
                callbacks,
                may_interpret=engine == "auto",
                paused=training.paused,
                pauses=training.pauses,
                listener=training.listener,
            )
            run = partial(train_alone, member)
            return current_trainer().train_apart("a model of one's own", run)
        except NotCompilable as error:
            reason = _read_reason(error, engine)
    return _train_in_keras(training, reason, model)


def _read_reason(error: NotCompilable, engine: Engine) -> str:
    """Return why a plan cannot be compiled, unless it must be."""
    if engine == "compiled":
        message = (
            f"engine='compiled' cannot train this: {error}. Use engine='auto', which "
            "falls back to Keras's own loop."
        )
        raise ValueError(message) from error
    return str(error)


def _train_in_keras(
    training: Training, reason: str, model: keras.Model | None = None
) -> TrainingResult:
    run = partial(
        keras_loop.train,
        training.plan,
        training.data,
        start=training.start,
        callbacks=training.callbacks,
        model=model,
        paused=training.paused,
        pauses=training.pauses,
        listener=training.listener,
    )
    result = current_trainer().train_apart(reason, run)
    result.reason = reason
    if result.paused is not None and result.paused.result is not None:
        result.paused.result.reason = reason
    return result
