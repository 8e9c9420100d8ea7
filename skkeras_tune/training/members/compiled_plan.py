"""A plan and its data in; out comes what a program must be, and this run's numbers.

What no program can express is refused with a reason, before anything is trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from scipy.sparse import issparse

from skkeras_tune.losses import adapt_targets
from skkeras_tune.network import MLPArchitecture
from skkeras_tune.training.batches import count_batches
from skkeras_tune.training.mlp.objective import read_objective
from skkeras_tune.training.mlp.stacked_mlp import StackedMLP
from skkeras_tune.training.optimizers.rule import read_optimizer
from skkeras_tune.training.plan import NotCompilable, TrainingData, TrainingPlan
from skkeras_tune.training.programs.callback_rules import Rules, Watch, read_rules
from skkeras_tune.training.programs.design import (
    Design,
    Layout,
    pad_size,
    resolve_epochs,
)
from skkeras_tune.training.programs.formula_program import find_formulas

_MAX_HELD_BATCH = 1024
_MAX_DENSE_BYTES = 2**28
# Compiling takes 0.2 s and saves 0.25 ms a step: it pays from 15 fits of so many on
# (tests/benchmarks/parts.py).
_FEW_STEPS = 64


@dataclass(frozen=True)
class CompiledPlan:
    """A plan that a program can express: the program, and the numbers of this run.

    Where the history has other names for the values of an epoch than the program,
    `names` has the program's for each of the history's.
    """

    design: Design
    numbers: dict[str, float]
    targets: Any
    rules: Rules
    names: dict[str, str] | None = None


def resolve_design(
    plan: TrainingPlan,
    data: TrainingData,
    callbacks: Sequence[Any] = (),
    *,
    may_interpret: bool = False,
) -> CompiledPlan:
    """Find the program that trains a plan, with callbacks, on its own.

    Parameters
    ----------
    plan : TrainingPlan
    data : TrainingData
    callbacks : sequence of keras.callbacks.Callback, default=()
    may_interpret : bool, default=False
        Whether a program of few steps may go uncompiled, with the same answer.

    Raises
    ------
    NotCompilable
        With the reason, if there is none.
    """
    architecture = plan.network
    if not isinstance(architecture, MLPArchitecture):
        raise NotCompilable("the model is not the built-in network")
    refuse_data(plan, data)
    rule, numbers = read_optimizer(plan.compilation.optimizer)
    objective, smoothing = read_objective(plan.compilation)
    numbers |= smoothing
    numbers |= {
        "l1": architecture.l1,
        "l2": architecture.l2,
        "dropout": architecture.dropout,
    }
    loss, units = plan.compilation.loss, architecture.output_units
    loss = loss if isinstance(loss, str) else loss.thaw()
    targets = adapt_targets(data.y, loss, units)
    n_steps = plan.epochs * count_batches(len(data.train_rows), plan.batch_size)
    design = Design(
        network=StackedMLP.of(architecture),
        optimizer=rule,
        objective=objective,
        watch=None,
        layout=_resolve_layout(plan, data),
        target=(targets.dtype.str, targets.shape[1:]),
        weighted=data.weight is not None,
        dtype=keras.config.floatx(),
    )
    if may_interpret and n_steps <= _FEW_STEPS and find_formulas(design) is None:
        design = replace(design, machine="tensorflow")
    return add_stopping(
        CompiledPlan(design, numbers, targets, Rules()), plan, callbacks
    )


def refuse_data(plan: TrainingPlan, data: TrainingData) -> None:
    """Refuse rows that no program takes."""
    refuse_frequency(plan, data)
    if not isinstance(data.y, np.ndarray):
        raise NotCompilable("the target is not one array")
    if not isinstance(data.x, np.ndarray) and not issparse(data.x):
        raise NotCompilable("the features are not one array")
    refuse_large_sparse(data.x)


def refuse_frequency(plan: TrainingPlan, data: TrainingData) -> None:
    """Refuse to evaluate held-out rows in some epochs only."""
    if plan.validation_freq != 1 and len(data.validation_rows):
        raise NotCompilable("validation_freq is not 1")


def refuse_large_sparse(x: Any) -> None:
    """Refuse a sparse matrix that would take too much memory."""
    if issparse(x) and 8 * x.shape[0] * x.shape[1] > _MAX_DENSE_BYTES:
        raise NotCompilable("the features are sparse, and too large to be made dense")


def add_stopping(
    compiled: CompiledPlan, plan: TrainingPlan, callbacks: Sequence[Any]
) -> CompiledPlan:
    """Add the plan's own stopping rule, and what the callbacks do."""
    design, numbers = compiled.design, compiled.numbers
    if plan.stopping is not None:
        design = _add_watch(design, plan)
        numbers = {**numbers, "min_delta": plan.stopping.min_delta}
    rules = _read_rules(design, callbacks)
    design = replace(design, rules=rules.rules)
    return replace(compiled, design=design, numbers=numbers, rules=rules)


def _read_rules(design: Design, callbacks: Sequence[Any]) -> Rules:
    has_schedule = design.optimizer.schedule is not None
    return read_rules(
        callbacks, design.directions, design.keys, has_schedule=has_schedule
    )


def _add_watch(design: Design, plan: TrainingPlan) -> Design:
    rule = plan.stopping
    assert rule is not None
    direction = design.directions.get(rule.monitor.removeprefix("val_"))
    if rule.monitor not in design.keys or direction not in ("up", "down"):
        raise NotCompilable(f"monitor={rule.monitor!r} is not a value with a direction")
    sign = 1.0 if direction == "down" else -1.0
    watch = Watch(rule.monitor, sign, rule.restore_best_weights)
    return replace(design, watch=watch)


def _resolve_layout(plan: TrainingPlan, data: TrainingData) -> Layout:
    n_train, n_held = len(data.train_rows), len(data.validation_rows)
    order = pad_size(n_train)
    batch = order if plan.batch_size >= n_train else plan.batch_size
    order = -(-order // batch) * batch
    held = pad_size(n_held)
    n_held_batches = max(-(-held // _MAX_HELD_BATCH), 1)
    held_batch = pad_size(-(-held // n_held_batches))
    return Layout(
        members=1,
        rows=(pad_size(data.x.shape[0]),) * (2 if data.weight is None else 3),
        order=order,
        batch=batch,
        held=n_held_batches * held_batch,
        held_batch=held_batch,
        epochs=resolve_epochs(order, int(np.prod(data.x.shape[1:]))),
    )
