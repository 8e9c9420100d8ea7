"""Training through Keras's own `fit`, for any model that Keras can train."""

import json
import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from skkeras_tune._compat.tensorflow import quiet_retracing
from skkeras_tune.network import MLPArchitecture
from skkeras_tune.randomness import epoch_order
from skkeras_tune.training.batches import build_batches, count_batches
from skkeras_tune.training.callbacks import (
    FiniteLoss,
    Pausing,
    Resuming,
    ValidatedStopping,
    detach,
    find_stopping,
    raise_diverged,
    read_best_epoch,
    read_callback,
    read_rate,
)
from skkeras_tune.training.deadline import list_clocks
from skkeras_tune.training.fingerprint import NoFingerprint, fingerprint
from skkeras_tune.training.forks import refuse_fork
from skkeras_tune.training.models.model import (
    build_model,
    read_position,
    read_state,
    release_models,
    restore_position,
    restore_state,
    start_model,
)
from skkeras_tune.training.models.pool import ModelPool
from skkeras_tune.training.models.targets import prepare_targets
from skkeras_tune.training.pausing import pause_training, refuse_other_engine
from skkeras_tune.training.plan import (
    Compilation,
    ModelState,
    PausedTraining,
    StoppingRule,
    Training,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)

_pool = ModelPool()


def train(training: Training, model: keras.Model | None = None) -> TrainingResult:
    """Train a model as the plan says.

    Parameters
    ----------
    training : Training
    model : keras.Model, default=None
        What `start_model` has returned for this training; None calls it.

    Raises
    ------
    ValueError
        If the loss is not finite, or the model does not fit the targets.
    """
    refuse_fork()
    refuse_other_engine(training.paused, "keras")
    plan = training.plan
    own = plan.network if isinstance(plan.network, MLPArchitecture) else None
    if own is not None and not training.callbacks:
        return _train_pooled(training, own)
    if model is None:
        model = start_model(plan, training.start)
    if own is not None:
        _reseed_dropout(model, own.dropout_seeds(plan.seed + plan.first_epoch))
    before = read_state(model)
    try:
        return _fit(model, training)
    except BaseException:
        restore_state(model, before)
        raise
    finally:
        detach(training.callbacks)
        release_models()


def _train_pooled(training: Training, network: MLPArchitecture) -> TrainingResult:
    """Train the built-in network on a model that was traced before, if there is one."""
    plan = training.plan
    rate, rest = _separate_rate(plan.compilation)
    key = _find_key(network, rest)
    model = None if key is None else _pool.take(key)
    if model is None:
        model = build_model(network, plan.compilation, plan.seed)
        model.fresh_optimizer_state = read_state(model).optimizer_state
    fresh = ModelState(network.initial_weights(plan.seed), model.fresh_optimizer_state)
    restore_state(model, training.start or fresh, with_rate=False)
    if rate is not None:
        model.optimizer.learning_rate = rate
    _reseed_dropout(model, network.dropout_seeds(plan.seed + plan.first_epoch))
    try:
        return _fit(model, training)
    finally:
        if key is None or _pool.give_back(key, model):
            release_models()


def _find_key(network: MLPArchitecture, compilation: Hashable) -> Hashable | None:
    """Return what models have in common that may take one another's place, if any do.

    The user's functions count by all that they name: a trace has read it.
    """
    try:
        content = fingerprint((network, compilation))
    except NoFingerprint:
        return None
    return content, keras.config.floatx(), keras.config.epsilon()


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


def _reseed_dropout(model: keras.Model, seeds: list[int]) -> None:
    layers = [layer for layer in model.layers if hasattr(layer, "seed_generator")]
    for layer, seed in zip(layers, seeds, strict=False):
        layer.seed_generator.state.assign([seed, 0])


