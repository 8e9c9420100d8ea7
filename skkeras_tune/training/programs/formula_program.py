"""The program of the built-in network by formulas alone.

Nothing of TensorFlow's is asked for a loss or an activation, or for the way back
through one.
"""

from functools import lru_cache
from typing import Any

from skkeras_tune.training.arithmetic.arrays import expand
from skkeras_tune.training.mlp.activations import HAVE_FORMULAS
from skkeras_tune.training.mlp.direct_losses import DirectLoss, find_direct_loss
from skkeras_tune.training.mlp.stacked_mlp import StackedMLP
from skkeras_tune.training.programs.design import Design
from skkeras_tune.training.programs.mlp_program import MLPProgram
from skkeras_tune.training.programs.program import State


@lru_cache(256)
def find_formulas(design: Design) -> DirectLoss | None:
    """Return the formulas of a design's loss, if all of the design has some."""
    if not isinstance(design.network, StackedMLP):
        return None
    architecture, judge = design.network.architecture, design.build_judge()
    activation = architecture.activation or "linear"
    is_known = isinstance(activation, str) and activation in HAVE_FORMULAS
    if not is_known or judge.has_metrics or design.optimizer.schedule is not None:
        return None
    _, shape = design.target
    output = architecture.output_activation
    return find_direct_loss(judge.loss, output, architecture.output_units, shape)


class FormulaProgram(MLPProgram):
    """A design of the built-in network whose parts all have formulas."""

    def __init__(self, design: Design) -> None:
        formulas = find_formulas(design)
        assert formulas is not None
        self._formulas = formulas
        super().__init__(design)

    def judge_batch(
        self, raw: Any, batch: State, numbers: Any, share: Any
    ) -> tuple[Any, Any, Any]:
        """Return outputs, losses and slopes of a batch."""
        targets = self._adapt_targets(raw, batch, numbers)
        slope = self._formulas.slope(targets, raw) * expand(share, 2)
        return raw, self._formulas.losses(targets, raw), slope

    def find_losses(self, raw: Any, batch: State, numbers: Any) -> tuple[Any, Any]:
        """Return outputs and losses of a batch."""
        targets = self._adapt_targets(raw, batch, numbers)
        return raw, self._formulas.losses(targets, raw)

    def _adapt_targets(self, raw: Any, batch: State, numbers: Any) -> Any:
        return self.judge.adapt(batch["y"], raw, numbers["label_smoothing"])
