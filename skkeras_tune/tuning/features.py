"""The features that a user has in; features that a pipeline of `tune` takes out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from skkeras_tune.preprocessing.columns import describe_other, is_frame
from skkeras_tune.preprocessing.readings import LARGEST

_ALL_CONSTANT = "X has no column that a network could learn from: all are constant."


def validate_features(X: Any) -> Any:
    """Check features, and return them as a data frame, a CSR matrix or floats.

    Raises
    ------
    ValueError
        If they have other than two axes, hold what is no number, or have no column
        that can be used.
    TypeError
        If they are no table, or one of another library, or a column holds other
        objects.
    """
    if issparse(X):
        return _check_sparse(X.tocsr())
    if is_frame(X):
        return X  # whose columns are read where their preparation is built
    _refuse_other_tables(X)
    _refuse_masks(X)
    array = _read_numbers(X)
    _refuse_useless(array)
    return array


def _read_numbers(X: Any) -> NDArray[np.float64]:
    array = np.asarray(X)
    if array.ndim != 2:
        message = (
            "X must have two axes, rows and features, for a network that tune builds. "
            f"Got shape {array.shape} instead: reshape it, or pass an estimator."
        )
        raise ValueError(message)
    if array.dtype.kind not in "biufO":
        message = (
            f"X must hold numbers. Got values of type {array.dtype} instead: pass a "
            "data frame of pandas, whose columns may be text, dates and categories."
        )
        raise ValueError(message)
    try:
        return array.astype(float)
    except (TypeError, ValueError) as error:
        message = (
            f"X must hold numbers: {error}. Pass a data frame of pandas, whose columns "
            "may be text, dates and categories."
        )
        raise ValueError(message) from error


def _refuse_useless(array: NDArray[np.float64]) -> None:
    _refuse_no_values(array)
    if (np.abs(array) > LARGEST).any():
        message = (
            f"X has infinite values, or larger ones than {LARGEST:g}. Replace them, by "
            "NaN for instance."
        )
        raise ValueError(message)
    if (array == array[:1]).all() or np.isnan(array).all():
        raise ValueError(_ALL_CONSTANT)


def _refuse_other_tables(X: Any) -> None:
    found, way = describe_other(X)
    if way is None and np.ndim(X):
        return
    message = (
        "X must be a data frame of pandas, an array or a sparse matrix. Got "
        f"{found} instead" + (f": pass {way}." if way else ".")
    )
    raise TypeError(message)


def _refuse_masks(X: Any) -> None:
    """Refuse values that are hidden, which scikit-learn would bring to light."""
    if isinstance(X, np.ma.MaskedArray) and X.mask.any():
        message = (
            f"X is an array of which {X.mask.sum()} values are masked. Pass "
            "X.astype(float).filled(numpy.nan), so that they count as missing."
        )
        raise ValueError(message)


def _check_sparse(X: Any) -> Any:
    _refuse_no_values(X)
    if not np.isfinite(X.data).all():
        message = (
            "X is sparse and has missing or infinite values. Replace them, or pass an "
            "array or a data frame, in which missing values are imputed."
        )
        raise ValueError(message)
    if not (X.max(axis=0) != X.min(axis=0)).sum():
        raise ValueError(_ALL_CONSTANT)
    return X


def _refuse_no_values(X: Any) -> None:
    if not X.shape[0] or not X.shape[1]:
        message = f"X has shape {X.shape}, so there is nothing to learn from."
        raise ValueError(message)
