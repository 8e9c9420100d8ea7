"""Common functions out of operations that are quick to compile.

XLA's bridge starts a compiler of its own for each Relu, Sqrt, Exp and the like that it
meets in a graph, 5 ms each (TensorFlow 2.21 and before), and none for these. All of
them have the values and the gradients of the functions they stand for, at zero too, and
pass on what is not a number.
"""

from typing import Any

import numpy as np
import tensorflow as tf


def relu(x: Any) -> Any:
    """Return ``max(x, 0)``, which is NaN where x is.

    A `tf.maximum` that has no gradient at zero loses NaN in TensorFlow 2.18.
    """
    return tf.where(x <= 0, tf.constant(0, x.dtype), x)


def relu_gradient(outputs: Any, slope: Any) -> Any:
    """Return the gradient of what `relu` was given, for that of its outputs."""
    return tf.where(outputs <= 0, tf.constant(0, slope.dtype), slope)


def absolute(x: Any) -> Any:
    """Return the size of each number, with a gradient of zero at zero."""
    return relu(x) + relu(-x)


def sqrt(x: Any) -> Any:
    """Return the square root of numbers that are not negative."""
    return x**0.5


def rsqrt(x: Any) -> Any:
    """Return one over the square root of positive numbers."""
    return x**-0.5


def sigmoid(x: Any) -> Any:
    """Return the logistic function, which is the gradient of softplus."""
    ones = np.ones(x.shape, x.dtype.as_numpy_dtype)
    return tf.raw_ops.SoftplusGrad(gradients=ones, features=x)


def is_finite(x: Any) -> Any:
    """Tell which numbers are neither infinite nor missing."""
    return tf.logical_and(x < np.inf, x > -np.inf)


def is_missing(x: Any) -> Any:
    """Tell which numbers are NaN."""
    return tf.not_equal(x, x)


def binary_crossentropy(targets: Any, logits: Any) -> Any:
    """Return the loss of each output, as exact for large logits as for small."""
    is_high = logits >= 0
    high = tf.where(is_high, logits, tf.constant(0, logits.dtype))
    low = tf.where(is_high, -logits, logits)
    return high - logits * targets + tf.nn.softplus(low)
