"""The target that a user has in; checked labels or numbers, and which they are, out."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.preprocessing.labels import has_classes

Task = Literal["auto", "classification", "regression"]

_MISSING = frozenset({"NAType", "NaTType"})


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


def read_target(y: Any, task: Task = "auto") -> Target:
    """Check a target, and decide whether it is labels or numbers.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    task : {"auto", "classification", "regression"}, default="auto"

    Raises
    ------
    ValueError
        If values are missing or infinite, all are the same, or `task` does not fit.
    TypeError
        If there is no target.
    """
    if y is None:
        raise TypeError("tune needs a target: y is None.")
    array = _to_array(y)
    _refuse_missing(array)
    array = _simplify(array)
    classifies = _decide(array, task)
    if not classifies:
        array = _to_floats(array)
    _refuse_constant(array, classifies)
    return Target(array, classifies)


def _to_array(y: Any) -> NDArray[Any]:
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2):
        message = (
            "y must have shape (n_samples,) or (n_samples, n_outputs). Got shape "
            f"{array.shape} instead."
        )
        raise ValueError(message)
    return array


def _refuse_missing(array: NDArray[Any]) -> None:
    if array.dtype.kind in "fc":
        n_missing = int(np.isnan(array).sum())
    elif array.dtype.kind == "O":
        n_missing = sum(map(_is_missing, array.ravel()))
    else:
        n_missing = 0
    if n_missing:
        message = (
            f"y has {n_missing} missing value{'s' if n_missing > 1 else ''} in "
            f"{len(array)} rows. Leave out the rows without a target, from X too."
        )
        raise ValueError(message)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in _MISSING:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _simplify(array: NDArray[Any]) -> NDArray[Any]:
    """Give objects that are numbers or booleans the type of these."""
    if array.dtype.kind != "O":
        return array
    kinds = {type(value) for value in array.ravel()}
    if kinds <= {bool, np.bool_}:
        return array.astype(bool)
    if all(issubclass(kind, int | np.integer) for kind in kinds - {bool}):
        return array.astype(np.int64)
    if all(issubclass(kind, int | float | np.number) for kind in kinds):
        return array.astype(float)
    return array


def _decide(array: NDArray[Any], task: Task) -> bool:
    if array.dtype.kind not in "biufOUS":
        message = (
            f"y must hold labels or numbers. Got values of type {array.dtype} instead."
        )
        raise ValueError(message)
    if task == "classification":
        return True
    is_text = array.dtype.kind in "OUS"
    if task == "regression":
        if is_text:
            message = (
                f"task='regression' needs numbers in y. Got {array[:3]!r} instead."
            )
            raise ValueError(message)
        return False
    if array.ndim == 1:
        return has_classes(array)
    # Several columns of zeros and ones are labels that may stand together.
    return is_text or bool(np.isin(array, (0, 1)).all())


def _to_floats(array: NDArray[Any]) -> NDArray[np.float64]:
    floats = array.astype(np.float64)
    if not np.isfinite(floats).all():
        message = "y has an infinite value. Leave out its row, or transform y."
        raise ValueError(message)
    return floats


def _refuse_constant(array: NDArray[Any], classifies: bool) -> None:
    is_matrix = array.ndim == 2
    values = array[:1] if is_matrix else np.unique(array.astype(_comparable(array)))
    if is_matrix and len(array) and not (array == array[0]).all():
        return
    if not is_matrix and len(values) > 1:
        return
    shown = array[:1].tolist()
    what = "classes" if classifies else "numbers"
    message = (
        f"y holds the same value in all {len(array)} rows, so there is nothing to "
        f"learn: {shown!r}. Two different {what} are needed at least."
    )
    raise ValueError(message)


def _comparable(array: NDArray[Any]) -> Any:
    return str if array.dtype.kind == "O" else array.dtype
