"""Training in stages: what one stage leaves, from which the next goes on.

A training of nine epochs that goes on until the 27th gives what a training of 27 gives:
the same batches, dropout, optimizer state, stopping and history.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import keras
import numpy as np
from scipy.sparse import issparse

from skkeras_tune.training.callbacks import read_for_another, restore_callback
from skkeras_tune.training.plan import (
    Paused,
    PausedTraining,
    Training,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)

_BLOCK = 2**16
_PRECISION = 1e-9


@dataclass(eq=False)
class Stages:
    """The stages of one training, which its fits share.

    For searches of your own that drop the worse candidates early. A fit that is given
    them by `set_stages` goes on from `last`, until it has trained as many `epochs` in
    all as it is told, and leaves there where it ended. Clones of an estimator share
    them too.

    Parameters
    ----------
    last : tuple, default=()
        What the last stage has left, for each member; empty before the first.
    keeps : bool, default=True
        Whether there will be another.

    Examples
    --------
    >>> from sklearn.base import clone
    >>> from sklearn.datasets import load_iris
    >>> from skkeras_tune import KerasClassifier, Stages
    >>> X, y = load_iris(return_X_y=True)
    >>> network = KerasClassifier(epochs=4, random_state=0)
    >>> staged = clone(network).set_params(epochs=1).set_stages(Stages())
    >>> staged.fit(X, y).n_epochs_
    1
    >>> staged.set_params(epochs=4).fit(X, y).n_epochs_
    4
    >>> staged.history_["loss"] == network.fit(X, y).history_["loss"]
    True
    """

    last: Paused = ()
    keeps: bool = True

    def resume(self, trainings: Sequence[Training]) -> list[Training]:
        """Return the same trainings, going on from where they have paused.

        What estimators call before they train.

        Parameters
        ----------
        trainings : sequence of Training
            One for each member.

        Returns
        -------
        list of Training
            As many.
        """
        pairs = zip_longest(trainings, self.last)
        return [replace(t, paused=p, pauses=self.keeps) for t, p in pairs]

    def pause(self, results: Sequence[TrainingResult]) -> None:
        """Keep where trainings have paused.

        What estimators call when they have trained.

        Parameters
        ----------
        results : sequence of TrainingResult
            One for each member.
        """
        paused = [result.paused for result in results]
        self.last = tuple(p for p in paused if p is not None)


def pause_training(
    plan: TrainingPlan,
    data: TrainingData,
    result: TrainingResult,
    state: Any,
    *,
    is_over: bool,
    earlier: PausedTraining | None = None,
) -> PausedTraining:
    """Return from where a training may go on.

    Parameters
    ----------
    plan, data
        What was trained.
    result : TrainingResult
        What it has given so far.
    state : nested arrays
        What its loop goes on from.
    is_over : bool
        Whether a rule has stopped it, so that it will not.
    earlier : PausedTraining, default=None
        Where it went on from, on the same rows.
    """
    paused = PausedTraining(
        seed=plan.seed,
        n_epochs=len(result.history["loss"]),
        history=result.history,
        callbacks=[read_for_another(callback) for callback in result.callbacks],
        rows=earlier.rows if earlier else _sum_rows(data),
        engine=result.engine,
    )
    if is_over:
        # A live model of the user's would take more than its weights.
        weights = replace(result.state, model=None)
        paused.result = replace(result, state=weights, callbacks=[])
    else:
        paused.state = state
    return paused


def refuse_other_training(
    paused: PausedTraining, plan: TrainingPlan, data: TrainingData
) -> None:
    """Refuse to go on where that would not be the same training.

    Raises
    ------
    ValueError
        If the rows or the seed are others, or there is nothing left to train.
    """
    is_same = _are_same_rows(_sum_rows(data), paused.rows)
    if not is_same or plan.seed != paused.seed:
        message = (
            "Training cannot go on: the rows are not those from before the pause. Give "
            "each preprocessing step that draws at random a random_state, or a cv that "
            "has one."
        )
        raise ValueError(message)
    if paused.result is None and plan.epochs <= paused.n_epochs:
        message = (
            f"Training cannot go on until epoch {plan.epochs}: it has trained "
            f"{paused.n_epochs} epochs."
        )
        raise ValueError(message)


def refuse_other_engine(paused: PausedTraining | None, engine: str) -> None:
    """Refuse to go on in a loop that cannot read what the other has left.

    Raises
    ------
    ValueError
        If another engine than "compiled" or "keras", whichever is given, has paused.
    """
    if paused is not None and paused.engine != engine:
        message = (
            f"Training cannot go on in the {engine!r} engine: it was paused in the "
            f"{paused.engine!r} one. Set engine={paused.engine!r}."
        )
        raise ValueError(message)


def repeat_result(
    paused: PausedTraining, callbacks: Sequence[keras.callbacks.Callback]
) -> TrainingResult:
    """Return the result of a training that was over before the pause."""
    assert paused.result is not None
    for callback, state in zip(callbacks, paused.callbacks, strict=True):
        restore_callback(callback, state)
    weights = replace(paused.result.state)
    return replace(
        paused.result, state=weights, callbacks=list(callbacks), paused=paused
    )


def _sum_rows(data: TrainingData) -> list[tuple[float, float]]:
    """Return sums that change with any value of the rows, or their roles."""
    leaves = keras.tree.flatten([data.x, data.y])
    leaves += [data.train_rows, data.validation_rows]
    leaves += [] if data.weight is None else [data.weight]
    return [_sum(leaf) for leaf in leaves]


def _sum(leaf: Any) -> tuple[float, float]:
    """Return the sum of the values, and that of their sizes, a block at a time."""
    values = np.ravel(leaf.data if issparse(leaf) else np.asarray(leaf))
    if values.dtype.kind not in "biuf":
        return float(values.size), float(values.size)
    total = size = 0.0
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK].astype(np.float64)
        total += float(block.sum())
        size += float(np.abs(block).sum())
    return total, size


def _are_same_rows(
    sums: list[tuple[float, float]], others: list[tuple[float, float]]
) -> bool:
    """Tell whether sums are equal, but for the order in which they were added up."""
    return len(sums) == len(others) and all(
        abs(total - other) <= _PRECISION * size
        and abs(size - other_size) <= _PRECISION * size
        for (total, size), (other, other_size) in zip(sums, others, strict=True)
    )
