"""Rows in, a `tf.data` pipeline of batches out.

The order of each epoch is read from a variable when the epoch begins, so one
pipeline serves all epochs. Sparse rows become dense one batch at a time.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.sparse import issparse

_tree = keras.tree


class EpochOrder(keras.callbacks.Callback):
    """Visits the rows of each epoch in the order that a function of the epoch gives."""

    def __init__(self, order_of: Any) -> None:
        super().__init__()
        self._order_of = order_of
        self.variable = tf.Variable(order_of(0), trainable=False, dtype=tf.int64)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.variable.assign(self._order_of(epoch))


def build_batches(
    x: Any, y: Any, weight: NDArray[Any] | None, order: tf.Variable, batch_size: int
) -> tf.data.Dataset:
    """Return batches of ``(x, y)`` or ``(x, y, weight)``, rows in the order given.

    Parameters
    ----------
    x, y : array, CSR matrix, or nested lists, tuples and dicts of these
    weight : ndarray of shape (n_rows,) or None
    order : tf.Variable of int64
        Row numbers of one epoch, read each time the pipeline is iterated over.
    batch_size : int
    """
    parts = [_as_tuples(x), _as_tuples(y)]
    if weight is not None:
        parts.append(_tree.map_structure(lambda _: weight, parts[1]))
    gathers = _tree.map_structure(_gather_from, tuple(parts))

    def rows_in_order(_: Any) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(order.read_value()).batch(batch_size)

    def gather(rows: tf.Tensor) -> Any:
        return _tree.map_structure(lambda take: take(rows), gathers)

    n_batches = -(-order.shape[0] // batch_size)
    dataset = tf.data.Dataset.range(1).flat_map(rows_in_order).map(gather)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(n_batches))
    return dataset.prefetch(2).with_options(_light_options())


def take_rows(values: Any, rows: Any) -> Any:
    """Index the rows of nested arrays; sparse rows come out dense."""
    return _tree.map_structure(lambda leaf: _dense(leaf[rows]), values)


def count_rows(values: Any) -> int:
    """Return the number of rows of nested arrays."""
    return int(_tree.flatten(values)[0].shape[0])


def _as_tuples(values: Any) -> Any:
    """Turn lists into tuples: tf.data would stack a list into one tensor."""
    if isinstance(values, list | tuple):
        return tuple(_as_tuples(item) for item in values)
    if isinstance(values, dict):
        return {key: _as_tuples(item) for key, item in values.items()}
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
