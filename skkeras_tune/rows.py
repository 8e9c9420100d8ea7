"""What the user passes as data in; checked rows and their roles in training out."""

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse, vstack
from sklearn.base import BaseEstimator
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_consistent_length, validate_data

from skkeras_tune._compat import check_sample_weight
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
        return validate_data(estimator, X, reset=reset, **_feature_rules())


def validate_rows(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    sample_weight: Any,
    groups: Any = None,
    *,
    class_weight: Any = None,
    numeric: bool,
    reset: bool,
) -> Rows:
    """Check X, y, weights and groups, and leave out rows of weight zero.

    Parameters
    ----------
    estimator : BaseEstimator
        Learns, or is asked for, the number and names of the features.
    X, y, sample_weight, groups
        As the user passed them; none is written to.
    class_weight : dict, "balanced" or None
        Multiplied with the weights of the rows.
    numeric : bool
        Whether y must be numbers.
    reset : bool
        Whether the estimator learns the features of X, or compares them.

    Raises
    ------
    ValueError
        If anything does not fit together, is not finite, or has no weight.
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
    weight = _resolve_weight(sample_weight, x, y, class_weight)
    if groups is not None:
        groups = np.asarray(groups)
        check_consistent_length(x, groups)
    return _drop_weightless(Rows(x, y, weight, groups))


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
        if X_val is not None:
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
    rows: Rows, validation: Rows | None, split: Split | None
) -> TrainingData:
    """Say which rows are trained on and which are held out.

    Parameters
    ----------
    rows : Rows
    validation : Rows or None
        A validation set of its own; joined to the rows.
    split : tuple of ndarrays or None
        Training and held-out rows among `rows`; None trains on all.
    """
    n = len(rows)
    if validation is not None:
        split = (np.arange(n), np.arange(n, n + len(validation)))
        rows = _join(rows, validation)
    elif split is None:
        split = (np.arange(n), np.arange(0))
    return TrainingData(
        rows.x, rows.y, _average_one(rows.weight, split), split[0], split[1]
    )


def _feature_rules() -> dict[str, Any]:
    return {
        "accept_sparse": "csr",
        "dtype": keras.config.floatx(),
        "allow_nd": True,
    }


def _resolve_weight(
    sample_weight: Any, x: Any, y: NDArray[Any], class_weight: Any
) -> NDArray[Any] | None:
    if sample_weight is None and class_weight is None:
        return None
    weight: NDArray[Any] = check_sample_weight(
        sample_weight, x, dtype=np.float64, ensure_non_negative=True, copy=True
    )
    kept = weight > 0
    if class_weight is not None and kept.any():
        labels = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        weight[kept] *= compute_sample_weight(class_weight, labels[kept])
    if not weight.any():
        message = (
            "All sample weights are zero, so there is nothing to train on. "
            f"Got {len(weight)} weights, all 0."
        )
        raise ValueError(message)
    return weight


def _drop_weightless(rows: Rows) -> Rows:
    if rows.weight is None or (rows.weight > 0).all():
        return rows
    kept = np.flatnonzero(rows.weight > 0)
    groups = None if rows.groups is None else rows.groups[kept]
    return replace(
        rows, x=rows.x[kept], y=rows.y[kept], weight=rows.weight[kept], groups=groups
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


def _average_one(weight: NDArray[Any] | None, split: Split) -> NDArray[Any] | None:
    """Scale weights to average one in each role.

    So weighting a row by two is the same as having it twice: Keras divides the loss of
    a batch by its number of rows.
    """
    if weight is None:
        return None
    scaled = weight.astype(np.float64)
    for role in split:
        if len(role):
            scaled[role] /= scaled[role].mean()
    return scaled.astype(keras.config.floatx())
