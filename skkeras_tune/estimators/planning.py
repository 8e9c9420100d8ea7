"""Checked parameters and rows in, a `TrainingPlan` and the rows' roles out."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from skkeras_tune.estimators.compilation import build_losses, resolve_compilation
from skkeras_tune.estimators.model_function import (
    build_network,
    names_parameter,
    needs_parameter,
    takes_parameter,
)
from skkeras_tune.estimators.parameters import resolve_batch_size
from skkeras_tune.estimators.rows import Rows, assign_roles
from skkeras_tune.estimators.targets import read_class_numbers
from skkeras_tune.frozen import freeze
from skkeras_tune.metrics import list_of_each_class, refuse_other_targets
from skkeras_tune.network import MLPArchitecture, resolve_hidden_units
from skkeras_tune.routing import model_options, route_options, to_python
from skkeras_tune.training import (
    Compilation,
    StoppingRule,
    TrainingData,
    TrainingPlan,
)
from skkeras_tune.training.holdout import hold_out
from skkeras_tune.training.plan import Network

_METRICS = ("metrics", "weighted_metrics")


@dataclass(frozen=True, eq=False)
class Settings:
    """The parameters of one call of `fit`, checked and merged.

    Attributes
    ----------
    caller : str
        Name of the estimator's class, for messages.
    params : dict
        All parameters of the estimator.
    given : frozenset of str
        Names of the parameters that the user set.
    given_to_fit : frozenset of str
        Names of the arguments that the user gave to `fit`.
    named : frozenset of str
        Names of the parameters that the estimator itself takes.
    options : dict
        Arguments of Keras's `fit`, from the constructor, the routes and `fit`.
    source : callable, keras.Model or None
        The user's own model.
    seed : int
    continues : bool
        Whether training goes on from an earlier fit.
    """

    caller: str
    params: dict[str, Any]
    given: frozenset[str]
    given_to_fit: frozenset[str]
    named: frozenset[str]
    options: dict[str, Any]
    source: Any
    seed: int
    continues: bool

    @property
    def holds_out(self) -> bool:
        """Whether rows are to be held out, where there is no validation set."""
        given = self.given | self.given_to_fit
        asked = given & {"validation_split", "fit__validation_split"}
        fraction = self.options["validation_split"]
        return bool(fraction and (asked or self.params["early_stopping"]))


@dataclass(frozen=True)
class TargetFacts:
    """What the data says of the network: its inputs, its head, and what it may ask.

    Attributes
    ----------
    input_shape : tuple of int
        Shape of one row.
    encoder : transformer
        The fitted target encoder, whose `resolve_head` chooses the output layer.
    meta : dict
        What a model function may ask for.
    """

    input_shape: tuple[int, ...]
    encoder: Any
    meta: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Refit:
    """A second training of each member.

    Attributes
    ----------
    data : TrainingData
        All rows.
    factor : float
        Times the best number of epochs.
    """

    data: TrainingData
    factor: float


def build_plan(
    settings: Settings, facts: TargetFacts, data: TrainingData
) -> TrainingPlan:
    """Return what the first member trains, on rows whose roles are known."""
    options = settings.options
    loss, head = _resolve_loss(settings, facts.encoder)
    compilation = resolve_compilation(settings.params, settings.given, loss)
    network: Network
    if settings.source is None:
        network = _build_architecture(settings.params, facts.input_shape, head)
    else:
        network = _wrap_model(settings, facts, compilation, data.x)
        softmax_loss = freeze(getattr(head, "softmax_loss", None))
        compilation = replace(compilation, softmax_loss=softmax_loss)
    return TrainingPlan(
        network=network,
        compilation=compilation,
        seed=settings.seed,
        epochs=options["epochs"],
        batch_size=resolve_batch_size(options["batch_size"], len(data.train_rows)),
        shuffle=options.get("shuffle", True),
        stopping=_resolve_stopping(settings, data),
        validation_batch_size=_resolve_validation_batch(options, data),
        validation_freq=options.get("validation_freq", 1),
        verbose=options["verbose"],
    )


def build_data(settings: Settings, rows: Rows, validation: Rows | None) -> TrainingData:
    """Hold out rows to stop on, unless there is a validation set."""
    if validation is not None or not settings.holds_out:
        return assign_roles(rows, validation)
    fraction = settings.options["validation_split"]
    labels = read_class_numbers(rows.y)
    split = hold_out(
        len(rows), fraction, settings.seed, labels=labels, groups=rows.groups
    )
    if split is None:
        of_what = "" if labels is None else " of each class"
        warnings.warn(
            f"{len(rows)} rows (or their groups) are too few for {settings.caller} to "
            f"hold out validation_split={fraction}{of_what}, so it trains on all "
            "of them for all epochs, without early stopping. Pass X_val and y_val, "
            "raise validation_split, or set early_stopping=False.",
            UserWarning,
            stacklevel=4,  # the caller of fit
        )
    return assign_roles(rows, split=split)


def plan_piece(
    settings: Settings, facts: TargetFacts, rows: Rows
) -> tuple[TrainingPlan, TrainingData]:
    """Return what is trained on a piece of the rows, none of them held out to stop."""
    data = assign_roles(rows, is_piece=True)
    return replace(build_plan(settings, facts, data), stopping=None), data


def plan_refit(settings: Settings, plan: TrainingPlan, rows: Rows) -> Refit | None:
    """Return a training on all rows that follows, where the first one stops early."""
    factor, callbacks = settings.params["refit_full"], settings.options["callbacks"]
    if factor and (plan.stopping is not None or _has_early_stopping(callbacks)):
        return Refit(assign_roles(rows), float(factor))
    return None


def _has_early_stopping(callbacks: list[Any]) -> bool:
    return any(isinstance(c, keras.callbacks.EarlyStopping) for c in callbacks)


def _resolve_validation_batch(
    options: Mapping[str, Any], data: TrainingData
) -> int | None:
    size = options.get("validation_batch_size")
    return size if size is None else resolve_batch_size(size, len(data.validation_rows))


def _resolve_stopping(settings: Settings, data: TrainingData) -> StoppingRule | None:
    """Return when to stop; an EarlyStopping callback of the user's takes over."""
    params, callbacks = settings.params, settings.options["callbacks"]
    if not params["early_stopping"] or _has_early_stopping(callbacks):
        return None
    monitor = params["monitor"]
    if monitor.startswith("val_") and not len(data.validation_rows):
        if not settings.holds_out:
            message = (
                f"early_stopping=True monitors {monitor!r}, but validation_split=0 "
                "holds out no rows. Raise validation_split, pass X_val and y_val, or "
                "set early_stopping=False."
            )
            raise ValueError(message)
        return None
    return StoppingRule(
        monitor=monitor,
        patience=params["patience"],
        min_delta=params["min_delta"],
        restore_best_weights=params["restore_best_weights"],
    )


