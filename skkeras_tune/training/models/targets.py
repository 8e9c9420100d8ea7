"""Encoded targets and a Keras model in; targets for its loss and outputs out."""

import warnings
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from skkeras_tune.losses import (
    adapt_targets,
    loss_family,
    loss_name,
    sole_loss,
    takes_logits,
)
from skkeras_tune.training.batches import take_rows
from skkeras_tune.training.plan import TrainingData

_OF_PROBABILITIES = ("binary", "sparse", "categorical")


def prepare_targets(model: keras.Model, data: TrainingData) -> Any:
    """Return the targets in the form that the model's loss and outputs need."""
    units = _output_units(model, data.x)
    if units is None or not isinstance(data.y, np.ndarray):
        return data.y
    _refuse_misfit(units, model.loss, data.y)
    _refuse_constant(units, model)
    _warn_of_activation(model)
    return adapt_targets(data.y, model.loss, units)


def _output_units(model: keras.Model, x: Any) -> int | None:
    """Return the width of the last layer, or None where there are several."""
    outputs = getattr(model, "outputs", None)
    if outputs is None:
        outputs = keras.tree.flatten(model(take_rows(x, slice(0, 1))))
    return int(outputs[0].shape[-1]) if len(outputs) == 1 else None


def _refuse_misfit(units: int, loss: Any, y: NDArray[Any]) -> None:
    """Refuse an output layer of the wrong width for class numbers or for numbers."""
    if isinstance(sole_loss(loss), list | dict):
        return
    if y.dtype.kind in "iu":
        needed = int(y.max()) + 1
        fits = units >= needed or (units == 1 and needed <= 2)
        wanted = f"{needed} classes"
    else:
        family = loss_family(loss)
        is_sparse = family == "sparse" and y.shape[-1] == 1  # classes as floats
        fits = units == y.shape[-1] or family == "custom" or is_sparse
        wanted = f"{y.shape[-1]} columns"
    if not fits:
        message = (
            f"The model has an output layer of {units} unit(s), but y has {wanted}. "
            "Let the model function size its last layer from meta['n_classes_'] or "
            "meta['n_outputs_']."
        )
        raise ValueError(message)


def _refuse_constant(units: int, model: keras.Model) -> None:
    if units == 1 and ends_in_softmax(model):
        message = (
            "The model ends in a softmax of one unit, which is always 1. End it in a "
            "sigmoid, or in a unit for each class."
        )
        raise ValueError(message)


def _warn_of_activation(model: keras.Model) -> None:
    """Warn of a last activation that is not the one which the loss reckons with.

    Keras computes it all the same: chances below 0 and hardly any gradient without an
    activation, and of a softmax the sigmoid of what it takes.
    """
    loss = sole_loss(model.loss)
    if isinstance(loss, list | dict) or takes_logits(loss):
        return
    family, name = loss_family(loss), loss_name(loss)
    message = None
    is_linear = _last_activation(model) is keras.activations.linear
    if is_linear and family in _OF_PROBABILITIES:
        message = (
            f"The model's last layer has no activation, but its loss {name!r} takes "
            "what comes out for probabilities. End the model in a sigmoid or softmax, "
            "or give a loss with from_logits=True."
        )
    if ends_in_softmax(model) and family == "binary":
        message = (
            f"The model ends in a softmax, but for its loss {name!r} Keras trains a "
            "sigmoid in each unit. End the model in a sigmoid, or give the loss "
            "'sparse_categorical_crossentropy'."
        )
    if message is not None:
        warnings.warn(message, UserWarning, stacklevel=2)


def ends_in_softmax(model: keras.Model) -> bool:
    """Tell whether the last layer of a model is, or applies, a softmax."""
    return _last_activation(model) is keras.activations.softmax


def _last_activation(model: keras.Model) -> Any:
    """Return the last activation of a model whose layers are in order, or None.

    A function such as `keras.ops.softmax` after the last layer is none of the layers.
    """
    last: Any = model.layers[-1] if hasattr(model, "outputs") else None
    if last is None or last.output is not model.outputs[0]:
        return None
    if isinstance(last, keras.layers.Softmax):
        return keras.activations.softmax
    if isinstance(last, keras.layers.Dense | keras.layers.Activation):
        return last.activation
    return None
