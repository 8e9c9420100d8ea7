"""A user's model, its plan and its data in; what a program must be out."""

from collections.abc import Sequence
from typing import Any

import keras

from skkeras_tune._compat import (
    excludes_from_decay,
    list_layers,
    read_compile_arguments,
)
from skkeras_tune.frozen import freeze
from skkeras_tune.training.batches import count_batches
from skkeras_tune.training.callback_rules import Rules
from skkeras_tune.training.design import (
    CompiledPlan,
    add_stopping,
    pad_size,
    refuse_data,
    resolve_epochs,
)
from skkeras_tune.training.keras_loop import prepare_targets, validation_batch_size
from skkeras_tune.training.model_key import read_shape
from skkeras_tune.training.objective import read_objective
from skkeras_tune.training.plan import (
    Compilation,
    NotCompilable,
    TrainingData,
    TrainingPlan,
)
from skkeras_tune.training.program import Design, Layout
from skkeras_tune.training.updates import read_optimizer

# XLA compiles in about a second what TensorFlow runs at once, and saves 0.1 ms a step:
# it pays from about the fourth fit of so many on.
_FEW_STEPS = 2048
# What XLA is fast at. On two cores it took 0.2 to 0.9 of TensorFlow's time for these,
# but 5 times as long with batch normalisation, and over 20 times with convolutions.
_COMPILED_WELL = frozenset(
    {
        "Activation",
        "Add",
        "Concatenate",
        "Dense",
        "Dropout",
        "ELU",
        "Flatten",
        "InputLayer",
        "LeakyReLU",
        "Normalization",
        "ReLU",
        "Reshape",
        "Rescaling",
        "Softmax",
    }
)
_OPTIONS = ("loss_weights", "weighted_metrics", "run_eagerly")


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
    refuse_data(plan, data)
    if data.x.dtype.kind not in "fiub":
        raise NotCompilable(f"the features are of type {data.x.dtype}")
    network = read_shape(model, (data.x.dtype.str, data.x.shape[1:]))
    compilation = read_compilation(model)
    rule, numbers = read_optimizer(compilation.optimizer)
    objective, smoothing = read_objective(compilation)
    numbers |= smoothing
    targets = prepare_targets(model, data)
    is_interpreted = not _is_for_xla(model) or (
        may_interpret and _count_steps(plan, data) <= _FEW_STEPS
    )
    design = Design(
        network=network,
        optimizer=rule,
        objective=objective,
        watch=None,
        layout=_resolve_layout(plan, data, is_exact=not is_interpreted),
        target=(targets.dtype.str, targets.shape[1:]),
        weighted=data.weight is not None,
        dtype=keras.config.floatx(),
        machine="tensorflow" if is_interpreted else "xla",
    )
    compiled = CompiledPlan(design, numbers, targets, Rules())
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
    options = {name: arguments[name] for name in _OPTIONS if arguments.get(name)}
    try:
        return Compilation(
            optimizer=freeze(model.optimizer),
            loss=freeze(model.loss),
            metrics=freeze(arguments["metrics"]),
            options=freeze(options) if options else None,
        )
    except ValueError as error:  # of an object of the user's with half a config
        raise NotCompilable(str(error)) from error


def _is_for_xla(model: keras.Model) -> bool:
    kinds = {type(layer).__name__ for layer in list_layers(model)}
    return kinds <= _COMPILED_WELL


def _count_steps(plan: TrainingPlan, data: TrainingData) -> int:
    return plan.epochs * count_batches(len(data.train_rows), plan.batch_size)


def _resolve_layout(
    plan: TrainingPlan, data: TrainingData, *, is_exact: bool
) -> Layout:
    """Return the sizes; an exact one has the rows that the last batches have."""
    n_train, n_held = len(data.train_rows), len(data.validation_rows)
    batch, held_batch = plan.batch_size, validation_batch_size(plan)
    if is_exact:
        batch, held_batch = min(batch, n_train), min(held_batch, n_held)
    order = pad_size(n_train)
    n_inputs = max(1, data.x.size // max(1, data.x.shape[0]))
    return Layout(
        members=1,
        rows=(pad_size(data.x.shape[0]),) * (2 if data.weight is None else 3),
        order=order,
        batch=batch,
        held=pad_size(n_held),
        held_batch=held_batch,
        epochs=resolve_epochs(order, n_inputs),
        rest=n_train % batch if is_exact else 0,
        held_rest=n_held % held_batch if is_exact and n_held else 0,
    )
