"""Which parameters an estimator takes, and which of them its user set.

Constructors and their arguments come in; names go out, or a refusal.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from skkeras_tune.estimators.compilation import COMPILE_EXTRAS
from skkeras_tune.estimators.model_function import (
    list_arguments,
    takes_option,
    takes_parameter,
)
from skkeras_tune.estimators.parameters import ARCHITECTURE, FIT_EXTRAS
from skkeras_tune.routing import is_routed

#: Arguments of Keras's `fit` and `compile` that every estimator takes, as in scikeras.
EXTRAS = FIT_EXTRAS | COMPILE_EXTRAS

_ROUTE = "model__"


def list_defaults(classes: Iterable[type]) -> dict[str, Any]:
    """Return the defaults of the classes' own constructors; later ones win."""
    inits = [vars(c)["__init__"] for c in classes if "__init__" in vars(c)]
    return dict(default for init in inits for default in _read_defaults(init))


@lru_cache(64)
def _read_defaults(init: Callable[..., None]) -> tuple[tuple[str, Any], ...]:
    """Return the defaults of a constructor, which takes a third of a millisecond."""
    parameters = inspect.signature(init).parameters.items()
    return tuple(
        (name, parameter.default)
        for name, parameter in parameters
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    )


def list_given(
    params: Mapping[str, Any], own: Mapping[str, Any], current: Mapping[str, Any]
) -> frozenset[str]:
    """Name the parameters that a user set.

    Whoever passes all of an estimator's own is copying another by its `get_params`:
    set are then those that differ from the current ones.
    """
    if not own.keys() <= params.keys():
        return frozenset(params)
    return frozenset(
        name
        for name, value in params.items()
        if value is not current.get(name, inspect.Parameter.empty)
        and not (isinstance(value, str | int | float) and value == current.get(name))
    )


def refuse_unknown(
    names: Iterable[str], known: Iterable[str], model: Any, estimator: Any
) -> None:
    """Refuse to set a parameter that neither an estimator nor its model has.

    Parameters
    ----------
    names : iterable of str
        Of the parameters to set.
    known : iterable of str
        Of those that the estimator has.
    model : callable, keras.Model or None
        May take parameters of its own.
    estimator : KerasEstimator
        For the message.

    Raises
    ------
    ValueError
        With the first name that is not known, and those that are.
    """
    known = {*known, *EXTRAS}
    for name in names:
        if not (name in known or is_routed(name) or takes_parameter(model, name)):
            message = (
                f"Invalid parameter {name!r} for estimator {estimator}. Valid "
                f"parameters are: {sorted(known)!r}, and routed ones such as "
                "'optimizer__momentum'."
            )
            raise ValueError(message)


def refuse_unused(
    params: Mapping[str, Any],
    own: Iterable[str],
    given: frozenset[str],
    source: Any,
    caller: str,
) -> None:
    """Refuse a parameter that nothing would read.

    Parameters
    ----------
    params : dict
        All parameters of the estimator.
    own : iterable of str
        Names of those that it takes itself.
    given : frozenset of str
        Names of those that the user set.
    source : callable, keras.Model or None
        The user's own model.
    caller : str
        Name of the estimator's class.

    Raises
    ------
    TypeError
        With the parameters and their values.
    """
    known = {*own, *EXTRAS}
    if params["model"] is not None:  # a method of a subclass can see them all
        known -= ARCHITECTURE & given
    unused = {
        name: value
        for name, value in params.items()
        if not (name in known or is_routed(name) or takes_parameter(source, name))
        or (name.startswith(_ROUTE) and not takes_option(source, name[len(_ROUTE) :]))
    }
    if unused:
        arguments = list_arguments(source)
        message = (
            f"{caller} got parameters that neither it nor its model function takes: "
            f"{unused!r}."
            + (f" The function takes {arguments!r}." if arguments else "")
            + (" Pass build_fn as model." if "build_fn" in unused else "")
        )
        raise TypeError(message)
