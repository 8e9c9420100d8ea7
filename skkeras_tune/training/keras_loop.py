"""Training through Keras's own `fit`, for any model that Keras can train."""

import gc
import itertools
import json
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from skkeras_tune._compat import (
    quiet_retracing,
    release_traces,
    stop_gradient_leak,
    to_numpy,
)
from skkeras_tune.frozen import thaw
from skkeras_tune.losses import adapt_targets, loss_family
from skkeras_tune.network import MLPArchitecture
from skkeras_tune.randomness import epoch_order
from skkeras_tune.training.batches import build_batches, count_batches, take_rows
from skkeras_tune.training.callbacks import (
    FiniteLoss,
    Pausing,
    Resuming,
    ValidatedStopping,
    detach,
    find_stopping,
    raise_diverged,
    read_callback,
    read_rate,
)
from skkeras_tune.training.deadline import list_clocks
from skkeras_tune.training.model_key import list_variables
from skkeras_tune.training.model_pool import ModelPool
from skkeras_tune.training.pausing import pause_training, refuse_other_engine
from skkeras_tune.training.plan import (
    Compilation,
    ModelState,
    Network,
    PausedTraining,
    StoppingRule,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)

_VALIDATION_BATCH_SIZE = 1024
_RELEASES_PER_COLLECTION = 8
_pool = ModelPool()
_releases = itertools.count(1)


def train(
    plan: TrainingPlan,
    data: TrainingData,
    *,
    start: ModelState | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    model: keras.Model | None = None,
    paused: PausedTraining | None = None,
    pauses: bool = False,
) -> TrainingResult:
    """Train a model as the plan says.

    Parameters
    ----------
    plan : TrainingPlan
    data : TrainingData
    start : ModelState, default=None
        Go on from these weights and this optimizer state; None starts afresh.
    callbacks : sequence of keras.callbacks.Callback, default=()
        Belong to this run alone.
    model : keras.Model, default=None
        What `start_model` has returned for this plan; None calls it.
    paused : PausedTraining, default=None
        Go on from there, as if there had been no pause.
    pauses : bool, default=False
        Whether the result is to say from where training may go on.

    Raises
    ------
    ValueError
        If the loss is not finite, or the model does not fit the targets.
    """
    refuse_other_engine(paused, "keras")
    own = plan.network if isinstance(plan.network, MLPArchitecture) else None
    if own is not None and not callbacks:
        return _train_pooled(plan, own, data, start, paused, pauses=pauses)
    if model is None:
        model = start_model(plan, start)
    if own is not None:
        _reseed_dropout(model, own.dropout_seeds(plan.seed + plan.first_epoch))
    before = read_state(model)
    try:
        return _fit(model, plan, data, callbacks, paused, pauses=pauses)
    except BaseException:
        restore_state(model, before)
        raise
    finally:
        detach(callbacks)
        release_models()


def start_model(plan: TrainingPlan, start: ModelState | None) -> keras.Model:
    """Return the compiled model that training begins with.

    A model of the user's that was trained before goes on itself, as it is compiled.
    """
    is_own = isinstance(plan.network, MLPArchitecture)
    model = start.model if start is not None and not is_own else None
    if model is None:
        model = build_model(plan.network, plan.compilation, plan.seed)
    if start is not None:
        restore_state(model, start, with_rate=not is_own)
    return model


def build_model(network: Network, compilation: Compilation, seed: int) -> keras.Model:
    """Build and compile a model, with its variables and its optimizer's created.

    Parameters
    ----------
    network : Network
    compilation : Compilation
        Used unless the model is compiled already.
    seed : int
    """
    model = network.build(seed)
    if not model.compiled:
        options = thaw(compilation.options) or {}
        model.compile(
            optimizer=thaw(compilation.optimizer),
            loss=thaw(compilation.loss),
            metrics=_as_metrics(thaw(compilation.metrics)),
            **options,
        )
    _refuse_uncompiled(model)
    if model.built and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    stop_gradient_leak(model)
    return model


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


