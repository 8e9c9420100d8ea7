"""What a user writes as a search space: checked, and turned into skopt's dimensions.

Dicts of names and values come in; new dimensions go out, or errors that name them.
"""

import copy
import itertools
from collections.abc import Sequence
from numbers import Integral, Number
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from skopt.space import Categorical, Dimension, check_dimension

from skkeras_tune.search.choice import Choice, OrderedChoice


def list_search_spaces(
    search_spaces: Any, n_iter: int
) -> list[tuple[dict[str, Any], int]]:
    """Return each space with its number of iterations.

    Raises
    ------
    ValueError
        If a space is empty or not a dict, or a number not a positive int.
    """
    spaces = [search_spaces] if isinstance(search_spaces, dict) else search_spaces
    pairs: list[Any] = [
        space if isinstance(space, tuple) else (space, n_iter) for space in spaces
    ]
    if not pairs or not all(map(_is_space_with_number, pairs)):
        message = (
            "The 'search_spaces' parameter of BayesSearchCV must be a non-empty dict, "
            "or a list of non-empty dicts and (dict, int) tuples. "
            f"Got {search_spaces!r} instead."
        )
        raise ValueError(message)
    return [(space, _validate_n_iter(number)) for space, number in pairs]


def _is_space_with_number(pair: tuple[Any, ...]) -> bool:
    return len(pair) == 2 and isinstance(pair[0], dict) and bool(pair[0])


def _validate_n_iter(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, Integral) or number < 1:
        message = (
            "The number of iterations beside a space in the 'search_spaces' "
            "parameter of BayesSearchCV must be an int in the range [1, inf). "
            f"Got {number!r} instead."
        )
        raise ValueError(message)
    return int(number)


def build_space(
    space: dict[str, Any], estimator: BaseEstimator
) -> dict[str, Dimension]:
    """Return a space of new skopt dimensions, for parameters the estimator has.

    Raises
    ------
    ValueError
        With the name of the dimension or parameter, and its value.
    """
    built = {name: build_dimension(name, value) for name, value in space.items()}
    # Only `set_params` knows the names: a space may replace a pipeline's step and set
    # that step's parameters too.
    candidate = {name: dimension.bounds[0] for name, dimension in built.items()}
    try:
        clone(estimator).set_params(**clone(candidate, safe=False))
    except (AttributeError, TypeError, ValueError) as error:
        message = (
            "The 'search_spaces' parameter of BayesSearchCV must name parameters of "
            f"its estimator. Got {list(space)} instead: {error}"
        )
        raise ValueError(message) from error
    return built


def build_dimension(name: str, value: Any) -> Dimension:
    """Return a new dimension from what a search space holds under a name.

    Raises
    ------
    ValueError
        With the name and the value.
    """
    try:
        dimension = _read_dimension(value)
    except (TypeError, ValueError) as error:
        message = (
            f"The {name!r} dimension in the 'search_spaces' parameter of BayesSearchCV "
            "must be a skopt dimension, a (low, high) or (low, high, prior) tuple, or "
            f"a list of categories. Got {value!r} instead: {error}"
        )
        raise ValueError(message) from error
    dimension.name = dimension.name or name
    return dimension


def _read_dimension(value: Any) -> Dimension:
    if _is_categories(value):
        value = Choice(value)
    # A copy, since skopt sets the names and transformers of its dimensions.
    dimension = copy.copy(check_dimension(value))
    if isinstance(dimension, OrderedChoice):
        return dimension
    if isinstance(dimension, Categorical):
        _validate_categories(dimension.categories)
        return Choice(
            dimension.categories, dimension.prior, dimension.transform_, dimension.name
        )
    if not np.isfinite(dimension.bounds).all():
        message = "its bounds must be finite"
        raise ValueError(message)
    return dimension


def _is_categories(value: Any) -> bool:
    # skopt 0.10 takes a list of two numbers for bounds, with a warning that it will
    # not do so for ever, and refuses a pair of tuples.
    if isinstance(value, list | np.ndarray):
        return len(value) > 0
    return isinstance(value, tuple) and not all(
        isinstance(item, str | Number | np.generic) for item in value
    )


def _validate_categories(categories: Sequence[Any]) -> None:
    for first, second in itertools.combinations(categories, 2):
        try:
            bool(first == second)
        except ValueError as error:
            message = "arrays cannot be told apart by ==; give them as lists or tuples"
            raise ValueError(message) from error
