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
    """Name the routed options in an error of the object that did not take them."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if not options:
            raise
        given = ", ".join(f"{route}__{name}={options[name]!r}" for name in options)
        message = f"The {route} {owner!r} does not take the options {given}: {error}"
        raise ValueError(message) from error


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
