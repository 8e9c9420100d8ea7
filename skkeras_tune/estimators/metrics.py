"""Metrics as the user names them in, metrics that suit the network's outputs out."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import keras

from skkeras_tune._compat.keras import fresh_names
from skkeras_tune._scikeras import unflatten_params
from skkeras_tune.routing import names_to_classes, naming_options

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


def build_metrics(metrics: Any, options: Mapping[str, Any]) -> Any:
    """Return the metrics with their routed options.

    Raises
    ------
    ValueError
        If one of them gives several numbers, which no history or rule can compare.
    """
    with naming_options("metrics", metrics, options):
        if options:
            metrics = names_to_classes(metrics, _find_metric)
        built = unflatten_params(metrics, options)  # which makes objects of classes
    for metric in _list_metrics(built):
        _refuse_several_numbers(metric)
    return built


def _find_metric(name: str) -> Any:
    if is_accuracy(name):
        return name
    with fresh_names():  # so that this one does not make the next "auc_1"
        return keras.metrics.get(name)


def _refuse_several_numbers(metric: Any) -> None:
    if isinstance(metric, keras.metrics.R2Score):
        how = metric.class_aggregation
    elif issubclass(_find_class(metric), keras.metrics.FBetaScore):
        how = getattr(metric, "average", None)
    else:
        return
    if how is None:
        message = (
            f"The 'metrics' parameter holds {metric!r}, which gives a number for each "
            "class or output. Choose how to average them, for instance by "
            "keras.metrics.F1Score(average='macro')."
        )
        raise ValueError(message)


def compares_each_class(metrics: Any) -> bool:
    """Tell whether one of Keras's metrics takes a column of targets for each class.

    Of class numbers such a metric is wrong without a word, or fails. Functions and
    classes of the user's are not among them.
    """
    return any(
        kind.__module__.startswith("keras.")
        and issubclass(kind, keras.metrics.Metric)
        and not _takes_class_numbers(kind, metric)
        for metric in _list_metrics(metrics)
        for kind in [_find_class(metric)]
    )


def _takes_class_numbers(kind: type, metric: Any) -> bool:
    # An intersection over union says which it takes; OneHotMeanIoU is one too.
    return issubclass(kind, _OF_CLASS_NUMBERS) and getattr(
        metric, "sparse_y_true", True
    )


def _list_metrics(metrics: Any) -> list[Any]:
    """Return those that are the same for every output, which accuracy is not."""
    return [each for each in keras.tree.flatten(metrics) if not is_accuracy(each)]


def _find_class(metric: Any) -> type:
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


def judge_logits(metrics: Any) -> Any:
    """Let an accuracy by name tell the classes of binary logits apart at zero.

    Keras would do so at a half, which is the border of probabilities.
    """
    if isinstance(metrics, list | tuple):
        return [judge_logits(metric) for metric in metrics]
    if is_accuracy(metrics) or metrics == "binary_accuracy":
        return keras.metrics.BinaryAccuracy(name=metrics, threshold=0.0)
    return metrics
