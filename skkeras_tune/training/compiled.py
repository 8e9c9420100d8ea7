"""Plan and data in, result out, through one XLA program for each shape.

What the program cannot express is refused with a reason, before anything is trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.sparse import issparse

from skkeras_tune._compat import quiet_retracing
from skkeras_tune.losses import adapt_targets
from skkeras_tune.network import MLPArchitecture
from skkeras_tune.randomness import derive_seed, epoch_order
from skkeras_tune.training.batches import count_batches
from skkeras_tune.training.callback_replay import CallbackReplay
from skkeras_tune.training.callback_rules import Rules, Watch, read_rules
from skkeras_tune.training.callbacks import find_stopping, raise_diverged
from skkeras_tune.training.objective import read_objective
from skkeras_tune.training.packing import Packing
from skkeras_tune.training.plan import (
    ModelState,
    NotCompilable,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)
from skkeras_tune.training.program import (
    LOSS_NOT_FINITE,
    RUNNING,
    VALIDATION_NAN,
    Design,
    Layout,
    Program,
)
from skkeras_tune.training.program_cache import ProgramCache
from skkeras_tune.training.program_store import clear_program_store
from skkeras_tune.training.progress import EpochPrinter
from skkeras_tune.training.stacked_mlp import StackedMLP
from skkeras_tune.training.tensors import pad_rows
from skkeras_tune.training.updates import (
    initial_slots,
    list_keras_variables,
    read_keras_variables,
    read_optimizer,
)

_HELD_BATCH = 1024
_MAX_EPOCHS_A_CALL = 32
_MAX_PLACES_A_CALL = 2**19
_MAX_DENSE_BYTES = 2**28
# Compiling takes 0.2 s and saves 0.25 ms a step: it pays from 15 fits of so many on
# (tests/benchmarks/parts.py).
_FEW_STEPS = 64

programs = ProgramCache()


@dataclass(frozen=True)
class CompiledPlan:
    """A plan that a program can express: the program, and the numbers of this run."""

    design: Design
    numbers: dict[str, float]
    targets: NDArray[Any]
    rules: Rules


def resolve_design(
    plan: TrainingPlan, data: TrainingData, callbacks: Sequence[Any] = ()
) -> CompiledPlan:
    """Find the program that trains a plan, with callbacks.

    Raises
    ------
    NotCompilable
        With the reason, if there is none.
    """
    architecture = plan.network
    if not isinstance(architecture, MLPArchitecture):
        raise NotCompilable("the model is not the built-in network")
    if plan.validation_freq != 1 and len(data.validation_rows):
        raise NotCompilable("validation_freq is not 1")
    if not isinstance(data.y, np.ndarray):
        raise NotCompilable("the target is not one array")
    _refuse_large_sparse(data.x)
    rule, numbers = read_optimizer(plan.compilation.optimizer)
    objective = read_objective(plan.compilation)
    numbers |= {
        "l1": architecture.l1,
        "l2": architecture.l2,
        "dropout": architecture.dropout,
    }
    loss, units = plan.compilation.loss, architecture.output_units
    loss = loss if isinstance(loss, str) else loss.thaw()
    targets = adapt_targets(data.y, loss, units)
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
    if plan.stopping is not None:
        design = _add_watch(design, plan)
        numbers["min_delta"] = plan.stopping.min_delta
    rules = _read_rules(design, callbacks)
    design = replace(design, rules=rules.rules)
    return CompiledPlan(design, numbers, targets, rules)


def _read_rules(design: Design, callbacks: Sequence[Any]) -> Rules:
    has_schedule = design.optimizer.schedule is not None
    return read_rules(
        callbacks, design.directions, design.keys, has_schedule=has_schedule
    )


def _refuse_large_sparse(x: Any) -> None:
    if not isinstance(x, np.ndarray) and not issparse(x):
        raise NotCompilable("the features are not one array")
    if issparse(x) and 8 * x.shape[0] * x.shape[1] > _MAX_DENSE_BYTES:
        raise NotCompilable("the features are sparse, and too large to be made dense")


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
    held_batch = min(held, _HELD_BATCH)
    held = -(-held // held_batch) * held_batch if held else 0
    width = max(1, int(np.prod(data.x.shape[1:])) // 16)
    epochs = _MAX_PLACES_A_CALL // (order * width)
    return Layout(
        members=1,
        rows=pad_size(data.x.shape[0]),
        order=order,
        batch=batch,
        held=held,
        held_batch=held_batch,
        epochs=min(max(epochs, 1), _MAX_EPOCHS_A_CALL),
    )


def pad_size(size: int) -> int:
    """Round up by an eighth at most, so that near sizes share a program."""
    if size <= 8:
        return size and 8
    unit: int = 2 ** max((size - 1).bit_length() - 4, 3)
    return -(-size // unit) * unit


def train_compiled(
    plan: TrainingPlan,
    data: TrainingData,
    start: ModelState | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    may_interpret: bool = False,
) -> TrainingResult:
    """Train the built-in network as the plan says.

    Parameters
    ----------
    plan : TrainingPlan
    data : TrainingData
    start : ModelState, default=None
        Go on from these weights and this optimizer state; None starts afresh.
    callbacks : sequence of keras.callbacks.Callback, default=()
        Belong to this run alone, which leaves them as Keras's loop would.
    may_interpret : bool, default=False
        Whether a program of few steps may go uncompiled, with the same answer.

    Raises
    ------
    NotCompilable
        If no program can express the plan.
    ValueError
        If the loss is not finite.
    """
    compiled = resolve_design(plan, data, callbacks)
    design = compiled.design
    if may_interpret and _count_steps(plan, data) <= _FEW_STEPS:
        design = replace(design, interpreted=True)
    program = programs.find(design, lambda: Program(design))
    state = _start_state(plan, compiled, start)
    arrays = _load_data(design, data, compiled.targets)
    numbers = _load_numbers(plan, compiled)
    replay = _build_replay(plan, data, compiled, callbacks)
    with replay.run():
        state = _run_epochs(program, plan, data, design, arrays, numbers, state, replay)
        return _read_result(
            plan, design, tf.nest.map_structure(_first, state), replay, callbacks
        )


def _count_steps(plan: TrainingPlan, data: TrainingData) -> int:
    return plan.epochs * count_batches(len(data.train_rows), plan.batch_size)


def _build_replay(
    plan: TrainingPlan,
    data: TrainingData,
    compiled: CompiledPlan,
    callbacks: Sequence[Any],
) -> CallbackReplay:
    params = {
        "verbose": 1 if plan.verbose == "auto" else plan.verbose,
        "epochs": plan.first_epoch + plan.epochs,
        "steps": count_batches(len(data.train_rows), plan.batch_size),
    }
    rate, dtype = compiled.numbers["learning_rate"], compiled.design.dtype
    return CallbackReplay(callbacks, compiled.rules, params, rate, dtype)


def _first(value: Any) -> NDArray[Any]:
    """Return the values of the only member."""
    return np.array(value.numpy()[0])


def _start_state(
    plan: TrainingPlan, compiled: CompiledPlan, start: ModelState | None
) -> dict[str, Any]:
    design, rule = compiled.design, compiled.design.optimizer
    architecture = plan.network
    assert isinstance(architecture, MLPArchitecture)
    weights = architecture.initial_weights(plan.seed)
    if start is not None:
        start.refuse_other_shapes(weights)
        weights = start.weights
    trained, others = _separate(weights, design.network.trainable)
    slots = initial_slots(rule, trained, compiled.numbers)
    counters: dict[str, Any] = {
        "iteration": np.int32(0),
        "learning_rate": np.asarray(compiled.numbers["learning_rate"], design.dtype),
    }
    if rule.kind == "Nadam":
        counters["variable"] = np.asarray(1.0, design.dtype)
    if start is not None and start.optimizer in ("", rule.kind):
        known = read_keras_variables(rule, start.optimizer_state, len(trained))
        if known is not None:
            slots, earlier = known
            earlier.pop("learning_rate", None)
            counters |= earlier
            counters["iteration"] = np.int32(earlier["iteration"])
    pack = Packing(tuple(design.network.trained_shapes)).pack_arrays
    packed = {"weights": pack(trained), "others": others}
    state: dict[str, Any] = {
        **packed,
        "slots": {name: pack([slot[name] for slot in slots]) for name in rule.slots},
        "counters": counters,
        "status": np.int32(RUNNING),
        "epochs": np.int32(0),
    }
    if design.watch is not None:
        state |= design.watch.start(design.dtype, packed)
    if design.rules:
        state["rules"] = tuple(r.start(design.dtype, packed) for r in design.rules)
    stacked: dict[str, Any] = tf.nest.map_structure(_as_member, state)
    return stacked


def _separate(weights: list[Any], trainable: list[bool]) -> tuple[list[Any], list[Any]]:
    """Return the trained weights, and those that have no gradients."""
    pairs = list(zip(weights, trainable, strict=True))
    return [w for w, on in pairs if on], [w for w, on in pairs if not on]


def _as_member(value: Any) -> Any:
    """Give a value the member axis of a single member."""
    return tf.constant(np.asarray(value)[np.newaxis])


def _load_data(
    design: Design, data: TrainingData, targets: NDArray[Any]
) -> dict[str, Any]:
    x = data.x.toarray() if issparse(data.x) else data.x
    arrays = {"x": x, "y": targets}
    if data.weight is not None:
        arrays["weight"] = data.weight
    return {name: pad_rows(array, design.layout.rows) for name, array in arrays.items()}


def _load_numbers(plan: TrainingPlan, compiled: CompiledPlan) -> dict[str, Any]:
    numbers = {
        name: tf.constant([value], compiled.design.dtype)
        for name, value in compiled.numbers.items()
    }
    key = derive_seed(plan.seed + plan.first_epoch, "dropout")
    numbers["dropout_key"] = tf.constant([key], tf.int32)
    if plan.stopping is not None:
        numbers["patience"] = tf.constant([plan.stopping.patience], tf.int32)
    if compiled.rules.numbers:
        # In double precision, as Python's numbers are.
        numbers["rules"] = tf.nest.map_structure(
            lambda value: tf.constant([value], tf.float64), compiled.rules.numbers
        )
    return numbers


def _run_epochs(
    program: Any,
    plan: TrainingPlan,
    data: TrainingData,
    design: Design,
    arrays: dict[str, Any],
    numbers: dict[str, Any],
    state: dict[str, Any],
    replay: CallbackReplay,
) -> dict[str, Any]:
    """Call the program until all epochs are over or the member has stopped.

    The first calls are short, in case training ends early.
    """
    keys, layout = program.keys, design.layout
    printer = EpochPrinter(plan, -(-len(data.train_rows) // layout.batch))
    by_epoch = printer.is_on or replay.schedules
    done, n_epochs = 0, 1 if by_epoch else min(4, layout.epochs)
    held = np.zeros((1, layout.held), np.int32)
    held[0, : len(data.validation_rows)] = data.validation_rows
    fixed = {
        "held": tf.constant(held),
        "n_held": tf.constant([len(data.validation_rows)]),
        "n_rows": tf.constant([len(data.train_rows)]),
    }
    while done < plan.epochs:
        n_epochs = min(n_epochs, plan.epochs - done)
        run = {
            **fixed,
            "orders": _draw_orders(plan, data, layout, done, n_epochs),
            "n_epochs": tf.constant(n_epochs),
            "first_epoch": tf.constant(plan.first_epoch + done),
        }
        epoch = plan.first_epoch + done
        if replay.schedules:
            state["counters"]["learning_rate"] = _as_member(replay.begin_epoch(epoch))
        printer.begin(epoch)
        state, history = _call(program, arrays, run, numbers, state)
        trained = int(state["epochs"][0]) - done
        for i, values in enumerate(history.numpy()[:trained, 0].tolist()):
            logs = replay.end_epoch(epoch + i, dict(zip(keys, values, strict=True)))
            printer.end(epoch + i, logs)
        done += trained
        if int(state["status"][0]) != RUNNING:
            break
        n_epochs = 1 if by_epoch else min(2 * n_epochs, layout.epochs)
    return state


def _call(program: Program, *arguments: Any) -> Any:
    """Run a program; a broken file on disk is removed and the program compiled anew."""
    try:
        with quiet_retracing():
            return program.train(*arguments)
    except tf.errors.OpError:
        if not clear_program_store():
            raise
        return Program(program.design).train(*arguments)


def _draw_orders(
    plan: TrainingPlan, data: TrainingData, layout: Layout, done: int, n_epochs: int
) -> Any:
    orders = np.zeros((layout.epochs, 1, layout.order), np.int32)
    n_rows = len(data.train_rows)
    for i in range(n_epochs):
        order = data.train_rows
        if plan.shuffle:
            epoch = plan.first_epoch + done + i
            order = order[epoch_order(plan.seed, epoch, n_rows)]
        orders[i, 0, :n_rows] = order
    return tf.constant(orders)


def _read_result(
    plan: TrainingPlan,
    design: Design,
    state: dict[str, Any],
    replay: CallbackReplay,
    callbacks: Sequence[Any],
) -> TrainingResult:
    history, n_epochs = replay.history, int(state["epochs"])
    epoch = plan.first_epoch + n_epochs
    rate = float(state["counters"]["learning_rate"])
    if state["status"] == LOSS_NOT_FINITE:
        raise_diverged("training loss", str(history["loss"][-1]), epoch, rate)
    if state["status"] == VALIDATION_NAN:
        raise_diverged("validation loss", "nan", epoch, rate)
    weights = _read_weights(design, state, replay)
    if not all(np.isfinite(weight).all() for weight in weights):
        raise_diverged("weights", "not finite", n_epochs, rate)
    shapes = design.network.trained_shapes
    unpack = Packing(tuple(shapes)).unpack_arrays
    parts = {name: unpack(rows) for name, rows in state["slots"].items()}
    slots = [{name: parts[name][i] for name in parts} for i in range(len(shapes))]
    optimizer_state = list_keras_variables(design.optimizer, slots, state["counters"])
    kept = ModelState(weights, optimizer_state, optimizer=design.optimizer.kind)
    stopping, best = find_stopping(callbacks), n_epochs
    if design.watch is not None:
        best = int(state["best_epoch"])
    elif stopping is not None:
        best = stopping.best_epoch - plan.first_epoch + 1
    best = min(max(best, 1), n_epochs)
    return TrainingResult(kept, history, best, list(callbacks), engine="compiled")


def _read_weights(
    design: Design, state: dict[str, Any], replay: CallbackReplay
) -> list[NDArray[Any]]:
    """Return the weights that training ends with, the last or restored ones."""
    best = [seen.get("best_weights") for seen in state.get("rules", ())]
    restored = replay.end([kept and _join_weights(design, kept) for kept in best])
    if restored is not None:
        return restored
    restores = design.watch is not None and design.watch.restores
    return _join_weights(design, state["best_weights"] if restores else state)


def _join_weights(design: Design, parts: dict[str, Any]) -> list[NDArray[Any]]:
    """Return the weights in Keras's order."""
    packing = Packing(tuple(design.network.trained_shapes))
    trained = iter(packing.unpack_arrays(parts["weights"]))
    others = iter(parts["others"])
    return [next(trained) if on else next(others) for on in design.network.trainable]
