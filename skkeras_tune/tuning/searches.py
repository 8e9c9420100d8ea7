"""A kind of search, an estimator and a space in; a search that can be fitted out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import model_selection
from sklearn.base import clone

from skkeras_tune.preprocessing.task import Task
from skkeras_tune.search.bayes import BayesSearchCV
from skkeras_tune.search.describe import count_candidates
from skkeras_tune.search.distributions import is_range, to_distribution
from skkeras_tune.search.hyperband import HyperbandSearchCV
from skkeras_tune.search.spaces import mlp_space
from skkeras_tune.search.timed import GridSearchCV, RandomizedSearchCV
from skkeras_tune.tuning.assembly import find_prefix

LEVELS = ("small", "default", "large")

#: Candidates that are evaluated together.
_N_POINTS = 8


@dataclass(frozen=True, eq=False)
class Settings:
    """What a search needs beside the estimator and the space."""

    n_iter: int
    cv: Any
    scoring: Any
    random_state: int | None
    verbose: int

    @property
    def common(self) -> dict[str, Any]:
        """The arguments that all searches take."""
        return {
            "scoring": self.scoring,
            "cv": self.cv,
            "verbose": self.verbose,
            # The winner is fitted by `tune`, which knows how and how long.
            "refit": False,
            "error_score": np.nan,
        }


def build_search(
    search: Any,
    estimator: Any,
    space: Any,
    prefix: str | None,
    X: Any,
    y: Any,
    settings: Settings,
) -> Any:
    """Return a search of a named kind, or the user's with what it lacks filled in.

    Parameters
    ----------
    search : str or search
    estimator : estimator
        Takes the place of one that is None.
    space : str, dict or list
        Takes the place of one that is None, in the form that the search takes.
    prefix : str or None
        Of the network's parameters, which go by their plain names. None looks for the
        network where the space is named.
    X, y
        As for `resolve_space`.
    settings : Settings
    """
    kind = search if isinstance(search, str) else None
    if kind is None:
        found = find_space_parameter(search)
        has_space = found is None or search.get_params(deep=False)[found[0]] is not None
        if found is None or has_space:
            return complete_search(search, estimator, None, settings)
        kind = found[1]
    if isinstance(space, str):
        prefix = find_prefix(estimator) if prefix is None else prefix
    names = estimator.get_params(deep=True)

    def rename(name: str) -> str:
        is_known = name in names or name.partition("__")[0] in names
        return name if prefix is None or is_known else f"{prefix}{name}"

    resolved = resolve_space(space, kind, X, y, prefix or "", rename)
    if not isinstance(search, str):
        return complete_search(search, estimator, resolved, settings)
    return BUILDERS[kind](estimator, resolved, settings)


def resolve_space(
    space: Any, search: str, X: Any, y: Any, prefix: str, rename: Callable[[str], str]
) -> Any:
    """Return the space that a kind of search takes.

    Parameters
    ----------
    space : str, dict or list
        A level of `mlp_space`, or a space of the user's.
    search : str
    X
        For the batch sizes.
    y
        Labels, which can be smoothed, or None.
    prefix : str
        Of the network's parameters.
    rename : callable
        Gives the names of the user's space those of the estimator.

    Raises
    ------
    ValueError
        If the space is empty, or is none, or a grid has a range.
    """
    if isinstance(space, str) and space in LEVELS:
        task: Task = "regression" if y is None else "classification"
        return mlp_space(space, X, search=search, prefix=prefix, task=task)  # type: ignore[arg-type]
    if isinstance(space, Mapping) and space:
        return _resolve_part(space, search, rename)
    parts = space if isinstance(space, list) else []
    if parts and all(_is_part(part) for part in parts):
        return [_resolve_part(part, search, rename) for part in parts]
    message = (
        f"The 'space' parameter of tune must be a str among {set(LEVELS)!r}, a "
        f"non-empty dict or a list of non-empty dicts. Got {space!r} instead."
    )
    raise ValueError(message)


def _is_part(part: Any) -> bool:
    if isinstance(part, tuple) and len(part) == 2:
        part = part[0]
    return isinstance(part, Mapping) and bool(part)


def _resolve_part(part: Any, search: str, rename: Callable[[str], str]) -> Any:
    """Rename the parameters, and let ranges mean the same in all searches."""
    if isinstance(part, tuple):
        return _resolve_part(part[0], search, rename), part[1]
    if search == "grid":
        _refuse_ranges(part)
    draws = search in ("random", "hyperband")
    return {
        rename(name): to_distribution(name, value) if draws else value
        for name, value in part.items()
    }


def _refuse_ranges(part: Mapping[str, Any]) -> None:
    for name, value in part.items():
        if is_range(value):
            message = (
                f"{name!r} in the space is the range {value!r}, and a grid needs the "
                "values themselves, in a list."
            )
            raise ValueError(message)


def build_bayes(estimator: Any, space: Any, settings: Settings) -> Any:
    """Return a Bayesian search, eight candidates at a time."""
    # Of several spaces, each has so many candidates.
    is_one = isinstance(space, Mapping)
    return BayesSearchCV(
        estimator,
        space,
        n_iter=_bound(settings.n_iter, space) if is_one else settings.n_iter,
        n_points=_N_POINTS,
        random_state=settings.random_state,
        **settings.common,
    )


def build_random(estimator: Any, space: Any, settings: Settings) -> Any:
    """Return a random search."""
    return RandomizedSearchCV(
        estimator,
        space,
        n_iter=_bound(settings.n_iter, space),
        random_state=settings.random_state,
        **settings.common,
    )


def build_grid(estimator: Any, space: Any, settings: Settings) -> Any:
    """Return a search of all that a grid holds."""
    return GridSearchCV(estimator, space, **settings.common)


def build_hyperband(estimator: Any, space: Any, settings: Settings) -> Any:
    """Return a Hyperband search, whose candidates follow from its own parameters."""
    return HyperbandSearchCV(
        estimator,
        space,
        random_state=settings.random_state,
        **{**settings.common, "refit": True},
    )


BUILDERS: dict[str, Callable[[Any, Any, Settings], Any]] = {
    "bayes": build_bayes,
    "random": build_random,
    "grid": build_grid,
    "hyperband": build_hyperband,
}

# What scikit-learn's clone keeps beside the parameters.
_CLONED = ("_skl_callbacks", "_metadata_request")
_TIMED: dict[type, Callable[..., Any]] = {
    model_selection.GridSearchCV: GridSearchCV,
    model_selection.RandomizedSearchCV: RandomizedSearchCV,
}
_SPACES = {
    "search_spaces": "bayes",
    "param_distributions": "random",
    "param_grid": "grid",
}


def find_space_parameter(search: Any) -> tuple[str, str] | None:
    """Return the name of a search's space, and which kind of space it takes."""
    params = search.get_params(deep=False)
    return next(((n, kind) for n, kind in _SPACES.items() if n in params), None)


