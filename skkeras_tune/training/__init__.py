"""Training as a pure function: `train(plan, data)` gives a `TrainingResult`."""

from skkeras_tune.training.engine import train, train_all
from skkeras_tune.training.keras_models import restore_models
from skkeras_tune.training.model_targets import prepare_targets
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
