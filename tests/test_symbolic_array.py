"""A module computes what NumPy computes of the same code."""

from itertools import chain, pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkeras_tune.training.arithmetic.stablehlo.array_functions import ARRAY_FUNCTIONS
from skkeras_tune.training.arithmetic.stablehlo.ufuncs import UFUNCS
from tests.stablehlo_modules import begin_module, compute, compute_all

#: How near a result is to NumPy's, by its type. All others are equal.
PRECISION = {"float16": 5e-3, "float32": 1e-5, "float64": 1e-6}
DTYPES = ["bool", "int8", "uint8", "int32", "uint32", "int64", *PRECISION]


def draw(*shape, dtype="float32", seed=0):
    """Return numbers from -3 to 3, or from 0 if the type has no sign."""
    values = np.random.default_rng(seed).normal(size=shape).clip(-3, 3)
    return (abs(values) if np.dtype(dtype).kind == "u" else values).astype(dtype)


def assert_near(found, expected):
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    precision = PRECISION.get(str(expected.dtype), 0)
    assert_allclose(found, expected, rtol=precision, atol=precision / 10)


def assert_equals_numpy(function, *cases):
    """Compare the results of tuples of arrays, and refuse those that NumPy refuses.

    One module computes all of them, since each takes long to compile.
    """
    results, known = [], []
    with np.errstate(all="ignore"):
        for arrays in cases:
            try:
                results.append(np.asarray(function(*arrays)))
            except TypeError:
                with pytest.raises(TypeError):
                    function(*begin_module(*arrays).arguments)
            else:
                known.append(arrays)

    def compute_known(*values):
        rest = iter(values)
        return [function(*[next(rest) for _ in arrays]) for arrays in known]

    found = compute_all(compute_known, *chain(*known))
    for one, two in zip(found, results, strict=True):
        assert_near(one, two)


def list_ufuncs(n_inputs):
    """Return the known functions whose types are such as "ff->f", by name."""
    chosen = (each for each in UFUNCS if each.types[0].index("->") == n_inputs)
    return sorted(chosen, key=lambda function: function.__name__)


@pytest.mark.parametrize("function", list_ufuncs(1))
def test_functions_of_a_number(function):
    """Each has NumPy's results, and gives them NumPy's type."""
    assert_equals_numpy(function, *([draw(3, 5, dtype=dtype)] for dtype in DTYPES))


@pytest.mark.parametrize("function", list_ufuncs(2))
def test_functions_of_two_numbers(function):
    """The numbers may be of two types, and repeated along an axis."""
    limit = abs if function in (np.power, np.right_shift) else np.asarray
    cases = [
        (draw(2, 3, 3, dtype=one), limit(draw(1, 3, 3, dtype=two, seed=1)))
        for one, two in [*pairwise(DTYPES), *zip(DTYPES, DTYPES, strict=True)]
    ]
    assert_equals_numpy(function, *cases)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 2 / (5 - x),
        lambda x: x * (x > 0) + 2 * (x < 1),
        lambda x: 0.5 * (x > 0),
        lambda x: np.logaddexp(x, 0),
        lambda x: np.absolute(x) ** 0.5,
        lambda x: np.where(x > 1, x, -1),
        lambda x: np.clip(x, -0.5, 0.5),
    ],
)
def test_numbers_of_python(function):
    """They have the type of the values they meet."""
    assert_equals_numpy(function, [draw(3, 4)], [draw(3, 4, dtype="float64")])


def test_constants_have_the_type_of_the_values():
    """An array has, too, if it is of the same kind."""
    assert compute(lambda x: x + np.arange(3), np.int32([1])).dtype == np.int32
    assert compute(lambda x: x + np.float64([1]), np.float32([1])).dtype == np.float32
    assert compute(lambda x: x + np.float32([1]), np.int32([1])).dtype == np.float64


@pytest.mark.parametrize("one", [(2, 3), (3,), (), (2, 1), (1, 3)])
def test_axes_of_one_place_are_repeated(one):
    """So are axes that an array has not."""
    others = [(2, 3), (3,), (4, 2, 3), (4, 1, 1)]
    cases = [(draw(*one), draw(*two, seed=1)) for two in others]
    assert_equals_numpy(lambda x, y: np.maximum(x, y) * x, *cases)


@pytest.mark.parametrize("function", [np.equal, np.not_equal, np.less, np.greater])
def test_what_is_no_number_is_not_equal(function):
    x = np.float32([np.nan, 1, np.inf])
    assert_equals_numpy(function, (x, x))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.reshape(6, -1),
        lambda x: x.reshape([2, 1, -1]),
        lambda x: x.swapaxes(1, -1),
        lambda x: x[:, 1],
        lambda x: x[:, :, :-1],
        lambda x: x[1:, np.newaxis, -1],
        lambda x: x[np.newaxis],
        lambda x: x[:, ::2],
        lambda x: x[:, 2:1],
        lambda x: x.astype("int32"),
        lambda x: np.concatenate([x, np.ones_like(x), x], 2),
        lambda x: np.concatenate([x]),
        lambda x: np.stack([x[:, 0], x[:, 1]], axis=-1),
        lambda x: np.full_like(x, 2) + np.zeros_like(x, dtype="int8") + x,
        lambda x: x @ x.swapaxes(1, 2)[:1],
        lambda x: x[0] @ x[1].swapaxes(0, 1),
    ],
)
def test_shapes(function):
    """Arrays of each type are reshaped, cut and joined as NumPy does."""
    assert_equals_numpy(function, *([draw(2, 3, 4, dtype=dtype)] for dtype in DTYPES))


