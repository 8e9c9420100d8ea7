"""What goes into training and what comes out: values, with nothing of Keras alive.

`train(plan, data)` is a pure function of these, so it can be compiled, repeated,
cached and sent elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras
from numpy.typing import NDArray

# Evaluation keeps nothing of a batch, so more rows than in training fit.
_EVALUATED_AT_ONCE = 1024


class NotCompilable(Exception):  # noqa: N818  a reason, which most callers act on
    """Says why a plan goes to Keras's own loop; the message is the reason."""


class Network(Protocol):
    """Something that builds a Keras model, the same for the same seed."""

    def build(self, seed: int) -> keras.Model:
        """Return a new model, compiled or not."""
        ...


@dataclass(frozen=True)
class Compilation:
    """How a model is compiled, as frozen values.

    `softmax_loss` stands in place of `loss` for a model that ends in a softmax.
    """

    optimizer: Any
    loss: Any
    metrics: Any = None
    options: Any = None
    softmax_loss: Any = None


@dataclass(frozen=True)
class StoppingRule:
    """When training stops early, and whether it goes back to the best epoch."""

    monitor: str
    patience: int
    min_delta: float
    restore_best_weights: bool


@dataclass(frozen=True)
class TrainingPlan:
    """What to train: architecture, compilation, schedule, stopping rule and seed.

    Attributes
    ----------
    network : Network
        Builds the model.
    compilation : Compilation
        Used for a model that is not compiled yet.
    seed : int
        Decides initial weights, batch order and dropout.
    epochs, batch_size : int
        Epochs trained at most, and rows per gradient step.
    first_epoch : int
        Number of epochs trained before, so that a continued fit draws new orders.
    shuffle : bool
        Whether each epoch visits the rows in an order of its own.
    stopping : StoppingRule or None
        None trains all epochs, unless a callback ends it.
    validation_batch_size : int or None
        Held-out rows evaluated at a time; None chooses.
    validation_freq : int
        Epochs from one evaluation of the held-out rows to the next.
    verbose : int or "auto"
        Keras's progress output.
    """

    network: Network
    compilation: Compilation
    seed: int
    epochs: int
    batch_size: int
    first_epoch: int = 0
    shuffle: bool = True
    stopping: StoppingRule | None = None
    validation_batch_size: int | None = None
    validation_freq: int = 1
    verbose: Any = 0

    @property
    def evaluation_batch_size(self) -> int:
        """How many held-out rows are evaluated at a time."""
        return self.validation_batch_size or max(self.batch_size, _EVALUATED_AT_ONCE)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The rows and their roles.

    Attributes
    ----------
    x, y : array, sparse matrix, or nested lists and dicts of arrays
        All rows, training and validation alike.
    weight : ndarray of shape (n_rows,) or None
        Weight of each row, averaging one within each role.
    train_rows, validation_rows : ndarray of int
        Which rows are trained on, and which are only evaluated.
    """

    x: Any
    y: Any
    weight: NDArray[Any] | None
    train_rows: NDArray[Any]
    validation_rows: NDArray[Any]


@dataclass(eq=False)
class ModelState:
    """The weights of a model and the state of its optimizer, as arrays.

    Attributes
    ----------
    weights, optimizer_state : list of ndarray
    model : keras.Model or None
        The Keras model that holds them, where it could not be built again. Left out of
        pickles.
    optimizer : str
        Name of the optimizer's class, whose state no other one can take.
    has_rate : bool
        Whether the learning rate in the optimizer's state holds for what goes on from
        it, or that of the plan.
    """

    weights: list[NDArray[Any]]
    optimizer_state: list[NDArray[Any]]
    model: keras.Model | None = None
    optimizer: str = ""
    has_rate: bool = True

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "model": None}

    def refuse_other_shapes(self, weights: Sequence[Any]) -> None:
        """Refuse to go on in a network whose weights have other shapes."""
        here = [tuple(weight.shape) for weight in weights]
        there = [weight.shape for weight in self.weights]
        if here != there:
            message = (
                f"Training cannot go on: the network now has weights of shapes {here}, "
                f"and had {there}. Fit with warm_start=False, or undo the change of "
                "parameters."
            )
            raise ValueError(message)


@dataclass(frozen=True, eq=False)
class Training:
    """One run: what to train, on which rows, and from where.

    Attributes
    ----------
    plan : TrainingPlan
    data : TrainingData
    start : ModelState or None
        Go on from these weights and this optimizer state; None starts afresh.
    callbacks : sequence of keras.callbacks.Callback
        Belong to this run alone.
    paused : PausedTraining or None
        Where an earlier run of the same plan, of fewer epochs, has paused.
    pauses : bool
        Whether the result is to say from where training may go on.
    is_repeated : bool
        Whether it is one of many alike, as in a search: a program serves them all.
    listener : keras.callbacks.Callback or None
        Hears of each epoch and may end the training (`has_stopped`), but is no part of
        what is trained.
    """

    plan: TrainingPlan
    data: TrainingData
    start: ModelState | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    paused: "PausedTraining | None" = None
    pauses: bool = False
    is_repeated: bool = False
    listener: Any = None


@dataclass(eq=False)
class TrainingResult:
    """What training gives.

    Attributes
    ----------
    state : ModelState
        The weights to predict with (of the best epoch, when they were restored) and
        the optimizer's state.
    history : dict of str to list of float
        The value of the loss and of each metric after each epoch.
    best_epoch : int
        The epoch that early stopping found best, counted from 1 in this history; the
        last one without.
    callbacks : list of keras.callbacks.Callback
        The callbacks as they are after training, detached from the model.
    engine : {"compiled", "keras"}
        Which loop trained.
    reason : str or None
        Why not the compiled one.
    paused : PausedTraining or None
        From where training may go on, if that was asked for.
    is_cut : bool
        Whether a deadline ended it before its time.
    was_told_to_stop : bool
        Whether a listener ended it, who is no part of the plan.
    """

    state: ModelState
    history: dict[str, list[float]]
    best_epoch: int
    callbacks: list[Any] = field(default_factory=list)
    engine: str = "keras"
    reason: str | None = None
    paused: "PausedTraining | None" = None
    is_cut: bool = False
    was_told_to_stop: bool = False


@dataclass(eq=False)
class PausedTraining:
    """All that the next epoch of a training depends on, besides the plan and the data.

    Attributes
    ----------
    seed : int
        That of the plan.
    n_epochs : int
        Epochs trained so far.
    history : dict of str to list of float
        Their values.
    callbacks : list of dict
        What the attributes of each callback were.
    rows : list of (float, float)
        Sums that tell other rows from those of the training.
    engine : {"compiled", "keras"}
        Which loop can read `state`.
    state : nested arrays
        The last weights, the optimizer's state, and what the rules have seen.
    result : TrainingResult or None
        Of a training that a rule has stopped: it is over, and nothing else is kept.
    """

    seed: int
    n_epochs: int
    history: dict[str, list[float]]
    callbacks: list[dict[str, Any]]
    rows: list[tuple[float, float]]
    engine: str
    state: Any = None
    result: TrainingResult | None = None


#: Where the trainings of an estimator's members have paused; empty before the first.
Paused = tuple[PausedTraining, ...]