def complete_search(search: Any, estimator: Any, space: Any, settings: Settings) -> Any:
    """Return a copy of a user's search, with what it lacks filled in.

    Parameters
    ----------
    search : search
        Left as it is. Those of its estimator, space, cv and scoring that are None are
        filled in.
    estimator : estimator
    space
        In the form that the search takes; None leaves it.
    settings : Settings
    """
    copy = clone(search)
    filled: dict[str, Any] = {"estimator": estimator, "cv": settings.cv}
    if settings.scoring is not None:
        filled["scoring"] = settings.scoring
    found = find_space_parameter(search)
    if found is not None and space is not None:
        filled[found[0]] = space
    params = search.get_params(deep=False)
    copy.set_params(
        **{name: value for name, value in filled.items() if params[name] is None}
    )
    return _heed_time(copy)


def _heed_time(search: Any) -> Any:
    """Return a search of scikit-learn as the kind of it that heeds a budget."""
    kind = _TIMED.get(type(search))
    if kind is None:
        return search
    heeding = kind(**search.get_params(deep=False))
    for name in _CLONED:
        if hasattr(search, name):
            setattr(heeding, name, getattr(search, name))
    return heeding


def heeds_budget(search: Any) -> bool:
    """Tell whether a search tries fewer candidates where its time is bounded."""
    return isinstance(search, (GridSearchCV, RandomizedSearchCV, BayesSearchCV))


def _bound(n_iter: int, space: Any) -> int:
    """Return no more candidates than a space has, where they can be counted."""
    parts = space if isinstance(space, list) else [space]
    if not all(isinstance(part, Mapping) for part in parts):
        return n_iter
    counts = [count_candidates(part) for part in parts]
    known = [count for count in counts if count is not None]
    return min(n_iter, sum(known)) if len(known) == len(counts) else n_iter
