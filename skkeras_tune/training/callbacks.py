"""Keras callbacks of our own: when training must end, and when it should stop."""

import copy
import pickle
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import keras
import numpy as np

from skkeras_tune._compat.keras import to_numpy

#: What a callback has from elsewhere: its model, and a function that need not pickle.
_NOT_KEPT = frozenset({"_model", "schedule"})


def detach(callbacks: Any) -> None:
    """Let go of the model, so that no callback keeps it alive or is copied with it.

    Not by `set_model`, in which a callback may look at its model.

    Parameters
    ----------
    callbacks : callback, class, or nested lists and dicts of these
    """
    for callback in keras.tree.flatten(callbacks):
        if isinstance(callback, keras.callbacks.Callback):
            callback._model = None


def read_callback(callback: Any) -> dict[str, Any]:
    """Return what pickles of a callback; any of its kind has the rest from the start.

    That is a local function of Keras 3.8's ReduceLROnPlateau.
    """
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in _NOT_KEPT and "<" not in getattr(value, "__qualname__", "")
    }


def read_for_another(callback: Any) -> dict[str, Any]:
    """Return what a callback of its kind, in any process, needs to go on as this one.

    What cannot be pickled, such as an open file, it has to make anew.
    """
    return {n: v for n, v in read_callback(callback).items() if _is_picklable(v)}


def _is_picklable(value: Any) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # whatever the class of the value raises
        return False
    return True


def restore_callback(callback: Any, state: dict[str, Any]) -> None:
    """Give a callback what was read of one of its kind, but for this run's facts."""
    known = {name: value for name, value in state.items() if name != "params"}
    vars(callback).update(copy.deepcopy(known))


def list_stopping(callbacks: Sequence[Any]) -> list[keras.callbacks.EarlyStopping]:
    """Return those that stop early."""
    return [c for c in callbacks if isinstance(c, keras.callbacks.EarlyStopping)]


def find_stopping(callbacks: Sequence[Any]) -> Any:
    """Return the user's early stopping, whose best epoch counts, or None."""
    return next(iter(list_stopping(callbacks)), None)


def read_best_epoch(stopping: Any, first_epoch: int, n_epochs: int) -> int:
    """Return the epoch that was best, counted from 1; the last if nothing tells.

    Parameters
    ----------
    stopping : keras.callbacks.EarlyStopping or None
        As training has left it. It may have seen no epoch: Keras only warns where the
        monitored value is missing.
    first_epoch, n_epochs : int
        Epochs trained before, and now.
    """
    if stopping is None:
        return n_epochs
    has_best = stopping.best is not None and np.isfinite(stopping.best)
    if not has_best and stopping.best_weights is None:
        return n_epochs
    return int(stopping.best_epoch) - first_epoch + 1


def read_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """Return the learning rate as it is now."""
    return float(to_numpy(optimizer.learning_rate))


def raise_diverged(what: str, value: str, epoch: int, rate: float) -> NoReturn:
    """Raise the error of a training that went astray, with what to change."""
    message = (
        f"The {what} became {value} in epoch {epoch}. Lower the learning "
        f"rate (now {rate:g}), scale X and y, or clip the gradients "
        "(optimizer__clipnorm=1.0)."
    )
    raise ValueError(message)


class FiniteLoss(keras.callbacks.Callback):
    """Ends training with an error when the loss is NaN or infinite.

    The training loss of an epoch is that of the weights before each step; what the last
    step did shows in the validation loss.
    """

    @property
    def _rate(self) -> float:
        return read_rate(self.model.optimizer)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        loss = logs.get("loss", 0.0)
        if not np.isfinite(loss):
            raise_diverged("training loss", str(loss), epoch + 1, self._rate)
        if np.isnan(logs.get("val_loss", 0.0)):
            raise_diverged("validation loss", "nan", epoch + 1, self._rate)


class ValidatedStopping(keras.callbacks.EarlyStopping):
    """Early stopping that knows epochs without validation, and refuses a misnomer.

    Keras's own warns in each epoch that lacks the monitored value.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.monitor in logs:
            super().on_epoch_end(epoch, logs)
        elif self._should_be_in(logs):
            message = (
                f"monitor={self.monitor!r} is not among the values of an epoch. "
                f"These are {sorted(logs)!r}."
            )
            raise ValueError(message)

    def _should_be_in(self, logs: Any) -> bool:
        validated = any(name.startswith("val_") for name in logs)
        return validated or not self.monitor.startswith("val_")


class Pausing(keras.callbacks.Callback):
    """Reads where training has ended, with the last epoch.

    Behind all others, since they may stop training or change its rate with an epoch.
    After it, Keras averages weights and callbacks go back to the best.

    Parameters
    ----------
    read : callable or None
        Takes the model, and returns its `position`. None reads nothing.
    """

    def __init__(self, read: Callable[[keras.Model], Any] | None) -> None:
        super().__init__()
        self._read = read
        self.position: Any = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        is_last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if self._read is not None and is_last:
            self.position = self._read(self.model)


class Resuming(keras.callbacks.Callback):
    """Lets callbacks go on, which forget what they know as training begins.

    It stands behind them.
    """

    def __init__(
        self, callbacks: Sequence[Any], states: Sequence[dict[str, Any]]
    ) -> None:
        super().__init__()
        self._pairs = list(zip(callbacks, states, strict=True))

    def on_train_begin(self, logs: Any = None) -> None:
        for callback, state in self._pairs:
            restore_callback(callback, state)
