"""What several members say, brought together: their mean, their spread, one model."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from skkeras_tune.losses import loss_family, takes_logits


def average_outputs(outputs: Sequence[Any]) -> Any:
    """Return the mean of the members' outputs, each an array or nested arrays."""
    if len(outputs) == 1:
        return outputs[0]
    return keras.tree.map_structure(_average, *outputs)


def _average(*arrays: NDArray[Any]) -> NDArray[Any]:
    mean = np.asarray(np.mean(arrays, axis=0, dtype=np.float64))
    return mean.astype(arrays[0].dtype)


def spread(predictions: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the standard deviation of several predictions, in their type."""
    deviation = np.asarray(np.std(predictions, axis=0, dtype=np.float64))
    return deviation.astype(predictions[0].dtype)


def average_histories(
    histories: Sequence[Mapping[str, list[float]]],
) -> dict[str, list[float]]:
    """Return the mean of each entry after each epoch, over members still in training.

    Members stop at epochs of their own; the mean of the last epochs is that of few.
    """
    if len(histories) == 1:
        return dict(histories[0])
    names = {name: None for history in histories for name in history}
    return {
        name: [
            float(np.mean([value for value in epoch if value is not None]))
            for epoch in zip_longest(*(history.get(name, []) for history in histories))
        ]
        for name in names
    }


def middle_epoch(epochs: Sequence[int]) -> int:
    """Return the median of the members' best epochs, a half rounded up."""
    return int(np.floor(np.median(epochs) + 0.5))


def refuse_several_outputs(outputs: Sequence[Any], method: str) -> None:
    """Refuse the outputs of networks that have several.

    Raises
    ------
    ValueError
        With their number.
    """
    parts = keras.tree.flatten(outputs[0])
    if not isinstance(outputs[0], np.ndarray):
        message = (
            f"{method} needs a network with one output, and this one has {len(parts)}. "
            "Ask each of members_ to predict instead."
        )
        raise ValueError(message)


def measure_uncertainty(
    probabilities: Sequence[NDArray[Any]], *, several_labels: bool
) -> dict[str, NDArray[np.float64]]:
    """Part the entropy of the mean of several predictions into what it comes from.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_rows, n_classes)
        Of each member.
    several_labels : bool
        Whether each column is a question of its own, answered by yes or no.

    Returns
    -------
    dict of str to ndarray of shape (n_rows,) or (n_rows, n_labels)
        "entropy", "expected_entropy" and "mutual_information", in nats.
    """
    stacked = np.clip(np.asarray(probabilities, np.float64), 0.0, 1.0)
    measure = _entropy_of_labels if several_labels else _entropy
    total, within = measure(stacked.mean(axis=0)), measure(stacked).mean(axis=0)
    return {
        "entropy": total,
        "expected_entropy": within,
        "mutual_information": np.maximum(total - within, 0.0),  # not -1e-17
    }


def _entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    entropy: NDArray[np.float64] = entr(probabilities).sum(axis=-1)
    return entropy


def _entropy_of_labels(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    entropy: NDArray[np.float64] = entr(probabilities) + entr(1 - probabilities)
    return entropy


def build_average(models: Sequence[keras.Model], row_shape: tuple[int, ...]) -> Any:
    """Return one Keras model that gives the mean of the outputs of several.

    It shares their weights. Where the loss takes logits, it gives probabilities, since
    these are what is averaged.

    Parameters
    ----------
    models : sequence of keras.Model
        Two or more.
    row_shape : tuple of int
        Shape of a row, for models that have no inputs of their own.
    """
    inputs = _build_inputs(models[0], row_shape)
    outputs = [
        # Wrapped, since models that a user has named may have all the same name.
        keras.Model(inputs, _call(model, inputs), name=f"member_{place}")(inputs)
        for place, model in enumerate(models)
    ]
    mean = keras.tree.map_structure(
        lambda *tensors: keras.layers.Average()(list(tensors)), *outputs
    )
    return keras.Model(inputs, mean, name="average")


def _build_inputs(model: keras.Model, row_shape: tuple[int, ...]) -> Any:
    known = getattr(model, "inputs", None)
    if not known:
        return keras.Input(row_shape)
    structure = getattr(model, "input", known[0])
    return keras.tree.map_structure(
        lambda t: keras.Input(batch_shape=t.shape, dtype=t.dtype, name=t.name),
        structure,
    )


def _call(model: keras.Model, inputs: Any) -> Any:
    outputs = model(inputs)
    if not takes_logits(model.loss) or isinstance(outputs, list | tuple | dict):
        return outputs
    binary = loss_family(model.loss) == "binary"
    return keras.layers.Activation("sigmoid" if binary else "softmax")(outputs)
