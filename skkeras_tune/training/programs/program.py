"""The epoch loop as one XLA program, over a leading member axis.

A `Design` holds what cannot change from run to run; all else (rows, weights, seeds and
numeric settings of each member) goes in as arguments, so one program serves every fit
of a shape.
"""

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from skkeras_tune._compat.tensorflow import quiet_retracing
from skkeras_tune.training.arithmetic.arrays import (
    any_of,
    both,
    cast,
    clip,
    either,
    equal,
    expand,
    maximum,
    neither,
    reshape,
    stack,
    take_rows,
    take_window,
    where,
    zeros_like,
)
from skkeras_tune.training.arithmetic.primitives import is_finite, is_missing
from skkeras_tune.training.forks import refuse_fork
from skkeras_tune.training.optimizers.updates import apply_gradients, clip_gradients
from skkeras_tune.training.programs.callback_rules import Moment, Plateau, choose
from skkeras_tune.training.programs.design import Design
from skkeras_tune.training.programs.store import clear_program_store

State = dict[str, Any]

#: The parts of a state that a step changes: the trained weights in rows, the others,
#: what the optimizer keeps for each trained weight, and its counters.
MOVING = ("weights", "others", "slots", "counters")

#: What became of a member.
RUNNING, STOPPED, LOSS_NOT_FINITE, VALIDATION_NAN = range(4)


class Outcome(NamedTuple):
    """What a batch comes to.

    Attributes
    ----------
    outputs : tensor of shape (P, B, output_units)
        Or whatever else the judge takes of the network.
    loss : tensor of shape (P,)
        Mean over the rows that count, with what the weights add.
    others : list of tensors
        The weights without gradients, as they are after it.
    """

    outputs: Any
    loss: Any
    others: Any


