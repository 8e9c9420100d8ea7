"""A network in; a compiled Keras model out, and what is done with one while it lives.

Its state is read and restored as arrays, and what it leaves behind is freed.
"""

import gc
import inspect
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from skkeras_tune._compat.keras import stop_gradient_leak, to_numpy
from skkeras_tune._compat.tensorflow import release_traces
from skkeras_tune.frozen import thaw
from skkeras_tune.training.models.key import list_variables
from skkeras_tune.training.models.targets import ends_in_softmax
from skkeras_tune.training.plan import Compilation, ModelState, Network, TrainingPlan

_RELEASES_PER_COLLECTION = 8
_releases = itertools.count(1)


def start_model(plan: TrainingPlan, start: ModelState | None) -> keras.Model:
    """Return the compiled model that training begins with.

    A model that comes with what training goes on from goes on itself.
    """
    model = start.model if start is not None else None
    if model is None:
        model = build_model(plan.network, plan.compilation, plan.seed)
    if start is not None:
        restore_state(model, start, with_rate=start.has_rate)
    return model


def build_model(network: Network, compilation: Compilation, seed: int) -> keras.Model:
    """Build and compile a model, with its variables and its optimizer's created.

    Parameters
    ----------
    network : Network
    compilation : Compilation
        Used unless the model is compiled already.
    seed : int

    Raises
    ------
    ValueError
        If the model has no loss or optimizer, or is to be compiled with an option that
        it does not take.
    """
    model = network.build(seed)
    if not model.compiled:
        options = thaw(compilation.options) or {}
        _refuse_options(model, options)
        model.compile(
            optimizer=thaw(compilation.optimizer),
            loss=thaw(_choose_loss(model, compilation)),
            metrics=_as_metrics(thaw(compilation.metrics)),
            **options,
        )
    _refuse_uncompiled(model)
    if model.built and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    stop_gradient_leak(model)
    return model


def _refuse_options(model: keras.Model, options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(model.compile).parameters
    unknown = options.keys() - parameters.keys()
    if unknown and all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
        named = ", ".join(f"compile__{n}={options[n]!r}" for n in sorted(unknown))
        known = sorted(parameters.keys() - {"loss", "metrics", "optimizer"})
        message = f"{named} is no option of compile, which takes {known}."
        raise ValueError(message)


def _choose_loss(model: keras.Model, compilation: Compilation) -> Any:
    other = compilation.softmax_loss
    return other if other and ends_in_softmax(model) else compilation.loss


def _as_metrics(metrics: Any) -> Any:
    return metrics if metrics is None or isinstance(metrics, list | dict) else [metrics]


def _refuse_uncompiled(model: keras.Model) -> None:
    for name in ("loss", "optimizer"):
        if getattr(model, name, None) is None:
            message = (
                f"The model has no {name}. Give {name}= to the estimator, or compile "
                "the model in the function that builds it."
            )
            raise ValueError(message)


def read_state(model: keras.Model) -> ModelState:
    """Return a copy of a model's weights and its optimizer's state."""
    optimizer_state = [to_numpy(v) for v in model.optimizer.variables]
    kind = type(model.optimizer).__name__
    weights = [to_numpy(v) for v in model.weights]
    return ModelState(weights, optimizer_state, optimizer=kind)


def restore_state(
    model: keras.Model, state: ModelState, *, with_rate: bool = True
) -> None:
    """Put weights and optimizer state back into a model of the same shape.

    Without `with_rate` the model keeps its own learning rate.
    """
    state.refuse_other_shapes(model.weights)
    model.set_weights(state.weights)
    variables = model.optimizer.variables
    is_other = state.optimizer not in ("", type(model.optimizer).__name__)
    if is_other or len(state.optimizer_state) != len(variables):
        return
    for variable, value in zip(variables, state.optimizer_state, strict=True):
        if with_rate or variable.name != "learning_rate":
            variable.assign(value)


def restore_models(states: Iterable[ModelState | None]) -> None:
    """Put states back into the models that they came from, if these are alive."""
    for state in states:
        if state is not None and state.model is not None:
            restore_state(state.model, state)


def read_position(model: keras.Model) -> dict[str, Any]:
    """Return the weights, the optimizer's state and that of random generators."""
    generators = list_variables(model)[len(model.weights) :]
    return {
        "model": read_state(model),
        "generators": [to_numpy(variable) for variable in generators],
    }


def restore_position(model: keras.Model, position: dict[str, Any]) -> None:
    """Put back what `read_position` has read."""
    restore_state(model, position["model"])
    generators = list_variables(model)[len(model.weights) :]
    for variable, value in zip(generators, position["generators"], strict=True):
        variable.assign(value)


def release_models(*, were_traced: bool = True) -> None:
    """Free what models that are gone have left behind.

    Models are cycles of references, which Python's collector gets to late. A
    collection takes 0.1 s, so it waits for several. So does the release of what models
    leave that were not traced, half a megabyte of kernels for a small one.
    """
    is_due = next(_releases) % _RELEASES_PER_COLLECTION == 0
    if is_due:
        gc.collect()
    if is_due or were_traced:
        release_traces()
