"""Names, classes and instances in; optimizer, losses, metrics and callbacks out.

Classes and names take routed options. What is made belongs to one fit alone.
"""

import copy
import inspect
from collections.abc import Mapping
from functools import cache, lru_cache
from numbers import Real
from typing import Any

import keras
import numpy as np

from skkeras_tune._compat.keras import fresh_names
from skkeras_tune._scikeras import unflatten_params
from skkeras_tune.estimators.metrics import build_metrics, judge_logits
from skkeras_tune.frozen import freeze, thaw
from skkeras_tune.losses import (
    build_loss,
    find_loss_class,
    loss_family,
    spell_loss,
    takes_logits,
)
from skkeras_tune.routing import names_to_classes, naming_options, route_options
from skkeras_tune.training.callbacks import detach
from skkeras_tune.training.plan import Compilation

#: Arguments of Keras's `compile` that scikeras takes by their plain names.
COMPILE_EXTRAS = frozenset(
    {"loss_weights", "weighted_metrics", "run_eagerly", "jit_compile"}
)

#: Arguments of `compile` that the estimator makes of parameters of the same name.
_OWN = frozenset({"loss", "metrics", "optimizer"})

_PLAIN = (bool, int, float, str, type(None))
#: Stands for all learning rates.
_RATE = 0.5


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

    Raises
    ------
    ValueError
        If a routed option is none of its destination's.
    """
    extras = {name: params[name] for name in COMPILE_EXTRAS if name in params}
    options = {**extras, **route_options(params, "compile")}
    _refuse_own(options)
    with fresh_names():
        optimizer = _freeze_optimizer(params, "learning_rate" in given)
        metrics = build_metrics(params["metrics"], route_options(params, "metrics"))
    if takes_logits(loss) and loss_family(loss) == "binary":
        metrics = judge_logits(metrics)
    return Compilation(
        optimizer=optimizer,
        loss=freeze(keras.tree.map_structure(spell_loss, loss)),
        metrics=freeze(metrics),
        options=freeze(options) if options else None,
    )


def _refuse_own(options: Mapping[str, Any]) -> None:
    for name in _OWN & options.keys():
        message = (
            f"compile__{name}={options[name]!r} is not taken, since the estimator has "
            f"a parameter for it: give {name}={options[name]!r}."
        )
        raise ValueError(message)


def build_losses(loss: Any, options: Mapping[str, Any]) -> Any:
    """Return a loss, or a list or dict of losses, with their routed options."""
    if not options:
        return loss
    if isinstance(loss, str | type):
        return build_loss(loss, options)
    with naming_options("loss", loss, options):
        return unflatten_params(names_to_classes(loss, find_loss_class), options)


def find_optimizer_class(name: str) -> type:
    """Return the class of a name that Keras knows.

    Keras would make an optimizer to tell, which takes a millisecond.

    Raises
    ------
    ValueError
        If Keras does not know it.
    """
    for known in _list_optimizers():
        if known.__name__.lower() == name.lower():
            return known
    found: type = type(keras.optimizers.get(name))
    return found


@cache
def _list_optimizers() -> list[type]:
    base = keras.optimizers.Optimizer
    named = vars(keras.optimizers).values()
    classes = [each for each in named if isinstance(each, type)]
    return [each for each in classes if issubclass(each, base) and each is not base]


def _freeze_optimizer(params: Mapping[str, Any], rate_given: bool) -> Any:
    optimizer, rate = params["optimizer"], params["learning_rate"]
    if isinstance(rate, Real):
        rate = float(rate)  # which Keras insists on
    options = route_options(params, "optimizer")
    with naming_options("optimizer", optimizer, options):
        if isinstance(optimizer, keras.optimizers.Optimizer):
            changes = {"learning_rate": rate} if rate_given else {}
            return freeze(_copy_optimizer(optimizer, {**changes, **options}))
        if isinstance(optimizer, str):
            optimizer = find_optimizer_class(optimizer)
        parameters = inspect.signature(optimizer).parameters
        if "learning_rate" in parameters:
            options = {"learning_rate": thaw(freeze(rate)), **options}
        options = _to_floats(options, parameters)
        settings = tuple(sorted(options.items()))
        is_kerass = isinstance(optimizer, type) and optimizer in _list_optimizers()
        if is_kerass and all(isinstance(value, _PLAIN) for _, value in settings):
            return _freeze_plain_optimizer(optimizer, settings, keras.config.floatx())
        return freeze(unflatten_params(optimizer, options))


def _to_floats(
    options: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """Turn integers into floats where the default is one: Keras refuses momentum=0."""
    floats = {n for n, p in parameters.items() if isinstance(p.default, float)}
    return {
        name: float(value) if name in floats and type(value) is int else value
        for name, value in options.items()
    }


@lru_cache(256, typed=True)
def _freeze_plain_optimizer(
    kind: type, settings: tuple[tuple[str, Any], ...], floatx: str
) -> Any:
    """Return an optimizer of Keras's, frozen; to make one takes over a millisecond.

    So one is made for all learning rates, of which a search has one for each candidate.
    `floatx` is the precision that numbers are read back in.
    """
    given = dict(settings)
    rate = given.get("learning_rate")
    if isinstance(rate, float) and rate != _RATE and floatx in ("float32", "float64"):
        alike = tuple({**given, "learning_rate": _RATE}.items())
        frozen = _freeze_plain_optimizer(kind, alike, floatx)
        with np.errstate(over="ignore"):  # as in Keras
            return frozen.replace(learning_rate=float(np.asarray(rate, floatx)))
    return freeze(unflatten_params(kind, given))


def _copy_optimizer(
    optimizer: keras.optimizers.Optimizer, changes: Mapping[str, Any]
) -> keras.optimizers.Optimizer:
    """Copy an optimizer without its state: one instance serves one model only."""
    if not changes:
        return thaw(freeze(optimizer))
    return type(optimizer).from_config({**optimizer.get_config(), **changes})


def build_callbacks(
    callbacks: Any, options: Mapping[str, Any]
) -> list[keras.callbacks.Callback]:
    """Return new callbacks, in a flat list."""
    if callbacks is None and not options:
        return []
    with naming_options("callbacks", callbacks, options):
        built = _flatten(unflatten_params(callbacks, dict(options)))
    for callback in built:
        if not isinstance(callback, keras.callbacks.Callback):
            message = (
                "The 'callbacks' parameter must be a keras.callbacks.Callback, a class "
                f"of one, or a list or dict of these. Got {callback!r} instead."
            )
            raise TypeError(message)
    copies = [copy.deepcopy(callback) for callback in built]
    detach(copies)
    return copies


def _flatten(callbacks: Any) -> list[Any]:
    if isinstance(callbacks, Mapping):
        callbacks = list(callbacks.values())
    if isinstance(callbacks, list | tuple):
        return [item for nested in callbacks for item in _flatten(nested)]
    return [callbacks]
