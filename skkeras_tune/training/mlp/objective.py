"""Outputs and targets in, losses and metrics out, over a leading member axis.

Losses and metrics are Keras's own objects, called on rows of all members at once
(losses) or of one member after the other (metrics).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skkeras_tune._compat.keras import find_logits, read_omitted_arguments
from skkeras_tune.frozen import freeze, thaw
from skkeras_tune.losses import find_loss_class, is_rowwise
from skkeras_tune.training.arithmetic.arrays import cast, expand, reshape
from skkeras_tune.training.arithmetic.mapping import map_members
from skkeras_tune.training.mlp.direct_losses import BINARY, SQUARED
from skkeras_tune.training.plan import Compilation, NotCompilable

MetricState = list[list[Any]]

_CROSSENTROPIES = (
    keras.losses.BinaryCrossentropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.SparseCategoricalCrossentropy,
)

#: Losses whose smoothing of labels is a number of the run, by what they smooth.
_SMOOTHING = {
    keras.losses.BinaryCrossentropy: "binary",
    keras.losses.BinaryFocalCrossentropy: "binary",
    keras.losses.CategoricalCrossentropy: "categorical",
    keras.losses.CategoricalFocalCrossentropy: "categorical",
}


@dataclass(frozen=True)
class Objective:
    """What is minimised and what is reported, as frozen values.

    Attributes
    ----------
    loss, metrics
        The loss without its smoothing of labels, which is data.
    smooths : bool
        Whether labels are smoothed.
    """

    loss: Any
    metrics: Any
    smooths: bool = False

    def build_judge(
        self, target: tuple[str, tuple[int, ...]], outputs: tuple[int, ...]
    ) -> "Judge":
        """Return what computes the losses and metrics.

        Parameters
        ----------
        target : tuple
            Type and shape of the targets of a row.
        outputs : tuple of int
            Shape of the outputs of a row.
        """
        _, shape = target
        return Judge(self, is_sparse=not shape, n_outputs=outputs[-1])


def read_objective(compilation: Compilation) -> tuple[Objective, dict[str, float]]:
    """Return the loss and the metrics, and the numbers of this run.

    Raises
    ------
    NotCompilable
        If the loss or a metric is not one of Keras's own that judge row by row.
    """
    if compilation.options is not None:
        names = ", ".join(sorted(thaw(compilation.options)))
        raise NotCompilable(f"the model is compiled with {names}")
    loss = compilation.loss
    if isinstance(loss, str):
        kind = find_loss_class(loss)
        loss = None if kind is None else kind()
    else:
        loss = thaw(loss)
    if not is_rowwise(loss):
        raise NotCompilable(f"the loss {compilation.loss!r} has no compiled form")
    metrics = thaw(compilation.metrics)
    for metric in _as_list(metrics):
        if not isinstance(metric, str | keras.metrics.Metric):
            raise NotCompilable(f"the metric {metric!r} has no compiled form")
        if not isinstance(metric, str) and not _heeds_weights(metric):
            message = f"the metric {metric!r} may count rows that only fill a batch"
            raise NotCompilable(message)
    loss, smoothing = _part_smoothing(compilation.loss, loss)
    objective = Objective(loss, compilation.metrics, smoothing != 0)
    return objective, {"label_smoothing": smoothing}


def _heeds_weights(metric: keras.metrics.Metric) -> bool:
    """Tell whether rows of weight zero, which fill the last batch, do not count.

    That is known of Keras's own metrics, except of a mean of any function, of those
    that are asked to look across rows, and of an R squared that counts rows.
    """
    kind = type(metric)
    config = {**metric.get_config(), **read_omitted_arguments(metric)}
    is_kerass = kind.__module__.startswith("keras.")
    is_known = is_kerass and kind is not keras.metrics.MeanMetricWrapper
    counts_rows = config.get("num_regressors", 0) != 0
    return is_known and not counts_rows and config.get("axis", -1) == -1


def _part_smoothing(frozen: Any, loss: Any) -> tuple[Any, float]:
    """Return a frozen loss without its smoothing, and the smoothing."""
    if type(loss) not in _SMOOTHING or not loss.label_smoothing:
        return frozen, 0.0
    config = {**loss.get_config(), "label_smoothing": 0.0}
    return freeze(type(loss).from_config(config)), float(loss.label_smoothing)


def _as_list(metrics: Any) -> list[Any]:
    if metrics is None:
        return []
    return list(metrics) if isinstance(metrics, list | tuple) else [metrics]


class Judge:
    """The losses and metrics of one program, while it is traced.

    Parameters
    ----------
    objective : Objective
    is_sparse : bool
        Whether targets are class numbers.
    n_outputs : int
        Width of the outputs.
    """

    def __init__(
        self, objective: Objective, *, is_sparse: bool, n_outputs: int
    ) -> None:
        loss = objective.loss
        if isinstance(loss, str):
            kind = find_loss_class(loss)
            assert kind is not None
            self.loss = kind()
        else:
            self.loss = thaw(loss)
        self._smooths = objective.smooths
        self._metrics = {}
        for metric in _as_list(thaw(objective.metrics)):
            found = _find_metric(metric, is_sparse, n_outputs)
            _create_variables(found, is_sparse, n_outputs)
            self._metrics[metric if isinstance(metric, str) else metric.name] = found

    @property
    def has_metrics(self) -> bool:
        """Whether anything is reported but the loss."""
        return bool(self._metrics)

    @property
    def takes_logits(self) -> bool:
        """Whether nothing looks at the outputs but a loss that prefers their logits."""
        return not self._metrics and type(self.loss) in _CROSSENTROPIES

    def directions(self) -> dict[str, str]:
        """Return "up", "down" or "" for each value, the loss last."""
        known = {n: getattr(m, "_direction", "") for n, m in self._metrics.items()}
        return {**known, "loss": "down"}

    def losses(self, targets: Any, outputs: Any, smoothing: Any) -> Any:
        """Return the loss of each row, of shape (P, B); `smoothing` has shape (P,)."""
        targets = self.adapt(targets, outputs, smoothing)
        logits = self._find_binary_logits(targets, outputs)
        if logits is None:
            return self.loss.call(targets, outputs)
        return BINARY.losses(targets, logits)

    def differentiate(
        self,
        finish: Callable[[Any], Any],
        raw: Any,
        targets: Any,
        smoothing: Any,
        share: Any,
    ) -> tuple[Any, Any, Any]:
        """Return outputs, the loss of each row, and the gradient of their sum.

        Parameters
        ----------
        finish : callable
            Makes outputs of `raw`.
        raw : tensor of shape (P, B, n_outputs)
            What the gradient is found for.
        targets : tensor of shape (P, B, ...)
        smoothing : tensor of shape (P,)
        share : tensor of shape (P, B)
            How much each row counts in the sum.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(raw)
            outputs = finish(raw)
            losses = self.losses(targets, outputs, smoothing)
        slope = self._find_slope(self.adapt(targets, outputs, smoothing), outputs, raw)
        if slope is None:
            slope = tape.gradient(losses, raw, output_gradients=share)
        else:
            slope *= expand(share, 2)
        return outputs, losses, slope

    def _find_slope(self, targets: Any, outputs: Any, raw: Any) -> Any:
        """Return how each row's loss grows with `raw`, or None to ask TensorFlow.

        For the two losses that are used most, which takes fewer operations.
        """
        if self._find_binary_logits(targets, outputs) is raw:
            return BINARY.slope(targets, raw)
        is_squared = type(self.loss) is keras.losses.MeanSquaredError
        if is_squared and outputs is raw and targets.shape == raw.shape:
            return SQUARED.slope(targets, raw)
        return None

    def adapt(self, targets: Any, outputs: Any, smoothing: Any) -> Any:
        """Return the targets that the loss is to see: smoothed, if they are."""
        if self._smooths:
            return self._smooth(cast(targets, outputs.dtype), smoothing)
        is_binary = type(self.loss) is keras.losses.BinaryCrossentropy
        return cast(targets, outputs.dtype) if is_binary else targets

    def _find_binary_logits(self, targets: Any, outputs: Any) -> Any:
        """Return the logits of a binary crossentropy that is computed here, or None."""
        logits = find_logits(outputs, self.loss)
        is_binary = type(self.loss) is keras.losses.BinaryCrossentropy
        has_logits = logits is not None and targets.shape == logits.shape
        return logits if is_binary and has_logits else None

    def _smooth(self, targets: Any, smoothing: Any) -> Any:
        """Move targets towards indifference, as Keras's losses do."""
        is_binary = _SMOOTHING[type(self.loss)] == "binary"
        evenly = 0.5 if is_binary else 1 / targets.shape[-1]
        smoothing = reshape(smoothing, [-1] + [1] * (len(targets.shape) - 1))
        return targets * (1 - smoothing) + smoothing * evenly

    def start(self, n_members: int) -> MetricState:
        """Return the metrics' variables, all members stacked, as they begin."""
        return [
            [
                tf.repeat(tf.convert_to_tensor(v)[tf.newaxis], n_members, axis=0)
                for v in metric.variables
            ]
            for metric in self._metrics.values()
        ]

    def update(self, state: MetricState, y: Any, outputs: Any, mask: Any) -> Any:
        """Add a batch to the metrics."""
        return [
            map_members(metric.stateless_update_state, (variables, y, outputs, mask))
            for metric, variables in zip(self._metrics.values(), state, strict=True)
        ]

    def results(self, state: MetricState, loss: Any, dtype: Any) -> list[Any]:
        """Return each metric's value, and then the loss, all of shape (P,)."""
        values = [
            tf.cast(map_members(metric.stateless_result, (variables,)), dtype)
            for metric, variables in zip(self._metrics.values(), state, strict=True)
        ]
        return [*values, loss]


