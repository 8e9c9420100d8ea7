"""A search's score and a target in; an error out where the two do not go together.

A score that fails on the target would otherwise fail once a fit, and the search would
end with a candidate that is no better than any other.
"""

import warnings
from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer

from skkeras_tune.tuning.target import Target


def validate_scoring(search: Any, target: Target) -> None:
    """Refuse a score that cannot say which candidate is best.

    Parameters
    ----------
    search : search
        Not fitted.
    target : Target

    Raises
    ------
    ValueError
        If the score's name is unknown, the target is none for it, or there are several
        scores and no word which counts.
    """
    scoring = search.get_params(deep=False).get("scoring")
    if isinstance(scoring, str):
        _try_scorer(scoring, target)
    elif isinstance(scoring, Collection) and search.refit is False:
        message = (
            f"The 'refit' parameter of {type(search).__name__} must name the score "
            f"that decides, of {list(scoring)!r}. Got False instead."
        )
        raise ValueError(message)


def _try_scorer(name: str, target: Target) -> None:
    """Score what ignores the features."""
    model = DummyClassifier() if target.classifies else DummyRegressor()
    X = np.zeros((len(target.y), 1))
    try:
        scorer = get_scorer(name)
        if target.y.ndim > 1:  # for which these models are no measure
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the models are bad ones
            scorer(model.fit(X, target.y), X, target.y)
    except (AttributeError, TypeError, ValueError) as error:
        message = (
            "The 'scoring' parameter must be the name of a score that can be had of y. "
            f"Got {name!r} instead: {error} A score with other arguments is "
            "made by sklearn.metrics.make_scorer."
        )
        raise ValueError(message) from error


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
