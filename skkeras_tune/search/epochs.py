"""How long the best settings are to train on all rows: best epochs in, settings out."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from skkeras_tune.nesting import find_fitted, list_networks

#: The name under which best epochs are scored; it ranks no settings.
BEST_EPOCH = "best_epoch"


def best_epoch(estimator: Any, X: Any = None, y: Any = None) -> float:
    """Return the best epoch of a fitted network, as a scorer.

    A search that scores it under the name "best_epoch" writes it down for each fold.
    `best_params` then tells how long to train on all rows.

    Parameters
    ----------
    estimator : estimator
        A fitted `KerasClassifier` or `KerasRegressor`, or a pipeline, a
        `TransformedTargetRegressor` or a search that ends in one.
    X, y : ignored
        What a search gives its scorers.

    Returns
    -------
    float
        Counted from 1.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it ends in no network.

    See Also
    --------
    best_params : The best settings, with their epochs.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skkeras_tune import KerasClassifier, best_epoch, best_params
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GridSearchCV(
    ...     KerasClassifier(epochs=30, patience=5, random_state=0),
    ...     {"learning_rate": [0.003, 0.03]},
    ...     scoring={"accuracy": "accuracy", "best_epoch": best_epoch},
    ...     refit="accuracy",
    ...     cv=3,
    ... )
    >>> (best,) = best_params(search.fit(X, y), 1, refit_full=1.2)
    >>> sorted(best)
    ['early_stopping', 'epochs', 'learning_rate', 'validation_split']
    >>> network = KerasClassifier(random_state=0).set_params(**best).fit(X, y)
    >>> network.n_epochs_ == best["epochs"]
    True
    """
    return float(find_fitted(estimator, "best_epoch_", "best_epoch").best_epoch_)


def fix_epochs(
    params: Mapping[str, Any],
    estimator: Any,
    results: Mapping[str, Any],
    row: int,
    factor: float,
) -> dict[str, Any]:
    """Return settings that train on all rows, as long as the folds say.

    Parameters
    ----------
    params : mapping
        The settings of a candidate.
    estimator : estimator
        What the search has tuned.
    results : mapping
        ``cv_results_``.
    row : int
        The candidate's row.
    factor : float
        Times the median of the folds' best epochs.

    Raises
    ------
    ValueError
        If the search did not score "best_epoch", or its estimator has no single
        network.
    """
    ending = f"_test_{BEST_EPOCH}"
    folds = [k for k in results if k.startswith("split") and k.endswith(ending)]
    if not folds:
        message = (
            "refit_full needs the folds' best epochs. Give the search "
            "scoring={..., 'best_epoch': skkeras_tune.best_epoch} and a refit= that "
            "names another score."
        )
        raise ValueError(message)
    prefix = _find_prefix(estimator)
    middle = float(np.median([results[name][row] for name in folds]))
    return {
        **params,
        f"{prefix}epochs": max(1, round(factor * middle)),
        f"{prefix}early_stopping": False,
        f"{prefix}validation_split": 0.0,
    }


def _find_prefix(estimator: Any) -> str:
    """Return what comes before the parameters of the network in an estimator."""
    found = list_networks(estimator)
    if len(found) != 1:
        message = (
            "refit_full needs an estimator with one network, whose epochs it sets. Got "
            f"{len(found)} in {estimator!r}."
        )
        raise ValueError(message)
    return next(iter(found))
