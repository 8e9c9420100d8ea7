"""Training as a pure function: `train(plan, data)` gives a `TrainingResult`.

`engine.py` takes Keras's loop or a program. A plan enters a program as one of its
`members`, which `groups` trains together in one of the `programs`. These are made of
the built-in network (`mlp`) or a Keras model (`models`), of an optimizer's formulas
(`optimizers`), and both of operations on arrays (`arithmetic`).
"""

from skkeras_tune.training.engine import train, train_all
from skkeras_tune.training.models.model import restore_models
from skkeras_tune.training.models.targets import prepare_targets
from skkeras_tune.training.pausing import Stages
from skkeras_tune.training.plan import (
    Compilation,
    ModelState,
    StoppingRule,
    Training,
    TrainingData,
    TrainingPlan,
    TrainingResult,
)
from skkeras_tune.training.recall import train_remembered

__all__ = [
    "Compilation",
    "ModelState",
    "Stages",
    "StoppingRule",
    "Training",
    "TrainingData",
    "TrainingPlan",
    "TrainingResult",
    "prepare_targets",
    "restore_models",
    "train",
    "train_all",
    "train_remembered",
]
