"""A plan in; out come the numbers and the state with which a program begins with it.

Everything is NumPy's, of one member, and in the room that the program has.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.randomness import derive_seed
from skkeras_tune.training.members.compiled_plan import CompiledPlan
from skkeras_tune.training.members.member_state import pack_state, pack_weights, pad
from skkeras_tune.training.optimizers.state import initial_slots, read_keras_variables
from skkeras_tune.training.plan import ModelState, PausedTraining, TrainingPlan
from skkeras_tune.training.programs.design import Design
from skkeras_tune.training.programs.program import RUNNING

Slots = list[dict[str, NDArray[Any]]]


def list_numbers(
    plan: TrainingPlan, compiled: CompiledPlan, room: Design
) -> dict[str, Any]:
    """Return the numeric settings, for a program that may have more room."""
    dtype = compiled.design.dtype
    numbers: dict[str, Any] = {
        name: np.asarray(value, dtype) for name, value in compiled.numbers.items()
    }
    key = derive_seed(plan.seed + plan.first_epoch, "dropout")
    numbers["dropout_key"] = np.int32(key)
    numbers["epochs"] = np.int32(plan.epochs)
    if plan.stopping is not None:
        numbers["patience"] = np.int32(plan.stopping.patience)
    if compiled.rules.numbers:
        # In double precision, as Python's numbers are.
        numbers["rules"] = tuple(
            {name: np.float64(value) for name, value in rule.items()}
            for rule in compiled.rules.numbers
        )
    if room.padded:
        shapes = compiled.design.network.trained_shapes
        real = [np.ones(shape, dtype) for shape in shapes]
        numbers["real"] = pack_weights(real, room)
    return numbers


def resume_state(paused: PausedTraining, room: Design) -> dict[str, Any]:
    """Return the state with which training goes on after a pause."""
    return {**pack_state(paused.state, room), "status": np.int32(RUNNING)}


def build_state(
    compiled: CompiledPlan,
    weights: list[NDArray[Any]],
    start: ModelState | None,
    room: Design,
) -> dict[str, Any]:
    """Return the weights and all else that a program moves, as training begins.

    Parameters
    ----------
    compiled : CompiledPlan
    weights : list of ndarray
        In Keras's order.
    start : ModelState, default=None
        Its optimizer's state is gone on with, if it is of the same kind.
    room : Design
    """
    design = compiled.design
    trained, others = _separate(weights, design.network.trainable)
    slots, counters = _start_optimizer(compiled, trained, start)
    packed = {
        "weights": pack_weights(trained, room),
        "others": list(map(pad, others, room.network.other_shapes)),
    }
    names = design.optimizer.slots
    state: dict[str, Any] = {
        **packed,
        "slots": {n: pack_weights([s[n] for s in slots], room) for n in names},
        "counters": counters,
        "status": np.int32(RUNNING),
        "epochs": np.int32(0),
    }
    if design.watch is not None:
        state |= design.watch.start(design.dtype, packed)
    if design.rules:
        state["rules"] = tuple(r.start(design.dtype, packed) for r in design.rules)
    return state


def _separate(weights: list[Any], trainable: list[bool]) -> tuple[list[Any], list[Any]]:
    """Return the trained weights, and those that have no gradients."""
    pairs = list(zip(weights, trainable, strict=True))
    return [w for w, on in pairs if on], [w for w, on in pairs if not on]


def _start_optimizer(
    compiled: CompiledPlan, trained: list[NDArray[Any]], start: ModelState | None
) -> tuple[Slots, dict[str, Any]]:
    """Return what the optimizer keeps for each weight, and its counters."""
    rule, counters = compiled.design.optimizer, _start_counters(compiled)
    if start is not None and start.optimizer in ("", rule.kind):
        known = read_keras_variables(rule, start.optimizer_state, len(trained))
        if known is not None:
            slots, earlier = known
            return slots, counters | _keep_counters(earlier)
    return initial_slots(rule, trained, compiled.numbers), counters


def _start_counters(compiled: CompiledPlan) -> dict[str, Any]:
    dtype = compiled.design.dtype
    rate = np.asarray(compiled.numbers["learning_rate"], dtype)
    counters: dict[str, Any] = {"iteration": np.int32(0), "learning_rate": rate}
    if compiled.design.optimizer.kind == "Nadam":
        counters["variable"] = np.asarray(1.0, dtype)
    return counters


def _keep_counters(earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counters that go on: the learning rate is this plan's."""
    kept = {name: n for name, n in earlier.items() if name != "learning_rate"}
    return {**kept, "iteration": np.int32(earlier["iteration"])}
