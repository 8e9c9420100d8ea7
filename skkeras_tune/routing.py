"""Routed parameters: `optimizer__momentum` is the optimizer's `momentum`.

All parameters of an estimator come in, those of one destination go out.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from skkeras_tune._scikeras import route_params

#: Prefixes of routed parameters, as in scikeras.
ROUTES = (
    "model",
    "optimizer",
    "loss",
    "metrics",
    "callbacks",
    "fit",
    "predict",
    "compile",
    "score",
)


def is_routed(name: str) -> bool:
    """Tell whether a parameter's name begins with one of the routes."""
    route, separator, _ = name.partition("__")
    return bool(separator) and route in ROUTES


def route_options(params: Mapping[str, Any], destination: str) -> dict[str, Any]:
    """Return the parameters of one destination, without its prefix."""
    routed: dict[str, Any] = route_params(dict(params), destination, set())
    return {name: to_python(value) for name, value in routed.items()}


def to_python(value: Any) -> Any:
    """Turn a NumPy scalar into Python's, which Keras insists on."""
    return value.item() if isinstance(value, np.generic) else value


def model_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the routed arguments of the model function."""
    options = route_params(dict(params), "model", set(), strict=True)
    return {name: to_python(value) for name, value in options.items()}


@contextmanager
def naming_options(
    route: str, owner: Any, options: Mapping[str, Any]
) -> Iterator[None]:
    """Name the routed options in an error of the object that did not take them.

    Raises
    ------
    ValueError
        Also if there is no object, or it has no such part.
    """
    _refuse_unread(route, owner, options)
    try:
        yield
    except (TypeError, ValueError) as error:
        if not options:
            raise
        message = (
            f"The {route} {owner!r} does not take the options "
            f"{_list_options(route, options)}: {error}"
        )
        raise ValueError(message) from error


def _refuse_unread(route: str, owner: Any, options: Mapping[str, Any]) -> None:
    if options and owner in (None, [], (), {}):
        message = (
            f"{_list_options(route, options)} is for {route}=, which is {owner!r}. "
            "Give both, or neither."
        )
        raise ValueError(message)
    parts = _list_parts(owner) | options.keys()
    for name in options:
        part, is_nested, _ = name.partition("__")
        if is_nested and part not in parts:
            message = (
                f"The {route} {owner!r} has no part {part!r} to take the option "
                f"{_list_options(route, {name: options[name]})}."
            )
            raise ValueError(message)


def _list_parts(owner: Any) -> set[str]:
    """Return the names by which options reach the items of a list or dict."""
    if isinstance(owner, Mapping):
        return {str(name) for name in owner}
    if isinstance(owner, list | tuple):
        return {str(index) for index in range(len(owner))}
    return set()


def _list_options(route: str, options: Mapping[str, Any]) -> str:
    return ", ".join(f"{route}__{name}={value!r}" for name, value in options.items())


def names_to_classes(items: Any, find: Callable[[str], Any]) -> Any:
    """Turn names into classes, which take options."""
    if isinstance(items, list | tuple):
        return [names_to_classes(item, find) for item in items]
    if isinstance(items, dict):
        return {key: names_to_classes(item, find) for key, item in items.items()}
    if not isinstance(items, str):
        return items
    found = find(items)
    return type(found) if hasattr(type(found), "get_config") else found
