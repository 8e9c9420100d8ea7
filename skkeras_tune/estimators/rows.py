"""What the user passes as data in; checked rows and their roles in training out."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse, vstack
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from skkeras_tune._compat.sklearn import check_sample_weight
from skkeras_tune.training.batches import count_rows, take_rows
from skkeras_tune.training.holdout import Split
from skkeras_tune.training.plan import TrainingData


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows with their targets, and weights and groups where there are any."""

    x: Any
    y: Any
    weight: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None

    def __len__(self) -> int:
        return count_rows(self.x)


def validate_features(estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
    """Check X and return it as floats: an array of two or more axes, or CSR."""
    with np.errstate(over="ignore"):
        x = validate_data(estimator, X, reset=reset, **_feature_rules())
    if not reset:
        _refuse_other_shape(estimator, x)
    return x


def _refuse_other_shape(estimator: BaseEstimator, x: Any) -> None:
    known = getattr(estimator, "X_shape_", x.shape)
    if x.shape[1:] != known[1:]:
        message = (
            f"X has rows of shape {x.shape[1:]}, but {type(estimator).__name__} was "
            f"fitted with rows of shape {known[1:]}."
        )
        raise ValueError(message)


def validate_rows(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    sample_weight: Any,
    groups: Any = None,
    *,
    numeric: bool,
    reset: bool,
) -> Rows:
    """Check X, y, weights and groups.

    Parameters
    ----------
    estimator : BaseEstimator
        Learns, or is asked for, the number and names of the features.
    X, y, sample_weight, groups
        As the user passed them; none is written to.
    numeric : bool
        Whether y must be numbers.
    reset : bool
        Whether the estimator learns the features of X, or compares them.

    Raises
    ------
    ValueError
        If anything does not fit together, or is not finite.
    """
    with np.errstate(over="ignore"):
        x, y = validate_data(
            estimator,
            X,
            y,
            reset=reset,
            multi_output=True,
            y_numeric=numeric,
            **_feature_rules(),
        )
    y = y.toarray() if issparse(y) else y
    if numeric and y.dtype.kind not in "biuf":
        message = f"y must hold numbers. Got {y.flat[0]!r} of type {y.dtype} instead."
        raise ValueError(message)
    weight = None
    if sample_weight is not None:
        weight = check_sample_weight(
            sample_weight, x, dtype=np.float64, ensure_non_negative=True, copy=True
        )
    if groups is not None:
        groups = column_or_1d(groups, dtype=None)
        check_consistent_length(x, groups)
    if not reset:
        _refuse_other_shape(estimator, x)
    return Rows(x, y, weight, groups)


def validate_held_out(
    estimator: BaseEstimator, validation: tuple[Any, Any, Any] | None, *, numeric: bool
) -> Rows | None:
    """Check a validation set, given as ``(X, y, sample_weight)``, if there is one.

    Raises
    ------
    ValueError
        If anything does not fit together, or to the rows that the estimator knows.
    """
    if validation is None:
        return None
    try:
        return validate_rows(estimator, *validation, numeric=numeric, reset=False)
    except ValueError as error:
        message = f"In the validation set: {error}"
        raise ValueError(message) from error


def validation_set(
    validation_data: Any, X_val: Any, y_val: Any, weight: Any
) -> tuple[Any, Any, Any] | None:
    """Return ``(X, y, sample_weight)`` of a validation set, or None.

    Takes scikit-learn's spelling (`X_val`, `y_val`) or Keras's (`validation_data`).
    """
    if weight is not None and X_val is None:
        message = (
            "sample_weight_val weighs the rows of X_val, which is missing. With "
            "validation_data, it is the third item."
        )
        raise ValueError(message)
    if validation_data is not None:
        if X_val is not None or y_val is not None:
            message = "Give X_val and y_val, or validation_data. Got both."
            raise ValueError(message)
        if not isinstance(validation_data, list | tuple) or not (
            2 <= len(validation_data) <= 3
        ):
            message = (
                "validation_data must be (X, y) or (X, y, sample_weight). Got "
                f"{type(validation_data).__name__} instead."
            )
            raise ValueError(message)
        return (*validation_data, None)[:3]
    if (X_val is None) != (y_val is None):
        missing = "y_val" if y_val is None else "X_val"
        message = f"X_val and y_val go together. {missing} is missing."
        raise ValueError(message)
    return None if X_val is None else (X_val, y_val, weight)


def assign_roles(
    rows: Rows,
    validation: Rows | None = None,
    split: Split | None = None,
    *,
    is_piece: bool = False,
) -> TrainingData:
    """Say which rows are trained on and which are held out.

    Parameters
    ----------
    rows : Rows
    validation : Rows, default=None
        A validation set of its own; joined to the rows.
    split : tuple of ndarrays, default=None
        Training and held-out rows among `rows`; None trains on all.
    is_piece : bool, default=False
        Whether the rows are one piece of many, whose weights compare with those of the
        other pieces and so stay as they are.
    """
    n = len(rows)
    if validation is not None:
        split = (np.arange(n), np.arange(n, n + len(validation)))
        rows = _join(rows, validation)
    elif split is None:
        split = (np.arange(n), np.arange(0))
    weight = rows.weight
    if weight is not None:
        weight = weight if is_piece else _average_one(weight, split)
        weight = weight.astype(keras.config.floatx())
    return TrainingData(rows.x, rows.y, weight, split[0], split[1])


def _feature_rules() -> dict[str, Any]:
    return {
        "accept_sparse": "csr",
        "dtype": keras.config.floatx(),
        "allow_nd": True,
    }


def drop_weightless(rows: Rows) -> Rows:
    """Leave out rows of weight zero.

    Raises
    ------
    ValueError
        If no row has a weight.
    """
    if rows.weight is None or (rows.weight > 0).all():
        return rows
    kept = np.flatnonzero(rows.weight > 0)
    if not len(kept):
        message = (
            "All sample weights are zero, so there is nothing to train on. "
            f"Got {len(rows.weight)} weights, all 0."
        )
        raise ValueError(message)
    groups = None if rows.groups is None else rows.groups[kept]
    return Rows(
        take_rows(rows.x, kept, dense=False),
        take_rows(rows.y, kept, dense=False),
        rows.weight[kept],
        groups,
    )


def _join(rows: Rows, validation: Rows) -> Rows:
    weight = None
    if rows.weight is not None or validation.weight is not None:
        weight = np.concatenate([_or_ones(rows), _or_ones(validation)])
    return Rows(_stack(rows.x, validation.x), _stack(rows.y, validation.y), weight)


def _or_ones(rows: Rows) -> NDArray[Any]:
    return np.ones(len(rows)) if rows.weight is None else rows.weight


def _stack(upper: Any, lower: Any) -> Any:
    return keras.tree.map_structure(_stack_leaves, upper, lower)


def _stack_leaves(upper: Any, lower: Any) -> Any:
    if issparse(upper) and issparse(lower):
        return vstack([upper, lower], format="csr")
    everything = slice(None)
    return np.concatenate([take_rows(upper, everything), take_rows(lower, everything)])


def _average_one(weight: NDArray[Any], split: Split) -> NDArray[np.float64]:
    """Scale weights to average one in each role.

    So weighting a row by two is the same as having it twice: Keras divides the loss of
    a batch by its number of rows.
    """
    scaled = weight.astype(np.float64)
    for role in split:
        if len(role):
            scaled[role] /= scaled[role].mean()
    return scaled