def _train_pooled(
    plan: TrainingPlan,
    network: MLPArchitecture,
    data: TrainingData,
    start: ModelState | None,
    paused: PausedTraining | None,
    *,
    pauses: bool,
) -> TrainingResult:
    """Train the built-in network on a model that was traced before, if there is one."""
    rate, rest = _separate_rate(plan.compilation)
    key = (network, rest, keras.config.floatx())
    model = _pool.take(key)
    if model is None:
        model = build_model(network, plan.compilation, plan.seed)
        model.fresh_optimizer_state = read_state(model).optimizer_state
    fresh = ModelState(network.initial_weights(plan.seed), model.fresh_optimizer_state)
    restore_state(model, start or fresh, with_rate=False)
    if rate is not None:
        model.optimizer.learning_rate = rate
    _reseed_dropout(model, network.dropout_seeds(plan.seed + plan.first_epoch))
    try:
        return _fit(model, plan, data, (), paused, pauses=pauses)
    finally:
        if _pool.give_back(key, model):
            release_models()


def _separate_rate(compilation: Compilation) -> tuple[float | None, Hashable]:
    """Return a constant learning rate, and the compilation without it.

    The rate is a variable of the optimizer, so one traced model serves all rates.
    """
    optimizer = compilation.optimizer
    settings = json.loads(optimizer.config)
    rate = settings["config"].get("learning_rate")  # not that of a wrapper
    if not isinstance(rate, float):
        return None, compilation
    settings["config"]["learning_rate"] = None
    config = json.dumps(settings, sort_keys=True)
    return rate, replace(compilation, optimizer=replace(optimizer, config=config))


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


def _reseed_dropout(model: keras.Model, seeds: list[int]) -> None:
    layers = [layer for layer in model.layers if hasattr(layer, "seed_generator")]
    for layer, seed in zip(layers, seeds, strict=False):
        layer.seed_generator.state.assign([seed, 0])


def _fit(
    model: keras.Model,
    plan: TrainingPlan,
    data: TrainingData,
    callbacks: Sequence[keras.callbacks.Callback],
    paused: PausedTraining | None,
    *,
    pauses: bool,
) -> TrainingResult:
    targets = prepare_targets(model, data)
    stopping = _build_stopping(plan.stopping, callbacks)
    rule = [stopping] if plan.stopping else []
    pausing = Pausing(_read_position if pauses else None)
    watchers = [*rule, *callbacks]
    steps = count_batches(len(data.train_rows), plan.batch_size)
    validation = _validation_arguments(plan, data, targets)
    _align_executions(model, steps, validation.get("validation_steps", 0))
    first_epoch, resuming, clocks = plan.first_epoch, [], list_clocks()
    if paused is not None:
        _restore_position(model, paused.state["position"])
        first_epoch += paused.n_epochs
        known = [*paused.state["rule"], *paused.callbacks]
        resuming = [Resuming(watchers, known)]
    with quiet_retracing():
        new = model.fit(
            _training_batches(plan, data, targets, first_epoch),
            initial_epoch=first_epoch,
            epochs=plan.first_epoch + plan.epochs,
            steps_per_epoch=steps,
            callbacks=[
                FiniteLoss(),
                pausing,
                *watchers,
                *resuming,
                *clocks,
            ],
            verbose=plan.verbose,
            shuffle=False,  # the batches come shuffled
            **validation,
        ).history
    remembers = any(isinstance(c, keras.callbacks.History) for c in callbacks)
    earlier = paused.history if paused is not None and not remembers else {}
    history = _join_histories(earlier, new)
    epochs = len(history["loss"])
    best = stopping.best_epoch - plan.first_epoch + 1 if stopping else epochs
    best = min(max(best, 1), epochs)
    keep = None if isinstance(plan.network, MLPArchitecture) else model
    result = _read_result(model, history, best, list(callbacks), keep)
    if pauses:
        state = {
            "position": pausing.position,
            "rule": [read_callback(callback) for callback in rule],
        }
        is_cut = any(clock.has_stopped for clock in clocks)
        is_over = bool(model.stop_training) and not is_cut
        result.paused = pause_training(
            plan, data, result, state, is_over=is_over, earlier=paused
        )
    return result


def _read_position(model: keras.Model) -> dict[str, Any]:
    """Return the weights, the optimizer's state and that of random generators."""
    generators = list_variables(model)[len(model.weights) :]
    return {
        "model": read_state(model),
        "generators": [to_numpy(variable) for variable in generators],
    }


def _restore_position(model: keras.Model, position: dict[str, Any]) -> None:
    restore_state(model, position["model"])
    generators = list_variables(model)[len(model.weights) :]
    for variable, value in zip(generators, position["generators"], strict=True):
        variable.assign(value)


