"""The estimators' parameters: what each may be, and where each one goes.

Constructor parameters, routed ones (``optimizer__momentum``) and arguments of `fit`
come in; optimizer, compilation, callbacks and fit options come out.
"""

import copy
import inspect
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np

from skkeras_tune._compat import Interval, Options, StrOptions, fresh_names
from skkeras_tune._scikeras import route_params, unflatten_params
from skkeras_tune.frozen import freeze, thaw
from skkeras_tune.losses import build_loss, find_loss_class
from skkeras_tune.training.plan import Compilation

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

#: Parameters of the built-in network.
ARCHITECTURE = frozenset(
    {
        "hidden_layer_sizes", "n_hidden", "units", "activation", "dropout",
        "normalization", "l1", "l2", "wide", "kernel_initializer",
    }
)  # fmt: skip

#: Arguments of Keras's `fit` and `compile` that scikeras takes by their plain names.
FIT_EXTRAS = frozenset({"shuffle", "validation_batch_size", "validation_freq"})
COMPILE_EXTRAS = frozenset(
    {"loss_weights", "weighted_metrics", "run_eagerly", "jit_compile"}
)
FIT_OPTIONS = FIT_EXTRAS | {
    "batch_size",
    "callbacks",
    "class_weight",
    "epochs",
    "validation_split",
    "verbose",
}

_POSITIVE_INTEGER = Interval(Integral, 1, None, closed="left")
_PENALTY = Interval(Real, 0, None, closed="left")

CONSTRAINTS: dict[str, list[Any]] = {
    "model": [callable, keras.Model, None],
    "hidden_layer_sizes": ["array-like", _POSITIVE_INTEGER, None],
    "n_hidden": [Interval(Integral, 0, None, closed="left")],
    "units": [_POSITIVE_INTEGER],
    "activation": [str, callable, None],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "normalization": [StrOptions({"batch", "layer"}), None],
    "l1": [_PENALTY],
    "l2": [_PENALTY],
    "wide": ["boolean"],
    "kernel_initializer": [str, keras.initializers.Initializer],
    "optimizer": [str, keras.optimizers.Optimizer, type],
    "learning_rate": [
        Interval(Real, 0, None, closed="neither"),
        keras.optimizers.schedules.LearningRateSchedule,
    ],
    "batch_size": [
        _POSITIVE_INTEGER,
        Options(Integral, {-1}),
        None,
    ],
    "epochs": [_POSITIVE_INTEGER],
    "loss": [str, callable, list, dict, None],
    "metrics": [str, callable, list, tuple, dict, None],
    "early_stopping": ["boolean"],
    "validation_split": [Interval(Real, 0, 1, closed="left")],
    "patience": [Interval(Integral, 0, None, closed="left")],
    "min_delta": [_PENALTY],
    "monitor": [str],
    "restore_best_weights": ["boolean"],
    "refit_full": ["boolean", Interval(Real, 0, None, closed="neither")],
    "callbacks": [keras.callbacks.Callback, type, list, tuple, dict, None],
    "random_state": ["random_state"],
    "warm_start": ["boolean"],
    "verbose": ["verbose", StrOptions({"auto"})],
}

_NAMED_SETS: dict[str, Callable[[str], Any]] = {
    "activation": keras.activations.get,
    "kernel_initializer": keras.initializers.get,
    "optimizer": keras.optimizers.get,
    "loss": keras.losses.get,
}
_OWN_NAMES = {
    "kernel_initializer": {"auto"},
    "loss": {"auto"},
    "metrics": {"acc", "accuracy", "ce", "crossentropy"},  # resolved by the output
}


def is_routed(name: str) -> bool:
    """Tell whether a parameter's name begins with one of the routes."""
    route, separator, _ = name.partition("__")
    return bool(separator) and route in ROUTES


