"""A user's compiled Keras model, its plan and its data in; the trained model out."""

import re
from collections.abc import Sequence
from typing import Any

import keras
from numpy.typing import NDArray

from skkeras_tune._compat import to_numpy
from skkeras_tune.training.design import CompiledPlan
from skkeras_tune.training.keras_loop import (
    collect_models,
    read_state,
    restore_state,
)
from skkeras_tune.training.member import Member
from skkeras_tune.training.model_design import resolve_model_design
from skkeras_tune.training.model_key import list_variables
from skkeras_tune.training.model_program import ModelProgram, derive_statistics
from skkeras_tune.training.plan import (
    NotCompilable,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)
from skkeras_tune.training.program import Design, Program
from skkeras_tune.training.slots import programs, train_members


def train_compiled_model(
    model: keras.Model,
    plan: TrainingPlan,
    data: TrainingData,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    may_interpret: bool = False,
) -> TrainingResult:
    """Train a compiled Keras model from its weights on.

    Parameters
    ----------
    model : keras.Model
        Ends with the trained weights, and stays as it is if training fails.
    plan : TrainingPlan
    data : TrainingData
    callbacks : sequence of keras.callbacks.Callback, default=()
        Belong to this run alone, which leaves them as Keras's loop would.
    may_interpret : bool, default=False
        Whether XLA may be left out where it takes longer than it saves.

    Raises
    ------
    NotCompilable
        If no program can express the plan or the model.
    ValueError
        If the loss is not finite, or the model does not fit the targets.
    """
    member = ModelMember(model, plan, data, callbacks, may_interpret=may_interpret)
    try:
        ((_, outcome),) = train_members([member])
    except NotCompilable:
        raise
    except Exception as error:
        if member.done:
            raise
        message = f"TensorFlow makes no program of the model: {_shorten(error)}"
        raise NotCompilable(message) from error
    finally:
        member.release()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _shorten(error: Exception) -> str:
    """Return the first two lines of a message, without Keras's colours."""
    text = re.sub(r"\x1b\[\d+m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:2])


class ModelMember(Member):
    """A user's model in training."""

    def __init__(
        self,
        model: keras.Model,
        plan: TrainingPlan,
        data: TrainingData,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        *,
        may_interpret: bool = False,
    ) -> None:
        self._model = model
        self._program: ModelProgram | None = None
        self._n_weights = len(model.weights)
        start = read_state(model)
        super().__init__(plan, data, start, callbacks, may_interpret=may_interpret)

    def _compile(self, may_interpret: bool) -> CompiledPlan:
        return resolve_model_design(
            self._model,
            self.plan,
            self.data,
            self._callbacks,
            may_interpret=may_interpret,
        )

    def build_program(self, design: Design) -> Program:
        """Return a new program of that design."""
        self._program = ModelProgram(design, self._model)
        return self._program

    def release(self) -> None:
        """Separate the model and the program that was to be traced with it."""
        if self._program is not None:
            if self.done:
                self._program.forget()
            else:
                programs.discard(self.design)
            derive_statistics(self._model)
        collect_models()

    def _initial_weights(self) -> list[NDArray[Any]]:
        return [to_numpy(variable) for variable in list_variables(self._model)]

    def read_result(self, state: dict[str, Any]) -> TrainingResult:
        """Return the result of a training that has ended in this state.

        Raises
        ------
        ValueError
            If a loss or the weights are not finite.
        """
        result = super().read_result(state)
        kept = result.state
        generators = list_variables(self._model)[self._n_weights :]
        kept.weights = kept.weights[: self._n_weights]
        kept.model = self._model
        restore_state(self._model, kept)
        values = state["others"][len(state["others"]) - len(generators) :]
        for variable, value in zip(generators, values, strict=True):
            variable.assign(value)
        return result
