"""A fit and its epochs as tasks of scikit-learn 1.9's callbacks.

What a fit knows of its rows comes in; what its callbacks are told goes out, and whether
one of them ends the training.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from skkeras_tune._compat.sklearn import with_callbacks

#: Takes weights, and returns attributes that let a copy of an estimator predict.
Rebuild = Callable[[Sequence[Any]], dict[str, Any]]


class EpochTasks(keras.callbacks.Callback):
    """Tells scikit-learn's callbacks of each epoch, and heeds one that ends training.

    Of a training that begins again, as when memory did not suffice, it tells those
    epochs that it has not told yet.

    Parameters
    ----------
    task : sklearn.callback.CallbackContext
        That of the fit.
    rebuild : callable or None
        Takes weights, and returns what a copy of the estimator lacks to predict with
        them. With None hooks get no estimator after an epoch.
    **facts : dict
        What hooks are told: the estimator, and what they may ask for.
    """

    def __init__(self, task: Any, rebuild: Rebuild | None, **facts: Any) -> None:
        super().__init__()
        self._task, self._rebuild, self._facts = task, rebuild, facts
        self._epoch: Any = None
        self._n_begun = self._n_told = 0
        #: Whether a hook has ended the training.
        self.has_stopped = False

    def on_train_begin(self, logs: Any = None) -> None:
        self._n_begun = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._n_begun += 1
        if self._n_begun > self._n_told:
            self._n_told += 1
            self._epoch = self._task.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._facts)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        is_new = self._n_begun == self._n_told and self._epoch is not None
        if is_new and self._end_epoch(None if _has_diverged(logs) else self._read):
            self.model.stop_training = self.has_stopped = True

    def _read(self) -> dict[str, Any] | None:
        return self._rebuild and self._rebuild(self.model.get_weights())

    def _end_epoch(self, attributes: Callable[[], Any] | None = None) -> bool:
        task, self._epoch = self._epoch, None
        stops: bool = task.call_on_fit_task_end(
            reconstruction_attributes=attributes, **self._facts
        )
        return stops

    def end(self, attributes: dict[str, Any] | None) -> None:
        """End the fit, and before it an epoch that an error has cut short.

        Parameters
        ----------
        attributes : dict or None
            What a copy of the estimator lacks to predict; None after an error.
        """
        if self._epoch is not None:
            self._end_epoch()
        self._task.call_on_fit_task_end(
            reconstruction_attributes=attributes, **self._facts
        )

    @property
    def n_epochs(self) -> int:
        """How many epochs have begun."""
        return self._n_begun

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_task": _separate(self._task)}


class EpochFollower(keras.callbacks.Callback):
    """Ends the training of another member where a hook has ended that of the first.

    It tells nobody of its epochs, and has as many of them as the first one, or more if
    it is ahead.

    Parameters
    ----------
    first : EpochTasks
        Hears of the first member's epochs.
    """

    def __init__(self, first: EpochTasks) -> None:
        super().__init__()
        self._first, self._n_begun = first, 0
        self.has_stopped = False

    def on_train_begin(self, logs: Any = None) -> None:
        self._n_begun = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._n_begun += 1
        if self._first.has_stopped and self._n_begun >= self._first.n_epochs:
            self.model.stop_training = self.has_stopped = True


def _has_diverged(logs: Any) -> bool:
    """Tell whether training is about to end with an error: weights may be NaN."""
    losses = [(logs or {}).get(name, 0.0) for name in ("loss", "val_loss")]
    return not np.isfinite(losses).all()


def _separate(task: Any) -> Any:
    """Return a copy of a task and those above, without others, which are changing."""
    if task is None:
        return None
    alone = copy.copy(task)
    alone.parent, alone._children_map = _separate(task.parent), {}
    return alone


@contextmanager
def open_fit(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    n_epochs: int,
    rebuild: Rebuild | None = None,
) -> Iterator[EpochTasks | None]:
    """Open the task of an estimator's fit, and yield who hears of its epochs.

    That is None where no callbacks are set, as before scikit-learn 1.9.

    Parameters
    ----------
    estimator : estimator
    X, y, sample_weight
        As they were given to `fit`.
    n_epochs : int
        How many epochs there will be at most.
    rebuild : callable, default=None
        As for `EpochTasks`.
    """
    if not hasattr(estimator, "_skl_callbacks"):
        yield None
        return
    facts = {"estimator": estimator, **describe_rows(X, y, sample_weight)}
    try:
        task = estimator._init_callback_context(max_subtasks=n_epochs)
        task.call_on_fit_task_begin(**facts)
        tasks = EpochTasks(task, rebuild, **facts)
        attributes: dict[str, Any] | None = None
        try:
            yield tasks
            attributes = {}  # a copy has all that the fit has left
        finally:
            tasks.end(attributes)
    finally:
        _tear_down(estimator)


def describe_rows(X: Any, y: Any, sample_weight: Any) -> dict[str, Any]:
    """Return what callbacks are told of the rows."""
    weights = None if sample_weight is None else {"sample_weight": sample_weight}
    return {"X": X, "y": y, "metadata": weights}


@with_callbacks  # type: ignore[untyped-decorator]
def _tear_down(estimator: Any) -> None:
    """Do no more than what scikit-learn does after a fit with callbacks."""
