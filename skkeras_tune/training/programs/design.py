"""What a program is compiled for: sizes and kinds, of one member or several joined."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import keras

from skkeras_tune.training.arithmetic.packing import Packing
from skkeras_tune.training.mlp.objective import describe_values
from skkeras_tune.training.mlp.stacked_mlp import StackedMLP
from skkeras_tune.training.optimizers.rule import OptimizerRule
from skkeras_tune.training.programs.callback_rules import Rule, Watch

Machine = Literal["xla", "tensorflow", "numpy"]

_MAX_EPOCHS_A_CALL = 32
_MAX_PLACES_A_CALL = 2**19


@dataclass(frozen=True)
class Layout:
    """Sizes of the arrays that a program takes.

    Attributes
    ----------
    members : int
        Members trained side by side, P.
    rows : tuple of int
        Rows of each array of the data, padding included.
    order : int
        Places in the order of an epoch, a multiple of `batch`.
    batch : int
        Rows of a step, B.
    held, held_batch : int
        Places for held-out rows, and how many are evaluated at a time.
    epochs : int
        Epochs that a call trains at most, E.
    rest, held_rest : int
        Rows of a last, smaller batch of an epoch and of the held-out rows, where
        batches may not be padded.
    """

    members: int
    rows: tuple[int, ...]
    order: int
    batch: int
    held: int
    held_batch: int
    epochs: int
    rest: int = 0
    held_rest: int = 0


@dataclass(frozen=True)
class Design:
    """Everything that makes programs differ.

    `network` is a `StackedMLP`, or the `ModelShape` of a user's model, and `objective`
    an `Objective` or a `ModelObjective`. `target` holds type and shape of the targets
    of a row. `watch` is the plan's own early stopping; `rules` are those of callbacks.
    In a `padded` network some members have fewer units than there is room for.
    `machine` is what runs it: XLA compiles it, TensorFlow traces it and runs one
    operation after the other, and NumPy does so without tracing. `epsilon` is Keras's,
    which losses read.
    """

    network: Any
    optimizer: OptimizerRule
    objective: Any
    watch: Watch | None
    layout: Layout
    target: Any
    weighted: bool
    dtype: str
    rules: tuple[Rule, ...] = ()
    machine: Machine = "xla"
    padded: bool = False
    epsilon: float = field(default_factory=keras.config.epsilon)

    def build_judge(self) -> Any:
        """Return what computes the losses and metrics."""
        return self.objective.build_judge(self.target, self.network.outputs)

    @cached_property
    def packing(self) -> Packing:
        """Where the trained weights stand."""
        # XLA alone makes a loop over a row of what else is an operation for each.
        n_members = self.layout.members if self.machine == "xla" else 1
        return Packing(tuple(self.network.blocks), n_members)

    @property
    def directions(self) -> dict[str, str]:
        """Which way each value of an epoch is better, where Keras knows it."""
        return describe_values(self.objective, self.target, self.network.outputs)

    @property
    def keys(self) -> list[str]:
        """Names of the values that an epoch ends with."""
        names = list(self.directions)
        held = [f"val_{name}" for name in names] if self.layout.held else []
        return names + held


# --- sizes


def resolve_epochs(places: int, n_inputs: int) -> int:
    """Return how many epochs of so many places a call trains at most."""
    width = max(1, n_inputs // 16)
    return min(max(_MAX_PLACES_A_CALL // (places * width), 1), _MAX_EPOCHS_A_CALL)


def pad_size(size: int) -> int:
    """Round up by an eighth at most, so that near sizes share a program."""
    if size <= 8:
        return size and 8
    unit: int = 2 ** max((size - 1).bit_length() - 4, 3)
    return -(-size // unit) * unit


# --- groups


def describe_kind(design: Design) -> Design:
    """Return what members of one group must have in common: no sizes, no switches."""
    layout = replace(
        design.layout,
        members=0,
        rows=(),
        order=0,
        held=min(design.layout.held, 1),
        held_batch=0,
        epochs=0,
    )
    objective = replace(design.objective, smooths=False)
    network = design.network.kind
    return replace(
        design, layout=layout, network=network, objective=objective, padded=False
    )


def join_designs(
    designs: Sequence[Design], n_slots: int, rows: Sequence[int]
) -> Design:
    """Return a design that trains members of one kind side by side.

    Parameters
    ----------
    designs : sequence of Design
        Of members alone; all of one kind.
    n_slots : int
        Members trained at a time.
    rows : sequence of int
        Rows of each of the joined arrays.
    """
    if len(designs) == n_slots == 1:
        return designs[0]
    layouts = [design.layout for design in designs]
    held = max(layout.held for layout in layouts)
    held_batch = max(layout.held_batch for layout in layouts)
    order = max(layout.order for layout in layouts)
    networks = [design.network for design in designs]
    network = _widen(networks[0].join(networks), networks)
    layout = Layout(
        members=n_slots,
        rows=tuple(map(pad_size, rows)),
        order=order,
        batch=layouts[0].batch,
        held=-(-held // held_batch) * held_batch if held else 0,
        held_batch=held_batch,
        epochs=resolve_epochs(order * n_slots, network.architecture.n_inputs),
    )
    padded = any(network.trained_shapes != n.trained_shapes for n in networks)
    smooths = any(design.objective.smooths for design in designs)
    return replace(
        designs[0],
        network=network,
        layout=layout,
        padded=padded,
        objective=replace(designs[0].objective, smooths=smooths),
    )


def _widen(joined: StackedMLP, networks: Sequence[StackedMLP]) -> StackedMLP:
    """Round up widths that differ, so that other groups find the program."""
    widths = {network.architecture.hidden_units for network in networks}
    if len(widths) == 1:
        return joined
    units = tuple(pad_size(width) for width in joined.architecture.hidden_units)
    return StackedMLP(replace(joined.architecture, hidden_units=units))


def pad_members(size: int) -> int:
    """Round up by a quarter at most, so that near sizes of groups share a program."""
    unit: int = 2 ** max((size - 1).bit_length() - 3, 0)
    return -(-size // unit) * unit
