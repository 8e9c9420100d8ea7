"""The program of the built-in network run by NumPy, operation by operation.

Nothing is traced or compiled, and a step takes longer: for trainings of few steps.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from skkeras_tune.training.arithmetic.blas import one_blas_thread
from skkeras_tune.training.programs.design import Design
from skkeras_tune.training.programs.formula_program import FormulaProgram
from skkeras_tune.training.programs.program import RUNNING, State


class NumpyProgram(FormulaProgram):
    """A design of the built-in network that NumPy runs.

    It takes and returns what any `Program` does, and in the same form.
    """

    def __init__(self, design: Design) -> None:
        super().__init__(design)
        layout, dtype = design.layout, self.type.as_numpy_dtype
        self._places = {
            size: (
                np.ones((layout.members, size), dtype),
                np.full(layout.members, size, dtype),
            )
            for size in {layout.batch, layout.held_batch}
        }

    def _trace(self) -> Any:
        return self._run

    def prepare(self, data: Any, run: Any, numbers: Any, state: State) -> None:
        """Nothing is to be prepared."""

    def _run(self, data: Any, run: Any, numbers: Any, state: State) -> Any:
        arguments = tf.nest.map_structure(np.asarray, (data, run, numbers, state))
        # A loss that is not finite ends a member, without a warning.
        with one_blas_thread(), np.errstate(all="ignore"):
            ended = self._train(*arguments)
        return tf.nest.map_structure(tf.constant, ended)

    def _train(self, data: Any, run: Any, numbers: Any, state: State) -> Any:
        history = run["history"].copy()
        for epoch in range(run["n_epochs"]):
            if not (state["status"] == RUNNING).any():
                break
            state, values = self.train_epoch(epoch, data, run, numbers, state)
            history[epoch] = np.stack(values, axis=-1)
        return state, history

    def visit(
        self,
        orders: Any,
        epoch: Any,
        n_rows: Any,
        sizes: tuple[int, int],
        step: Callable[..., Any],
        carried: list[Any],
    ) -> Any:
        """Take a step for each batch of an order."""
        size, _ = sizes
        order, fewest = orders[epoch], n_rows.min()
        for start in range(0, n_rows.max(), size):
            rows = order[:, start : start + size]
            if start + size <= fewest:
                places = self._places[size]
            else:
                places = self.mark_places(n_rows - start, size)
            carried = step(rows, places, *carried)
        return carried

    def keep_idle(self, count: Any, new: State, moving: State) -> State:
        """Leave who has no row here as it was."""
        return new if count.all() else super().keep_idle(count, new, moving)
