"""Members' predictions and the truth in; the loss of their weighted average out."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score

from skkeras_tune._compat.sklearn import takes_sample_weight
from skkeras_tune.ensemble.rows import Truth
from skkeras_tune.ensemble.targets import Indicators, Labels, Numbers, Target
from skkeras_tune.ensemble.weights import Loss

Array = NDArray[np.float64]

_SMALLEST = np.finfo(np.float64).eps


def build_loss(truth: Truth, predictions: Array) -> tuple[str, Loss]:
    """Return the name of the default loss, and the loss itself.

    It is the log loss for labels, and the mean squared error for numbers. Of the
    predictions it keeps only what it needs, so that it is quick to call.

    Parameters
    ----------
    truth : Truth
    predictions : ndarray of shape (n_members, n_rows, n_columns)
    """
    if isinstance(truth.target, Numbers):
        return "squared_error", _squared_error(truth, predictions)
    happened = _probability_of(truth.target, predictions, truth.y)
    weight = truth.sample_weight
    if weight is not None:
        weight = np.repeat(weight, happened.shape[1] // len(truth.y))

    def log_loss(weights: Array) -> float:
        averaged = np.maximum(weights @ happened, _SMALLEST)
        return float(-np.average(np.log(averaged), weights=weight))

    return "log_loss", log_loss


def _probability_of(
    target: Labels | Indicators, predictions: Array, y: NDArray[Any]
) -> Array:
    """Return the probability that each member gave to what was the case."""
    if isinstance(target, Labels):
        numbers = np.searchsorted(target.classes, y)
        return predictions[:, np.arange(len(y)), numbers]
    happened = np.where(y != 0, predictions, 1 - predictions)
    return happened.reshape(len(predictions), -1)


def _squared_error(truth: Truth, predictions: Array) -> Loss:
    """Return the squared error: as weights sum to one, a product of errors' means."""
    n_rows, scale = len(truth.y), truth.sample_weight
    numbers = truth.y.reshape(n_rows, -1)
    errors = predictions - numbers
    scale = np.ones(n_rows) if scale is None else scale
    weighed = errors * (scale / scale.sum() / numbers.shape[1])[:, None]
    products = np.einsum("irc,jrc->ij", weighed, errors, optimize=True)
    return lambda weights: float(weights @ products @ weights)


def average(weights: Array, predictions: Array) -> Array:
    """Return the weighted average of the members' predictions."""
    averaged: Array = np.tensordot(weights, predictions, axes=1)
    return averaged


def clip_probabilities(averaged: Array) -> Array:
    """Return averaged probabilities without the excess over one that rounding adds.

    scikit-learn's metrics refuse it.
    """
    clipped: Array = np.minimum(averaged, 1.0)
    return clipped


class _Predictions(BaseEstimator):
    """Predictions in the form of a fitted estimator, for scikit-learn's scorers."""

    def __init__(self, target: Target, averaged: Array) -> None:
        self.target = target
        self.averaged = averaged

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any) -> Any:
        """Raise an error: these are the predictions of others."""
        raise NotImplementedError

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predictions, whatever the rows."""
        return self.target.decode(self.averaged)


class _PredictedLabels(ClassifierMixin, _Predictions):
    @property
    def classes_(self) -> Any:
        return self.target.classes  # type: ignore[union-attr]

    def predict_proba(self, X: Any) -> Array:
        return clip_probabilities(self.averaged)


class _PredictedNumbers(RegressorMixin, _Predictions):
    pass


def build_score(
    truth: Truth, scorer: Callable[..., float], X: Any
) -> Callable[[Array], float]:
    """Return a function that scores averaged predictions of rows X as a scorer does."""
    target, sample_weight = truth.target, truth.sample_weight
    kind = _PredictedNumbers if isinstance(target, Numbers) else _PredictedLabels
    is_weighted = sample_weight is not None and takes_sample_weight(scorer)
    options = {"sample_weight": sample_weight} if is_weighted else {}

    def score(averaged: Array) -> float:
        return float(scorer(kind(target, averaged), X, truth.y, **options))

    return score


def negate_score(score: Callable[[Array], float], predictions: Array) -> Loss:
    """Return a loss of weights from a score of averaged predictions."""
    return lambda weights: -score(average(weights, predictions))


def usual_score(truth: Truth, averaged: Array) -> tuple[str, float]:
    """Return the accuracy of labels or R squared of numbers, and its name."""
    decoded = truth.target.decode(averaged)
    is_numeric = isinstance(truth.target, Numbers)
    name, score = ("r2", r2_score) if is_numeric else ("accuracy", accuracy_score)
    return name, float(score(truth.y, decoded, sample_weight=truth.sample_weight))