def validate_names(params: Mapping[str, Any], caller: str) -> None:
    """Check names that Keras must know, and the widths of hidden layers.

    Raises
    ------
    ValueError
        With the parameter and its value.
    """
    for parameter, find in _NAMED_SETS.items():
        value = params.get(parameter)
        if isinstance(value, str) and value not in _OWN_NAMES.get(parameter, ()):
            _find(find, parameter, value, caller)
    for metric in keras.tree.flatten(params.get("metrics")):
        if isinstance(metric, str) and metric not in _OWN_NAMES["metrics"]:
            _find(keras.metrics.get, "metrics", metric, caller)
    sizes = params.get("hidden_layer_sizes")
    widths = [] if sizes is None else list(np.atleast_1d(np.asarray(sizes, object)))
    if not all(_is_width(width) for width in widths):
        message = (
            f"The 'hidden_layer_sizes' parameter of {caller} must be a sequence of "
            f"ints in the range [1, inf). Got {sizes!r} instead."
        )
        raise ValueError(message)


def _is_width(value: Any) -> bool:
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_integer and value >= 1


def _find(find: Callable[[str], Any], parameter: str, value: str, caller: str) -> None:
    try:
        find(value)
    except (ValueError, TypeError) as error:
        message = (
            f"The {parameter!r} parameter of {caller} must be a name that Keras knows. "
            f"Got {value!r} instead."
        )
        raise ValueError(message) from error


def resolve_fit_options(
    params: Mapping[str, Any], given: Mapping[str, Any], caller: str
) -> dict[str, Any]:
    """Merge constructor parameters, ``fit__`` ones and arguments of `fit`.

    Later ones win. Callbacks add up instead.

    Raises
    ------
    TypeError
        If an option is not one of `FIT_OPTIONS`.
    """
    routed = _route(params, "fit")
    routed.pop("validation_data", None)
    given = {name: value for name, value in given.items() if value is not None}
    for name in [*routed, *given]:
        if name not in FIT_OPTIONS and not name.startswith("callbacks__"):
            message = (
                f"{caller}.fit got an unexpected argument {name!r}. "
                f"It takes {sorted(FIT_OPTIONS)}."
            )
            raise TypeError(message)
    plain = {name: params[name] for name in FIT_OPTIONS if name in params}
    options = {**plain, **routed, **given}
    options["callbacks"] = (
        _build_callbacks(params.get("callbacks"), _route(params, "callbacks"))
        + _build_callbacks(
            routed.get("callbacks"), route_params(routed, "callbacks", set())
        )
        + _build_callbacks(given.get("callbacks"), {})
    )
    return options


