"""Rows become batches, in the order of each epoch, dense or sparse."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.sparse import csr_array, csr_matrix

from skkeras_tune.training.batches import (
    build_batches,
    count_batches,
    count_rows,
    take_rows,
)

X = np.arange(20, dtype=np.float32).reshape(10, 2)
Y = np.arange(10, dtype=np.int32)
N_ROWS = 10


def in_order(_):
    """Visit the rows as they come."""
    return tf.range(N_ROWS)


def rotated(epoch):
    """Begin each epoch one row later."""
    return tf.roll(tf.range(N_ROWS), -tf.cast(epoch, tf.int32), 0)


def take(batches, number):
    """Return the first batches as arrays."""
    return list(batches.take(number).as_numpy_iterator())


def join(parts):
    """Return the rows of several batches."""
    return np.concatenate(parts)


def test_an_epoch_has_each_row_once():
    """An epoch's batches hold its rows with their targets, the last one the rest."""
    batches = take(build_batches(X, Y, None, in_order, 4), 3)
    assert [len(y) for _, y in batches] == [4, 4, 2]
    np.testing.assert_array_equal(join([x for x, _ in batches]), X)
    np.testing.assert_array_equal(join([y for _, y in batches]), Y)


def test_epochs_follow_each_other_in_their_own_orders():
    """Batches go on without end, each epoch in the order that its number gives."""
    batches = take(build_batches(X, Y, None, rotated, 5), 6)
    targets = join([y for _, y in batches]).reshape(3, N_ROWS)
    for epoch, order in enumerate(targets):
        np.testing.assert_array_equal(order, np.roll(Y, -epoch))


def test_epochs_do_not_share_a_batch():
    """A batch ends where its epoch ends."""
    batches = take(build_batches(X, Y, None, in_order, 4), 6)
    assert [y[0] for _, y in batches] == [0, 4, 8, 0, 4, 8]


def test_the_first_epoch_may_be_a_later_one():
    """A continued training goes on with the orders that come next."""
    whole = take(build_batches(X, Y, None, rotated, 5), 6)
    rest = take(build_batches(X, Y, None, rotated, 5, first_epoch=2), 2)
    for (_, expected), (_, y) in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(y, expected)


def test_an_order_may_leave_rows_out():
    """Only the rows that the order names are visited."""
    (batch,) = take(build_batches(X, Y, None, lambda _: tf.constant([7, 1]), 4), 1)
    np.testing.assert_array_equal(batch[0], X[[7, 1]])
    np.testing.assert_array_equal(batch[1], [7, 1])


def test_weights_go_with_their_rows():
    """Weights are the third part of a batch."""
    weight = np.linspace(0, 1, N_ROWS).astype("float32")
    for x, y, w in take(build_batches(X, Y, weight, rotated, 3), 8):
        np.testing.assert_array_equal(w, weight[y])
        np.testing.assert_array_equal(x, X[y])


def test_each_output_has_the_weights():
    """Targets in several arrays have weights in the same structure."""
    y = {"a": Y, "b": -Y}
    weight = np.arange(N_ROWS, dtype=np.float32)
    ((_, targets, weights),) = take(build_batches(X, y, weight, in_order, 4), 1)
    assert set(weights) == set(targets) == {"a", "b"}
    np.testing.assert_array_equal(weights["b"], [0, 1, 2, 3])
    np.testing.assert_array_equal(targets["b"], [0, -1, -2, -3])


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
def test_sparse_rows_become_dense(kind):
    """Sparse and dense features give the same batches."""
    dense = take(build_batches(X, Y, None, rotated, 4), 6)
    sparse = take(build_batches(kind(X), Y, None, rotated, 4), 6)
    for (here, _), (there, _) in zip(dense, sparse, strict=True):
        np.testing.assert_array_equal(here, there)
        assert here.dtype == there.dtype


def test_sparse_batches_know_their_width():
    """The width of sparse rows is known before the first batch."""
    spec, _ = build_batches(csr_array(X), Y, None, in_order, 4).element_spec
    assert spec.shape.as_list() == [None, 2]


def test_nested_features():
    """Features in dicts, lists and tuples keep their structure, lists as tuples."""
    x = {"a": X, "b": [X + 1, (csr_array(X),)]}
    ((features, _),) = take(build_batches(x, Y, None, in_order, 2), 1)
    np.testing.assert_array_equal(features["a"], X[:2])
    first, (second,) = features["b"]
    np.testing.assert_array_equal(first, X[:2] + 1)
    np.testing.assert_array_equal(second, X[:2])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "bool"])
def test_types_are_kept(dtype):
    """Batches have the types of the rows."""
    ((x, _),) = take(build_batches(X.astype(dtype), Y, None, in_order, 2), 1)
    assert x.dtype == dtype


def test_images_are_batched():
    """Rows may have any number of axes."""
    images = np.arange(N_ROWS * 12).reshape(N_ROWS, 2, 3, 2)
    ((x, _),) = take(build_batches(images, Y, None, in_order, 3), 1)
    np.testing.assert_array_equal(x, images[:3])


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "expected"),
    [(10, 4, 3), (10, 5, 2), (10, 10, 1), (10, 11, 1), (1, 1, 1), (0, 4, 0)],
)
def test_batches_are_counted(n_rows, batch_size, expected):
    """The number of batches includes the last, smaller one."""
    assert count_batches(n_rows, batch_size) == expected


@pytest.mark.parametrize("rows", [slice(2, 5), np.array([4, 0]), slice(None)])
def test_rows_are_taken_from_nested_arrays(rows):
    """The same rows are taken of every part; sparse ones come out dense."""
    taken = take_rows({"a": X, "b": [csr_array(X), Y]}, rows)
    np.testing.assert_array_equal(taken["a"], X[rows])
    np.testing.assert_array_equal(taken["b"][0], X[rows])
    np.testing.assert_array_equal(taken["b"][1], Y[rows])


@pytest.mark.parametrize(
    "values", [X, csr_array(X), {"a": X}, [Y, X], ({"b": csr_array(X)},)]
)
def test_rows_are_counted(values):
    """Nested arrays have the rows of their parts."""
    assert count_rows(values) == N_ROWS
