"""Functions of one member applied to all of them."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def map_members(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Apply a function of Keras's that knows no member axis, one after the other.

    It is traced once, however many members there are.

    Parameters
    ----------
    function : callable
        Takes nested tensors of one member, and returns such.
    arguments : tuple of nested tensors of shape (P, ...)

    Returns
    -------
    nested tensors of shape (P, ...)
    """

    def apply(parts: Any) -> Any:
        return tf.nest.map_structure(tf.convert_to_tensor, function(*parts))

    if tf.nest.flatten(arguments)[0].shape[0] == 1:
        first = tf.nest.map_structure(lambda value: value[0], arguments)
        return tf.nest.map_structure(lambda value: value[tf.newaxis], apply(first))
    first = tf.nest.map_structure(lambda value: value[0], arguments)
    signature = tf.nest.map_structure(tf.TensorSpec.from_tensor, apply(first))
    return tf.map_fn(apply, arguments, fn_output_signature=signature)
