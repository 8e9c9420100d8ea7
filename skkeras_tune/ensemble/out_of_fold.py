"""Members and folds in; each member's predictions for rows that it did not see, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.parallel import Parallel, delayed

from skkeras_tune._compat.sklearn import safe_indexing
from skkeras_tune.ensemble.members import fit_member
from skkeras_tune.ensemble.rows import Rows

Splits = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions of several members for the same rows.

    Attributes
    ----------
    predictions : ndarray of shape (n_members, n_tested, n_columns)
    rows : ndarray of shape (n_tested,)
        The rows that any fold tests. One that several test has their average.
    """

    predictions: NDArray[np.float64]
    rows: NDArray[np.intp]


def list_splits(cv: Any, estimator: Any, X: Any, y: Any, groups: Any) -> Splits:
    """Return the folds as pairs of training and test rows.

    Raises
    ------
    ValueError
        If there are none, as when `cv` is a generator that a search has used up.
    """
    splitter = check_cv(cv, y, classifier=is_classifier(estimator))
    splits = [
        (np.asarray(train), np.asarray(test))
        for train, test in splitter.split(X, y, groups)
    ]
    if not splits:
        message = (
            f"cv={cv!r} yields no folds; if it is a generator, it has been used up. "
            "Give cv= to the ensemble."
        )
        raise ValueError(message)
    return splits


def predict_out_of_fold(
    members: Mapping[str, Any], rows: Rows, splits: Splits, n_jobs: int | None = None
) -> OutOfFold:
    """Fit each member on each fold, all at the same time.

    Parameters
    ----------
    members : mapping of str to estimator
    rows : Rows
    splits : list of (train rows, test rows)
    n_jobs : int or None
    """
    parallel = Parallel(n_jobs=n_jobs)
    found = parallel(
        delayed(_predict_fold)(member, rows, train, test)
        for member in members.values()
        for train, test in splits
    )
    n = len(splits)
    folds = [found[start : start + n] for start in range(0, len(found), n)]
    return join_folds(list(members), folds, splits)


def _predict_fold(
    member: Any, rows: Rows, train: NDArray[np.intp], test: NDArray[np.intp]
) -> NDArray[np.float64]:
    fitted = fit_member(member, rows, train)
    return rows.target.read(fitted, safe_indexing(rows.X, test))


def join_folds(
    names: Sequence[str],
    folds: Sequence[Sequence[NDArray[np.float64]]],
    splits: Splits,
) -> OutOfFold:
    """Put the folds' predictions together by their rows.

    Parameters
    ----------
    names : sequence of str
        The members, for messages.
    folds : sequence of sequence of ndarray
        For each member, its predictions of each fold's test rows.
    splits : list of (train rows, test rows)

    Raises
    ------
    ValueError
        If a prediction is not finite, or members predict in different shapes.
    """
    tests = np.concatenate([_as_numbers(test) for _, test in splits])
    joined = [np.concatenate(member_folds) for member_folds in folds]
    for name, predictions in zip(names, joined, strict=True):
        if predictions.shape != joined[0].shape:
            message = (
                f"The members {names[0]!r} and {name!r} predict in different shapes: "
                f"{joined[0].shape} and {predictions.shape}."
            )
            raise ValueError(message)
        if not np.isfinite(predictions).all():
            message = f"The member {name!r} predicts NaN or infinity out of fold."
            raise ValueError(message)
    rows, places, counts = np.unique(tests, return_inverse=True, return_counts=True)
    totals = np.zeros((len(joined), len(rows), joined[0].shape[1]))
    for total, predictions in zip(totals, joined, strict=True):
        np.add.at(total, places, predictions)
    return OutOfFold(totals / counts[:, None], rows)


def _as_numbers(rows: NDArray[Any]) -> NDArray[np.intp]:
    """Return row numbers; splitters may give a mask."""
    return np.flatnonzero(rows) if rows.dtype == bool else rows
