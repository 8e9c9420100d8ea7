"""One plan among those that a program trains: what goes in for it, and what comes out.

Everything here is NumPy's, on the host, and of one member; `groups` stacks members.
"""

import math
import time
from collections.abc import Callable, Hashable, Mapping
from contextlib import ExitStack
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from skkeras_tune.network import MLPArchitecture
from skkeras_tune.training.batches import count_batches
from skkeras_tune.training.callbacks import (
    find_stopping,
    list_stopping,
    read_best_epoch,
)
from skkeras_tune.training.deadline import current_deadline, is_given_up
from skkeras_tune.training.members.callback_replay import CallbackReplay
from skkeras_tune.training.members.compiled_plan import CompiledPlan, resolve_design
from skkeras_tune.training.members.final_state import (
    read_optimizer_variables,
    read_weights,
    refuse_diverged,
    refuse_infinite,
)
from skkeras_tune.training.members.initial_state import (
    build_state,
    list_numbers,
    resume_state,
)
from skkeras_tune.training.members.member_state import unpack_state
from skkeras_tune.training.members.progress import EpochPrinter
from skkeras_tune.training.pausing import pause_training, refuse_other_engine
from skkeras_tune.training.plan import ModelState, Training, TrainingResult
from skkeras_tune.training.programs.costs import expect_epochs
from skkeras_tune.training.programs.design import Design, describe_kind
from skkeras_tune.training.programs.formula_program import find_formulas
from skkeras_tune.training.programs.mlp_program import MLPProgram
from skkeras_tune.training.programs.numpy_program import NumpyProgram
from skkeras_tune.training.programs.program import Program
from skkeras_tune.training.programs.stablehlo_program import StableHLOProgram

#: Draws the order of an epoch from a seed, the epoch and the number of rows.
DrawOrder = Callable[[int, int, int], NDArray[np.int32]]


