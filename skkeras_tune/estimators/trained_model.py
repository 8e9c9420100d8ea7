"""The weights of a fitted estimator, and the Keras model made of them on first use."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from skkeras_tune._compat.keras import to_numpy
from skkeras_tune.frozen import thaw
from skkeras_tune.losses import to_probabilities
from skkeras_tune.network import MLPArchitecture
from skkeras_tune.training.arithmetic.blas import one_blas_thread
from skkeras_tune.training.batches import count_rows, take_rows
from skkeras_tune.training.forks import is_forked, refuse_fork
from skkeras_tune.training.mlp.activations import takes_arrays
from skkeras_tune.training.mlp.stacked_mlp import StackedMLP
from skkeras_tune.training.models.model import (
    build_model,
    read_state,
    release_models,
    restore_state,
)
from skkeras_tune.training.plan import (
    Compilation,
    ModelState,
    Network,
    NotCompilable,
    TrainingPlan,
)

_MAX_BATCH_ROWS = 4096
_MAX_BATCH_VALUES = 2**20
# A network of more weights TensorFlow predicts sooner, on several cores.
_FEW_WEIGHTS = 2**14
# Rows whose hidden outputs stay near the core.
_NUMPY_ROWS = 1024


class TrainedModel:
    """A network with its trained state.

    Parameters
    ----------
    network : Network
        Builds the Keras model again, here or in another process.
    compilation : Compilation
    seed : int
    state : ModelState
    """

    def __init__(
        self, network: Network, compilation: Compilation, seed: int, state: ModelState
    ) -> None:
        self._network = network
        self._compilation = compilation
        self._seed = seed
        self._state = state
        self._is_handed_over = False
        self._lock = threading.Lock()

    @classmethod
    def untrained(cls, plan: TrainingPlan) -> "TrainedModel":
        """Return the network with the weights it starts, or came, with."""
        model = build_model(plan.network, plan.compilation, plan.seed)
        state = read_state(model)
        state.model = model
        return cls(plan.network, plan.compilation, plan.seed, state)

    @property
    def model(self) -> keras.Model:
        """The Keras model; predictions follow any change made to it."""
        with self._lock:
            if self._state.model is None:
                model = build_model(self._network, self._compilation, self._seed)
                restore_state(model, self._state)
                self._state.model = model
                release_models()
        return self._state.model

    def hand_over(self) -> keras.Model:
        """Return the Keras model for calls of the user's own.

        The first time it forgets what was traced for our batches: the user's may have
        another rank, which Keras refuses.
        """
        model = self.model
        if not self._is_handed_over:
            model.train_function = model.test_function = model.predict_function = None
            self._is_handed_over = True
        return model

    @property
    def state(self) -> ModelState:
        """The weights and the optimizer's state."""
        if self._state.model is None:
            return self._state
        state = read_state(self._state.model)
        state.model = self._state.model
        return state

    def start(self, plan: TrainingPlan) -> ModelState:
        """Return what a plan goes on from.

        The user's own model goes on itself, with all that was done to it, unless its
        function, an argument of it or how it is compiled has changed: then a new one
        takes its weights, and the optimizer's state but for the learning rate.
        """
        is_own = isinstance(plan.network, MLPArchitecture)
        made = self._network, self._compilation
        if not is_own and (plan.network, plan.compilation) == made:
            return self.state
        return replace(self.state, model=None, has_rate=False)

    def predict(self, x: Any, batch_size: int | None, options: dict[str, Any]) -> Any:
        """Return the outputs for `x` as arrays; logits become probabilities.

        Parameters
        ----------
        x : array, sparse matrix, or nested lists and dicts of arrays
        batch_size : int or None
            Rows at a time; None bounds the memory by itself.
        options : dict
            Arguments for Keras's own `predict`, which is used when there are any.

        Raises
        ------
        RuntimeError
            If TensorFlow is to predict in a forked process, where it may wait for ever.
        """
        batch_size = batch_size or _choose_batch_rows(x)
        forward = None if options else self._find_forward()
        if forward is None:
            refuse_fork()
            dense = take_rows(x, slice(None))
            outputs = self.model.predict(
                dense, batch_size=batch_size, **{"verbose": 0, **options}
            )
        else:
            outputs = _call_in_batches(forward, x, batch_size)
        if isinstance(outputs, np.ndarray):
            return to_probabilities(outputs, self._loss)
        return outputs

    @property
    def _loss(self) -> Any:
        if self._state.model is None and isinstance(self._network, MLPArchitecture):
            return thaw(self._compilation.loss)
        return self.model.loss

    def _find_forward(self) -> Callable[[Any], Any] | None:
        """Return how to compute the outputs of a batch, or None to ask Keras.

        The built-in network needs no Keras model, unless there is one, which the user
        may have changed.
        """
        if self._state.model is None and isinstance(self._network, MLPArchitecture):
            with suppress(NotCompilable):
                network = StackedMLP.of(self._network)
                if _suits_numpy(network):
                    arrays = [w[np.newaxis] for w in self._state.weights]
                    return partial(_predict_by_numpy, network, arrays)
                refuse_fork()
                weights = [tf.constant(w[np.newaxis]) for w in self._state.weights]
                return lambda x: network.predict(weights, tf.constant(x[np.newaxis]))[0]
        model = self.model
        if type(model).predict_step is not keras.Model.predict_step:
            return None
        refuse_fork()
        return lambda x: model(x, training=False)

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "_state": self.state}
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())


def _suits_numpy(network: StackedMLP) -> bool:
    """Tell whether NumPy predicts sooner than TensorFlow, which starts more slowly.

    In a forked process TensorFlow may never end.
    """
    shape = network.architecture
    activations = shape.activation, shape.output_activation
    is_sooner = network.n_weights <= _FEW_WEIGHTS or is_forked()
    return is_sooner and all(map(takes_arrays, activations))


def _predict_by_numpy(
    network: StackedMLP, weights: list[NDArray[Any]], x: NDArray[Any]
) -> NDArray[Any]:
    """Return the outputs, in one thread: several wait in a loop for busy cores."""
    with np.errstate(all="ignore"), one_blas_thread():
        parts = [
            network.predict(weights, x[np.newaxis, start : start + _NUMPY_ROWS])[0]
            for start in range(0, len(x), _NUMPY_ROWS)
        ]
    return np.concatenate(parts)


def _choose_batch_rows(x: Any) -> int:
    values = sum(int(np.prod(leaf.shape[1:])) for leaf in keras.tree.flatten(x))
    return min(_MAX_BATCH_ROWS, max(32, _MAX_BATCH_VALUES // max(values, 1)))


def _call_in_batches(forward: Callable[[Any], Any], x: Any, batch_size: int) -> Any:
    """Compute the outputs eagerly.

    For a network that predicts a few times, tracing costs more than it saves.
    """
    starts = range(0, count_rows(x), batch_size)
    parts = [
        keras.tree.map_structure(
            to_numpy, forward(take_rows(x, slice(start, start + batch_size)))
        )
        for start in starts
    ]
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return keras.tree.map_structure(lambda *leaves: _join(leaves), *parts)


def _join(leaves: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    return np.concatenate(leaves)