def _fit(model: keras.Model, training: Training) -> TrainingResult:
    plan, data, callbacks = training.plan, training.data, training.callbacks
    paused = training.paused
    targets = prepare_targets(model, data)
    first_epoch = plan.first_epoch + (paused.n_epochs if paused is not None else 0)
    rows = _row_arguments(plan, data, targets, first_epoch)
    _align_executions(model, rows["steps_per_epoch"], rows.get("validation_steps", 0))
    stopping = _build_stopping(plan.stopping, callbacks)
    rule = [stopping] if plan.stopping else []
    pausing = Pausing(read_position if training.pauses else None)
    watchers, clocks = [*rule, *callbacks], list_clocks()
    resuming = [] if paused is None else [_resume(model, watchers, paused)]
    listening = [] if training.listener is None else [training.listener]
    behind = [*resuming, *listening, *clocks, pausing]
    with quiet_retracing():
        new = model.fit(
            **rows,
            initial_epoch=first_epoch,
            epochs=plan.first_epoch + plan.epochs,
            callbacks=[FiniteLoss(), *watchers, *behind],
            verbose=plan.verbose,
            shuffle=False,  # the batches come shuffled
        ).history
    history = _join_histories(_read_earlier(training), new)
    best = read_best_epoch(stopping, plan.first_epoch, len(history["loss"]))
    result = _read_result(model, plan, history, best, callbacks)
    result.is_cut = any(clock.has_stopped for clock in clocks)
    listener = training.listener
    result.was_told_to_stop = listener is not None and listener.has_stopped
    if training.pauses:
        states = [read_callback(callback) for callback in rule]
        result.paused = pause_training(
            plan,
            data,
            result,
            {"position": pausing.position, "rule": states},
            is_over=bool(model.stop_training) and not result.is_cut,
            earlier=paused,
        )
    return result


def _resume(
    model: keras.Model, watchers: Sequence[Any], paused: PausedTraining
) -> Resuming:
    """Bring a model back to where it paused; return what does so with callbacks."""
    restore_position(model, paused.state["position"])
    return Resuming(watchers, [*paused.state["rule"], *paused.callbacks])


def _read_earlier(training: Training) -> dict[str, list[float]]:
    """Return the values from before a pause, unless a callback remembers them."""
    kind = keras.callbacks.History
    remembers = any(isinstance(c, kind) for c in training.callbacks)
    if training.paused is None or remembers:
        return {}
    return training.paused.history


def _join_histories(
    earlier: dict[str, list[float]], new: dict[str, Sequence[Any]]
) -> dict[str, list[float]]:
    """Return the values of all epochs, as plain numbers."""
    return {
        name: earlier.get(name, []) + [_read_number(name, value) for value in values]
        for name, values in {**dict.fromkeys(earlier, ()), **new}.items()
    }


def _read_number(name: str, value: Any) -> float:
    """Return a value of the history, which may be an array of one number."""
    if np.size(value) != 1:
        message = (
            f"The metric {name!r} gives {np.size(value)} numbers. Choose how to "
            "average them, for instance by keras.metrics.F1Score(average='macro')."
        )
        raise ValueError(message)
    return float(np.reshape(value, ()))


def _align_executions(model: keras.Model, *counts: int) -> None:
    """Let no execution of several steps run past the end of an epoch.

    The batches have no end that would stop it.
    """
    aligned = math.gcd(model.steps_per_execution, *counts)
    if aligned != model.steps_per_execution:
        model.steps_per_execution = aligned
        model.train_function = model.test_function = None  # traced for more


def _row_arguments(
    plan: TrainingPlan, data: TrainingData, targets: Any, first_epoch: int
) -> dict[str, Any]:
    """Return the arguments of Keras's `fit` that concern the rows."""
    return {
        "x": _training_batches(plan, data, targets, first_epoch),
        "steps_per_epoch": count_batches(len(data.train_rows), plan.batch_size),
        **_validation_arguments(plan, data, targets),
    }


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
    size = plan.evaluation_batch_size
    return {
        "validation_data": build_batches(
            data.x, targets, data.weight, lambda _: tf.constant(rows), size
        ),
        "validation_steps": count_batches(len(rows), size),
        "validation_freq": plan.validation_freq,
    }


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
    plan: TrainingPlan,
    history: dict[str, list[float]],
    best_epoch: int,
    callbacks: Sequence[Any],
) -> TrainingResult:
    state = read_state(model)
    if not all(np.isfinite(weight).all() for weight in state.weights):
        rate = read_rate(model.optimizer)
        raise_diverged("weights", "not finite", len(history["loss"]), rate)
    if not isinstance(plan.network, MLPArchitecture):
        state.model = model
    return TrainingResult(state, history, best_epoch, list(callbacks))
