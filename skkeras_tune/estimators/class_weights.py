"""`class_weight` and the labels of the training rows in, a weight for each row out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight

from skkeras_tune.estimators.rows import Rows


def weigh_classes(
    class_weight: Any, rows: Rows, held_out: Rows | None, encoder: Any, kind: str
) -> tuple[Rows, Rows | None]:
    """Apply the classes' weights, which the training rows decide, to both sets.

    Parameters
    ----------
    class_weight : dict, list, "balanced" or None
    rows, held_out : Rows
        Before their targets are encoded.
    encoder : transformer
        The fitted target encoder, which may know `classes_`.
    kind : str
        The kind of target, such as "multiclass-onehot".
    """
    if class_weight is None:
        return rows, held_out
    labels = _read_labels(rows, kind)
    if labels is None:
        return weigh_indicators(class_weight, rows), held_out
    classes = np.asarray(getattr(encoder, "classes_", np.unique(labels)))
    weights = resolve_class_weights(class_weight, rows, labels, classes)
    if held_out is not None:
        held_out = weights.apply(held_out, _read_labels(held_out, kind))
    return weights.apply(rows, labels), held_out


def _read_labels(rows: Rows, kind: str) -> Any:
    """Return one label a row, or None where there are several."""
    if kind == "multiclass-onehot":
        return np.argmax(rows.y != 0, axis=1)
    return rows.y.reshape(-1) if rows.y.size == len(rows) else None


@dataclass(frozen=True, eq=False)
class ClassWeights:
    """The weight of each label, fixed by the training rows.

    Attributes
    ----------
    labels : ndarray of shape (n_classes,)
        Sorted.
    factors : ndarray of shape (n_classes,)
    """

    labels: NDArray[Any]
    factors: NDArray[np.float64]

    def apply(self, rows: Rows, labels: NDArray[Any]) -> Rows:
        """Multiply the weights of rows with those of their labels."""
        places = np.searchsorted(self.labels, labels).clip(max=len(self.labels) - 1)
        factors = np.where(self.labels[places] == labels, self.factors[places], 1.0)
        return _multiply(rows, factors)


def resolve_class_weights(
    class_weight: Any, rows: Rows, labels: NDArray[Any], classes: NDArray[Any]
) -> ClassWeights:
    """Fix the weight of each class from the training rows.

    Parameters
    ----------
    class_weight : dict or "balanced"
        Labels that a dict does not name weigh 1. "balanced" weighs each class
        inversely to its number of rows with a weight, as scikit-learn does.
    rows : Rows
    labels : ndarray of shape (n_rows,)
    classes : ndarray of shape (n_classes,)
        All labels, sorted.

    Raises
    ------
    ValueError
        If a dict names a label that there is not.
    """
    if isinstance(class_weight, Mapping):
        known = classes.tolist()
        unknown = [label for label in class_weight if label not in known]
        if unknown:
            message = (
                f"class_weight names labels that y does not hold: {unknown!r}. "
                f"The classes are {known!r}."
            )
            raise ValueError(message)
        named = [float(class_weight.get(label, 1.0)) for label in classes]
        return ClassWeights(classes, np.array(named))
    kept = labels if rows.weight is None else labels[rows.weight > 0]
    counts = np.array([np.sum(kept == label) for label in classes])
    n_present = np.count_nonzero(counts)
    factors = len(kept) / (n_present * np.maximum(counts, 1))
    return ClassWeights(classes, np.where(counts > 0, factors, 1.0))


def weigh_indicators(class_weight: Any, rows: Rows) -> Rows:
    """Multiply weights over the labels of indicators, as scikit-learn does."""
    return _multiply(rows, compute_sample_weight(class_weight, rows.y))


def _multiply(rows: Rows, factors: NDArray[np.float64]) -> Rows:
    weight = factors if rows.weight is None else rows.weight * factors
    return replace(rows, weight=weight)
