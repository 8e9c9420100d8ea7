"""The estimators' parameters: what each may be, and which of several wins.

Constructor parameters, routed ones and arguments of `fit` come in; checked and merged
options go out.
"""

import inspect
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np
from sklearn.utils.validation import check_memory

from skkeras_tune._compat.sklearn import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from skkeras_tune.estimators.compilation import (
    build_callbacks,
    find_optimizer_class,
)
from skkeras_tune.metrics import find_metric_class, is_accuracy
from skkeras_tune.routing import route_options
from skkeras_tune.training.result_store import ResultStore

#: Parameters of the built-in network.
ARCHITECTURE = frozenset(
    {
        "hidden_layer_sizes", "n_hidden", "units", "activation", "dropout",
        "normalization", "l1", "l2", "wide", "kernel_initializer",
    }
)  # fmt: skip

#: Arguments of Keras's `fit` that scikeras takes by their plain names.
FIT_EXTRAS = frozenset({"shuffle", "validation_batch_size", "validation_freq"})
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
    "n_members": [_POSITIVE_INTEGER],
    "warm_start": ["boolean"],
    "engine": [StrOptions({"auto", "compiled", "keras"})],
    "memory": [str, os.PathLike, HasMethods("cache"), None],
    "verbose": ["verbose", StrOptions({"auto"})],
}

#: Rules for the arguments of `fit` that are no constructor parameters.
FIT_CONSTRAINTS: dict[str, list[Any]] = {
    "shuffle": ["boolean"],
    "validation_batch_size": [_POSITIVE_INTEGER, Options(Integral, {-1}), None],
    "validation_freq": [_POSITIVE_INTEGER, list, tuple],
}

_NAMED_SETS: dict[str, Callable[[str], Any]] = {
    "activation": keras.activations.get,
    "kernel_initializer": keras.initializers.get,
    "optimizer": find_optimizer_class,
    "loss": keras.losses.get,
}
_OWN_NAMES = {
    "kernel_initializer": {"auto"},
    "loss": {"auto"},
}


def validate_options(
    params: Mapping[str, Any],
    given: Mapping[str, Any],
    rules: Mapping[str, list[Any]],
    caller: str,
) -> dict[str, Any]:
    """Check all parameters, and return the arguments of Keras's `fit`, checked too.

    Parameters
    ----------
    params : dict
        All parameters of the estimator.
    given : dict
        Arguments of its `fit`, which win.
    rules : dict of str to list
        What each parameter may be.
    caller : str
        Name of the estimator's class.
    """
    validate_parameter_constraints(rules, params, caller)
    validate_names(params, caller)
    options = resolve_fit_options(params, given, caller)
    validate_parameter_constraints({**rules, **FIT_CONSTRAINTS}, options, caller)
    return options


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
        if isinstance(metric, str) and not is_accuracy(metric):
            _find(find_metric_class, "metrics", metric, caller)
    if isinstance(params.get("activation"), keras.layers.Layer):
        message = (
            f"The 'activation' parameter of {caller} must be a name or a function, not "
            f"a layer. Got {params['activation']!r} instead."
        )
        raise ValueError(message)
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
    routed = route_options(params, "fit")
    routed.pop("validation_data", None)
    given = {name: value for name, value in given.items() if value is not None}
    # A regressor has no classes.
    known = FIT_OPTIONS - ({"class_weight"} - params.keys())
    _refuse_unknown({**routed, **given}, known, f"{caller}.fit")
    plain = {name: params[name] for name in FIT_OPTIONS if name in params}
    options = {**plain, **routed, **given}
    options["callbacks"] = (
        build_callbacks(params.get("callbacks"), route_options(params, "callbacks"))
        + build_callbacks(routed.get("callbacks"), route_options(routed, "callbacks"))
        + build_callbacks(given.get("callbacks"), {})
    )
    return options


