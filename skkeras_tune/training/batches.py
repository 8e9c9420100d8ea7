"""Rows in, a `tf.data` pipeline of batches out.

The order of each epoch is computed inside the pipeline, so one serves all epochs.
Sparse rows become dense one batch at a time.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.sparse import issparse

_tree = keras.tree


def build_batches(
    x: Any,
    y: Any,
    weight: NDArray[Any] | None,
    order_of: Callable[[tf.Tensor], tf.Tensor],
    batch_size: int,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return the batches of one epoch after the other, without end.

    One iterator over all epochs: Keras makes two for each epoch of a pipeline that
    ends, at 10 ms each.

    Parameters
    ----------
    x, y : array, CSR matrix, or nested lists, tuples and dicts of these
    weight : ndarray of shape (n_rows,) or None
    order_of : callable
        Takes the epoch's number, a tensor of int64, and returns the numbers of its rows
        in their order; runs inside the pipeline.
    batch_size : int
    first_epoch : int, default=0

    Returns
    -------
    tf.data.Dataset
        Of ``(x, y)`` or ``(x, y, weight)``.
    """
    parts = [as_tuples(x), as_tuples(y)]
    if weight is not None:
        parts.append(_tree.map_structure(lambda _: weight, parts[1]))
    gathers = _tree.map_structure(_gather_from, tuple(parts))

    def rows_of(epoch: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(order_of(epoch)).batch(batch_size)

    def gather(rows: tf.Tensor) -> Any:
        return _tree.map_structure(lambda take: take(rows), gathers)

    epochs = tf.data.Dataset.range(first_epoch, 2**62)
    batches = epochs.flat_map(rows_of).map(gather).prefetch(2)
    return batches.with_options(_light_options())


def count_batches(n_rows: int, batch_size: int) -> int:
    """Return the number of batches in an epoch, the last of which may be smaller."""
    return -(-n_rows // batch_size)


def take_rows(values: Any, rows: Any, *, dense: bool = True) -> Any:
    """Index the rows of nested arrays; sparse rows come out dense if asked."""
    return _tree.map_structure(
        lambda leaf: _dense(leaf[rows]) if dense else leaf[rows], values
    )


def count_rows(values: Any) -> int:
    """Return the number of rows of nested arrays."""
    return int(_tree.flatten(values)[0].shape[0])


def as_tuples(values: Any) -> Any:
    """Turn lists into tuples: tf.data would stack a list into one tensor."""
    if isinstance(values, list | tuple):
        return tuple(as_tuples(item) for item in values)
    if isinstance(values, dict):
        return {key: as_tuples(item) for key, item in values.items()}
    return values


def _gather_from(leaf: Any) -> Any:
    if not issparse(leaf):
        tensor = tf.convert_to_tensor(leaf)
        return lambda rows: tf.gather(tensor, rows)

    def gather(rows: tf.Tensor) -> tf.Tensor:
        dense = tf.numpy_function(lambda i: _dense(leaf[i]), [rows], leaf.dtype)
        dense.set_shape((None, leaf.shape[1]))
        return dense

    return gather


def _dense(leaf: Any) -> NDArray[Any]:
    return np.asarray(leaf.toarray() if issparse(leaf) else leaf)


def _light_options() -> tf.data.Options:
    """Skip tf.data's graph optimisation and tuning.

    For small batches they cost more than they save, 30 ms at the start of each epoch.
    """
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    options.deterministic = True
    return options
