"""Probabilities in, their logarithms out: the same for one network and for several."""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


class LogProbabilitiesMixin:
    """Gives a classifier that has `predict_proba` the logarithms too."""

    @abstractmethod
    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the probability of each class, or of each label."""

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the logarithm of the probability of each class, or of each label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Whatever `predict_proba` takes.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`, in nats: none is positive, and that of a
            probability of 0 is minus infinity.
        """
        with np.errstate(divide="ignore"):
            logarithms: NDArray[Any] = np.log(self.predict_proba(X))
        return logarithms
