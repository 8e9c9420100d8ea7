"""Weights and out-of-fold predictions in; how good each member and mean is, out."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.ensemble.objective import average, usual_score
from skkeras_tune.ensemble.rows import Truth
from skkeras_tune.ensemble.weights import Loss, weigh_equally

Array = NDArray[np.float64]


def compare(
    names: Sequence[str],
    weights: Array,
    predictions: Array,
    truth: Truth,
    loss: tuple[str, Loss],
    score: Callable[[Array], float] | None,
) -> list[dict[str, Any]]:
    """Return a row of numbers for each member, the plain mean and the weighted one.

    Parameters
    ----------
    names : sequence of str
        The members.
    weights : ndarray of shape (n_members,)
    predictions : ndarray of shape (n_members, n_rows, n_columns)
    truth : Truth
    loss : tuple of (name, callable)
    score : callable or None
        Of averaged predictions, where the user asked for one.
    """
    models = dict(zip(names, np.eye(len(names)), strict=True))
    shares = dict(zip(names, weights, strict=True))
    loss_name, loss_of = loss
    rows = []
    for name, mixture in {
        **models,
        "mean": weigh_equally(len(names)),
        "weighted": weights,
    }.items():
        averaged = average(mixture, predictions)
        usual_name, usual = usual_score(truth, averaged)
        row = {"model": name, "weight": float(shares.get(name, np.nan))}
        row |= {loss_name: loss_of(mixture), usual_name: usual}
        rows.append(row if score is None else {**row, "scoring": score(averaged)})
    return rows
