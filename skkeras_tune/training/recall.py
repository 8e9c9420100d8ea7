"""Training that is remembered: a plan trained before gives its result again.

`train_remembered` takes what `train_all` takes and a memory, and gives what that gives.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skkeras_tune.training.engine import Engine, train_all
from skkeras_tune.training.fingerprint import NoFingerprint, fingerprint
from skkeras_tune.training.plan import Training, TrainingResult
from skkeras_tune.training.result_store import ResultStore

_callbacks = keras.callbacks
#: Callbacks that do nothing but steer the training, which ends in their state.
_STEERING = (
    _callbacks.EarlyStopping,
    _callbacks.History,
    _callbacks.LearningRateScheduler,
    _callbacks.ReduceLROnPlateau,
    _callbacks.TerminateOnNaN,
)


def train_remembered(
    store: ResultStore | None,
    trainings: Sequence[Training],
    *,
    engine: Engine = "auto",
) -> list[TrainingResult]:
    """Train models as their plans say, or return what that gave before.

    Parameters
    ----------
    store : ResultStore or None
        None trains in any case.
    trainings, engine
        As for `train_all`.
    """
    if store is None or all(_is_over(training) for training in trainings):
        return train_all(trainings, engine=engine)
    try:
        keys = describe_trainings(trainings, engine)
    except NoFingerprint as reason:
        _warn_of_forgetting(reason)
        return train_all(trainings, engine=engine)
    results: dict[str, TrainingResult] = {}
    left: dict[str, Training] = {}
    for key, training in zip(keys, trainings, strict=True):
        result = store.find(key, training.callbacks)
        if result is None:
            left[key] = training
        else:
            results[key] = result
    if left:
        new = train_all(list(left.values()), engine=engine)
        for key, result in zip(left, new, strict=True):
            results[key] = result
            is_short = result.is_cut or result.was_told_to_stop
            if not (is_short or _is_over(left[key])):
                store.keep(key, result)
    return [results[key] for key in keys]


def _is_over(training: Training) -> bool:
    """Whether a rule had stopped it before its pause: nothing is left to train."""
    return training.paused is not None and training.paused.result is not None


def describe_trainings(trainings: Sequence[Training], engine: Engine) -> list[str]:
    """Return the keys of trainings: digests of all that decides their results.

    Raises
    ------
    NoFingerprint
        With the reason, if the result is not decided by what can be described.
    """
    data = {id(t.data): t.data for t in trainings}
    digests = {place: fingerprint(rows) for place, rows in data.items()}
    return [_describe(t, digests[id(t.data)], engine) for t in trainings]


def _describe(training: Training, data: str, engine: Engine) -> str:
    plan, start, callbacks = training.plan, training.start, training.callbacks
    if start is not None and start.model is not None:
        raise NoFingerprint("it goes on in a Keras model that may have been changed")
    for callback in callbacks:
        if type(callback) not in _STEERING:
            name = type(callback).__name__
            raise NoFingerprint(f"what the callback {name} does would be left out")
    return fingerprint(
        {
            "plan": replace(plan, verbose=0),
            "data": data,
            "start": start and start.__getstate__(),
            "callbacks": [(type(c), vars(c)) for c in callbacks],
            "engine": engine,
            "settings": _list_settings(),
            "stage": (training.paused, training.pauses),
        }
    )


def _list_settings() -> dict[str, Any]:
    """Return what a result depends on besides plan and data."""
    return {
        "skkeras_tune": version("skkeras-tune"),
        "keras": keras.__version__,
        "numpy": np.__version__,
        "tensorflow": tf.__version__,
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "image_data_format": keras.config.image_data_format(),
        "dtype_policy": keras.config.dtype_policy().name,
    }


def _warn_of_forgetting(reason: NoFingerprint) -> None:
    warnings.warn(
        f"memory= is not used for this training, since {reason}.",
        UserWarning,
        stacklevel=6,  # the caller of fit
    )
