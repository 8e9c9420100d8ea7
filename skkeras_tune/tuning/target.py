"""Target and groups in; checked labels or numbers, and which they are, out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.preprocessing.task import (
    Task,
    are_indicators,
    are_labels,
    has_categories,
    simplify,
    to_array,
)

_MISSING = frozenset({"NAType", "NaTType"})

# Labels of which more than this share of the rows differ are no classes, but for tables
# of few rows.
_DISTINCT, _FEW_ROWS = 0.5, 20

# Errors are told apart down to this part of the squared spread of a target.
_PRECISION = 1e-16


@dataclass(frozen=True, eq=False)
class Target:
    """A checked target.

    Attributes
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    classifies : bool
        Whether it holds labels.
    """

    y: NDArray[Any]
    classifies: bool

    @property
    def labels(self) -> NDArray[Any] | None:
        """One label for each row, if there are labels and one column of them."""
        return self.y if self.classifies and self.y.ndim == 1 else None


def read_target(y: Any, task: Task = "auto", *, is_built: bool = True) -> Target:
    """Check a target, and decide whether it is labels or numbers.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n_samples,) or (n_samples, n_outputs)
    task : {"auto", "classification", "regression"}, default="auto"
    is_built : bool, default=True
        Whether it is for a network that tune builds.

    Raises
    ------
    ValueError
        If values are missing or infinite, all are the same, numbers are too large or
        too close to one another for a squared error, labels hardly repeat, stand in
        several columns or are numbers but not whole ones, or `task` does not fit.
    TypeError
        If there is no target, or it holds other objects than labels or numbers.
    """
    if y is None:
        raise TypeError("tune needs a target: y is None.")
    array = to_array(y)
    _refuse_missing("y", array, "Leave out the rows without a target, from X too.")
    array = simplify(array)
    _refuse_objects(array)
    is_categorical = has_categories(y)
    classifies = are_labels(array, task, is_categorical=is_categorical)
    if classifies:
        _refuse_fractions(array)
        if is_built:
            _refuse_several_columns(array, is_categorical=is_categorical)
        if task == "auto":
            _refuse_text_of_no_classes(array)
    else:
        array = _to_floats(array)
    _refuse_constant(array, classifies)
    if not classifies:
        _refuse_scale(array)
    return Target(array, classifies)


def read_groups(groups: Any) -> NDArray[Any] | None:
    """Check which rows belong together.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None

    Raises
    ------
    ValueError
        If they are no column, or a row has none.
    """
    if groups is None:
        return None
    array = np.asarray(groups)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        message = f"groups must have shape (n_samples,). Got {array.shape} instead."
        raise ValueError(message)
    _refuse_missing("groups", array, "Give each such row a group of its own.")
    return array


def _refuse_missing(name: str, array: NDArray[Any], remedy: str) -> None:
    n_missing = _count_missing(array)
    if n_missing:
        message = (
            f"{name} has {n_missing} missing value{'s' if n_missing > 1 else ''} in "
            f"{len(array)} rows. {remedy}"
        )
        raise ValueError(message)


def _count_missing(array: NDArray[Any]) -> int:
    if array.dtype.kind in "fc":
        return int(np.isnan(array).sum())
    if array.dtype.kind == "O":
        return sum(map(_is_missing, array.ravel()))
    return 0


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in _MISSING:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _refuse_objects(array: NDArray[Any]) -> None:
    """Refuse what no classifier could put in order."""
    if array.dtype.kind not in "OS":
        return
    found = {type(value): value for value in array.ravel()}
    if all(issubclass(kind, str) for kind in found):
        return
    shown = ", ".join(f"{kind.__name__} ({found[kind]!r})" for kind in found)
    message = (
        "y must hold strings, booleans or numbers, and not both strings and others. "
        f"Got {shown} instead: turn all into strings, by y.astype(str) for instance."
    )
    raise TypeError(message)


def _refuse_several_columns(array: NDArray[Any], *, is_categorical: bool) -> None:
    """Refuse labels in several columns that cannot stand together."""
    if array.ndim == 1 or are_indicators(array):
        return
    is_text, remedy = array.dtype.kind in "OU", "pass one column"
    what = "categories" if is_categorical else "text" if is_text else "labels"
    if not is_text:
        remedy += ", or task='regression' if they are numbers"
    message = (
        f"y has several columns of {what}, and only zeros and ones can stand together "
        f"as labels. Got {array[0].tolist()!r} in the first row: {remedy}."
    )
    raise ValueError(message)


def _refuse_fractions(array: NDArray[Any]) -> None:
    """Refuse numbers that scikit-learn takes for no labels."""
    if array.dtype.kind != "f":
        return
    others = array[(array != np.rint(array)) | np.isinf(array)]
    if not len(others):
        return
    message = (
        f"y has labels that are no whole numbers, such as {others.tolist()[0]!r}, and "
        "no classifier takes these. Pass y.astype(str) if they are labels. If they are "
        "numbers, pass y.astype(float) with task='regression', or a regressor."
    )
    raise ValueError(message)


def _refuse_text_of_no_classes(array: NDArray[Any]) -> None:
    """Refuse strings that nearly all differ."""
    if array.dtype.kind not in "OU":
        return
    n_labels = len(np.unique(array.astype(str)))
    if len(array) < _FEW_ROWS or n_labels <= _DISTINCT * len(array):
        return
    message = (
        f"y has {n_labels} different labels in {len(array)} rows, such as "
        f"{array[:3].tolist()!r}. Pass y.astype(float) if they are numbers; "
        "task='classification' takes them as they are."
    )
    raise ValueError(message)


def _to_floats(array: NDArray[Any]) -> NDArray[np.float64]:
    floats = array.astype(np.float64)
    if not np.isfinite(floats).all():
        message = "y has an infinite value. Leave out its row, or transform y."
        raise ValueError(message)
    return floats


def _refuse_constant(array: NDArray[Any], classifies: bool) -> None:
    if not (array == array[0]).all():
        return
    what = "classes" if classifies else "numbers"
    message = (
        f"y holds the same value in all {len(array)} rows, so there is nothing to "
        f"learn: {array[:1].tolist()!r}. Two different {what} are needed at least."
    )
    raise ValueError(message)


def _refuse_scale(array: NDArray[np.float64]) -> None:
    """Refuse numbers whose squared errors float64 cannot hold, which score them."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        spread = np.ptp(array, axis=0)
        squares = len(array) * spread**2
        has_room = np.isfinite(squares) & np.isfinite(len(array) * array).all(axis=0)
    if not has_room.all():
        what = f"values as large as {np.abs(array).max():.3g}"
    elif ((spread > 0) & (squares < np.finfo(float).tiny / _PRECISION)).any():
        least = spread[spread > 0].min()
        what = f"values that differ by {least:.3g} at most"
    else:
        return
    message = (
        f"y has {what}, whose squared errors float64 cannot hold. Give y in another "
        "unit, such as y / numpy.abs(y).max(axis=0)."
    )
    raise ValueError(message)
