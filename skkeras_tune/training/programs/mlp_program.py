"""The epoch loop of `Program` around the built-in network, for many members."""

from functools import partial
from typing import Any

from skkeras_tune.training.arithmetic.arrays import add_up, cast, reread, zeros_like
from skkeras_tune.training.arithmetic.primitives import hash_bits
from skkeras_tune.training.mlp.layers import TrainingPass
from skkeras_tune.training.mlp.objective import Judge
from skkeras_tune.training.programs.program import Outcome, Program, State


class MLPProgram(Program):
    """A program whose network is a `StackedMLP`."""

    judge: Judge

    def differentiate(
        self, batch: State, places: Any, numbers: Any, moving: State
    ) -> tuple[tuple[Any, ...], Outcome]:
        """Return the gradients of the weights' rows, and what a batch came to."""
        network, mask = self.design.network, places[0]
        trained = self.packing.joined.unpack(moving["weights"])
        training = self._begin_pass(mask, moving["counters"], numbers)
        called = network.forward(trained, moving["others"], batch["x"], training)
        share = self.share_rows(batch, places)
        outputs, losses, slope = self.judge_batch(called.outputs, batch, numbers, share)
        penalty, slopes = self._penalize(trained, numbers)
        gradients = [
            gradient if add is None else gradient + add
            for gradient, add in zip(called.find_gradients(slope), slopes, strict=True)
        ]
        rows = self.packing.joined.pack(gradients)
        if self.design.padded:
            rows = tuple(r * on for r, on in zip(rows, numbers["real"], strict=True))
        loss = add_up(losses * share, 1) + penalty
        return rows, Outcome(outputs, loss, called.moved)

    def test(self, batch: State, places: Any, numbers: Any, moving: State) -> Outcome:
        """Return what a batch of held-out rows comes to."""
        network, others = self.design.network, moving["others"]
        trained = self.packing.joined.unpack(moving["weights"])
        called = network.forward(trained, others, batch["x"], None)
        outputs, losses = self.find_losses(called.outputs, batch, numbers)
        loss = add_up(losses * self.share_rows(batch, places), 1)
        penalty = network.penalty(trained, numbers["l1"], numbers["l2"])
        return Outcome(outputs, loss + penalty, others)

    def judge_batch(
        self, raw: Any, batch: State, numbers: Any, share: Any
    ) -> tuple[Any, Any, Any]:
        """Return outputs, the loss of each row, and the gradient of their sum.

        Parameters
        ----------
        raw : tensor of shape (P, B, n_outputs)
            The outputs before their activation, for which the gradient is found.
        batch : dict of tensors of shape (P, B, ...)
        numbers : dict of tensors of shape (P,)
        share : tensor of shape (P, B)
            How much each row counts in the sum.
        """
        finish = partial(self.design.network.finish, raw=self.judge.takes_logits)
        smoothing = numbers["label_smoothing"]
        return self.judge.differentiate(finish, raw, batch["y"], smoothing, share)

    def find_losses(self, raw: Any, batch: State, numbers: Any) -> tuple[Any, Any]:
        """Return outputs, and the loss of each row."""
        outputs = self.design.network.finish(raw, raw=self.judge.takes_logits)
        smoothing = numbers["label_smoothing"]
        return outputs, self.judge.losses(batch["y"], outputs, smoothing)

    def _begin_pass(self, mask: Any, counters: State, numbers: Any) -> TrainingPass:
        """Return what the network needs of a step beside the rows."""
        if not self.design.network.architecture.dropout:
            return TrainingPass(mask)
        steps = cast(counters["iteration"], "int32")
        keys = hash_bits(reread(numbers["dropout_key"] + steps, "uint32"), 0)
        return TrainingPass(mask, numbers["dropout"], reread(keys, "int32"))

    def _penalize(self, trained: list[Any], numbers: Any) -> tuple[Any, list[Any]]:
        """Return what the weights add to the loss, and its gradients, None for none."""
        network = self.design.network
        if not network.is_penalized:
            return zeros_like(numbers["l1"]), [None] * len(trained)
        factors = numbers["l1"], numbers["l2"]
        return (
            network.penalty(trained, *factors),
            network.penalty_slopes(trained, *factors),
        )
