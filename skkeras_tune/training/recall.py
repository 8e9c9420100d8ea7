"""Training that is remembered: a plan trained before gives its result again.

`train_remembered` takes what `train` takes and a memory, and gives what `train` gives.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skkeras_tune.fingerprint import NoFingerprint, fingerprint
from skkeras_tune.network import MLPArchitecture
from skkeras_tune.training.engine import Engine, train
from skkeras_tune.training.plan import (
    ModelState,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)
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
    plan: TrainingPlan,
    data: TrainingData,
    *,
    start: ModelState | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    engine: Engine = "auto",
) -> TrainingResult:
    """Train a model as the plan says, or return what that gave before.

    Parameters
    ----------
    store : ResultStore or None
        None trains in any case.
    plan, data, start, callbacks, engine
        As for `train`.
    """
    key = None
    if store is not None:
        try:
            key = describe_training(plan, data, start, callbacks, engine)
        except NoFingerprint as reason:
            _warn_of_forgetting(reason)
    if store is None or key is None:
        return train(plan, data, start=start, callbacks=callbacks, engine=engine)
    result = store.find(key, callbacks)
    if result is None:
        result = train(plan, data, start=start, callbacks=callbacks, engine=engine)
        if not result.is_cut:
            store.keep(key, result)
    return result


def describe_training(
    plan: TrainingPlan,
    data: TrainingData,
    start: ModelState | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    engine: Engine = "auto",
) -> str:
    """Return the key of a training: a digest of all that decides its result.

    Raises
    ------
    NoFingerprint
        With the reason, if the result is not decided by what can be described.
    """
    is_own = isinstance(plan.network, MLPArchitecture)
    if start is not None and start.model is not None and not is_own:
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
