"""Operations give the same of NumPy's arrays as of TensorFlow's tensors."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from skkeras_tune.training.arithmetic import arrays, primitives

RNG = np.random.default_rng(0)
CUBE = RNG.normal(size=(2, 3, 4)).astype("f")
OTHER = RNG.normal(size=(2, 3, 5)).astype("f")
TABLE = RNG.normal(size=(2, 6)).astype("f")
COUNTS = np.array([[3, -2], [0, 7]], "i")
BITS = np.array([0, 1, 2**31, 2**32 - 1], "u4")
YES = CUBE > 0

CALLS = {
    "matmul": (lambda x, y: arrays.matmul(x, y, turn_one=True), CUBE, OTHER),
    "matmul turned": (lambda x, y: arrays.matmul(x, y, turn_two=True), CUBE, CUBE),
    "expand": (lambda x: arrays.expand(x, 1), TABLE),
    "reshape": (lambda x: arrays.reshape(x, [2, -1]), CUBE),
    "concat": (lambda x, y: arrays.concat([x, y], 2), CUBE, OTHER),
    "split": (lambda x: arrays.split(x, [1, 2, 3])[1], TABLE),
    "add_up": (lambda x: arrays.add_up(x, [1, 2]), CUBE),
    "add_up kept": (lambda x: arrays.add_up(x, 1, keepdims=True), CUBE),
    "average": (lambda x: arrays.average(x, -1), CUBE),
    "any_of": (arrays.any_of, YES),
    "stack": (lambda x, y: arrays.stack([x, y], -1), CUBE, -CUBE),
    "square": (arrays.square, CUBE),
    "where": (arrays.where, YES, CUBE, -CUBE),
    "maximum": (arrays.maximum, CUBE, -CUBE),
    "sign": (arrays.sign, COUNTS),
    "clip": (lambda x: arrays.clip(x, 0, 3), COUNTS),
    "cast": (lambda x: arrays.cast(x, "float64"), COUNTS),
    "zeros_like": (lambda x: arrays.zeros_like(x, "bool"), COUNTS),
    "zero": (lambda x: x + arrays.zero(x), CUBE),
    "as_type_of": (lambda x: x + arrays.as_type_of(x, COUNTS[:, :1]), TABLE),
    "equal": (lambda x: arrays.equal(x, 0), COUNTS),
    "add_up_each": (arrays.add_up_each, CUBE),
    "add_up_each of rows": (arrays.add_up_each, TABLE),
    "add_up_each of numbers": (arrays.add_up_each, TABLE[:, 0]),
    "both": (arrays.both, YES, CUBE < 1),
    "either": (arrays.either, YES, CUBE < -1),
    "neither": (arrays.neither, YES),
    "take_rows": (arrays.take_rows, TABLE, np.array([[1, 0], [1, 1]])),
    "take_window": (lambda x: arrays.take_window(x, [1, 0, 2], [1, 3, 2]), CUBE),
    "reread": (lambda x: arrays.reread(x, "uint32"), COUNTS),
    "shift_right": (lambda x: arrays.shift_right(x, 3), BITS),
    "relu": (primitives.relu, CUBE),
    "relu_gradient": (primitives.relu_gradient, CUBE, CUBE + 1),
    "absolute": (primitives.absolute, CUBE),
    "sqrt": (primitives.sqrt, CUBE**2),
    "rsqrt": (primitives.rsqrt, CUBE**2 + 1),
    "sigmoid": (primitives.sigmoid, CUBE * 20),
    "softplus": (primitives.softplus, CUBE * 20),
    "hash_bits": (lambda x: primitives.hash_bits(x, 5), BITS),
    "is_finite": (primitives.is_finite, np.where(YES, CUBE, np.inf)),
    "is_missing": (primitives.is_missing, CUBE * [np.nan, 1, 2, 3]),
    "crossentropy": (primitives.binary_crossentropy, np.abs(CUBE) % 1, CUBE * 20),
}


@pytest.mark.parametrize("array", [CUBE, TABLE, TABLE[:, 0]])
def test_each_member_has_its_sum(array):
    """All axes but the first are added up, if there are any."""
    expected = array.reshape(len(array), -1).sum(1)
    assert_allclose(arrays.add_up_each(array), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CALLS)
def test_the_same_of_arrays_and_of_tensors(name):
    """Values, shape and type agree, and each is of the kind that went in."""
    function, *arguments = CALLS[name]
    found = function(*arguments)
    expected = function(*map(tf.constant, arguments))
    assert arrays.is_array(found)
    assert not arrays.is_array(expected)
    assert found.dtype == expected.dtype.as_numpy_dtype
    assert found.shape == tuple(expected.shape)
    assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)
