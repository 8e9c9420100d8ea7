"""What a metric compares: class numbers, or a column of targets for each class."""

from functools import cache
from typing import Any

import keras

from skkeras_tune._compat.keras import fresh_names
from skkeras_tune.losses import loss_family, loss_name

# Metrics of Keras's that take class numbers; all others compare class by class.
_OF_CLASS_NUMBERS = (
    keras.metrics.Accuracy,
    keras.metrics.IoU,
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.SparseCategoricalCrossentropy,
    keras.metrics.SparseTopKCategoricalAccuracy,
)


def is_accuracy(name: Any) -> bool:
    """Tell whether Keras chooses the metric of this name by the shape of the output."""
    return isinstance(name, str) and name.lower() in ("acc", "accuracy")


def list_metrics(metrics: Any) -> list[Any]:
    """Return those that are the same for every output, which accuracy is not."""
    return [each for each in keras.tree.flatten(metrics) if not is_accuracy(each)]


def find_class(metric: Any) -> type:
    """Return the class of a metric, be it a name, a class, an object or a function."""
    if isinstance(metric, str):
        return find_metric_class(metric)
    return metric if isinstance(metric, type) else type(metric)


@cache
def find_metric_class(name: str) -> type:
    """Return the class of a name that Keras knows; that of functions for one of these.

    Keras makes a metric to tell, which takes milliseconds.

    Raises
    ------
    ValueError
        If Keras does not know it.
    """
    with fresh_names():
        return type(keras.metrics.get(name))


def list_of_each_class(metrics: Any) -> list[Any]:
    """Return those of Keras's metrics that take a column of targets for each class.

    Of class numbers such a metric is wrong without a word, or fails. Functions and
    classes of the user's are not among them.
    """
    return [
        metric
        for metric in list_metrics(metrics)
        for kind in [find_class(metric)]
        if kind.__module__.startswith("keras.")
        and issubclass(kind, keras.metrics.Metric)
        and kind is not keras.metrics.MeanMetricWrapper  # of any function
        and not _takes_class_numbers(kind, metric)
    ]


def _takes_class_numbers(kind: type, metric: Any) -> bool:
    # An intersection over union says which it takes; OneHotMeanIoU is one too.
    return issubclass(kind, _OF_CLASS_NUMBERS) and getattr(
        metric, "sparse_y_true", True
    )


def refuse_other_targets(metrics: Any, loss: Any, units: int) -> None:
    """Refuse metrics of each class beside a loss that takes class numbers.

    Parameters
    ----------
    metrics : nested lists and dicts of metrics
    loss : str or keras.losses.Loss
    units : int
        Width of the output layer.

    Raises
    ------
    ValueError
        With the first of them, and the loss.
    """
    found = list_of_each_class(metrics)
    if found and units > 1 and loss_family(loss) == "sparse":
        message = (
            f"The metric {found[0]!r} compares class by class, but the loss "
            f"{loss_name(loss)!r} takes class numbers. Give the loss "
            "'categorical_crossentropy', or a metric of class numbers such as "
            "'sparse_categorical_accuracy'."
        )
        raise ValueError(message)
