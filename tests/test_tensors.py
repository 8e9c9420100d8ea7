"""Arrays become padded tensors, whatever their type and order."""

import gc

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

from skkeras_tune.training.groups.tensors import join_rows

NUMBERS = np.arange(1, 13).reshape(4, 3)
ARRAYS = {
    "single": NUMBERS.astype("float32"),
    "double": NUMBERS.astype("float64"),
    "half": NUMBERS.astype("float16"),
    "int32": NUMBERS.astype("int32"),
    "int64": NUMBERS.astype("int64"),
    "bytes": NUMBERS.astype("uint8"),
    "bool": NUMBERS % 2 == 0,
    "one column": NUMBERS[:, 0].astype("float32"),
    "pictures": np.ones((4, 2, 2, 3), "float32"),
    "by columns": np.asfortranarray(NUMBERS, dtype="float32"),
    "every other": np.arange(24, dtype="float32").reshape(8, 3)[::2],
    "swapped": NUMBERS.astype(">f4"),
    "no columns": np.ones((4, 0), "float32"),
    "no rows": np.ones((0, 3), "float32"),
}


@pytest.mark.parametrize("more", [0, 3])
@pytest.mark.parametrize("name", ARRAYS)
def test_rows_are_followed_by_zeros(name, more):
    """The rows come first, and only zeros after them."""
    array = ARRAYS[name]
    tensor = join_rows([array], len(array) + more)
    assert tensor.dtype == array.dtype.newbyteorder("=")
    assert tensor.shape == (len(array) + more, *array.shape[1:])
    assert_array_equal(tensor[: len(array)], array)
    assert not np.any(tensor[len(array) :])


def test_a_read_only_array_is_taken():
    """Arrays that joblib maps into memory cannot be written to."""
    array = ARRAYS["single"].copy()
    array.flags.writeable = False
    assert_array_equal(join_rows([array], 4), array)


@pytest.mark.parametrize("more", [0, 3])
@pytest.mark.parametrize("name", ["single", "bool"])
def test_no_memory_is_shared(name, more):
    """A change of the array leaves the tensor as it was."""
    array = ARRAYS[name].copy()
    tensor = join_rows([array], len(array) + more)
    array[:] = 0
    assert_array_equal(tensor[: len(array)], ARRAYS[name])


@pytest.mark.parametrize("n_columns", [1, 3, 17])
def test_the_memory_is_aligned_and_kept(n_columns):
    """XLA reads the tensor in place, long after the array is gone."""
    array = np.arange(1000 * n_columns, dtype="float32").reshape(1000, n_columns)
    tensors = [join_rows([array + i], 1024) for i in range(5)]
    views = [np.asarray(memoryview(tensor)) for tensor in tensors]
    assert all(view.ctypes.data % 64 == 0 for view in views)
    del views
    gc.collect()
    total = tf.function(lambda x: tf.reduce_sum(x[:1000], 0), jit_compile=True)
    for i, tensor in enumerate(tensors):
        np.testing.assert_allclose(total(tensor), (array + i).sum(0), rtol=1e-5)


def test_memory_is_freed():
    """Tensors that are gone leave nothing behind."""
    resource = pytest.importorskip("resource")
    array = np.ones((1000, 1000), "float32")

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    join_rows([array], 1024)
    before = peak()
    for _ in range(100):
        join_rows([array], 1024)
    assert peak() - before < 100_000  # kilobytes; all of them would be 400,000