def resolve_predict_options(
    params: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Merge ``predict__`` parameters and arguments of `predict`; the latter win."""
    routed = _route(params, "predict")
    callbacks = _build_callbacks(
        routed.get("callbacks"), route_params(routed, "callbacks", set())
    )
    plain = {n: v for n, v in routed.items() if not n.startswith("callbacks")}
    return {**plain, **given, **({"callbacks": callbacks} if callbacks else {})}


def resolve_batch_size(batch_size: int | None, n_rows: int) -> int:
    """Return the rows per step: None is 32, as in Keras, and -1 is all of them."""
    if batch_size is None:
        return 32
    return n_rows if batch_size == -1 else int(min(batch_size, n_rows))


def resolve_compilation(
    params: Mapping[str, Any], given: frozenset[str], loss: Any
) -> Compilation:
    """Return how to compile the model.

    Parameters
    ----------
    params : mapping
        All parameters of the estimator.
    given : frozenset of str
        Names of the parameters that the user set.
    loss : str, keras.losses.Loss, callable, list or dict
        The loss, resolved.
    """
    extras = {name: params[name] for name in COMPILE_EXTRAS if name in params}
    options = {**extras, **_route(params, "compile")}
    with fresh_names():
        optimizer = _build_optimizer(
            params["optimizer"],
            params["learning_rate"],
            "learning_rate" in given,
            _route(params, "optimizer"),
        )
        metrics = _build_metrics(params["metrics"], _route(params, "metrics"))
    return Compilation(
        optimizer=freeze(optimizer),
        loss=freeze(loss),
        metrics=freeze(metrics),
        options=freeze(options) if options else None,
    )


def loss_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the routed options of the loss, such as ``loss__label_smoothing``."""
    return _route(params, "loss")


def model_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the routed arguments of the model function."""
    options: dict[str, Any] = route_params(dict(params), "model", set(), strict=True)
    return options


def score_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the routed arguments of `scorer`."""
    return _route(params, "score")


def build_losses(loss: Any, options: Mapping[str, Any]) -> Any:
    """Return a loss, or a list or dict of losses, with their routed options."""
    if not options:
        return loss
    if isinstance(loss, str | type):
        return build_loss(loss, options)
    return unflatten_params(_names_to_classes(loss, find_loss_class), options)


def _route(params: Mapping[str, Any], destination: str) -> dict[str, Any]:
    routed: dict[str, Any] = route_params(dict(params), destination, set())
    return routed


def _build_optimizer(
    optimizer: Any, learning_rate: Any, rate_given: bool, options: Mapping[str, Any]
) -> Any:
    if isinstance(optimizer, keras.optimizers.Optimizer):
        changes = {"learning_rate": learning_rate} if rate_given else {}
        return _copy_optimizer(optimizer, {**changes, **options})
    if isinstance(optimizer, str):
        optimizer = type(keras.optimizers.get(optimizer))
    rates = {}
    if "learning_rate" in inspect.signature(optimizer).parameters:
        rates = {"learning_rate": thaw(freeze(learning_rate))}
    return unflatten_params(optimizer, {**rates, **options})


def _copy_optimizer(
    optimizer: keras.optimizers.Optimizer, changes: Mapping[str, Any]
) -> keras.optimizers.Optimizer:
    """Copy an optimizer without its state: one instance serves one model only."""
    if not changes:
        return thaw(freeze(optimizer))
    return type(optimizer).from_config({**optimizer.get_config(), **changes})


def _build_metrics(metrics: Any, options: Mapping[str, Any]) -> Any:
    if options:
        metrics = _names_to_classes(metrics, _find_metric)
    return unflatten_params(metrics, options)  # which makes objects of classes


def _find_metric(name: str) -> Any:
    if name in _OWN_NAMES["metrics"]:
        return name
    with fresh_names():  # so that this one does not make the next "auc_1"
        return keras.metrics.get(name)


def _names_to_classes(items: Any, find: Callable[[str], Any]) -> Any:
    """Turn names into classes, which take options."""
    if isinstance(items, list | tuple):
        return [_names_to_classes(item, find) for item in items]
    if isinstance(items, dict):
        return {key: _names_to_classes(item, find) for key, item in items.items()}
    if not isinstance(items, str):
        return items
    found = find(items)
    return type(found) if hasattr(type(found), "get_config") else found


def _build_callbacks(
    callbacks: Any, options: Mapping[str, Any]
) -> list[keras.callbacks.Callback]:
    """Return new callbacks, in a flat list."""
    if callbacks is None:
        return []
    built = _flatten(unflatten_params(callbacks, dict(options)))
    for callback in built:
        if not isinstance(callback, keras.callbacks.Callback):
            message = (
                "The 'callbacks' parameter must be a keras.callbacks.Callback, a class "
                f"of one, or a list or dict of these. Got {callback!r} instead."
            )
            raise TypeError(message)
    return [copy.deepcopy(callback) for callback in built]


def _flatten(callbacks: Any) -> list[Any]:
    if isinstance(callbacks, Mapping):
        callbacks = list(callbacks.values())
    if isinstance(callbacks, list | tuple):
        return [item for nested in callbacks for item in _flatten(nested)]
    return [callbacks]
