"""The members of an estimator: networks that differ by their seeds.

A plan for one goes in; what each member trains comes out, and what came of it.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Self

import keras

from skkeras_tune.randomness import derive_seed
from skkeras_tune.trained_model import TrainedModel
from skkeras_tune.training import (
    Training,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)


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
    refit_history : dict or None
        dict[str, list[float]] of a second training on all rows.
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


def list_seeds(seed: int, n_members: int) -> list[int]:
    """Return the seed of each member; the first has the estimator's own."""
    return [seed, *(derive_seed(seed, "member", i) for i in range(1, n_members))]


def list_trainings(
    plan: TrainingPlan,
    data: TrainingData,
    callbacks: Sequence[keras.callbacks.Callback],
    n_members: int,
    earlier: Sequence[FittedMember] = (),
) -> list[Training]:
    """Return what each member trains: the same plan and rows, from another seed.

    Parameters
    ----------
    plan : TrainingPlan
        Of the first member.
    data : TrainingData
    callbacks : sequence of keras.callbacks.Callback
        The first member's; the others have copies. Only the first prints its progress.
    n_members : int
    earlier : sequence of FittedMember, default=()
        What to go on from. Members beyond these start afresh.
    """
    trainings = []
    seeds = list_seeds(plan.seed, n_members)
    for place, (seed, before) in enumerate(
        zip_longest(seeds, earlier[:n_members], fillvalue=None)
    ):
        assert seed is not None
        own = replace(
            plan,
            seed=seed,
            first_epoch=before.n_epochs_seen if before else 0,
            verbose=plan.verbose if place == 0 else 0,
        )
        start = before.trained.state if before else None
        copies = [c if place == 0 else copy.deepcopy(c) for c in callbacks]
        trainings.append(Training(own, data, start, copies))
    return trainings


def list_refits(
    trainings: Sequence[Training],
    results: Sequence[TrainingResult],
    data: TrainingData,
    callbacks: Sequence[Sequence[keras.callbacks.Callback]],
    factor: float,
) -> list[Training]:
    """Return each member's second training: on all rows, from where it began.

    Parameters
    ----------
    trainings, results : sequences
        The first training of each member, and what it gave.
    data : TrainingData
        All rows.
    callbacks : sequence of sequence of keras.callbacks.Callback
        Copies that take part again, for each member.
    factor : float
        Times the best number of epochs.
    """
    return [
        Training(
            replace(
                training.plan,
                epochs=max(1, round(factor * result.best_epoch)),
                stopping=None,
            ),
            data,
            training.start,
            again,
        )
        for training, result, again in zip(trainings, results, callbacks, strict=True)
    ]
