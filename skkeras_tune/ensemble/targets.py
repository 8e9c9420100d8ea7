"""The target y in; what members predict of it, as one matrix each, and back into y.

A target reads a fitted member's predictions into a matrix that can be averaged, and
decodes the average.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_array, column_or_1d


@dataclass(frozen=True, eq=False)
class Labels:
    """One label of several: the matrix holds the probability of each class."""

    classes: NDArray[Any]

    def read(self, member: Any, X: Any) -> NDArray[np.float64]:
        """Return the member's probabilities, zero for classes that it never saw.

        They sum to one in double precision, as scikit-learn's metrics ask; those of a
        network do in single precision.
        """
        given = np.asarray(member.predict_proba(X), np.float64)
        known = np.asarray(member.classes_)
        if given.ndim != 2 or given.shape[1] != len(known):
            message = (
                f"{type(member).__name__}.predict_proba gave the shape {given.shape} "
                f"for {len(known)} classes."
            )
            raise ValueError(message)
        probabilities = np.zeros((len(given), len(self.classes)))
        probabilities[:, np.searchsorted(self.classes, known)] = given
        totals = probabilities.sum(axis=1, keepdims=True)
        return probabilities / np.where(totals == 0, 1, totals)

    def decode(self, averaged: NDArray[np.float64]) -> NDArray[Any]:
        """Return the most probable label of each row."""
        labels: NDArray[Any] = self.classes[np.argmax(averaged, axis=1)]
        return labels


@dataclass(frozen=True, eq=False)
class Indicators:
    """Several labels at once: the matrix holds the probability of each."""

    classes: NDArray[Any]

    def read(self, member: Any, X: Any) -> NDArray[np.float64]:
        """Return the member's probabilities, in either of scikit-learn's two forms.

        Forests and neighbours give a list with both probabilities of each label.
        """
        given = member.predict_proba(X)
        if not isinstance(given, list):
            return np.asarray(given, np.float64)
        columns = [
            pair @ (np.asarray(values) != 0)  # a fold may lack a label altogether
            for pair, values in zip(given, member.classes_, strict=True)
        ]
        return np.column_stack(columns)

    def decode(self, averaged: NDArray[np.float64]) -> NDArray[Any]:
        """Return the labels that are more probable than not."""
        indicators: NDArray[Any] = (averaged > 0.5).astype(int)
        return indicators


@dataclass(frozen=True)
class Numbers:
    """One number or several: the matrix holds them."""

    n_axes: int

    def read(self, member: Any, X: Any) -> NDArray[np.float64]:
        """Return the member's predictions, in columns."""
        given = np.asarray(member.predict(X), np.float64)
        return given.reshape(len(given), -1)

    def decode(self, averaged: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the numbers in the shape of y."""
        return averaged if self.n_axes == 2 else averaged.ravel()


Target = Labels | Indicators | Numbers


def validate_classes(y: Any) -> tuple[NDArray[Any], Labels | Indicators]:
    """Check labels, and tell what they are.

    Raises
    ------
    ValueError
        If there are missing ones, fewer than two classes, or numbers.
    """
    y = _validate(y)
    kind = type_of_target(y, input_name="y")
    if kind == "multilabel-indicator":
        return y, Indicators(np.arange(y.shape[1]))
    if kind not in ("binary", "multiclass"):
        message = (
            f"Unknown label type: {kind}. y must hold class labels (one column) or "
            "label indicators; for numbers use EnsembleRegressor."
        )
        raise ValueError(message)
    y = column_or_1d(y, warn=True)
    classes = np.unique(y)
    if len(classes) < 2:
        message = (
            "y has 1 class (one class label only), but a classifier needs at least 2. "
            f"Got {classes.tolist()!r} in {len(y)} rows."
        )
        raise ValueError(message)
    return y, Labels(classes)


def validate_weighted(y: NDArray[Any], target: Target, weight: Any) -> None:
    """Check that the rows with a weight above zero can be learnt from.

    Raises
    ------
    ValueError
        If there are none, or all are of one class.
    """
    seen = y[weight > 0]
    if not len(seen):
        message = f"All sample weights are zero. Got {len(y)} weights, all 0."
        raise ValueError(message)
    if isinstance(target, Labels) and len(np.unique(seen)) < 2:
        message = (
            "The rows with a sample weight above zero have 1 class, but a classifier "
            f"needs at least 2. Got {seen[0]!r} in {len(seen)} rows."
        )
        raise ValueError(message)


def take_weights(weight: Any, rows: NDArray[np.intp]) -> Any:
    """Return the weights of the rows that the folds test, None where there are none.

    Raises
    ------
    ValueError
        If all of them are zero, so that members cannot be compared.
    """
    taken = None if weight is None else weight[rows]
    if taken is not None and not taken.any():
        message = (
            f"The {len(rows)} rows that the folds test all have a sample weight of "
            "zero, so the members cannot be compared. Choose other folds."
        )
        raise ValueError(message)
    return taken


def validate_numbers(y: Any) -> tuple[NDArray[Any], Numbers]:
    """Check numbers, and tell what they are.

    Raises
    ------
    ValueError
        If any is missing or is no number.
    """
    y = _validate(y)
    if y.dtype.kind not in "biuf":
        try:
            y = y.astype(np.float64)
        except (TypeError, ValueError) as error:
            message = f"y must hold numbers. Got the type {y.dtype} instead."
            raise ValueError(message) from error
    y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
    return y, Numbers(y.ndim)


def _validate(y: Any) -> NDArray[Any]:
    if y is None:
        message = "requires y to be passed, but the target y is None"
        raise ValueError(message)
    checked: NDArray[Any] = check_array(y, ensure_2d=False, dtype=None, input_name="y")
    if checked.dtype == object and any(v is None for v in checked.ravel()):
        message = "Input y contains None, which scikit-learn takes for missing."
        raise ValueError(message)
    return checked
