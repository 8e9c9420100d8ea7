"""A regressor that standardises its target inside, whatever units this has."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.estimators import KerasRegressor
from skkeras_tune.estimators.targets import NumberTargetEncoder


class StandardizedTargetEncoder(NumberTargetEncoder):
    """Numbers to targets of mean 0 and deviation 1, and outputs back to the units of y.

    Attributes
    ----------
    center_, scale_ : ndarray of shape (n_outputs,)
        Mean and standard deviation of each column.
    """

    def fit(self, y: NDArray[Any]) -> "StandardizedTargetEncoder":
        """Learn shape, type, mean and deviation of `y`."""
        super().fit(y)
        numbers = y.astype(np.float64).reshape(len(y), -1)
        self.center_, deviation = numbers.mean(axis=0), numbers.std(axis=0)
        self.scale_ = np.where(deviation > 0, deviation, 1.0)
        return self

    def transform(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return `y` standardised, of shape (n_samples, n_outputs)."""
        numbers = np.asarray(y, np.float64)
        columns = numbers.reshape(len(numbers), -1)
        if columns.shape[1] != len(self.center_):
            return super().transform(y)  # which refuses it
        scaled = (columns - self.center_) / self.scale_
        return super().transform(scaled.reshape(numbers.shape))

    def inverse_transform(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return predictions in the units, the shape and the type of `y`."""
        columns = np.asarray(outputs, np.float64).reshape(len(outputs), -1)
        return super().inverse_transform(columns * self.scale_ + self.center_)


class StandardizedRegressor(KerasRegressor):
    """A `KerasRegressor` that learns a standardised target.

    Losses in `history_` are those of the standardised target; predictions and scores
    are in the units of y.
    """

    @property
    def target_encoder(self) -> Any:
        """A new transformer of the target."""
        return StandardizedTargetEncoder()