def _refuse_unknown(options: Mapping[str, Any], known: Iterable[str], who: str) -> None:
    for name, value in options.items():
        if name not in known and not name.startswith("callbacks__"):
            message = (
                f"{who} got an unexpected argument {name!r} with the value {value!r}. "
                f"It takes {sorted(known)}."
            )
            raise TypeError(message)


def refuse_later_options(
    params: Mapping[str, Any], model: Any, scorer: Callable[..., Any], caller: str
) -> None:
    """Refuse at once options that `predict` or `score` would refuse after a fit.

    What a function's models take is known when there is one.

    Parameters
    ----------
    params : dict
        All parameters of the estimator.
    model : callable, keras.Model or None
        The user's own model.
    scorer : callable
        What `score` calls.
    caller : str
        Name of the estimator's class.

    Raises
    ------
    TypeError
        With the option, its value and those that there are.
    """
    if model is None or isinstance(model, keras.Model):
        kind = keras.Model if model is None else model
        refuse_predict_options(route_options(params, "predict"), kind.predict, caller)
    refuse_score_options(route_options(params, "score"), scorer, caller)


def refuse_predict_options(
    options: Mapping[str, Any], predict: Callable[..., Any], caller: str
) -> None:
    """Refuse options that a model's `predict` does not take.

    Raises
    ------
    TypeError
        With the option, its value and those that there are.
    """
    _refuse_untaken(options, predict, {"self", "x"}, f"{caller}.predict")


def refuse_score_options(
    options: Mapping[str, Any], scorer: Callable[..., Any], caller: str
) -> None:
    """Refuse options that `scorer` does not take beside what `score` gives it.

    Raises
    ------
    TypeError
        With the option, its value and those that there are.
    """
    own = {"y_true", "y_pred", "sample_weight"}
    _refuse_untaken(options, scorer, own, f"{caller}.score")


def _refuse_untaken(
    options: Mapping[str, Any], function: Callable[..., Any], own: set[str], who: str
) -> None:
    if not options:
        return
    parameters = inspect.signature(function).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    known = (parameters.keys() | (options.keys() if takes_any else set())) - own
    _refuse_unknown(options, known, who)


def resolve_predict_options(
    params: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Merge ``predict__`` parameters and arguments of `predict`; the latter win."""
    routed = route_options(params, "predict")
    callbacks = build_callbacks(
        routed.get("callbacks"), route_options(routed, "callbacks")
    )
    plain = {n: v for n, v in routed.items() if not n.startswith("callbacks")}
    return {**plain, **given, **({"callbacks": callbacks} if callbacks else {})}


def resolve_batch_size(batch_size: int | None, n_rows: int) -> int:
    """Return the rows per step: None is 32, as in Keras, and -1 is all of them."""
    if batch_size is None:
        return 32
    return n_rows if batch_size == -1 else int(min(batch_size, n_rows))


def resolve_store(memory: Any, random_state: Any, caller: str) -> ResultStore | None:
    """Return where results are kept, or None where none would be found again.

    Raises
    ------
    ValueError
        If `memory` names no folder that can be written.
    """
    if memory is None or getattr(memory, "store_backend", memory) is None:
        return None
    if random_state is None:
        warnings.warn(
            f"memory= is not used by this {caller}, since each fit draws another seed "
            "with random_state=None. Pass an int as random_state.",
            UserWarning,
            stacklevel=5,  # the caller of fit
        )
        return None
    return ResultStore(open_memory(memory, caller))


def open_memory(memory: Any, caller: str) -> Any:
    """Return a memory for the name of a folder, which is made; others as they are.

    Raises
    ------
    ValueError
        If the folder cannot be written.
    """
    if not isinstance(memory, str | os.PathLike):
        return check_memory(memory)
    folder = os.fspath(memory)
    try:
        if not folder:
            raise FileNotFoundError("its name is empty")
        return check_memory(folder)
    except OSError as error:
        message = (
            f"The 'memory' parameter of {caller} must be a folder that can be written, "
            f"a memory of joblib's or None. Got {memory!r} instead: {error}."
        )
        raise ValueError(message) from error
