"""`class_weight` and the labels of the training rows in, a weight for each row out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        return weigh_columns(class_weight, rows, held_out, kind)
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
        If `class_weight` is a list, or a dict that names no label that there is, or
        that holds a weight which is negative or not finite.
    """
    if isinstance(class_weight, Mapping):
        return _read_mapping(class_weight, classes)
    if class_weight != "balanced":
        message = (
            "class_weight must be a dict or 'balanced' for a target of one column: "
            f"lists are for several labels, one dict for each. Got {class_weight!r}."
        )
        raise ValueError(message)
    kept = labels if rows.weight is None else labels[rows.weight > 0]
    counts = np.array([np.sum(kept == label) for label in classes])
    n_present = np.count_nonzero(counts)
    factors = len(kept) / (n_present * np.maximum(counts, 1))
    return ClassWeights(classes, np.where(counts > 0, factors, 1.0))


def _read_mapping(
    class_weight: Mapping[Any, Any], classes: NDArray[Any]
) -> ClassWeights:
    """Return the weights that a dict gives to the classes."""
    known = classes.tolist()
    # A fold may lack a class that the dict names; one that lacks all has other labels.
    if class_weight and not any(label in known for label in class_weight):
        message = (
            f"class_weight names labels that y does not hold: {list(class_weight)!r}. "
            f"The classes are {known!r}."
        )
        raise ValueError(message)
    for label, weight in class_weight.items():
        if not (isfinite(weight) and weight >= 0):
            message = (
                "The weights in class_weight must be finite and not negative. "
                f"Got {weight!r} for the class {label!r}."
            )
            raise ValueError(message)
    named = [float(class_weight.get(label, 1.0)) for label in classes]
    return ClassWeights(classes, np.array(named))


def weigh_columns(
    class_weight: Any, rows: Rows, held_out: Rows | None, kind: str
) -> tuple[Rows, Rows | None]:
    """Multiply weights over the columns of a target, as scikit-learn does.

    Parameters
    ----------
    class_weight : list or "balanced"
        A list has a dict, "balanced" or None for each column.
    rows, held_out : Rows
        The training rows decide the weights of both.
    kind : str
        The kind of target, such as "multilabel-indicator".

    Raises
    ------
    ValueError
        If `class_weight` is not one for each column.
    """
    given = rows  # a weight of zero for one column is none for the balance of others
    for place, each in enumerate(_list_columns(class_weight, rows.y.shape[1])):
        labels = given.y[:, place]
        classes = np.unique(labels)
        if kind == "multilabel-indicator":
            classes = np.union1d(classes, [0, 1])  # though these rows may lack one
        weights = resolve_class_weights(each, given, labels, classes)
        rows = weights.apply(rows, labels)
        if held_out is not None:
            held_out = weights.apply(held_out, held_out.y[:, place])
    return rows, held_out


def _list_columns(class_weight: Any, n_columns: int) -> list[Any]:
    """Return a dict or "balanced" for each column."""
    if class_weight == "balanced":
        return ["balanced"] * n_columns
    if not isinstance(class_weight, list) or len(class_weight) != n_columns:
        message = (
            f"class_weight must be 'balanced' or a list of {n_columns} dicts, one for "
            f"each column of y. Got {class_weight!r}."
        )
        raise ValueError(message)
    for each in class_weight:
        if not (each is None or each == "balanced" or isinstance(each, Mapping)):
            message = (
                "class_weight must hold a dict, 'balanced' or None for each column of "
                f"y. Got {each!r}."
            )
            raise ValueError(message)
    return [{} if each is None else each for each in class_weight]


def _multiply(rows: Rows, factors: NDArray[np.float64]) -> Rows:
    weight = factors if rows.weight is None else rows.weight * factors
    return replace(rows, weight=weight)
