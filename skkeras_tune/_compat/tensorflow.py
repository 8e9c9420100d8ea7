"""Private or version-dependent parts of TensorFlow."""

import logging
import os
import random
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context as eager_context

__all__ = [
    "call_stablehlo",
    "find_kernel_hints",
    "quiet_retracing",
    "release_traces",
    "seeded_tensorflow",
    "start_tensorflow",
    "tensorflow_has_started",
]


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


def tensorflow_has_started() -> bool:
    """Tell whether TensorFlow has run an operation, and so has read its flags."""
    return eager_context.context()._context_handle is not None


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