def _resolve_loss(settings: Settings, encoder: Any) -> tuple[Any, Any]:
    """Return the loss, and the head of the built-in network.

    A model of the user's brings its own head, and may bring its own loss.
    """
    options = route_options(settings.params, "loss")
    loss = settings.params["loss"]
    is_auto = loss is None or (isinstance(loss, str) and loss == "auto")
    resolve = getattr(encoder, "resolve_head", None)
    if resolve is not None and (is_auto or settings.source is None):
        if is_auto:
            loss = _choose_loss(settings, encoder)
        head = resolve(loss, options)
        if settings.source is None:  # a model of the user's is seen when it is built
            refuse_other_targets(_list_metrics(settings), head.loss, head.units)
        return head.loss, head
    return build_losses(None if is_auto else loss, options), None


def _choose_loss(settings: Settings, encoder: Any) -> str:
    """Return "auto", or the loss whose targets suit a metric of each class."""
    is_multiclass = getattr(encoder, "target_type_", None) == "multiclass"
    if is_multiclass and list_of_each_class(_list_metrics(settings)):
        return "categorical_crossentropy"
    return "auto"


def _list_metrics(settings: Settings) -> list[Any]:
    return [settings.params[name] for name in _METRICS if name in settings.params]


def _build_architecture(
    params: Mapping[str, Any], input_shape: tuple[int, ...], head: Any
) -> MLPArchitecture:
    if head is None:
        message = (
            "The built-in network (model=None) needs a target_encoder with a "
            "resolve_head method. Pass model=, or extend the encoders of skkeras_tune."
        )
        raise ValueError(message)
    return MLPArchitecture(
        input_shape=input_shape,
        hidden_units=resolve_hidden_units(
            params["hidden_layer_sizes"], params["n_hidden"], params["units"]
        ),
        activation=params["activation"],
        dropout=float(params["dropout"]),
        normalization=params["normalization"],
        l1=float(params["l1"]),
        l2=float(params["l2"]),
        wide=bool(params["wide"]),
        kernel_initializer=_freeze_initializer(params["kernel_initializer"]),
        output_units=head.units,
        output_activation=head.activation,
    )


def _freeze_initializer(initializer: Any) -> Any:
    """Return an initializer, frozen; of the user's own, a name says too little."""
    if isinstance(initializer, str) and initializer != "auto":
        found = keras.initializers.get(initializer)
        if not type(found).__module__.startswith("keras."):
            return freeze(found)
    return freeze(initializer)


def _without_memory(params: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out where results are kept, which decides nothing of them."""
    return {name: value for name, value in params.items() if name != "memory"}


def _wrap_model(
    settings: Settings, facts: TargetFacts, compilation: Compilation, x: Any
) -> Network:
    """Return the user's model, with the parameters meant for it.

    A parameter that the estimator and the function both take goes to the function only
    when the user set it: otherwise the function's own default holds.
    """
    params, source, loss = settings.params, settings.source, settings.params["loss"]
    # A name must agree with a compiled model's loss, and says nothing more then.
    is_named = loss is None or isinstance(loss, str)
    asked = frozenset(n for n in settings.given if params.get(n) is not None)
    own = {
        name: value
        for name, value in params.items()
        if "__" not in name
        and takes_parameter(source, name)
        and (
            name not in settings.named
            or needs_parameter(source, name)
            or (name in settings.given and names_parameter(source, name))
        )
    }
    return build_network(
        source,
        {name: to_python(value) for name, value in own.items()} | model_options(params),
        {"meta": facts.meta, "params": _without_memory(params)},
        compilation,
        loss if is_named and loss != "auto" else None,
        keras.tree.map_structure(
            lambda leaf: np.zeros((1, *leaf.shape[1:]), leaf.dtype), x
        ),
        asked - {"loss"} if is_named else asked,
    )
