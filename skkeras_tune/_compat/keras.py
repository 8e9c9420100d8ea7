"""Private or version-dependent parts of Keras."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.trainers.compile_utils import CompileLoss, CompileMetrics
from keras.src.utils.naming import to_snake_case
from numpy.typing import NDArray

__all__ = [
    "compile_judges",
    "excludes_from_decay",
    "find_logits",
    "fresh_metric_names",
    "fresh_names",
    "is_old_plateau",
    "list_layers",
    "mark_logits",
    "name_optimizer_variables",
    "read_compile_arguments",
    "read_omitted_arguments",
    "read_thread_settings",
    "stop_gradient_leak",
    "swap_keras_generator",
    "to_numpy",
    "use_thread_settings",
]


def swap_keras_generator(generator: Any) -> Any:
    """Exchange the generator behind ``keras.random`` calls that name no seed.

    Keras 3 has no public way to save and restore it.
    """
    return _swap_global("global_seed_generator", generator)


@contextmanager
def fresh_names() -> Iterator[None]:
    """Let Keras name objects as if they were the first in the process.

    Otherwise the tenth optimizer is "adam_9", and no two compilations are equal.
    """
    previous = _swap_global("object_name_uids", defaultdict(int))
    try:
        yield
    finally:
        _swap_global("object_name_uids", previous)


@contextmanager
def fresh_metric_names() -> Iterator[None]:
    """Let Keras name metrics as if they were the first in the process.

    Otherwise the AUC of the second model is "auc_1". Layers count on: a function may
    join new ones and old ones, whose names must differ.
    """
    counts = global_state.get_global_attribute("object_name_uids") or {}
    names = {to_snake_case(kind.__name__) for kind in _list_kinds(keras.metrics.Metric)}
    before = {name: counts.pop(name) for name in names & counts.keys()}
    try:
        yield
    finally:
        counts.update(before)


def _list_kinds(base: type) -> Iterator[type]:
    yield base
    kinds: list[type] = base.__subclasses__()
    for kind in kinds:
        yield from _list_kinds(kind)


def _swap_global(name: str, value: Any) -> Any:
    previous = global_state.get_global_attribute(name)
    global_state.set_global_attribute(name, value)
    return previous


#: What Keras (3.15 and before) keeps for each thread that decides how models are built.
_OF_THREAD = ("dtype_policy", "custom_objects_scope_dict")


def read_thread_settings() -> dict[str, Any]:
    """Return this thread's default precision and custom objects in Keras."""
    return {name: global_state.get_global_attribute(name) for name in _OF_THREAD}


@contextmanager
def use_thread_settings(settings: dict[str, Any]) -> Iterator[None]:
    """Let this thread have the Keras settings of another; None is the default."""
    previous = {name: _swap_global(name, settings.get(name)) for name in _OF_THREAD}
    try:
        yield
    finally:
        for name, value in previous.items():
            global_state.set_global_attribute(name, value)


def to_numpy(value: Any) -> NDArray[Any]:
    """Return a copy of a variable or tensor as an array.

    Keras's own `convert_to_numpy` (3.15 and before) calls NumPy in a way that NumPy 2
    deprecates, with a warning for each variable.
    """
    return np.array(keras.ops.convert_to_tensor(value).numpy())


def stop_gradient_leak(model: keras.Model) -> None:
    """Keep a compiled model's optimizer from leaking its traced training step.

    Keras's TensorFlow optimizers sum gradients over replicas through a custom
    gradient, and TensorFlow (2.21 and before) registers each custom gradient for the
    life of the process, with the graph it was traced in: 4 MB a model. With one
    replica the sum is the gradient itself.
    """
    if model.distribute_strategy.num_replicas_in_sync == 1:
        model.optimizer._all_reduce_sum_gradients = _drop_missing_gradients


def _drop_missing_gradients(grads_and_vars: Any) -> list[Any]:
    return [(grad, var) for grad, var in grads_and_vars if grad is not None]


def name_optimizer_variables(
    optimizer: keras.optimizers.Optimizer, weights: list[keras.Variable]
) -> list[str]:
    """Return the names of an optimizer's variables, each with that of its weight.

    Adagrad's lack it in Keras 3.8; they stand in the order of the weights.
    """
    names = [variable.name for variable in optimizer.variables]
    prefixes = iter(weights)
    return [
        f"{next(prefixes).name}_{name}" if names.count(name) > 1 else name
        for name in names
    ]


def is_old_plateau(callback: keras.callbacks.Callback) -> bool:
    """Tell whether it is a ReduceLROnPlateau that decides unlike EarlyStopping.

    Keras 3.8's compares in double precision, and takes values with "acc" in their name,
    and no others, to be better when higher.
    """
    is_plateau = isinstance(callback, keras.callbacks.ReduceLROnPlateau)
    return is_plateau and not hasattr(callback, "_set_monitor_op")


def list_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return all layers of a model, those inside other layers too.

    Keras 3 has no public way into wrappers and nested models alike.
    """
    return list(model._flatten_layers(include_self=False))


def read_compile_arguments(model: keras.Model) -> dict[str, Any]:
    """Return what a model was compiled with, as it was given.

    Keras's `get_compile_config` (3.15 and before) leaves arguments out, such as the
    delta of a Huber loss.
    """
    return dict(model._compile_config.config)


def read_omitted_arguments(value: Any) -> dict[str, Any]:
    """Return arguments of a loss or metric that its config may leave out.

    Keras (3.15 and before) does so with Huber's delta, and with an axis.
    """
    return dict(getattr(value, "_fn_kwargs", {}))


def compile_judges(
    loss: Any,
    loss_weights: Any,
    metrics: Any,
    weighted_metrics: Any,
    output_names: list[str] | None,
) -> tuple[Any, Any]:
    """Return the loss and the metrics over all outputs, as `keras.Model.compile` does.

    Keras (3.15 and before) makes them for models only.
    """
    return (
        CompileLoss(loss, loss_weights, output_names=output_names),
        CompileMetrics(metrics, weighted_metrics, output_names=output_names),
    )


def excludes_from_decay(optimizer: keras.optimizers.Optimizer) -> bool:
    """Tell whether some weights are kept from decaying, which no config says."""
    names = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
    return any(getattr(optimizer, name, None) for name in names)


def mark_logits(logits: Any) -> Any:
    """Let Keras's crossentropies take outputs for logits, whatever they are told.

    Keras's own sigmoid and softmax leave their logits in this attribute (3.8 to 3.15).
    """
    logits._keras_logits = logits
    return logits


def find_logits(outputs: Any, loss: keras.losses.Loss) -> Any:
    """Return what Keras's crossentropies take for the logits of outputs, or None."""
    is_raw = bool(getattr(loss, "from_logits", False))
    return getattr(outputs, "_keras_logits", outputs if is_raw else None)
