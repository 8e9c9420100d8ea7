"""A plan for one member in; all members, which differ by their seeds, trained, out."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import keras

from skkeras_tune.estimators.members import FittedMember
from skkeras_tune.estimators.planning import Refit
from skkeras_tune.randomness import derive_seed
from skkeras_tune.training import (
    Stages,
    Training,
    TrainingData,
    TrainingPlan,
    TrainingResult,
    restore_models,
)
from skkeras_tune.training.deadline import leaves_time_for, note_cut
from skkeras_tune.training.epoch_tasks import EpochFollower, EpochTasks

#: Trains all that it is given.
Trainer = Callable[[list[Training]], list[TrainingResult]]


def list_seeds(seed: int, n_members: int) -> list[int]:
    """Return the seed of each member; the first has the estimator's own."""
    return [seed, *(derive_seed(seed, "member", i) for i in range(1, n_members))]


def list_untrained(plan: TrainingPlan, n_members: int) -> list[FittedMember]:
    """Return members with the weights they start, or came, with."""
    seeds = list_seeds(plan.seed, n_members)
    return [FittedMember.untrained(replace(plan, seed=seed)) for seed in seeds]


def list_trainings(
    plan: TrainingPlan,
    data: TrainingData,
    callbacks: Sequence[keras.callbacks.Callback],
    n_members: int,
    earlier: Sequence[FittedMember] = (),
    *,
    is_repeated: bool = False,
    listener: EpochTasks | None = None,
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
    is_repeated : bool, default=False
        Whether more trainings like these are to come.
    listener : EpochTasks, default=None
        Hears of the first member's epochs. Where it ends them, it ends those of all.
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
        start = before.trained.start(plan) if before else None
        copies = [c if place == 0 else copy.deepcopy(c) for c in callbacks]
        heard = listener if place == 0 or listener is None else EpochFollower(listener)
        trainings.append(
            Training(own, data, start, copies, is_repeated=is_repeated, listener=heard)
        )
    return trainings


def count_epochs(plan: TrainingPlan, stages: Stages | None = None) -> int:
    """Return how many epochs a member trains at most."""
    return plan.epochs - (stages.last[0].n_epochs if stages and stages.last else 0)


def fit_members(
    trainings: list[Training],
    train: Trainer,
    stages: Stages | None = None,
    refit: Refit | None = None,
) -> list[FittedMember]:
    """Train each member, and once more on all rows where that is asked for.

    Parameters
    ----------
    trainings : list of Training
        One for each member.
    train : callable
        Gives the result of each.
    stages : Stages, default=None
        Where the trainings go on, and where they pause.
    refit : Refit, default=None
        Left out where a deadline has ended a training, or leaves no time for as much
        again.
    """
    began = time.monotonic()
    if stages is not None:
        trainings = stages.resume(trainings)
    callbacks = [_copy_steering(t.callbacks) if refit else [] for t in trainings]
    results = train(trainings)
    if any(map(_is_hasty, trainings, results)):
        note_cut()
    if stages is not None:
        stages.pause(results)
    again: Sequence[TrainingResult | None] = [None] * len(results)
    is_cut = any(result.is_cut for result in results)
    if refit is not None and not is_cut and leaves_time_for(time.monotonic() - began):
        again = _train_again(
            list_refits(trainings, results, refit, callbacks), results, train
        )
    return list(map(FittedMember.read, trainings, results, again))


def _is_hasty(training: Training, result: TrainingResult) -> bool:
    """Tell whether a deadline has ended a training that had hardly begun."""
    n_epochs, stopping = len(result.history["loss"]), training.plan.stopping
    if stopping is None:
        return result.is_cut and n_epochs < training.plan.epochs / 2
    return result.is_cut and n_epochs <= stopping.patience


def _copy_steering(callbacks: Sequence[Any]) -> list[Any]:
    """Copy the callbacks that take part in a second training, without validation.

    These are all but those that watch a value, such as early stopping.
    """
    return [copy.deepcopy(c) for c in callbacks if not hasattr(c, "monitor")]


def list_refits(
    trainings: Sequence[Training],
    results: Sequence[TrainingResult],
    refit: Refit,
    callbacks: Sequence[Sequence[keras.callbacks.Callback]],
) -> list[Training]:
    """Return each member's second training: on all rows, from where it began.

    Parameters
    ----------
    trainings, results : sequences
        The first training of each member, and what it gave.
    refit : Refit
    callbacks : sequence of sequence of keras.callbacks.Callback
        Copies that take part again, for each member.
    """
    return [
        Training(
            replace(
                training.plan,
                epochs=max(1, round(refit.factor * result.best_epoch)),
                stopping=None,
            ),
            refit.data,
            training.start,
            again,
            is_repeated=training.is_repeated,
        )
        for training, result, again in zip(trainings, results, callbacks, strict=True)
    ]


def _train_again(
    refits: list[Training], results: Sequence[TrainingResult], train: Trainer
) -> Sequence[TrainingResult | None]:
    """Return the members' second results; None if a deadline ends that for one."""
    second = train(refits)
    if not any(result.is_cut for result in second):
        return second
    # It would be worse than the first training, to which live models go back.
    restore_models(result.state for result in results)
    return [None] * len(results)
