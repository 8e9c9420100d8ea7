"""Metrics as the user names them in, metrics that suit the network's outputs out."""

from collections.abc import Mapping
from typing import Any

import keras

from skkeras_tune._compat.keras import fresh_names
from skkeras_tune._scikeras import unflatten_params
from skkeras_tune.metrics import find_class, is_accuracy, list_metrics
from skkeras_tune.routing import names_to_classes, naming_options


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
    for metric in list_metrics(built):
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
    elif issubclass(find_class(metric), keras.metrics.FBetaScore):
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


def judge_logits(metrics: Any) -> Any:
    """Let an accuracy by name tell the classes of binary logits apart at zero.

    Keras would do so at a half, which is the border of probabilities.
    """
    if isinstance(metrics, list | tuple):
        return [judge_logits(metric) for metric in metrics]
    if is_accuracy(metrics) or metrics == "binary_accuracy":
        return keras.metrics.BinaryAccuracy(name=metrics, threshold=0.0)
    return metrics
