"""The best parameters of a search in, their estimator trained on all rows out."""

import time
from collections.abc import Mapping
from typing import Any

from sklearn.base import clone


def build_winner(search: Any) -> Any:
    """Return a clone of a search's estimator with the best parameters."""
    best = clone(search.best_params_, safe=False)
    return clone(search.estimator).set_params(**best)


def fit_winner(
    search: Any, winner: Any, X: Any, y: Any, fit_params: Mapping[str, Any]
) -> None:
    """Train a winner on all rows, as scikit-learn's searches do, and keep it.

    Parameters
    ----------
    search : search
        Is given `best_estimator_` and `refit_time_`.
    winner : estimator
        What `build_winner` has returned.
    X, y
        All rows; a `y` of None is left out.
    fit_params : mapping
        Further arguments of the winner's ``fit``.
    """
    start = time.time()
    winner.fit(*((X,) if y is None else (X, y)), **fit_params)
    search.refit_time_ = time.time() - start
    keep_winner(search, winner)


def keep_winner(search: Any, winner: Any) -> None:
    """Let a search have a fitted winner, and the names of the features it has seen."""
    search.best_estimator_ = winner
    if hasattr(winner, "feature_names_in_"):
        search.feature_names_in_ = winner.feature_names_in_
