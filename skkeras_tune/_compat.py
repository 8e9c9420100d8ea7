"""Private or version-dependent parts of other libraries, reached through here alone.

Each entry says which version made it needed, and when it can go.
"""

import inspect
import logging
import os
import random
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np
import sklearn
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.trainers.compile_utils import CompileLoss, CompileMetrics
from numpy.typing import NDArray
from sklearn.base import _fit_context
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _fit_and_score
from sklearn.preprocessing import TargetEncoder
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_method_params, _check_sample_weight
from tensorflow.python.eager import context as eager_context

__all__ = [
    "BaseSearchCV",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "build_target_encoder",
    "check_method_params",
    "check_sample_weight",
    "compile_judges",
    "excludes_from_decay",
    "find_kernel_hints",
    "find_logits",
    "fit_and_score",
    "fit_context",
    "fresh_names",
    "is_old_plateau",
    "list_layers",
    "mark_logits",
    "name_optimizer_variables",
    "quiet_retracing",
    "read_compile_arguments",
    "read_thread_settings",
    "release_traces",
    "safe_indexing",
    "seeded_tensorflow",
    "share_warning_filters",
    "start_tensorflow",
    "stop_gradient_leak",
    "swap_keras_generator",
    "takes_sample_weight",
    "tensorflow_has_started",
    "to_numpy",
    "use_thread_settings",
    "validate_parameter_constraints",
    "with_callbacks",
]

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for the base of estimators that tell callbacks of their tasks."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method as it is: no callbacks need to be torn down after it."""
        return method


check_sample_weight = _check_sample_weight
check_method_params = _check_method_params
fit_and_score = _fit_and_score
fit_context = _fit_context
safe_indexing = _safe_indexing


def takes_sample_weight(scorer: Callable[..., Any]) -> bool:
    """Tell whether a scorer takes weights.

    scikit-learn (1.9 and before) has no public way to ask.
    """
    if hasattr(scorer, "_accept_sample_weight"):
        return bool(scorer._accept_sample_weight())
    return "sample_weight" in inspect.signature(scorer).parameters


def build_target_encoder(kind: str, n_folds: int, random_state: int) -> TargetEncoder:
    """Return an encoder of categories by the target, cross-fitted in shuffled folds.

    scikit-learn 1.9 takes the folds as a splitter, and older versions a seed.

    Parameters
    ----------
    kind : {"continuous", "binary", "multiclass"}
    n_folds, random_state : int
    """
    parameters = inspect.signature(TargetEncoder).parameters
    if parameters["random_state"].default != "deprecated":
        return TargetEncoder(target_type=kind, cv=n_folds, random_state=random_state)
    folds = KFold if kind == "continuous" else StratifiedKFold
    cv = folds(n_folds, shuffle=True, random_state=random_state)
    return TargetEncoder(target_type=kind, cv=cv)


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
def seeded_tensorflow(seed: int) -> Iterator[None]:
    """Seed the generator behind ``tf.random`` calls, and put it back after.

    TensorFlow has no public way to save and restore it.
    """
    context = eager_context.context()
    previous = context._seed, getattr(context, "_rng", None)
    context._seed, context._rng = seed, random.Random(seed)
    untouched = context._rng.getstate()
    try:
        yield
    finally:
        if context._rng.getstate() != untouched:
            context.clear_kernel_cache()  # where this seed's draws would go on
        context._seed, context._rng = previous


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


@contextmanager
def quiet_retracing() -> Iterator[None]:
    """Keep TensorFlow from warning that functions are traced again and again.

    It counts the traces of all models together (2.21 and before), so several models
    that are each traced once set it off.
    """
    _change_quiet(+1)
    try:
        yield
    finally:
        _change_quiet(-1)


_quiet_lock = threading.Lock()
_n_quiet = 0


def _change_quiet(change: int) -> None:
    """Count who is in the context, of whom the last takes the filter away."""
    global _n_quiet
    with _quiet_lock:
        _n_quiet += change
        logger = tf.get_logger()
        (logger.addFilter if _n_quiet else logger.removeFilter)(_is_not_retracing)


