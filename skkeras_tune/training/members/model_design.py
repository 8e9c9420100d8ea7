"""A user's model, its plan and its data in; what a program must be out."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from scipy.sparse import issparse

from skkeras_tune._compat.keras import (
    excludes_from_decay,
    list_layers,
    read_compile_arguments,
)
from skkeras_tune.frozen import freeze
from skkeras_tune.losses import spell_loss
from skkeras_tune.training.batches import as_tuples, count_batches
from skkeras_tune.training.members.compiled_plan import (
    CompiledPlan,
    add_stopping,
    refuse_frequency,
    refuse_large_sparse,
)
from skkeras_tune.training.models.judge import ModelObjective, read_model_objective
from skkeras_tune.training.models.key import read_shape
from skkeras_tune.training.models.nested import Branch, describe
from skkeras_tune.training.models.targets import prepare_targets
from skkeras_tune.training.optimizers.rule import read_optimizer
from skkeras_tune.training.plan import (
    Compilation,
    NotCompilable,
    TrainingData,
    TrainingPlan,
)
from skkeras_tune.training.programs.callback_rules import Rules
from skkeras_tune.training.programs.design import (
    Design,
    Layout,
    pad_size,
    resolve_epochs,
)

# XLA compiles in about a second what TensorFlow runs at once, and saves 0.1 ms a step:
# it pays from about the fourth fit of so many on.
_FEW_STEPS = 2048
# What XLA is fast at. On two cores it took 0.2 to 0.9 of TensorFlow's time for these,
# but 5 times as long with batch normalisation, and over 20 times with convolutions.
_COMPILED_WELL = frozenset(
    {
        "Activation",
        "Add",
        "Average",
        "Concatenate",
        "Dense",
        "Dot",
        "Dropout",
        "ELU",
        "Embedding",
        "Flatten",
        "InputLayer",
        "LeakyReLU",
        "Maximum",
        "Minimum",
        "Multiply",
        "Normalization",
        "ReLU",
        "Reshape",
        "Rescaling",
        "Softmax",
        "Subtract",
    }
)
_NUMBERS = "fiub"
_WHOLE = frozenset({None, "loss", "val_loss"})
_OPTIONS = ("loss_weights", "weighted_metrics")


def resolve_model_design(
    model: keras.Model,
    plan: TrainingPlan,
    data: TrainingData,
    callbacks: Sequence[Any] = (),
    *,
    may_interpret: bool = False,
) -> CompiledPlan:
    """Find the program that trains a compiled Keras model as the plan says.

    Parameters
    ----------
    model : keras.Model
    plan : TrainingPlan
    data : TrainingData
    callbacks : sequence of keras.callbacks.Callback, default=()
    may_interpret : bool, default=False
        Whether XLA may be left out where it takes longer than it saves.

    Raises
    ------
    NotCompilable
        With the reason, if there is none.
    ValueError
        If the model does not fit the targets.
    """
    refuse_frequency(plan, data)
    network = read_shape(model, _describe_rows(data.x, "features"))
    compilation = read_compilation(model)
    rule, numbers = read_optimizer(compilation.optimizer)
    objective = read_model_objective(compilation, getattr(model, "output_names", None))
    targets = prepare_targets(model, data)
    target = _describe_rows(targets, "targets")
    rows = _count_all_rows([data.x, targets, data.weight])
    is_interpreted = not _is_for_xla(model) or (
        may_interpret and _count_steps(plan, data) <= _FEW_STEPS
    )
    design = Design(
        network=network,
        optimizer=rule,
        objective=objective,
        watch=None,
        layout=_resolve_layout(plan, data, rows, is_exact=not is_interpreted),
        target=target,
        weighted=data.weight is not None,
        dtype=keras.config.floatx(),
        machine="tensorflow" if is_interpreted else "xla",
    )
    watched = {getattr(rule, "monitor", None) for rule in (plan.stopping, *callbacks)}
    design, names = _share_names(design, watched)
    compiled = CompiledPlan(design, numbers, targets, Rules(), names)
    return add_stopping(compiled, plan, callbacks)


def read_compilation(model: keras.Model) -> Compilation:
    """Return how a model is compiled.

    Raises
    ------
    NotCompilable
        If that is more than a program can do.
    """
    if excludes_from_decay(model.optimizer):
        raise NotCompilable("the optimizer keeps some weights from decaying")
    arguments = read_compile_arguments(model)
    if arguments.get("run_eagerly"):
        raise NotCompilable("the model is compiled with run_eagerly")
    options = {name: arguments[name] for name in _OPTIONS if arguments.get(name)}
    try:
        return Compilation(
            optimizer=freeze(model.optimizer),
            loss=freeze(keras.tree.map_structure(spell_loss, model.loss)),
            metrics=freeze(arguments["metrics"]),
            options=freeze(options) if options else None,
        )
    except ValueError as error:  # of an object of the user's with half a config
        raise NotCompilable(str(error)) from error


def _describe_rows(values: Any, what: str) -> Any:
    """Return the structure of features or targets, with type and shape of a row."""

    def read(leaf: Any) -> tuple[str, tuple[int, ...]]:
        if not isinstance(leaf, np.ndarray) and not issparse(leaf):
            raise NotCompilable(f"the {what} are no arrays")
        if leaf.dtype.kind not in _NUMBERS:
            raise NotCompilable(f"the {what} are of type {leaf.dtype}")
        refuse_large_sparse(leaf)
        return leaf.dtype.str, leaf.shape[1:]

    return describe(as_tuples(values), read)


def _count_all_rows(values: list[Any]) -> list[int]:
    """Return the number of rows of each array."""
    rows = [leaf.shape[0] for leaf in keras.tree.flatten(values) if leaf is not None]
    if len(set(rows)) > 1:
        raise NotCompilable("features, targets and weights are of different lengths")
    return rows


def _share_names(
    design: Design, watched: set[str | None]
) -> tuple[Design, dict[str, str] | None]:
    """Return a design that leaves out what outputs are called, and its `names`.

    Keras gives a layer without a name another one in each model.
    """
    named: ModelObjective = design.objective
    are_needed = named.depends_on_names or not watched <= _WHOLE
    if are_needed or not _is_flat_list(design.network.outputs):
        return design, None
    numbered = replace(design, objective=named.number_outputs())
    keys = {named.restore_name(key): key for key in numbered.keys}
    if len(keys) < len(numbered.keys):  # outputs that Keras cannot tell apart
        return design, None
    return numbered, keys


def _is_flat_list(outputs: Any) -> bool:
    is_list = isinstance(outputs, Branch) and not issubclass(outputs.kind, dict)
    return is_list and not any(isinstance(part, Branch) for _, part in outputs.items)


def _is_for_xla(model: keras.Model) -> bool:
    kinds = {type(layer).__name__ for layer in list_layers(model)}
    return kinds <= _COMPILED_WELL


def _count_steps(plan: TrainingPlan, data: TrainingData) -> int:
    return plan.epochs * count_batches(len(data.train_rows), plan.batch_size)


def _resolve_layout(
    plan: TrainingPlan, data: TrainingData, rows: Iterable[int], *, is_exact: bool
) -> Layout:
    """Return the sizes; an exact one has the rows that the last batches have."""
    n_train, n_held = len(data.train_rows), len(data.validation_rows)
    batch, held_batch = plan.batch_size, plan.evaluation_batch_size
    if is_exact:
        batch, held_batch = min(batch, n_train), min(held_batch, n_held)
    order = pad_size(n_train)
    n_inputs = sum(int(np.prod(leaf.shape[1:])) for leaf in keras.tree.flatten(data.x))
    return Layout(
        members=1,
        rows=tuple(map(pad_size, rows)),
        order=order,
        batch=batch,
        held=pad_size(n_held),
        held_batch=held_batch,
        epochs=resolve_epochs(order, n_inputs),
        rest=n_train % batch if is_exact else 0,
        held_rest=n_held % held_batch if is_exact and n_held else 0,
    )
