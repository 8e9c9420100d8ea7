"""A target as it comes in; an array of it, and whether it is labels or numbers, out."""

from decimal import Decimal
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from skkeras_tune.preprocessing.labels import has_classes

Task = Literal["auto", "classification", "regression"]


def holds_labels(y: Any) -> bool:
    """Tell whether a target is labels rather than numbers, where nobody says.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n_samples,) or (n_samples, n_outputs)

    Raises
    ------
    ValueError
        If its shape or its values are those of no target.
    """
    array = simplify(to_array(y))
    return are_labels(array, "auto", is_categorical=has_categories(y))


def to_array(y: Any) -> NDArray[Any]:
    """Return a target as an array of one or two axes; what is masked is None.

    Raises
    ------
    ValueError
        If it has others, or less than two rows.
    """
    if issparse(y):
        y = y.toarray()
    if isinstance(y, np.ma.MaskedArray) and y.mask.any():
        mask, y = y.mask, y.data.astype(object)
        y[mask] = None
    try:
        array = np.asarray(y)
    except ValueError as error:
        message = (
            f"y must be an array of labels or numbers: {error} For several labels in a "
            "row, pass MultiLabelBinarizer().fit_transform(y)."
        )
        raise ValueError(message) from error
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or len(array) < 2:
        message = (
            "y must have shape (n_samples,) or (n_samples, n_outputs), and two rows at "
            f"least. Got shape {array.shape} instead."
        )
        raise ValueError(message)
    return array


def has_categories(y: Any) -> bool:
    """Tell whether pandas holds categories, of which an array has the values alone."""
    is_frame = hasattr(y, "dtypes") and getattr(y, "ndim", 1) == 2
    types = list(y.dtypes) if is_frame else [getattr(y, "dtype", None)]
    return any(getattr(kind, "name", None) == "category" for kind in types)


def simplify(array: NDArray[Any]) -> NDArray[Any]:
    """Give objects that are numbers or booleans the type of these."""
    if array.dtype.kind != "O":
        return array
    kinds = {type(value) for value in array.ravel()}
    if kinds <= {bool, np.bool_}:
        return array.astype(bool)
    if all(issubclass(kind, int | np.integer) for kind in kinds - {bool}):
        return array.astype(np.int64)
    if all(issubclass(kind, int | float | np.number | Decimal) for kind in kinds):
        return array.astype(float)
    return array


def are_labels(array: NDArray[Any], task: Task, *, is_categorical: bool) -> bool:
    """Tell whether an array is labels, as `task` says or its values do.

    Raises
    ------
    ValueError
        If it holds neither labels nor numbers, or text where `task` says numbers.
    """
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
        return is_categorical or has_classes(array)
    return is_text or is_categorical or are_indicators(array)


def are_indicators(array: NDArray[Any]) -> bool:
    """Tell whether columns are zeros and ones, labels that may stand together."""
    return array.dtype.kind not in "OU" and bool(np.isin(array, (0, 1)).all())
