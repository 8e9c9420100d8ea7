"""A module computes what NumPy computes of the same operations."""

import operator
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import erf

from skkeras_tune._compat import call_stablehlo
from skkeras_tune.training.stablehlo import Module


def compute(function, *arrays):
    """Return what a module of that function makes of the arrays."""
    module = Module([(array.shape, array.dtype) for array in arrays])
    result = module.read(function(*module.arguments))
    text = module.finish([result])
    call = partial(call_stablehlo, text, [(result.shape, result.dtype)])
    run = tf.function(call, jit_compile=True, autograph=False)
    (returned,) = run(*map(tf.constant, arrays))
    assert returned.shape == result.shape
    return returned.numpy()


def draw(*shape, dtype="float32", seed=0):
    values = np.random.default_rng(seed).normal(size=shape)
    return (values * (10 if np.dtype(dtype).kind in "iu" else 1)).astype(dtype)


def assert_equals_numpy(function, *arrays):
    expected, found = function(*arrays), compute(function, *arrays)
    assert found.dtype == expected.dtype
    assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "function",
    [
        np.absolute, np.exp, np.expm1, np.negative, np.sign, np.square, np.tanh, erf,
        lambda x: np.log(np.absolute(x)),
        lambda x: np.log1p(np.absolute(x)),
        lambda x: np.logaddexp(x, 0),
        lambda x: np.absolute(x) ** 0.5,
        lambda x: 2 / (3 - x),
        lambda x: x * (x > 0) + 2 * (x < 1),
        lambda x: 0.5 * (x > 0),
    ],
)  # fmt: skip
def test_functions_of_numbers(function, dtype):
    assert_equals_numpy(function, draw(3, 4, dtype=dtype))


@pytest.mark.parametrize("one", [(2, 3), (3,), (), (2, 1), (1, 3)])
@pytest.mark.parametrize("two", [(2, 3), (3,), (4, 2, 3), (4, 1, 1)])
def test_axes_of_one_place_are_repeated(one, two):
    assert_equals_numpy(
        lambda x, y: np.maximum(x, y) * x, draw(*one), draw(*two, seed=1)
    )


@pytest.mark.parametrize(
    "compare",
    [
        operator.lt,
        operator.le,
        operator.gt,
        operator.ge,
        operator.eq,
        operator.ne,
    ],
)
def test_comparisons(compare):
    x, y = draw(20), draw(20, seed=1)
    x[:5], x[5] = y[:5], np.nan
    assert_equals_numpy(compare, x, y)


def test_conditions():
    def combine(x, y):
        some = np.logical_and(x > 0, np.logical_not(y > 0))
        return np.where(np.logical_or(some, x > 1), x, -1)

    assert_equals_numpy(combine, draw(50), draw(50, seed=1))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.reshape(6, -1),
        lambda x: x.reshape([2, 1, 12]),
        lambda x: x.swapaxes(1, 2),
        lambda x: x[:, 1],
        lambda x: x[:, :, :-1],
        lambda x: x[1:, np.newaxis, -1],
        lambda x: x[np.newaxis],
        lambda x: x.sum(),
        lambda x: x.sum(1),
        lambda x: x.sum((1, 2), keepdims=True),
        lambda x: x.mean(-1),
        lambda x: x.mean(1, keepdims=True),
        lambda x: x.max(-1, keepdims=True),
        lambda x: (x > 2).any(1),
        lambda x: np.concatenate([x, np.ones_like(x), x], 2),
        lambda x: np.stack([x[:, 0], x[:, 1]], axis=-1),
        lambda x: np.clip(x, -0.5, 0.5),
        lambda x: x + np.full_like(x, 2) + np.zeros_like(x),
        lambda x: x @ x.swapaxes(1, 2),
    ],
)
def test_shapes(function):
    assert_equals_numpy(function, draw(2, 3, 4))


@pytest.mark.parametrize("rest", [(), (4,), (2, 3)])
def test_rows_are_taken(rest):
    places = np.int32([[1, 0, 4], [2, 2, 3]])
    assert_equals_numpy(lambda x, rows: x[rows], draw(5, *rest), places)


def test_a_window_is_taken():
    x = draw(3, 2, 8)
    found = compute(
        lambda x, i: x.module.take_window(x, [i, 0, i * 2], (1, 2, 4)), x, np.int32(2)
    )
    assert_array_equal(found, x[2:, :, 4:8])


def test_bits_are_mixed():
    def mix(x):
        bits = x.view(np.uint32)
        bits = (bits ^ np.uint32(0x9E3779B9)) * np.uint32(0x21F0AAAD)
        return bits ^ (bits >> np.uint32(15))

    assert_equals_numpy(mix, draw(50, dtype="int32"))


@pytest.mark.parametrize(
    "constant",
    [
        np.float32([np.inf, -np.inf, np.nan]),
        np.float32([np.nan]),
        np.full((2, 3), np.nan, np.float32),
        np.full((2, 3), -0.0),
        np.full((2, 3), True),
        np.full((2, 3), -7, np.int8),
        np.float32(-0.0),
        np.float64([1e300, 5e-324, 0.1]),
        np.array([True, False]),
        np.bool_(True),
        np.int64([-(2**40), 7]),
        np.uint32(2**32 - 1),
        np.zeros((2, 0), np.float32),
    ],
)
def test_constants_are_exact(constant):
    found = compute(lambda _: constant, np.float32(0))
    assert found.dtype == constant.dtype
    assert found.tobytes() == np.asarray(constant).tobytes()


def test_numbers_of_python_have_the_type_of_the_values():
    assert compute(lambda x: x * 2 + 0.5, np.float32([1])).dtype == np.float32
    assert compute(lambda x: x + np.arange(3), np.int32([1])).dtype == np.int32
    assert compute(lambda x: x + np.float64([1]), np.float32([1])).dtype == np.float32
    assert compute(lambda x, y: x + y, np.float32([1]), np.float64([1])).dtype == (
        np.float64
    )


def test_what_is_added_in_place_is_a_new_value():
    def add(x):
        y = x
        y += 1
        return x * 100 + y

    assert_array_equal(compute(add, np.float32([1, 2])), [102, 203])


def test_loops_within_loops_use_values_from_outside():
    def count(x, n):
        def outer(i, total):
            def inner(j, total):
                return j + 1, total + x * 2

            _, total = x.module.repeat_while(lambda j, _: j < i, inner, [0 * i, total])
            return i + 1, total

        start = [np.int32(0), np.zeros(2, np.float32)]
        return x.module.repeat_while(lambda i, _: i < n, outer, start)[1]

    found = compute(count, np.float32([1, 2]), np.int32(5))
    assert_array_equal(found, [20, 40])


def test_a_loop_that_changes_a_type_is_an_error():
    module = Module([((2,), "float32")])
    (x,) = module.arguments
    with pytest.raises(TypeError, match="begins with tensor<2xf32> and goes on with"):
        module.repeat_while(lambda x: x[0] > 0, lambda x: [x[:1]], [x])


def test_what_a_module_cannot_say_is_an_error():
    (x,) = Module([((2,), "float32")]).arguments
    with pytest.raises(TypeError):
        np.arctan2(x, x)
    with pytest.raises(TypeError):
        np.linalg.norm(x)
    with pytest.raises(TypeError):
        np.add.reduce(x)
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(x[0] > 0)