class Member:
    """A plan in training.

    Parameters
    ----------
    training : Training
        Its callbacks are left as Keras's loop would leave them.
    may_interpret : bool, default=False
        Whether a program of few steps may go uncompiled, with the same answer.

    Raises
    ------
    NotCompilable
        If no program can express the plan.
    ValueError
        If the training starts from another network.
    """

    def __init__(self, training: Training, *, may_interpret: bool = False) -> None:
        self.training, self.may_interpret = training, may_interpret
        self.plan, self.data = training.plan, training.data
        self._callbacks, self._paused = training.callbacks, training.paused
        #: Whether nobody wants its result any more.
        self.is_cancelled = False
        self.deadline = current_deadline()
        self._end: float | None = None
        #: Whether the deadline has ended its training.
        self.is_cut = False
        self.compiled = self._compile()
        refuse_other_engine(training.paused, "compiled")
        self.design = self.compiled.design
        self.n_rows = len(self.data.train_rows)
        self.n_held = len(self.data.validation_rows)
        self.done = training.paused.n_epochs if training.paused else 0
        self._open = ExitStack()

    def _compile(self) -> CompiledPlan:
        return resolve_design(
            self.plan, self.data, self._callbacks, may_interpret=self.may_interpret
        )

    def build_program(self, design: Design) -> Program:
        """Return a new program of that design."""
        if design.machine == "numpy":
            return NumpyProgram(design)
        is_written = design.machine == "xla" and find_formulas(design) is not None
        return (StableHLOProgram if is_written else MLPProgram)(design)

    @property
    def kind(self) -> Hashable:
        """What members of one group have in common."""
        types = [array.dtype.str for array in self.arrays.values()]
        return describe_kind(self.design), tuple(types)

    @property
    def n_batches(self) -> int:
        """Steps of an epoch."""
        return count_batches(self.n_rows, self.plan.batch_size)

    def count_rows(self, n_batches: int) -> int:
        """Return the rows of an epoch that leaves all but so many batches out."""
        n_left_out = max(self.n_batches - n_batches, 0)
        return self.n_rows - n_left_out * self.plan.batch_size

    @property
    def n_steps(self) -> int:
        """Steps that it still trains at most."""
        return self.epochs_left * self.n_batches

    def expect_epochs(self, n_waited: int = 0, quantile: float = 0.5) -> float:
        """Return about how many epochs it still trains, since it may stop early.

        Parameters
        ----------
        n_waited : int, default=0
            Epochs for which its own rule has seen nothing better.
        quantile : float, default=0.5
            How late it is to stop, among its like.
        """
        rules = [self.plan.stopping, *list_stopping(self._callbacks)]
        patience = [rule.patience for rule in rules if rule is not None]
        least = min([self.epochs_left, *(n + 1 - n_waited for n in patience)])
        return expect_epochs(max(least, 1), self.epochs_left, quantile)

    @property
    def may_stop(self) -> bool:
        """Whether it may stop before it has trained all its epochs."""
        return self.expect_epochs() < self.epochs_left

    @property
    def expected_steps(self) -> int:
        """About how many steps it still trains."""
        return math.ceil(self.expect_epochs() * self.n_batches)

    @property
    def n_weights(self) -> int:
        """Number of its trained weights."""
        return sum(map(math.prod, self.design.network.trained_shapes))

    def renew(self) -> "Member":
        """Return a member of the same plan that has not begun."""
        member = Member(self.training, may_interpret=self.may_interpret)
        member.deadline = self.deadline
        return member

    # --- what goes in

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The rows of the features, targets and, if there are any, weights."""
        x = self.data.x
        arrays = {"x": x.toarray() if issparse(x) else x, "y": self.compiled.targets}
        if self.data.weight is not None:
            arrays["weight"] = self.data.weight
        return arrays

    def list_numbers(self, room: Design) -> dict[str, Any]:
        """Return the numeric settings, for a program that may have more room."""
        return list_numbers(self.plan, self.compiled, room)

    def initial_state(self, room: Design) -> dict[str, Any]:
        """Return the weights and all else that a program moves."""
        if self._paused is not None:
            return resume_state(self._paused, room)
        weights, start = self._initial_weights(), self.training.start
        return build_state(self.compiled, weights, start, room)

    def _initial_weights(self) -> list[NDArray[Any]]:
        architecture = self.plan.network
        assert isinstance(architecture, MLPArchitecture)
        weights, start = (
            architecture.initial_weights(self.plan.seed),
            self.training.start,
        )
        if start is None:
            return weights
        start.refuse_other_shapes(weights)
        return start.weights

    def draw_order(self, ahead: int, draw: DrawOrder) -> NDArray[Any]:
        """Return the training rows in the order of an epoch, `ahead` from now."""
        rows = self.data.train_rows
        if not self.plan.shuffle:
            return rows
        ordered: NDArray[Any] = rows[
            draw(self.plan.seed, self.epoch + ahead, self.n_rows)
        ]
        return ordered

    # --- while it trains

    @property
    def epoch(self) -> int:
        """The next epoch, counted from zero over the whole history of the model."""
        return self.plan.first_epoch + self.done

    @property
    def epochs_left(self) -> int:
        """How many epochs it still trains at most."""
        return self.plan.epochs - self.done

    def count_seconds(self, *, in_turn: bool) -> float:
        """Return how long it may train; not at all where nobody wants it any more.

        Parameters
        ----------
        in_turn : bool
            Whether others wait, so that its own limit holds too.
        """
        if is_given_up():  # where it trains alone
            return 0.0
        left = math.inf if self.deadline is None else self.deadline.seconds_left
        if self._end is None or not in_turn:
            return left
        return min(left, self._end - time.monotonic())

    @property
    def is_limited(self) -> bool:
        """Whether it has been told how long it may train while others wait."""
        return self._end is not None

    def limit(self, seconds: float) -> None:
        """Let it train so many seconds more at most, while others wait."""
        self._end = time.monotonic() + seconds

    @property
    def goes_by_epoch(self) -> bool:
        """Whether the host has something to do before each epoch."""
        return self._printer.is_on or self._replay.goes_by_epoch

    @property
    def has_stopped(self) -> bool:
        """Whether a callback, or who listens, has ended the training."""
        return self._replay.has_stopped

    def open(self) -> None:
        """Begin training."""
        plan = self.plan
        self._printer = EpochPrinter(plan, self.n_batches)
        params = {
            "verbose": 1 if plan.verbose == "auto" else plan.verbose,
            "epochs": plan.first_epoch + plan.epochs,
            "steps": self.n_batches,
        }
        rate, dtype = self.compiled.numbers["learning_rate"], self.design.dtype
        if self._paused is not None:
            rate = self._paused.state["counters"]["learning_rate"]
        self._replay = CallbackReplay(
            self._callbacks,
            self.compiled.rules,
            params,
            rate,
            dtype,
            self._paused,
            self.training.listener,
        )
        self._open.enter_context(self._replay.run())

    def close(self) -> None:
        """Let go of the callbacks, whatever has happened."""
        self._open.close()

    def begin_epoch(self) -> NDArray[Any] | None:
        """Announce an epoch; return its learning rate where the host decides it."""
        rate = None
        if self._replay.goes_by_epoch:
            rate = self._replay.begin_epoch(self.epoch)
        self._printer.begin(self.epoch)
        return rate

    def end_epoch(
        self,
        values: Mapping[str, float],
        read: Callable[[], list[NDArray[Any]]] | None = None,
    ) -> None:
        """Hand an epoch's values to the callbacks; `read` returns its weights."""
        logs = self._replay.end_epoch(self.epoch, values, read)
        self._printer.end(self.epoch, logs)
        self.done += 1

    # --- what comes out

    def read_result(self, state: dict[str, Any], room: Design) -> TrainingResult:
        """Return the result of a training that has ended in this state.

        Raises
        ------
        ValueError
            If a loss or the weights are not finite.
        """
        result = self._read_result(state, room)
        if self.training.pauses:
            network = self.design.network
            result.paused = pause_training(
                self.plan,
                self.data,
                result,
                unpack_state(state, room, network.trained_shapes, network.other_shapes),
                is_over=self._was_stopped(state),
                earlier=self._paused,
            )
        return result

    def _was_stopped(self, state: dict[str, Any]) -> bool:
        """Tell whether a rule has ended the training, be it with the last epoch."""
        rule = self.plan.stopping
        has_waited = rule is not None and int(state["wait"]) >= max(rule.patience, 1)
        return has_waited or self.has_stopped

    def _read_result(self, state: dict[str, Any], room: Design) -> TrainingResult:
        network, history = self.design.network, self._replay.history
        listener = self.training.listener
        n_epochs, rate = int(state["epochs"]), float(state["counters"]["learning_rate"])
        refuse_diverged(int(state["status"]), history, self.epoch, rate)
        weights = self._read_weights(state, room)
        refuse_infinite(weights, n_epochs, rate)
        optimizer = self.design.optimizer
        variables = read_optimizer_variables(state, optimizer, network, room)
        return TrainingResult(
            ModelState(weights, variables, optimizer=optimizer.kind),
            history,
            self._find_best_epoch(state),
            list(self._callbacks),
            engine="compiled",
            is_cut=self.is_cut,
            was_told_to_stop=listener is not None and listener.has_stopped,
        )

    def read_weights(self, state: dict[str, Any], room: Design) -> list[NDArray[Any]]:
        """Return the weights of a state in the middle of training."""
        return read_weights(state, self.design.network, room)

    def _find_best_epoch(self, state: dict[str, Any]) -> int:
        """Return the epoch that a rule has found best, or the last one."""
        n_epochs = int(state["epochs"])
        if self.design.watch is not None:
            return int(state["best_epoch"]) or n_epochs
        stopping = find_stopping(self._callbacks)
        return read_best_epoch(stopping, self.plan.first_epoch, n_epochs)

    def _read_weights(self, state: dict[str, Any], room: Design) -> list[NDArray[Any]]:
        """Return the weights that training ends with, the last or restored ones."""
        network, watch = self.design.network, self.design.watch
        best = [seen.get("best_weights") for seen in state.get("rules", ())]
        restored = self._replay.end(
            [kept and read_weights(kept, network, room) for kept in best]
        )
        if restored is not None:
            return restored
        restores = watch is not None and watch.restores
        kept = state["best_weights"] if restores else state
        return read_weights(kept, network, room)