ARRAY_CALLS = {
    np.clip: lambda x, y: np.clip(x, y, y),
    np.concatenate: lambda x, y: np.concatenate([x, y], axis=-1),
    np.full_like: lambda x, _: np.full_like(x, 2),
    np.ones_like: lambda x, y: np.ones_like(x, dtype=y.dtype),
    np.stack: lambda x, y: np.stack([x, y], axis=1),
    np.where: lambda x, y: np.where(x, x, y),
    np.zeros_like: lambda x, _: np.zeros_like(x),
}


@pytest.mark.parametrize("function", ARRAY_FUNCTIONS)
def test_functions_of_arrays(function):
    """The result has the type that holds both of two arrays."""
    cases = [(draw(2, 3, dtype=a), draw(2, 3, dtype=b)) for a, b in pairwise(DTYPES)]
    assert_equals_numpy(ARRAY_CALLS[function], *cases)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), ()])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("method", ["sum", "mean", "max", "any"])
def test_reductions(method, axis, keepdims):
    """They reduce the axes that NumPy's do, to NumPy's types."""

    def reduce(x):
        return getattr(x, method)(axis, keepdims=keepdims)

    assert_equals_numpy(reduce, *([draw(2, 3, 4, dtype=dtype)] for dtype in DTYPES))


@pytest.mark.parametrize("shape", [(0,), (2, 0, 3), (1, 1), ()])
def test_arrays_of_few_numbers(shape):
    """Arrays without a number, and with one, are arrays."""
    x = draw(*shape)
    for function in (np.exp, lambda x: x.sum(), lambda x: np.stack([x, x + x])):
        assert_equals_numpy(function, [x])


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64"])
@pytest.mark.parametrize("rest", [(), (4,), (2, 3)])
def test_rows_are_taken(rest, dtype):
    indices = np.array([[1, 0, 4], [2, 2, 3]], dtype)
    cases = [(draw(5, *rest), indices), (draw(5, *rest), indices[0, 0])]
    assert_equals_numpy(lambda x, rows: x[rows], *cases)


def test_bits_are_mixed():
    """Numbers without a sign overflow, and are shifted, as NumPy's are."""

    def mix(x):
        bits = x.view(np.uint32)
        bits = (bits ^ np.uint32(0x9E3779B9)) * np.uint32(0x21F0AAAD)
        return bits ^ (bits >> np.uint32(15))

    bits = np.random.default_rng(0).integers(2**31, size=50, dtype="int32")
    assert_equals_numpy(mix, [bits])


def test_what_is_added_in_place_is_a_new_value():
    def add(x):
        y = x
        y += 1
        return x * 100 + y

    assert_array_equal(compute(add, np.float32([1, 2])), [102, 203])


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: np.arctan2(x, x), "arctan2"),
        (lambda x: np.linalg.norm(x), "norm"),
        (lambda x: np.add.reduce(x), "'add'.*'reduce'"),
        (lambda x: np.add(x, x, where=False), "'add'"),
        (lambda x: np.add(x, x, out=np.ones(2)), "'add'"),
        (lambda x: np.bitwise_xor(x, x), "bitwise_xor"),
        (lambda x: np.clip(x, 0, 1, casting="no"), "casting"),
        (lambda x: np.asarray(x), "has no numbers"),
        (lambda x: bool(x[0, 0] > 0), "neither true nor false"),
        (lambda x: x.astype(complex), "complex128"),
        (lambda x: x.view("float64"), "float64 has not as many bits as float32"),
        (lambda x: x[x], "an index is a whole number, and not of type float32"),
        (lambda x: x[...], "ellipsis"),
    ],
)
def test_what_a_module_cannot_say_is_an_error(function, name):
    """The error names it."""
    (x,) = begin_module(draw(2, 3)).arguments
    with pytest.raises(TypeError, match=name):
        function(x)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: x[2], IndexError, "out of range"),
        (lambda x: x[0, 0, 0], IndexError, "too many indices for the shape"),
        (lambda x: x[::-1], IndexError, "is below zero"),
        (lambda x: x.sum(2), IndexError, "out of range"),
        (lambda x: np.stack([x, x], 3), IndexError, "out of range"),
        (lambda x: x.reshape(4), ValueError, r"\(2, 3\) cannot have the shape \(4,\)"),
        (lambda x: x.reshape(4, -1), ValueError, "cannot have the shape"),
        (lambda x: x.reshape(-1, -1), ValueError, "cannot have the shape"),
        (lambda x: x + np.ones(2), ValueError, "shape mismatch"),
        (lambda x: np.stack([x, x[0]]), ValueError, "cannot have the shape"),
        (
            lambda x: np.concatenate([x, x.swapaxes(0, 1)]),
            ValueError,
            "cannot be joined",
        ),
        (lambda x: x @ x, ValueError, "have no product"),
        (lambda x: x[0] @ x.swapaxes(0, 1), ValueError, "have no product"),
        (lambda x: x @ x[0], ValueError, "have no product"),
    ],
)
def test_what_does_not_fit_is_an_error(function, error, message):
    """It is one while the module is written, and not in what XLA says of it."""
    (x,) = begin_module(draw(2, 3)).arguments
    with pytest.raises(error, match=message):
        function(x)
