"""A user's compiled Keras model in training: what goes into a program, what comes out.

The model itself ends with the trained weights, and stays as it is if training fails.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import keras
from numpy.typing import NDArray
from scipy.sparse import issparse

from skkeras_tune._compat.keras import to_numpy
from skkeras_tune.training.batches import as_tuples
from skkeras_tune.training.members.compiled_plan import CompiledPlan
from skkeras_tune.training.members.member import Member
from skkeras_tune.training.members.model_design import resolve_model_design
from skkeras_tune.training.models.key import list_variables
from skkeras_tune.training.models.model import (
    read_state,
    release_models,
    restore_state,
)
from skkeras_tune.training.models.nested import flatten
from skkeras_tune.training.plan import Training, TrainingResult
from skkeras_tune.training.programs.design import Design
from skkeras_tune.training.programs.model_program import ModelProgram
from skkeras_tune.training.programs.program import Program


class ModelMember(Member):
    """A member whose network is a model of the user's, and which trains alone.

    Parameters
    ----------
    model : keras.Model
        Compiled; training goes on from its weights and its optimizer's state.
    training : Training
        Where it starts is left out: the model has that.
    may_interpret : bool, default=False
        Whether XLA may be left out where it takes longer than it saves.

    Raises
    ------
    NotCompilable
        If no program can express the plan or the model.
    ValueError
        If the model does not fit the targets.
    """

    def __init__(
        self, model: keras.Model, training: Training, *, may_interpret: bool = False
    ) -> None:
        self._model = model
        training = replace(training, start=read_state(model))
        super().__init__(training, may_interpret=may_interpret)

    def _compile(self) -> CompiledPlan:
        return resolve_model_design(
            self._model,
            self.plan,
            self.data,
            self._callbacks,
            may_interpret=self.may_interpret,
        )

    def build_program(self, design: Design) -> Program:
        """Return a new program of that design."""
        return ModelProgram(design, self._model)

    def close(self) -> None:
        """Let go of the callbacks, whatever has happened, and of earlier models."""
        super().close()
        release_models(were_traced=False)

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The rows of the features, targets and, if there are any, weights."""
        x, y = as_tuples(self.data.x), as_tuples(self.compiled.targets)
        leaves = flatten(x, "x") | flatten(y, "y")
        arrays = {
            name: leaf.toarray() if issparse(leaf) else leaf
            for name, leaf in leaves.items()
        }
        if self.data.weight is not None:
            arrays["weight"] = self.data.weight
        return arrays

    def end_epoch(
        self,
        values: Mapping[str, float],
        read: Callable[[], list[NDArray[Any]]] | None = None,
    ) -> None:
        """Hand an epoch's values to the callbacks, under the names that Keras gives."""
        names = self.compiled.names
        if names is not None:
            values = {name: values[key] for name, key in names.items()}
        super().end_epoch(values, read)

    def read_weights(self, state: dict[str, Any], room: Design) -> list[NDArray[Any]]:
        """Return the weights of a state in the middle of training."""
        return super().read_weights(state, room)[: len(self._model.weights)]

    def _initial_weights(self) -> list[NDArray[Any]]:
        return [to_numpy(variable) for variable in list_variables(self._model)]

    def _read_result(self, state: dict[str, Any], room: Design) -> TrainingResult:
        result = super()._read_result(state, room)
        kept, n_weights = result.state, len(self._model.weights)
        kept.weights, kept.model = kept.weights[:n_weights], self._model
        restore_state(self._model, kept)
        generators = list_variables(self._model)[n_weights:]
        values = state["others"][len(state["others"]) - len(generators) :]
        for variable, value in zip(generators, values, strict=True):
            variable.assign(value)
        return result
