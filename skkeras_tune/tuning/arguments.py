"""The arguments of `tune` in; a refusal of what they cannot be, or not together."""

import os
from numbers import Integral, Real
from typing import Any

from skkeras_tune._compat.sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from skkeras_tune.estimators.parameters import open_memory
from skkeras_tune.tuning.searches import BUILDERS, LEVELS, heeds_budget

_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")

_CONSTRAINTS: dict[str, list[Any]] = {
    "estimator": [HasMethods(["fit", "get_params", "set_params"]), None],
    "space": [StrOptions(set(LEVELS)), dict, list],
    "search": [StrOptions(set(BUILDERS)), HasMethods(["fit", "get_params"])],
    "n_iter": [_AT_LEAST_ONE],
    "cv": ["cv_object"],
    "scoring": [str, callable, None],
    "time_budget": [Interval(Real, 0, None, closed="neither"), None],
    "executions_per_trial": [_AT_LEAST_ONE],
    "refit_full": ["boolean", Interval(Real, 0, None, closed="neither")],
    "n_members": [_AT_LEAST_ONE, StrOptions({"auto"})],
    "ensemble": [_AT_LEAST_ONE, None],
    "task": [StrOptions({"auto", "classification", "regression"})],
    "random_state": ["random_state"],
    "memory": [str, os.PathLike, HasMethods("cache"), None],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
}


def validate_arguments(arguments: dict[str, Any]) -> None:
    """Check the arguments of a call, by their names.

    Raises
    ------
    ValueError, TypeError
        With the argument and its value.
    """
    params = {name: arguments[name] for name in _CONSTRAINTS}
    validate_parameter_constraints(_CONSTRAINTS, params, "tune")
    if isinstance(params["cv"], Integral) and params["cv"] < 2:
        message = (
            "The 'cv' parameter of tune must be an int in the range [2, inf), a "
            f"splitter or an iterable. Got {params['cv']!r} instead."
        )
        raise ValueError(message)
    for name in ("search", "cv"):
        if isinstance(params[name], type):
            message = (
                f"The '{name}' parameter of tune must be an instance. Got the class "
                f"{params[name].__name__} instead."
            )
            raise TypeError(message)
    if arguments["memory"] is not None and arguments["random_state"] is None:
        message = (
            "The 'memory' parameter of tune needs an int as 'random_state', since "
            "without one no training is ever repeated. Got None instead."
        )
        raise ValueError(message)
    open_memory(arguments["memory"], "tune")


def refuse_budget(time_budget: float | None, search: Any) -> None:
    """Refuse a bound of time for a search that would leave none for its last fit."""
    if time_budget is not None and not heeds_budget(search):
        message = (
            "The 'time_budget' parameter of tune must be None with "
            f"{type(search).__name__}, which cannot try fewer candidates. Got "
            f"{time_budget!r} instead: bound the work by the search's own parameters, "
            "such as max_epochs=27 of HyperbandSearchCV."
        )
        raise ValueError(message)
