"""Routed parameters: `optimizer__momentum` is the optimizer's `momentum`.

All parameters of an estimator come in, those of one destination go out.
"""

from collections.abc import Iterator, Mapping
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
    given = ", ".join(f"{route}__{name}={options[name]!r}" for name in options)
    if options and owner is None:
        message = f"{given} is for {route}=, which is None. Give both, or neither."
        raise ValueError(message)
    try:
        yield
    except (TypeError, ValueError) as error:
        if not options:
            raise
        message = f"The {route} {owner!r} does not take the options {given}: {error}"
        raise ValueError(message) from error
