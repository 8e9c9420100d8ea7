"""Common functions of arrays and tensors, out of operations that are quick to compile.

XLA's bridge starts a compiler of its own for each Relu, Sqrt, Exp and the like that it
meets in a graph, 5 ms each (TensorFlow 2.21 and before), and none for these, but for
`rsqrt`. All of them have the values and the gradients of the functions they stand for,
at zero too, and pass on what is not a number.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from skkeras_tune.training.arithmetic.arrays import (
    both,
    is_array,
    shift_right,
    where,
    zero,
)


def relu(x: Any) -> Any:
    """Return ``max(x, 0)``, which is NaN where x is.

    A `tf.maximum` that has no gradient at zero loses NaN in TensorFlow 2.18.
    """
    return np.maximum(x, 0) if is_array(x) else where(x <= 0, zero(x), x)


def relu_gradient(outputs: Any, slope: Any) -> Any:
    """Return the gradient of what `relu` was given, for that of its outputs."""
    return where(outputs <= 0, zero(slope), slope)


def absolute(x: Any) -> Any:
    """Return the size of each number, with a gradient of zero at zero."""
    return relu(x) + relu(-x)


def sqrt(x: Any) -> Any:
    """Return the square root of numbers that are not negative."""
    return np.sqrt(x) if is_array(x) else x**0.5


def rsqrt(x: Any) -> Any:
    """Return one over the square root of positive numbers.

    XLA turns a quotient by ``x**0.5`` into ``x**-0.5``, which takes 20 times as long.
    """
    return 1 / np.sqrt(x) if is_array(x) else tf.math.rsqrt(x)


def sigmoid(x: Any) -> Any:
    """Return the logistic function, which is the gradient of softplus."""
    if is_array(x):
        return 1 / (1 + np.exp(-x))
    ones = np.ones(x.shape, x.dtype.as_numpy_dtype)
    return tf.raw_ops.SoftplusGrad(gradients=ones, features=x)


def hash_bits(bits: Any, salt: int) -> Any:
    """Mix 32-bit integers so that each bit of the result depends on all of them.

    Two rounds of a multiply and shift hash with low bias, with the constants that
    C. Wellons found by search ("Prospecting for hash functions", 2018).
    """
    bits = bits ^ np.uint32(salt * 0x9E3779B9 % 2**32)
    for n_bits, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97), (15, None)):
        bits = bits ^ shift_right(bits, n_bits)
        if factor is not None:
            bits = bits * np.uint32(factor)
    return bits


def is_finite(x: Any) -> Any:
    """Tell which numbers are neither infinite nor missing."""
    return both(x < np.inf, x > -np.inf)


def is_missing(x: Any) -> Any:
    """Tell which numbers are NaN."""
    return x != x if is_array(x) else tf.not_equal(x, x)


def softplus(x: Any) -> Any:
    """Return ``log(1 + exp(x))``."""
    return np.logaddexp(zero(x), x) if is_array(x) else tf.nn.softplus(x)


def binary_crossentropy(targets: Any, logits: Any) -> Any:
    """Return the loss of each output, as exact for large logits as for small."""
    is_high = logits >= 0
    high = where(is_high, logits, zero(logits))
    low = where(is_high, -logits, logits)
    return high - logits * targets + softplus(low)
