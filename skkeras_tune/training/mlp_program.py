"""The epoch loop of `Program` around the built-in network, for many members."""

from functools import partial
from typing import Any

import tensorflow as tf

from skkeras_tune.randomness import hash_bits
from skkeras_tune.training.layers import TrainingPass
from skkeras_tune.training.packing import Packing
from skkeras_tune.training.program import Design, Outcome, Program, State


class MLPProgram(Program):
    """A program whose network is a `StackedMLP`."""

    def __init__(self, design: Design) -> None:
        super().__init__(design)
        self._joined = Packing(tuple(design.network.joined_shapes))

    def differentiate(
        self, batch: State, places: Any, numbers: Any, moving: State
    ) -> tuple[tuple[Any, ...], Outcome]:
        """Return the gradients of the weights' rows, and what a batch came to."""
        network, mask = self.design.network, places[0]
        trained = self._joined.unpack(moving["weights"])
        training = self._begin_pass(mask, moving["counters"], numbers)
        called = network.forward(trained, moving["others"], batch["x"], training)
        share = self.share_rows(batch, places)
        outputs, losses, slope = self.judge.differentiate(
            partial(network.finish, raw=self.judge.takes_logits),
            called.outputs,
            batch["y"],
            numbers["label_smoothing"],
            share,
        )
        penalty, slopes = self._penalize(trained, numbers)
        gradients = [
            gradient if add is None else gradient + add
            for gradient, add in zip(called.find_gradients(slope), slopes, strict=True)
        ]
        rows = self._joined.pack(gradients)
        if self.design.padded:
            rows = tuple(r * on for r, on in zip(rows, numbers["real"], strict=True))
        loss = tf.reduce_sum(losses * share, axis=1) + penalty
        return rows, Outcome(outputs, loss, called.moved)

    def test(self, batch: State, places: Any, numbers: Any, moving: State) -> Outcome:
        """Return what a batch of held-out rows comes to."""
        network, others = self.design.network, moving["others"]
        trained = self._joined.unpack(moving["weights"])
        called = network.forward(trained, others, batch["x"], None)
        outputs = network.finish(called.outputs, raw=self.judge.takes_logits)
        losses = self.find_losses(batch, outputs, numbers)
        loss = tf.reduce_sum(losses * self.share_rows(batch, places), axis=1)
        penalty = network.penalty(trained, numbers["l1"], numbers["l2"])
        return Outcome(outputs, loss + penalty, others)

    def _begin_pass(self, mask: Any, counters: State, numbers: Any) -> TrainingPass:
        """Return what the network needs of a step beside the rows."""
        if not self.design.network.architecture.dropout:
            return TrainingPass(mask)
        steps = tf.cast(counters["iteration"], tf.int32)
        keys = hash_bits(tf.bitcast(numbers["dropout_key"] + steps, tf.uint32), 0)
        return TrainingPass(mask, numbers["dropout"], tf.bitcast(keys, tf.int32))

    def _penalize(self, trained: list[Any], numbers: Any) -> tuple[Any, list[Any]]:
        """Return what the weights add to the loss, and its gradients, None for none."""
        network = self.design.network
        if not network.is_penalized:
            return tf.zeros_like(numbers["l1"]), [None] * len(trained)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            penalty = network.penalty(trained, numbers["l1"], numbers["l2"])
        return penalty, tape.gradient(penalty, trained)