def _join_histories(
    earlier: dict[str, list[float]], new: dict[str, Sequence[Any]]
) -> dict[str, list[float]]:
    """Return the values of all epochs, as plain numbers."""
    return {
        name: earlier.get(name, []) + [float(value) for value in values]
        for name, values in {**dict.fromkeys(earlier, ()), **new}.items()
    }


def _align_executions(model: keras.Model, *counts: int) -> None:
    """Let no execution of several steps run past the end of an epoch.

    The batches have no end that would stop it.
    """
    aligned = math.gcd(model.steps_per_execution, *counts)
    if aligned != model.steps_per_execution:
        model.steps_per_execution = aligned
        model.train_function = model.test_function = None  # traced for more


def _training_batches(
    plan: TrainingPlan, data: TrainingData, targets: Any, first_epoch: int
) -> Any:
    rows = data.train_rows

    def draw(epoch: Any) -> NDArray[Any]:
        return rows[epoch_order(plan.seed, int(epoch), len(rows))]

    def order_of(epoch: tf.Tensor) -> tf.Tensor:
        if not plan.shuffle:
            return tf.constant(rows)
        order = tf.numpy_function(draw, [epoch], rows.dtype, stateful=False)
        order.set_shape(rows.shape)
        return order

    return build_batches(
        data.x, targets, data.weight, order_of, plan.batch_size, first_epoch
    )


def _validation_arguments(
    plan: TrainingPlan, data: TrainingData, targets: Any
) -> dict[str, Any]:
    """Return the arguments of Keras's `fit` that concern validation."""
    rows = data.validation_rows
    if not len(rows):
        return {}
    size = validation_batch_size(plan)
    return {
        "validation_data": build_batches(
            data.x, targets, data.weight, lambda _: tf.constant(rows), size
        ),
        "validation_steps": count_batches(len(rows), size),
        "validation_freq": plan.validation_freq,
    }


def validation_batch_size(plan: TrainingPlan) -> int:
    """Return how many held-out rows are evaluated at a time."""
    return plan.validation_batch_size or max(plan.batch_size, _VALIDATION_BATCH_SIZE)


def _build_stopping(
    rule: StoppingRule | None, callbacks: Sequence[keras.callbacks.Callback]
) -> Any:
    """Return the callback that ends training: the plan's, or else the user's."""
    if rule is None:
        return find_stopping(callbacks)
    return ValidatedStopping(
        monitor=rule.monitor,
        patience=rule.patience,
        min_delta=rule.min_delta,
        restore_best_weights=rule.restore_best_weights,
    )


def _read_result(
    model: keras.Model,
    history: dict[str, list[float]],
    best_epoch: int,
    callbacks: list[Any],
    keep: keras.Model | None,
) -> TrainingResult:
    state = read_state(model)
    if not all(np.isfinite(weight).all() for weight in state.weights):
        rate = read_rate(model.optimizer)
        raise_diverged("weights", "not finite", len(history["loss"]), rate)
    state.model = keep
    return TrainingResult(state, history, best_epoch, callbacks)


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


def prepare_targets(model: keras.Model, data: TrainingData) -> Any:
    """Return the targets in the form that the model's loss and outputs need."""
    units = _output_units(model, data.x)
    if units is None or not isinstance(data.y, np.ndarray):
        return data.y
    _refuse_misfit(units, model.loss, data.y)
    return adapt_targets(data.y, model.loss, units)


def _output_units(model: keras.Model, x: Any) -> int | None:
    """Return the width of the last layer, or None where there are several."""
    outputs = getattr(model, "outputs", None)
    if outputs is None:
        outputs = keras.tree.flatten(model(take_rows(x, slice(0, 1))))
    return int(outputs[0].shape[-1]) if len(outputs) == 1 else None


def _refuse_misfit(units: int, loss: Any, y: NDArray[Any]) -> None:
    """Refuse an output layer of the wrong width for class numbers or for numbers."""
    if isinstance(loss, list | dict):
        return
    if y.dtype.kind in "iu":
        needed = int(y.max()) + 1
        fits = units >= needed or (units == 1 and needed <= 2)
        wanted = f"{needed} classes"
    else:
        fits = units == y.shape[-1] or loss_family(loss) == "custom"
        wanted = f"{y.shape[-1]} columns"
    if not fits:
        message = (
            f"The model has an output layer of {units} unit(s), but y has {wanted}. "
            "Let the model function size its last layer from meta['n_classes_'] or "
            "meta['n_outputs_']."
        )
        raise ValueError(message)
