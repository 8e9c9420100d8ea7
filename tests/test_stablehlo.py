"""A module of StableHLO computes what has been written in it."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skkeras_tune._compat.tensorflow import find_kernel_hints
from skkeras_tune.training.arithmetic.stablehlo.operations import slice_window
from tests.stablehlo_modules import begin_module, compute, compute_all


@pytest.mark.parametrize(
    "constant",
    [
        np.float32([np.inf, -np.inf, np.nan]),
        np.float32([np.nan]),
        np.full((2, 3), np.nan, np.float32),
        np.full((2, 3), -0.0),
        np.full((2, 3), True),
        np.full((2, 3), -7, np.int8),
        np.float16([0.1, 7]),
        np.float32(-0.0),
        np.float64([1e300, 5e-324, 0.1]),
        np.array([[True, False]]),
        np.bool_(True),
        np.int64([-(2**40), 7]),
        np.uint32(2**32 - 1),
        np.arange(6).reshape(2, 3).T,
        np.zeros((2, 0), np.float32),
    ],
)
def test_constants_are_exact(constant):
    found = compute(lambda _: constant, np.float32(0))
    assert found.dtype == constant.dtype
    assert found.shape == constant.shape
    assert found.tobytes() == constant.tobytes()


def test_a_constant_is_written_once():
    """Equal numbers of another type or shape are another constant."""
    module = begin_module()
    values = [module.as_value(x) for x in (1.0, np.ones(()), np.int64(1), np.ones(1))]
    assert values[0] is values[1]
    assert module.finish(values).count("stablehlo.constant") == 3


def test_a_window_is_taken():
    """It begins at numbers or at values."""
    x = np.arange(48, dtype="f").reshape(3, 2, 8)

    def cut(x, i):
        return slice_window(x, [i, 0, i * 2], [1, 2, 4])

    found = compute(cut, x, np.int32(2))
    assert_array_equal(found, x[2:, :, 4:8])


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
    """After it, the module is as it was before the loop."""
    module = begin_module(np.zeros(2, "f"))
    (x,) = module.arguments
    before = module.finish([x])
    with pytest.raises(TypeError, match="begins with tensor<2xf32> and goes on with"):
        module.repeat_while(lambda x: x[0] > 0, lambda x: [x[:1]], [x])
    assert module.finish([x]) == before


def test_a_type_that_stablehlo_has_not_is_an_error():
    with pytest.raises(TypeError, match="of type complex64"):
        begin_module(np.zeros(2, "complex64"))


@pytest.mark.parametrize("hints", [{}, find_kernel_hints()])
def test_a_function_is_called(hints):
    """What it does not need is not passed to it, nor through it what it returns as is.

    XLA finds out that it does not need the third argument.
    """
    large = np.arange(2**15, dtype="f")

    def use(x, y, z, n, large):
        def count(x, y, z, n, large):
            _ = n + y
            (total,) = x.module.repeat_while(
                lambda total: total[0] < 50, lambda total: [total + x], [x + z * 0]
            )
            total = np.where(z != z, x, total)
            return total, y, total, np.where(total > 50, 1, 2), large * total[0]

        return x.module.call(count, [x, y, z, n, large], hints)

    arguments = np.float32([9, 1]), np.float32([2]), np.int32([3, 4]), np.int32(5)
    found = compute_all(use, *arguments, large)
    expected = [54, 6], [2], [54, 6], [1, 2], 54 * large
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other)


def test_a_called_function_takes_what_it_needs():
    module = begin_module(*np.ones((3, 2), "f"))

    def add(x, y, z):
        _ = z * 2
        return x + y, y

    text = module.finish(module.call(add, module.arguments, {}))
    assert "@part0(%v4: tensor<2xf32>, %v5: tensor<2xf32>)" in text
    assert text.count("stablehlo.multiply") == 0
