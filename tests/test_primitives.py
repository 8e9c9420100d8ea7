"""The functions that are quick to compile are those that they stand for."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from skkeras_tune.training.arithmetic import primitives

EDGES = [0.0, -0.0, 1e-30, -1e-30, 1.0, -1.0, 88.0, -88.0, 1e15, -1e15, np.inf, -np.inf]
NUMBERS = np.r_[EDGES, 10 * np.random.default_rng(0).normal(size=1000)].astype("f")
NOT_NEGATIVE = np.abs(NUMBERS)
TARGETS = np.linspace(0, 1, len(NUMBERS), dtype="f")
FINITE = np.clip(NUMBERS, -1e15, 1e15)


def reference_crossentropy(logits):
    """TensorFlow's own, which tests compare with."""
    targets = tf.cast(TARGETS, logits.dtype)
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)


def crossentropy(logits):
    """The crossentropy of some fixed targets."""
    return primitives.binary_crossentropy(tf.cast(TARGETS, logits.dtype), logits)


PAIRS = {
    "relu": (primitives.relu, tf.nn.relu, NUMBERS),
    "absolute": (primitives.absolute, tf.abs, NUMBERS),
    "sqrt": (primitives.sqrt, tf.sqrt, NOT_NEGATIVE),
    "rsqrt": (primitives.rsqrt, tf.math.rsqrt, NOT_NEGATIVE),
    "crossentropy": (crossentropy, reference_crossentropy, FINITE),
}


def differentiate(function, x, *, compiled):
    """Return values and gradients."""

    @tf.function(jit_compile=compiled, autograph=False)
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            values = function(x)
        return values, tape.gradient(values, x)

    return [result.numpy() for result in both(tf.constant(x))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients_are_the_same(name, compiled, dtype):
    """Each function agrees with TensorFlow's, at zero and at infinity too."""
    ours, theirs, x = PAIRS[name]
    results = [
        differentiate(function, x.astype(dtype), compiled=compiled)
        for function in (ours, theirs)
    ]
    for here, there in zip(*results, strict=True):
        assert here.dtype == dtype
        assert_allclose(here, there, rtol=1e-6, atol=3e-6 * (name == "crossentropy"))


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_no_number_is_passed_on(name):
    """NaN comes out where it goes in, so that a diverged training is noticed."""
    x = np.full(len(TARGETS), np.nan, "f")
    assert np.isnan(differentiate(PAIRS[name][0], x, compiled=True)[0]).all()


@pytest.mark.parametrize("compiled", [True, False])
def test_what_is_not_finite_is_told_apart(compiled):
    """Infinity and NaN are recognised as TensorFlow's functions do."""

    @tf.function(jit_compile=compiled, autograph=False)
    def tell(x):
        return primitives.is_finite(x), primitives.is_missing(x)

    x = np.r_[NUMBERS, np.nan].astype("f")
    finite, missing = tell(tf.constant(x))
    assert_array_equal(finite, np.isfinite(x))
    assert_array_equal(missing, np.isnan(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compiled", [True, False])
def test_the_sigmoid_is_the_logistic_function(compiled, dtype):
    """It is exact for small shares too, and NaN where its argument is."""
    x = np.r_[FINITE, np.nan].astype(dtype)
    compute = tf.function(primitives.sigmoid, jit_compile=compiled, autograph=False)
    assert_allclose(compute(tf.constant(x)), expit(x), rtol=1e-6, atol=1e-37)


def test_the_way_back_through_relu():
    """Outputs alone tell which inputs had a slope, at zero and at infinity too."""
    slope = tf.constant(np.linspace(-1, 1, len(NUMBERS), dtype="f"))
    x = tf.constant(NUMBERS)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = tf.nn.relu(x)
    expected = tape.gradient(outputs, x, output_gradients=slope)
    assert_array_equal(primitives.relu_gradient(outputs, slope), expected)
