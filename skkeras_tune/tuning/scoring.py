"""Score, folds and target in; an error out where they do not go together.

What fails on the target would otherwise fail once a fit, and the search would end with
a candidate that is no better than any other.
"""

import warnings
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer

from skkeras_tune.tuning.folds import Folds, Split
from skkeras_tune.tuning.target import Target


def validate_splits(
    search: Any, folds: Folds, X: Any, target: Target, groups: Any, *, is_built: bool
) -> None:
    """Refuse a score, or folds of `tune`'s, that leave no candidate with a score.

    Parameters
    ----------
    search : search
        Not fitted. One of the user's may have folds of its own, which are its affair.
    folds : Folds
    X : array-like of shape (n_samples, n_features)
    target : Target
    groups : array-like of shape (n_samples,) or None
    is_built : bool
        Whether the estimator is `tune`'s own, which learns nothing from one label.

    Raises
    ------
    ValueError
        As by `validate_scoring` and `validate_folds`.
    """
    is_own = getattr(search, "cv", None) is not folds
    splits = [] if is_own else list(folds.split(X, target.y, groups))
    validate_scoring(search, target, splits)
    if is_built:
        validate_folds(target, splits)


def validate_scoring(search: Any, target: Target, splits: Iterable[Split]) -> None:
    """Refuse a score that cannot say which candidate is best.

    Parameters
    ----------
    search : search
        Not fitted.
    target : Target
    splits : iterable of (train, test)
        The folds, in each of which a score must be had.

    Raises
    ------
    ValueError
        If the score's name is unknown, the target is none for it in all rows or in a
        fold, or there are several scores and no word which counts.
    """
    scoring = search.get_params(deep=False).get("scoring")
    if isinstance(scoring, str):
        _try_scorer(scoring, target, splits)
    elif isinstance(scoring, Collection) and search.refit is False:
        message = (
            f"The 'refit' parameter of {type(search).__name__} must name the score "
            f"that decides, of {list(scoring)!r}. Got False instead."
        )
        raise ValueError(message)


def _try_scorer(name: str, target: Target, splits: Iterable[Split]) -> None:
    """Score what ignores the features, which fails as any other model would."""
    y, where = target.y, ""
    rows = np.arange(len(y))
    try:
        scorer = get_scorer(name)
        if y.ndim > 1:  # for which such models are no measure
            return
        _score(scorer, target, rows, rows)
        where = " in a fold"
        for train, test in splits:
            _score(scorer, target, train, test)
    except (AttributeError, TypeError, ValueError) as error:
        remedy = (
            "Leave out rare labels, or choose other folds."
            if where
            else (
                "A score with other arguments is made by sklearn.metrics.make_scorer."
            )
        )
        message = (
            f"The 'scoring' parameter must be the name of a score that y has{where}. "
            f"Got {name!r} instead: {str(error).rstrip('.')}. {remedy}"
        )
        raise ValueError(message) from error


def _score(scorer: Any, target: Target, train: Any, test: Any) -> None:
    model = DummyClassifier() if target.classifies else DummyRegressor()
    X = np.zeros((len(target.y), 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such models are bad ones
        score = scorer(model.fit(X[train], target.y[train]), X[test], target.y[test])
    if np.isnan(score):
        raise ValueError("it is not defined there")


def validate_folds(target: Target, splits: Iterable[Split]) -> None:
    """Refuse folds in which a network has one label to learn.

    Parameters
    ----------
    target : Target
    splits : iterable of (train, test)

    Raises
    ------
    ValueError
        If all training rows of a fold have the same label.
    """
    if target.labels is None:
        return
    for number, (train, _) in enumerate(splits):
        labels = target.labels[train]
        if len(labels) and (labels == labels[0]).all():
            message = (
                f"All training rows of fold {number} have the label "
                f"{labels[:1].tolist()[0]!r}, so that no candidate would have a score. "
                "Put the rows in another order, or pass an int as 'cv', which shuffles."
            )
            raise ValueError(message)


def refuse_several_scores(search: Any) -> None:
    """Refuse a fitted search that cannot say which candidate is best.

    Parameters
    ----------
    search : search

    Raises
    ------
    ValueError
        If its scoring has returned several scores.
    """
    if not hasattr(search, "best_index_"):
        message = (
            "The 'scoring' parameter of tune must return one number. Got several "
            f"from {search.scoring!r} instead: pass a search that has both 'scoring' "
            "and 'refit'."
        )
        raise ValueError(message)