def _find_metric(metric: Any, is_sparse: bool, n_outputs: int) -> Any:
    """Return a metric object; the kind of accuracy depends on the targets."""
    if not isinstance(metric, str):
        return metric
    if metric.lower() not in ("acc", "accuracy"):
        return _name(keras.metrics.get(metric), metric)
    if n_outputs == 1:
        return keras.metrics.BinaryAccuracy(name=metric)
    if is_sparse:
        return keras.metrics.SparseCategoricalAccuracy(name=metric)
    return keras.metrics.CategoricalAccuracy(name=metric)


def _create_variables(metric: Any, is_sparse: bool, n_outputs: int) -> None:
    """Show a metric a row: some create their variables by its shape."""
    if not isinstance(metric, keras.metrics.Mean):
        outputs = np.full((2, n_outputs), 0.5, keras.config.floatx())
        metric.update_state(np.zeros(2) if is_sparse else outputs, outputs)
        metric.reset_state()


def _name(found: Any, name: str) -> Any:
    if isinstance(found, type):
        return found(name=name)
    if not isinstance(found, keras.metrics.Metric):
        return keras.metrics.MeanMetricWrapper(found, name=name)
    return found


@lru_cache(256)
def describe_values(objective: Any, target: Any, outputs: Any) -> dict[str, str]:
    """Return the names of the values of an epoch, and which way each is better."""
    known: dict[str, str] = objective.build_judge(target, outputs).directions()
    return known
