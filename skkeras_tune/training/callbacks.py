"""Keras callbacks of our own: when training must end, and when it should stop."""

from typing import Any

import keras
import numpy as np

from skkeras_tune._compat import to_numpy


class FiniteLoss(keras.callbacks.Callback):
    """Ends training with an error when the loss is NaN or infinite."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if np.isfinite(loss):
            return
        rate = float(to_numpy(self.model.optimizer.learning_rate))
        message = (
            f"The training loss became {loss} in epoch {epoch + 1}. Lower the learning "
            f"rate (now {rate:g}), scale X and y, or clip the gradients "
            "(optimizer__clipnorm=1.0)."
        )
        raise ValueError(message)


class ValidatedStopping(keras.callbacks.EarlyStopping):
    """Early stopping that knows epochs without validation, and refuses a misnomer.

    Keras's own warns in each epoch that lacks the monitored value.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.monitor in logs:
            super().on_epoch_end(epoch, logs)
        elif self._should_be_in(logs):
            message = (
                f"monitor={self.monitor!r} is not among the values of an epoch. "
                f"These are {sorted(logs)!r}."
            )
            raise ValueError(message)

    def _should_be_in(self, logs: Any) -> bool:
        validated = any(name.startswith("val_") for name in logs)
        return validated or not self.monitor.startswith("val_")