class Program:
    """A design as a function, which XLA compiles or TensorFlow interprets.

    What depends on the network, `differentiate` and `test`, is a subclass's.

    `train` takes ``(data, run, numbers, state)``. `data` holds "x", "y" and, if
    weighted, "weight". `run` holds "orders" of shape (E, P, order), "n_rows" (P,),
    "held" (P, held), "n_held" (P,), "n_epochs" (), "first_epoch" (P,), "history"
    (E, P, number of keys) and, for each array of `data`, "offsets" (P,): where the rows
    of each member begin. It returns the state, and the history with the values of each
    epoch.
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        self.layout = design.layout
        self.keys = design.keys
        self.judge = design.build_judge()
        self.packing = design.packing
        self._lock = threading.Lock()
        self._is_ready = False
        self._function = self._trace()

    def _trace(self) -> Any:
        is_compiled = self.design.machine == "xla"
        return tf.function(self._train, jit_compile=is_compiled, autograph=False)

    def train(self, data: Any, run: Any, numbers: Any, state: State) -> Any:
        """Train up to ``run["n_epochs"]`` epochs."""
        with quiet_retracing():
            return self._function(data, run, numbers, state)

    def prepare(self, data: Any, run: Any, numbers: Any, state: State) -> None:
        """Trace and compile, if nobody has: `train` without any epoch."""
        refuse_fork()
        with self._lock:
            if not self._is_ready:
                run = {**run, "n_epochs": tf.constant(0)}
                self._prepare(data, run, numbers, state)
                self._is_ready = True

    def _prepare(self, data: Any, run: Any, numbers: Any, state: State) -> None:
        """Trace and compile; a broken file on disk is removed first."""
        try:
            self.train(data, run, numbers, state)
        except tf.errors.OpError as error:
            if not clear_program_store(error):
                raise
            self._function = self._trace()
            self.train(data, run, numbers, state)

    def _train(self, data: Any, run: Any, numbers: Any, state: State) -> Any:
        run = dict(run)
        history = run.pop("history")

        def is_on(epoch: Any, state: State, history: Any) -> Any:
            waiting = equal(state["status"], RUNNING)
            return both(epoch < run["n_epochs"], any_of(waiting))

        def one(epoch: Any, state: State, history: Any) -> Any:
            state, values = self.train_epoch(epoch, data, run, numbers, state)
            places = np.arange(self.layout.epochs, dtype=np.int32)[:, None, None]
            history = where(equal(epoch, places), stack(values, -1), history)
            return epoch + 1, state, history

        _, state, history = self.repeat_while(is_on, one, [np.int32(0), state, history])
        return state, history

    def repeat_while(
        self,
        goes_on: Callable[..., Any],
        step: Callable[..., Any],
        start: list[Any],
    ) -> Any:
        """Take steps from nested tensors to such, while a condition holds."""
        return tf.while_loop(goes_on, step, start)

    @cached_property
    def type(self) -> Any:
        return tf.as_dtype(self.design.dtype)

    # --- one epoch

    def train_epoch(
        self, epoch: Any, data: Any, run: Any, numbers: Any, state: State
    ) -> tuple[State, list[Any]]:
        n_rows = run["n_rows"]
        if self.layout.members > 1:  # or else its only member runs
            n_rows = where(equal(state["status"], RUNNING), n_rows, 0)
        moving = {name: state[name] for name in MOVING}

        def step(rows: Any, places: Any, moving: State, totals: Any) -> Any:
            batch = self.gather(data, run, rows)
            moving, outcome = self.train_step(batch, places, numbers, moving)
            return moving, self.add_totals(totals, batch["y"], outcome, places)

        sizes = self.layout.batch, self.layout.rest
        start = [moving, self.start_totals()]
        moving, totals = self.visit(run["orders"], epoch, n_rows, sizes, step, start)
        ended = [(totals, n_rows)]
        if self.layout.held:
            held = self.evaluate(data, run, numbers, moving)
            ended.append((held, run["n_held"]))
        known: tuple[State, list[Any]] = self.compute_apart(
            self.end_epoch, [epoch, run["first_epoch"], numbers, state, moving, ended]
        )
        return known

    def compute_apart(self, compute: Callable[..., Any], arguments: list[Any]) -> Any:
        """Compute what is not worth kernels of its own, and uses its arguments only."""
        return compute(*arguments)

    def visit(
        self,
        orders: Any,
        epoch: Any,
        n_rows: Any,
        sizes: tuple[int, int],
        step: Callable[..., Any],
        carried: list[Any],
    ) -> Any:
        """Take a step for each batch of an order.

        Parameters
        ----------
        orders : tensor of int of shape (E, P, places)
        epoch : int or tensor of shape ()
            Which of the orders.
        n_rows : tensor of int of shape (P,)
        sizes : tuple of int
            Rows of a batch, and of the last one if it is not padded.
        step : callable
            Takes rows, places and what is carried, and returns what is carried on.
        carried : list of nested tensors
        """
        size, _ = sizes

        def one(i: Any, *carried: Any) -> Any:
            places = self.take_places(orders, epoch, i, size, n_rows)
            return i + 1, *step(*places, *carried)

        def goes_on(i: Any, *carried: Any) -> Any:
            return any_of(i * size < n_rows)

        _, *carried = self.repeat_while(goes_on, one, [np.int32(0), *carried])
        return carried

    def take_places(
        self, orders: Any, epoch: Any, i: Any, size: int, n_rows: Any
    ) -> Any:
        """Return the rows of one batch, and which and how many of them count."""
        start = i * size
        n_members = self.layout.members
        rows = take_window(orders, [epoch, 0, start], [1, n_members, size])
        rows = reshape(rows, [n_members, size])
        return rows, self.mark_places(n_rows - start, size)

    def mark_places(self, n_left: Any, size: int) -> tuple[Any, Any]:
        """Return which places of a batch count, and how many, of rows that are left."""
        count = clip(n_left, 0, size)
        mask = cast(expand(count, 1) > np.arange(size), self.type)
        return mask, cast(count, self.type)

    def gather(self, data: Any, run: Any, rows: Any) -> State:
        offsets = run["offsets"]
        return {
            name: take_rows(values, rows + expand(offsets[name], 1))
            for name, values in data.items()
        }

    def train_step(
        self, batch: State, places: Any, numbers: Any, moving: State
    ) -> tuple[State, Outcome]:
        _, count = places
        rule = self.design.optimizer
        gradients, outcome = self.differentiate(batch, places, numbers, moving)
        if rule.clip is not None:
            parts = self.packing.unpack(gradients)
            gradients = self.packing.pack(clip_gradients(rule.clip, parts, numbers))
        updated = self.update(gradients, numbers, moving)
        new = dict(zip(("weights", "slots", "counters"), updated, strict=True))
        new["weights"] = self.constrain(new["weights"])
        new["others"] = outcome.others
        if self.layout.members > 1:
            new = self.keep_idle(count, new, moving)
        return new, outcome

    def update(
        self, gradients: Any, numbers: Any, moving: State, squares: Any = None
    ) -> tuple[Any, ...]:
        """Return weights, slots and counters after a step."""
        rule, weights = self.design.optimizer, moving["weights"]
        slots, counters = moving["slots"], moving["counters"]
        return apply_gradients(
            rule, weights, gradients, slots, counters, numbers, squares
        )

    def keep_idle(self, count: Any, new: State, moving: State) -> State:
        """Leave who has no row here as it was: a fold may be a batch shorter."""
        kept: State = choose(count > 0, new, moving)
        return kept

    # --- what depends on the network

    def differentiate(
        self, batch: State, places: Any, numbers: Any, moving: State
    ) -> tuple[tuple[Any, ...], Outcome]:
        """Return the gradients of the weights' rows, and what a batch came to."""
        raise NotImplementedError

    def test(self, batch: State, places: Any, numbers: Any, moving: State) -> Outcome:
        """Return what a batch of held-out rows comes to."""
        raise NotImplementedError

    def constrain(self, rows: Any) -> Any:
        """Bring the trained weights back to where they must be."""
        return rows

    def share_rows(self, batch: State, places: Any) -> Any:
        """Return how much each row's loss counts, of shape (P, B)."""
        mask, count = places
        share = mask / expand(maximum(count, 1), 1)
        return share * batch["weight"] if self.design.weighted else share

    # --- losses and metrics of an epoch

    def start_totals(self) -> Any:
        zeros = np.zeros(self.layout.members, self.type.as_numpy_dtype)
        return zeros, self.judge.start(self.layout.members)

    def add_totals(self, totals: Any, y: Any, outcome: Outcome, places: Any) -> Any:
        """Add a batch to the sum of the rows' losses, and to the metrics."""
        (mask, count), (total, metrics) = places, totals
        metrics = self.judge.update(metrics, y, outcome.outputs, mask)
        return total + outcome.loss * count, metrics

    def finish_totals(self, totals: Any, n_rows: Any) -> list[Any]:
        """Return the metrics and the mean loss over so many rows."""
        total, metrics = totals
        mean = total / cast(maximum(n_rows, 1), self.type)
        values: list[Any] = self.judge.results(metrics, mean, self.type)
        return values

    def evaluate(self, data: Any, run: Any, numbers: Any, moving: Any) -> Any:
        """Return the totals of the held-out rows."""

        def step(rows: Any, places: Any, totals: Any) -> list[Any]:
            batch = self.gather(data, run, rows)
            outcome = self.test(batch, places, numbers, moving)
            return [self.add_totals(totals, batch["y"], outcome, places)]

        sizes = self.layout.held_batch, self.layout.held_rest
        start = [self.start_totals()]
        held = run["held"][np.newaxis]
        (totals,) = self.visit(held, 0, run["n_held"], sizes, step, start)
        return totals

    # --- stopping

    def end_epoch(
        self,
        epoch: Any,
        first_epoch: Any,
        numbers: Any,
        before: State,
        moving: State,
        ended: list[tuple[Any, Any]],
    ) -> tuple[State, list[Any]]:
        """Decide who goes on, keep the best weights, and return the epoch's values."""
        values = [value for part in ended for value in self.finish_totals(*part)]
        runs = equal(before["status"], RUNNING)
        state = {**before, **moving}
        state["epochs"] = before["epochs"] + cast(runs, "int32")
        named = dict(zip(self.keys, values, strict=True))
        stops, seen = self.follow(first_epoch + epoch, numbers, state, named)
        if self.layout.members > 1:
            seen = choose(runs, seen, {name: before[name] for name in seen})
        state |= seen
        if self.layout.members > 1:  # an only member is called for so many
            stops = either(stops, state["epochs"] >= numbers["epochs"])
        stops = both(runs, stops)
        status = where(stops, STOPPED, before["status"])
        if "val_loss" in named:
            broken = is_missing(named["val_loss"])
            status = where(both(runs, broken), VALIDATION_NAN, status)
        broken = neither(is_finite(named["loss"]))
        state["status"] = where(both(runs, broken), LOSS_NOT_FINITE, status)
        return state, values

    def follow(
        self, epoch: Any, numbers: Any, state: State, named: State
    ) -> tuple[Any, State]:
        """Follow all rules in their order: who must stop, and what has changed."""
        design, counters = self.design, state["counters"]
        weights = {name: state[name] for name in ("weights", "others")}
        rate, stops = counters["learning_rate"], zeros_like(state["epochs"], "bool")
        seen: State = {}
        if design.watch is not None:
            moment = Moment(epoch, state["epochs"], named, weights, rate)
            seen, stops = design.watch.follow(moment, numbers, state)
        for i, rule in enumerate(design.rules):
            moment = Moment(epoch, state["epochs"], named, weights, rate)
            now = rule.follow(moment, numbers["rules"][i], state["rules"][i])
            if isinstance(rule, Plateau):
                rate = now[1]
            else:
                stops = either(stops, now[1])
            seen["rules"] = (*seen.get("rules", ()), now[0])
        return stops, {**seen, "counters": {**counters, "learning_rate": rate}}
