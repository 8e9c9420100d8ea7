"""Encoded targets and a Keras model in; targets for its loss and outputs out."""

import warnings
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from skkeras_tune._compat.keras import read_compile_arguments
from skkeras_tune.losses import (
    adapt_targets,
    loss_family,
    loss_name,
    sole_loss,
    takes_logits,
)
from skkeras_tune.metrics import refuse_other_targets
from skkeras_tune.training.batches import take_rows
from skkeras_tune.training.plan import TrainingData

_OF_PROBABILITIES = ("binary", "sparse", "categorical")


def prepare_targets(model: keras.Model, data: TrainingData) -> Any:
    """Return the targets in the form that the model's loss and outputs need.

    Raises
    ------
    ValueError
        If the outputs, the losses, the metrics and the targets do not fit together.
    """
    outputs = _find_outputs(model, data.x)
    flat = keras.tree.flatten(outputs)
    if not _has_own_step(model):
        _refuse_other_names(model, outputs)
        _refuse_undivided(model, len(flat), data.y)
    if len(flat) != 1 or not isinstance(data.y, np.ndarray):
        return data.y
    units = int(flat[0].shape[-1])
    _refuse_misfit(units, model.loss, data.y)
    _refuse_constant(units, model)
    _refuse_metrics(units, model, data.y)
    _warn_of_activation(model, of_classes=data.y.dtype.kind in "iu")
    return adapt_targets(data.y, model.loss, units)


def _find_outputs(model: keras.Model, x: Any) -> Any:
    """Return the outputs, symbolic or those of a row, in their structure."""
    outputs = getattr(model, "outputs", None)
    if outputs is None:
        return model(take_rows(x, slice(0, 1)))
    return model.output if hasattr(model, "output_names") else outputs


def _has_own_step(model: keras.Model) -> bool:
    """Tell whether a model compares its outputs with the targets in its own way."""
    kind, names = type(model), ("compute_loss", "train_step")
    return any(getattr(kind, n) is not getattr(keras.Model, n) for n in names)


def _refuse_other_names(model: keras.Model, outputs: Any) -> None:
    """Refuse losses by names that are not those of the outputs."""
    if not isinstance(model.loss, dict):
        return
    given, names = list(model.loss), list(getattr(model, "output_names", None) or [])
    if isinstance(outputs, dict):  # goes by its keys, of which some may have no loss
        names, fits = list(outputs), model.loss.keys() <= outputs.keys()
    else:
        fits = set(given) == set(names)
    if not fits:
        are = f"are {names!r}" if names else "have no names"
        single = len(keras.tree.flatten(outputs)) == 1
        message = (
            f"The 'loss' parameter is a dict for the outputs {given!r}, but those of "
            f"the model {are}. "
            + ("Give its one loss by itself." if single else "Name these.")
        )
        raise ValueError(message)


def _refuse_undivided(model: keras.Model, n_outputs: int, y: Any) -> None:
    """Refuse one array of targets for several outputs with losses."""
    losses = [each for each in keras.tree.flatten(model.loss) if each is not None]
    is_for_one = isinstance(model.loss, list | tuple | dict) and len(losses) == 1
    if n_outputs > 1 and isinstance(y, np.ndarray) and not is_for_one:
        message = (
            f"The model has {n_outputs} outputs, but y is one array, of shape "
            f"{y.shape}. Override target_encoder by a transformer that gives a list or "
            "dict with an array for each output."
        )
        raise ValueError(message)


def _refuse_metrics(units: int, model: keras.Model, y: NDArray[Any]) -> None:
    """Refuse metrics that need other targets than the loss."""
    has_one = not isinstance(sole_loss(model.loss), list | dict)
    if has_one and y.dtype.kind in "iu" and not _has_own_step(model):
        given = read_compile_arguments(model)
        metrics = [given.get(name) for name in ("metrics", "weighted_metrics")]
        refuse_other_targets(metrics, model.loss, units)


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


def _warn_of_activation(model: keras.Model, *, of_classes: bool) -> None:
    """Warn of a last activation that is not the one which the loss reckons with.

    Keras computes it all the same: chances below 0 and hardly any gradient without an
    activation, and of a softmax the sigmoid of what it takes. A hinge takes margins
    around 0, of which a classifier would make chances, with the border at a half.
    """
    loss = sole_loss(model.loss)
    if isinstance(loss, list | dict) or takes_logits(loss):
        return
    family, name = loss_family(loss), loss_name(loss)
    message, last = None, _last_activation(model)
    if last is keras.activations.linear and family in _OF_PROBABILITIES:
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
    is_margin = last in (keras.activations.linear, keras.activations.tanh)
    if is_margin and family == "hinge" and of_classes:
        message = (
            f"By its loss {name!r}, what comes out are margins around 0, but a "
            "classifier takes it for probabilities. End the model in a sigmoid or "
            "softmax, best with a crossentropy."
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
