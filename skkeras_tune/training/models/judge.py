"""A model's outputs and targets in, losses and metrics out, as Keras reports them.

Which of them belong to which output, with which weight and under which name, is left
to the classes that `keras.Model.compile` makes.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from skkeras_tune._compat.keras import compile_judges, to_numpy
from skkeras_tune.frozen import FrozenMapping, thaw
from skkeras_tune.losses import find_loss_class, is_kerass
from skkeras_tune.training.models.nested import fill
from skkeras_tune.training.plan import Compilation, NotCompilable

_NUMBERED = re.compile(r"(val_)?#(\d+)(_.*)")


@dataclass(frozen=True)
class ModelObjective:
    """What is minimised and what is reported of a model, as frozen values.

    Attributes
    ----------
    loss, loss_weights, metrics, weighted_metrics
        As `keras.Model.compile` takes them.
    names : tuple of str or None
        Of the outputs, where something depends on them.
    """

    loss: Any
    loss_weights: Any
    metrics: Any
    weighted_metrics: Any
    names: tuple[str, ...] | None

    def build_judge(self, target: Any, outputs: Any) -> "ModelJudge":
        """Return what computes the losses and metrics.

        Parameters
        ----------
        target : structure of (type, shape)
            The targets of a row.
        outputs : structure of tuple of int
            Shapes of the outputs of a row.
        """
        return ModelJudge(self, target, outputs)

    @property
    def depends_on_names(self) -> bool:
        """Whether anything says by its name which output it belongs to."""
        parts = self.loss, self.loss_weights, self.metrics, self.weighted_metrics
        return any(isinstance(part, FrozenMapping) for part in parts)

    def number_outputs(self) -> "ModelObjective":
        """Return the same of outputs whose names are numbers."""
        names = tuple(f"#{place}" for place, _ in enumerate(self.names or ()))
        return replace(self, names=names)

    def restore_name(self, name: str) -> str:
        """Return what a value is called here that another calls by a number."""
        match = _NUMBERED.match(name)
        if match is None or self.names is None:
            return name
        prefix, place, rest = match.groups(default="")
        return f"{prefix}{self.names[int(place)]}{rest}"


def read_model_objective(
    compilation: Compilation, names: Sequence[str] | None
) -> ModelObjective:
    """Return what is minimised and reported of a model with outputs of these names.

    Sequential models have none.

    Raises
    ------
    NotCompilable
        If a loss or a metric is not one of Keras's own, or a weight is no number.
    """
    frozen = dict(compilation.options.items) if compilation.options else {}
    parts = {
        "loss": compilation.loss,
        "loss_weights": frozen.get("loss_weights"),
        "metrics": compilation.metrics,
        "weighted_metrics": frozen.get("weighted_metrics"),
    }
    given = {name: thaw(part) for name, part in parts.items()}
    for name, refuse in _REFUSALS.items():
        for leaf in keras.tree.flatten(given[name]):
            refuse(leaf)
    names = tuple(names or ())
    objective = ModelObjective(**parts, names=names or None)
    if len(names) > 1 or objective.depends_on_names:
        return objective
    return replace(objective, names=None)


def _refuse_loss(loss: Any) -> None:
    kind: type | None = type(loss)
    if isinstance(loss, str):
        with suppress(ValueError):  # of a name for Keras to refuse, or to look up
            kind = find_loss_class(loss)
    if loss is not None and (kind is None or not is_kerass(kind)):
        raise NotCompilable(f"the loss {loss!r} has no compiled form")


def _refuse_metric(metric: Any) -> None:
    if not isinstance(metric, str | keras.metrics.Metric | None):
        raise NotCompilable(f"the metric {metric!r} has no compiled form")


def _refuse_weight(weight: Any) -> None:
    if not isinstance(weight, Real | None):
        raise NotCompilable(f"a loss has the weight {weight!r}, which is no number")


_REFUSALS: dict[str, Callable[[Any], None]] = {
    "loss": _refuse_loss,
    "loss_weights": _refuse_weight,
    "metrics": _refuse_metric,
    "weighted_metrics": _refuse_metric,
}


class Judged(NamedTuple):
    """A batch whose loss is known.

    Attributes
    ----------
    outputs : nested tensors of shape (B, ...)
    weight : tensor of shape (B,) or None
    losses : list of tensors of shape ()
        Of each output, if there are several, without its weight in the sum.
    """

    outputs: Any
    weight: Any
    losses: list[Any]


class ModelJudge:
    """The losses and metrics of one program for one member, while it is traced.

    Parameters
    ----------
    objective : ModelObjective
    target : structure of (type, shape)
    outputs : structure of tuple of int

    Raises
    ------
    NotCompilable
        If Keras cannot compare such targets with such outputs.
    """

    def __init__(self, objective: ModelObjective, target: Any, outputs: Any) -> None:
        self._loss, self._metrics = compile_judges(
            thaw(objective.loss),
            thaw(objective.loss_weights),
            thaw(objective.metrics),
            thaw(objective.weighted_metrics),
            None if objective.names is None else list(objective.names),
        )
        try:
            self._names = self._show_rows(target, outputs)
        except Exception as error:
            message = f"Keras cannot judge the outputs by the targets: {error}"
            raise NotCompilable(message) from error
        self._start = [to_numpy(variable) for variable in self._variables]

    def _show_rows(self, target: Any, outputs: Any) -> list[str]:
        """Let Keras find what belongs together; return the names of all values."""
        y = fill(target, lambda _, leaf: np.zeros((2, *leaf[1]), leaf[0]))
        dtype = keras.config.floatx()
        seen = fill(outputs, lambda _, shape: tf.fill((2, *shape), tf.cast(0.5, dtype)))
        self._loss(y, seen)
        self._metrics.update_state(y, seen)
        names = sorted(self._read(0.0))
        for metric in (self._metrics, *self._trackers):
            metric.reset_state()
        return names

    @property
    def _trackers(self) -> list[Any]:
        """What follows the loss of each output, if there are several."""
        trackers: list[Any] = self._loss.metrics
        return trackers

    @property
    def _variables(self) -> list[Any]:
        parts = (self._metrics, *self._trackers)
        return [variable for part in parts for variable in part.variables]

    def _scope(self, state: list[Any]) -> Any:
        """Return a scope in which the metrics' variables have these values."""
        pairs = list(zip(self._variables, state, strict=True))
        return keras.StatelessScope(state_mapping=pairs)

    def _read(self, loss: Any) -> dict[str, Any]:
        values = {"loss": loss, **self._metrics.result()}
        return values | {tracker.name: tracker.result() for tracker in self._trackers}

    def directions(self) -> dict[str, str]:
        """Return "up", "down" or "" for each value, as Keras's callbacks know it."""
        known = {m.name: getattr(m, "_direction", "") for m in self._metrics.metrics}
        known["loss"] = "down"
        return {name: known.get(name, "") for name in self._names}

    def judge(self, y: Any, outputs: Any, weight: Any) -> tuple[Any, Judged]:
        """Return the loss of a batch, and what `update` takes of it."""
        weights = keras.tree.map_structure(lambda _: weight, y)
        with self._scope(self.start()):
            loss = self._loss(y, outputs, None if weight is None else weights)
            losses = [tracker.result() for tracker in self._trackers]
        return loss, Judged(outputs, weight, losses)

    # --- over an epoch

    def start(self, n_members: int = 1) -> list[Any]:
        """Return the metrics' variables as they begin."""
        return [tf.constant(value) for value in self._start]

    def update(self, state: list[Any], y: Any, batch: Judged, mask: Any) -> list[Any]:
        """Add a batch to the metrics.

        For the losses of single outputs a batch counts alike whatever its size, as it
        does in Keras's loop, where the size is not known when that is traced.
        """
        weights = keras.tree.map_structure(lambda _: batch.weight, y)
        with self._scope(state) as scope:
            self._metrics.update_state(
                y, batch.outputs, None if batch.weight is None else weights
            )
            for tracker, loss in zip(self._trackers, batch.losses, strict=True):
                tracker.update_state(loss)
            return [scope.get_current_value(v) for v in self._variables]

    def results(self, state: list[Any], loss: Any, dtype: Any) -> list[Any]:
        """Return each value, of shape (1,), in the order in which Keras has them."""
        with self._scope(state):
            values = self._read(loss)
        return [tf.reshape(tf.cast(values[n], dtype), [1]) for n in self._names]
