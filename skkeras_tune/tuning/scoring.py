"""Score, folds and target in; an error out where they do not go together.

What fails on the target would otherwise fail once a fit, and the search would end with
a candidate that is no better than any other.
"""

import warnings
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline

from skkeras_tune.estimators import KerasRegressor
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
        fold, a fold has no R squared where that is the score by default, or there are
        several scores and no word which counts.
    """
    scoring = search.get_params(deep=False).get("scoring")
    if isinstance(scoring, str):
        _try_scorer(scoring, repr(scoring), target, splits)
    elif scoring is None and _scores_r_squared(search.estimator):
        _try_scorer("r2", "None, which is 'r2',", target, splits)
    elif isinstance(scoring, Collection) and search.refit is False:
        message = (
            f"The 'refit' parameter of {type(search).__name__} must name the score "
            f"that decides, of {list(scoring)!r}. Got False instead."
        )
        raise ValueError(message)


def _scores_r_squared(estimator: Any) -> bool:
    """Tell whether an estimator's own score is R squared, which may be undefined.

    Accuracy, that of classifiers, can always be had.
    """
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    if isinstance(estimator, KerasRegressor):
        return type(estimator).scorer is KerasRegressor.scorer
    return getattr(type(estimator), "score", None) is RegressorMixin.score


def _try_scorer(name: str, shown: str, target: Target, splits: Iterable[Split]) -> None:
    """Score what ignores the features, which fails as any other model would."""
    y, where = target.y, ""
    rows = np.arange(len(y))
    try:
        scorer = get_scorer(name)
        if y.ndim > 1 and target.classifies:  # for which such models are no measure
            return
        _score(scorer, target, rows, rows)
        where = " in a fold"
        for train, test in splits:
            _score(scorer, target, train, test)
    except (AttributeError, TypeError, ValueError) as error:
        message = (
            f"The 'scoring' parameter must be the name of a score that y has{where}. "
            f"Got {shown} instead: {str(error).rstrip('.')}. "
            + _suggest(is_fold=bool(where), classifies=target.classifies)
        )
        raise ValueError(message) from error


def _suggest(*, is_fold: bool, classifies: bool) -> str:
    if not is_fold:
        return "A score with other arguments is made by sklearn.metrics.make_scorer."
    if classifies:
        return "Leave out rare labels, or choose other folds."
    return "Choose other folds, or another score."


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
                "Pass an int as 'cv', which shuffles; where that does not help, there "
                "are too few rows of the other labels."
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


def refuse_no_winner(search: Any) -> None:
    """Refuse a fitted search whose candidates cannot be compared.

    Parameters
    ----------
    search : search
        One that shows no score for a candidate is believed.

    Raises
    ------
    ValueError
        If no candidate has a score, or the best one is infinite.
    """
    scores = _list_scores(search)
    if not len(scores):
        return
    is_known = ~np.isnan(scores)
    # A search whose `refit` is a callable has no best score.
    best = float(getattr(search, "best_score_", max(scores[is_known], default=np.nan)))
    if np.isfinite(best):
        return
    what = (
        f"the best score is {best}"
        if is_known.any()
        else ("every candidate's score is NaN")
    )
    scoring = getattr(search, "scoring", None)
    message = (
        f"The search has no winner: {what}. Check the 'scoring' {scoring!r}: a "
        "function of (y_true, y_pred) goes through sklearn.metrics.make_scorer, and "
        "some scores are undefined for negative predictions or for few rows of a fold."
    )
    raise ValueError(message)


def _list_scores(search: Any) -> NDArray[np.float64]:
    """Return the scores that decide, one for each candidate."""
    results = getattr(search, "cv_results_", {})
    refit = search.get_params(deep=False).get("refit")
    names = [f"mean_test_{name}" for name in (refit, "score")]
    found = next((results[name] for name in names if name in results), ())
    return np.asarray(found, float)
