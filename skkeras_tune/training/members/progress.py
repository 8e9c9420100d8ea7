"""Progress of a compiled training, printed by Keras's own logger an epoch at a time."""

from typing import Any

import keras

from skkeras_tune.training.plan import TrainingPlan


class EpochPrinter:
    """Prints each epoch's values, if the plan is verbose."""

    def __init__(self, plan: TrainingPlan, n_steps: int) -> None:
        verbose = 1 if plan.verbose == "auto" else int(plan.verbose)
        self.is_on = verbose > 0
        last = plan.first_epoch + plan.epochs
        self._logger = keras.callbacks.ProgbarLogger()
        self._logger.set_params({"verbose": verbose, "epochs": last, "steps": n_steps})
        self._logger.on_train_begin()

    def begin(self, epoch: int) -> None:
        """Announce an epoch, counted from zero."""
        if self.is_on:
            self._logger.on_epoch_begin(epoch)

    def end(self, epoch: int, values: dict[str, Any]) -> None:
        """Print what an epoch ended with."""
        if self.is_on:
            self._logger.on_epoch_end(epoch, values)
