"""The values of each epoch in, the history and trained callbacks out.

The callbacks live through a compiled training on the host, an epoch at a time, on a
stand-in for the model. What they do to weights and rates, the program has done already.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from skkeras_tune.training.callbacks import detach, restore_callback
from skkeras_tune.training.plan import PausedTraining
from skkeras_tune.training.programs.callback_rules import Rules

_MODES = {1.0: "min", -1.0: "max"}


class _Optimizer:
    """The learning rate, rounded as a variable of the optimizer is."""

    def __init__(self, rate: float, dtype: str) -> None:
        self._dtype = dtype
        self._rate = np.asarray(rate, dtype)

    @property
    def learning_rate(self) -> NDArray[Any]:
        return self._rate

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        self._rate = np.asarray(rate, self._dtype)


class _Model:
    """What a callback may touch of a model; its best weights come last.

    Who listens reads the weights of each epoch, which stay in the program until then.
    """

    def __init__(self, optimizer: _Optimizer) -> None:
        self.optimizer = optimizer
        self.metrics: list[Any] = []
        self.stop_training = False
        self.history: Any = None
        self.best: list[NDArray[Any]] = []
        self.is_restored = False
        self.read: Callable[[], list[NDArray[Any]]] | None = None

    def get_weights(self) -> list[NDArray[Any]]:
        return self.best if self.read is None else self.read()

    def set_weights(self, weights: Any) -> None:
        self.is_restored = True


class CallbackReplay:
    """Runs callbacks beside a compiled training.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
        Of the kinds that `read_rules` takes.
    rules : Rules
        What it has read from them.
    params : mapping
        What Keras tells callbacks of a training.
    rate : float
        The learning rate as training begins.
    dtype : str
    paused : PausedTraining, default=None
        The callbacks go on from there.
    listener : keras.callbacks.Callback, default=None
        Hears of each epoch after them, and may end the training.
    """

    def __init__(
        self,
        callbacks: Sequence[Any],
        rules: Rules,
        params: Mapping[str, Any],
        rate: float,
        dtype: str,
        paused: PausedTraining | None = None,
        listener: Any = None,
    ) -> None:
        given = list(callbacks)
        histories = [c for c in given if isinstance(c, keras.callbacks.History)]
        self._history = histories[-1] if histories else keras.callbacks.History()
        self._callbacks = given if histories else [*given, self._history]
        self._callbacks += [] if listener is None else [listener]
        self._is_heard = listener is not None
        self._rules, self._paused = rules, paused
        self._optimizer = _Optimizer(rate, dtype)
        self._models = [_Model(self._optimizer) for _ in self._callbacks]
        self._params = dict(params)
        kind = keras.callbacks.LearningRateScheduler
        self._schedules = any(isinstance(c, kind) for c in given)
        #: Whether there is something to do before each epoch.
        self.goes_by_epoch = self._schedules or self._is_heard

    @contextmanager
    def run(self) -> Iterator[None]:
        """Begin and, whatever happens, let go of the callbacks."""
        watchers = [self._callbacks[place] for place in self._rules.places]
        modes = [callback.mode for callback in watchers]
        try:
            self._begin()
            for callback, rule in zip(watchers, self._rules.rules, strict=True):
                callback.mode = _MODES[rule.sign]  # the stand-in has no metrics to ask
            yield
        finally:
            for callback, mode in zip(watchers, modes, strict=True):
                callback.mode = mode
            for model in self._models:
                model.read = None  # the state of a program
            detach(self._callbacks)

    def _begin(self) -> None:
        for callback, model in zip(self._callbacks, self._models, strict=True):
            callback.set_params(self._params)
            callback.set_model(model)
        for callback in self._callbacks:
            callback.on_train_begin()
        if self._paused is not None:
            self._go_on(self._paused)

    def _go_on(self, paused: PausedTraining) -> None:
        """Undo what callbacks forget as training begins."""
        for callback, state in zip(self._callbacks, paused.callbacks, strict=False):
            restore_callback(callback, state)
        self._history.epoch = list(range(paused.n_epochs))
        self._history.history = {n: list(v) for n, v in paused.history.items()}

    @property
    def has_stopped(self) -> bool:
        """Whether a callback has ended the training."""
        return any(model.stop_training for model in self._models)

    @property
    def history(self) -> dict[str, list[float]]:
        """The values of all epochs so far, and those that callbacks have added."""
        kept = self._history.history
        return {name: [float(v) for v in values] for name, values in kept.items()}

    def begin_epoch(self, epoch: int) -> NDArray[Any] | None:
        """Begin an epoch, counted from zero; return its rate where callbacks say it."""
        for callback in self._callbacks:
            callback.on_epoch_begin(epoch)
        return self._optimizer.learning_rate if self._schedules else None

    def end_epoch(
        self,
        epoch: int,
        values: Mapping[str, float],
        read: Callable[[], list[NDArray[Any]]] | None = None,
    ) -> dict[str, float]:
        """Return an epoch's values, as Keras sorts them, and what callbacks add.

        Parameters
        ----------
        epoch : int
            Counted from zero.
        values : mapping
        read : callable, default=None
            Returns the weights, for who listens.
        """
        if self._is_heard:
            self._models[-1].read = read
        names = sorted(values, key=lambda name: (name.startswith("val_"), name))
        logs = {name: values[name] for name in names}
        for callback in self._callbacks:
            callback.on_epoch_end(epoch, logs)
        return logs

    def end(self, best: Sequence[Any]) -> list[NDArray[Any]] | None:
        """End training, and return the weights that were restored or None.

        Parameters
        ----------
        best : sequence of lists of ndarray or None
            The best weights that each rule has kept.
        """
        restored: list[NDArray[Any]] | None = None
        for place, weights in zip(self._rules.places, best, strict=True):
            self._models[place].best[:] = weights or []
        for callback, model in zip(self._callbacks, self._models, strict=True):
            callback.on_train_end()
            restored = model.best if model.is_restored else restored
        return restored and [weight.copy() for weight in restored]
