"""The members of an estimator: networks that were trained, and what they predict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from skkeras_tune.estimators.parameters import refuse_predict_options
from skkeras_tune.estimators.trained_model import TrainedModel
from skkeras_tune.training import ModelState, Training, TrainingPlan, TrainingResult
from skkeras_tune.training.batches import count_rows


@dataclass(frozen=True, eq=False)
class FittedMember:
    """A network that was trained, and how.

    Attributes
    ----------
    trained : TrainedModel
    seed : int
    n_epochs_seen : int
        Epochs trained since the first fit; a fit that continues goes on from there.
    history : dict of str to list of float
    best_epoch : int
    refit_history : dict of str to list of float, or None
        Of a second training on all rows.
    callbacks : list of keras.callbacks.Callback or None
        Not pickled.
    engine, reason : str or None
        Which loop trained, and why not the compiled one.
    """

    trained: TrainedModel
    seed: int
    n_epochs_seen: int
    history: dict[str, list[float]]
    best_epoch: int
    refit_history: dict[str, list[float]] | None = None
    callbacks: list[Any] | None = None
    engine: str | None = None
    reason: str | None = None

    @classmethod
    def read(
        cls,
        training: Training,
        result: TrainingResult,
        again: TrainingResult | None = None,
    ) -> Self:
        """Return the member that a training, or a second one after it, has made."""
        plan, state = training.plan, (again or result).state
        return cls(
            TrainedModel(plan.network, plan.compilation, plan.seed, state),
            plan.seed,
            plan.first_epoch + len(result.history["loss"]),
            result.history,
            result.best_epoch,
            again.history if again else None,
            result.callbacks,
            result.engine,
            result.reason,
        )

    @classmethod
    def untrained(cls, plan: TrainingPlan) -> Self:
        """Return a network with the weights it starts, or came, with."""
        return cls(TrainedModel.untrained(plan), plan.seed, 0, {"loss": []}, 0)

    def join(self, earlier: "FittedMember | None") -> "FittedMember":
        """Return the member with what it went on from as part of its history."""
        before = earlier.history if earlier else {}
        names = {**before, **self.history}
        joined = {n: before.get(n, []) + self.history.get(n, []) for n in names}
        return replace(self, history=joined, best_epoch=len(joined["loss"]))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "callbacks": None}


def show_weights(plan: TrainingPlan, weights: Sequence[Any]) -> dict[str, Any]:
    """Return attributes by which an estimator predicts with weights of an epoch."""
    state = ModelState(list(weights), [])
    trained = TrainedModel(plan.network, plan.compilation, plan.seed, state)
    member = FittedMember(trained, plan.seed, 0, {"loss": []}, 0)
    return {"_members": (member,), "_average": None}


def predict_members(
    members: Sequence[FittedMember], x: Any, options: dict[str, Any], caller: str
) -> list[Any]:
    """Return each member's outputs for encoded features.

    Parameters
    ----------
    members : sequence of FittedMember
    x : array, sparse matrix, or nested lists and dicts of arrays
    options : dict
        Arguments of Keras's `predict`; a `batch_size` of -1 is all rows.
    caller : str
        Name of the estimator's class.

    Raises
    ------
    TypeError
        If Keras's `predict` does not take an option.
    ValueError
        If an output is NaN.
    """
    rest = {name: value for name, value in options.items() if name != "batch_size"}
    if rest:  # which Keras's own `predict` takes
        refuse_predict_options(rest, members[0].trained.model.predict, caller)
    batch_size = options.get("batch_size")
    if batch_size == -1:
        batch_size = count_rows(x)
    outputs = [member.trained.predict(x, batch_size, rest) for member in members]
    if any(isinstance(o, np.ndarray) and np.isnan(o).any() for o in outputs):
        message = (
            f"The network of this {caller} predicts NaN. Its training diverged, or it "
            "computes NaN for these rows."
        )
        raise ValueError(message)
    return outputs