def _is_not_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in str(record.msg)


def release_traces() -> None:
    """Free the kernels of traced functions that no longer exist.

    TensorFlow (2.21 and before) caches the kernels of every function ever run, about
    0.5 MB for each model that was trained.
    """
    eager_context.context().clear_kernel_cache()


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


def tensorflow_has_started() -> bool:
    """Tell whether TensorFlow has run an operation, and so has read its flags."""
    return eager_context.context()._context_handle is not None


def share_warning_filters(batch: Any) -> Any:
    """Let scikit-learn's tasks of a thread run with the process's filters of warnings.

    Parameters
    ----------
    batch : joblib.parallel.BatchedCalls
        Of tasks that clear and refill the process's list each (scikit-learn 1.9 and
        before), which other threads see, and which the last of them may leave empty.

    Returns
    -------
    joblib.parallel.BatchedCalls
        The same, with tasks that keep scikit-learn's configuration alone.
    """
    items = getattr(batch, "items", [])
    for place, (function, args, kwargs) in enumerate(items):
        if hasattr(function, "warning_filters"):
            task = partial(_run_configured, function.function, function.config)
            items[place] = (task, args, kwargs)
    return batch


def _run_configured(
    function: Callable[..., Any], config: dict[str, Any], *args: Any, **kwargs: Any
) -> Any:
    with sklearn.config_context(**config):
        return function(*args, **kwargs)


def start_tensorflow(flag: str, value: str) -> None:
    """Start TensorFlow with one more of XLA's flags than the environment has.

    It reads them once, as it starts, and has no other way in (2.21 and before). The
    value is quoted, since it would end at a blank.
    """
    quoted = re.sub(r'(["\\])', r"\\\1", value)
    before = os.environ.get("TF_XLA_FLAGS")
    os.environ["TF_XLA_FLAGS"] = f'{before or ""} --{flag}="{quoted}"'.strip()
    try:
        tf.constant(0)
    finally:
        if before is None:
            del os.environ["TF_XLA_FLAGS"]
        else:
            os.environ["TF_XLA_FLAGS"] = before


def call_stablehlo(
    text: str, returns: Sequence[tuple[Sequence[int], Any]], *arguments: Any
) -> list[Any]:
    """Call the function of a StableHLO module, within a function that XLA compiles.

    TensorFlow has no public name for the operation, which its converter of JAX's
    functions (`jax2tf`) relies on. Version 9 is known to TensorFlow 2.18 and later.

    Parameters
    ----------
    text : str
    returns : sequence of (shape, dtype)
        Of each result.
    *arguments : tensors

    Raises
    ------
    tf.errors.UnimplementedError
        If this TensorFlow has no such operation.
    """
    try:
        from tensorflow.compiler.tf2xla.ops import gen_xla_ops

        results: list[Any] = gen_xla_ops.xla_call_module(
            args=arguments,
            version=9,
            module=text,
            Sout=[shape for shape, _ in returns],
            Tout=[dtype for _, dtype in returns],
            platforms=["CPU"],
            disabled_checks=["platform"],
        )
    except (ImportError, AttributeError, TypeError) as error:
        raise tf.errors.UnimplementedError(None, None, str(error)) from error
    return results


def find_kernel_hints() -> dict[str, str]:
    """Return the attributes by which XLA makes one kernel of a call, if it does so.

    XLA makes a kernel of each loop. For what an epoch ends with, a dozen of loops over
    few numbers, compiling these takes far longer than running them. XLA marks small
    loops over operations as one kernel by an attribute, which TensorFlow 2.21 has. A
    later one is not given it before it has been tried: XLA ends the process where it
    does not find what it expects.
    """
    if not tf.__version__.startswith("2.21."):
        return {}
    return {"inlineable": "false", "xla_cpu_small_call": "true"}
