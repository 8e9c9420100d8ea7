"""Data in, an estimator for it out: what prepares the columns, and a network."""

import math
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skkeras_tune.base import KerasEstimator
from skkeras_tune.estimators import KerasClassifier
from skkeras_tune.nesting import list_networks
from skkeras_tune.preprocessing.columns import is_frame, read_columns
from skkeras_tune.preprocessing.table import TablePreprocessor, build_number_steps
from skkeras_tune.search.spaces import choose_batch_size
from skkeras_tune.tuning.regressor import StandardizedRegressor
from skkeras_tune.tuning.target import Target

#: Names of the steps.
PREPARE, NETWORK = "prepare", "network"

# Networks stop early, long before this.
_EPOCHS, _PATIENCE = 200, 16
_ALL_CONSTANT = "X has no column that a network could learn from: all are constant."
#: Of fewer rows a tenth says too little of when to stop.
FEW_ROWS = 2000


def build_estimator(
    X: Any, target: Target, *, random_state: int | None = None, memory: Any = None
) -> Pipeline:
    """Return a pipeline for these rows, not fitted.

    Parameters
    ----------
    X : DataFrame, ndarray or sparse matrix
    target : Target
    random_state : int or None, default=None
    memory : str, path, joblib.Memory or None, default=None
        Of the network.
    """
    n_rows = X.shape[0]
    share = 0.1 if n_rows >= FEW_ROWS else 0.2
    kind = KerasClassifier if target.classifies else StandardizedRegressor
    network = kind(
        epochs=_EPOCHS,
        patience=_PATIENCE,
        validation_split=share,
        batch_size=choose_batch_size(n_rows),
        random_state=random_state,
        memory=memory,
    )
    return Pipeline(
        [(PREPARE, _build_preparation(X, random_state)), (NETWORK, network)]
    )


def drop_stopping(network: KerasEstimator, target: Target, share: float) -> None:
    """Let a network do without early stopping where too few rows could be held out.

    Parameters
    ----------
    network : KerasEstimator
        Changed in place.
    target : Target
    share : float
        Of the rows, the share that a fold trains on.
    """
    n_classes = 1 if target.labels is None else len(set(target.labels.tolist()))
    n_rows = math.floor(len(target.y) * share)
    if math.ceil(n_rows * network.validation_split) < n_classes:
        network.set_params(
            early_stopping=False, validation_split=0.0, epochs=_EPOCHS // 2
        )


def _build_preparation(X: Any, random_state: int | None) -> Any:
    if is_frame(X):
        return TablePreprocessor(random_state=random_state or 0)
    if issparse(X):
        return MaxAbsScaler()
    return make_pipeline(*build_number_steps())


def check_features(X: Any) -> Any:
    """Return features that a pipeline of `build_estimator` takes.

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
        # Here, and not in each of the fits alone, which would all fail.
        read_columns(X, TablePreprocessor().max_one_hot)
        return X
    _refuse_other_tables(X)
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
        array = array.astype(float)
    except (TypeError, ValueError) as error:
        message = (
            f"X must hold numbers: {error}. Pass a data frame of pandas, whose columns "
            "may be text, dates and categories."
        )
        raise ValueError(message) from error
    _refuse_no_values(array)
    if np.isinf(array).any():
        message = "X has infinite values. Replace them, by NaN for instance."
        raise ValueError(message)
    if (array == array[:1]).all() or np.isnan(array).all():
        raise ValueError(_ALL_CONSTANT)
    return array


def _refuse_other_tables(X: Any) -> None:
    names = ("to_pandas", "compute", "collect")
    way = next((name for name in names if hasattr(X, name)), None)
    if way is None and np.ndim(X):
        return
    library = type(X).__module__.partition(".")[0]
    whose = "" if library == "builtins" else f"{library}'s "
    message = (
        "X must be a data frame of pandas, an array or a sparse matrix. Got "
        f"{whose}{type(X).__name__} instead" + (f": pass X.{way}()." if way else ".")
    )
    raise TypeError(message)


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


def find_prefix(estimator: Any) -> str:
    """Return what comes before the names of the network's parameters.

    Raises
    ------
    ValueError
        If there is no built-in network in the estimator, or several.
    """
    found = list_networks(estimator)
    networks = [prefix for prefix, network in found.items() if network.model is None]
    if len(networks) == 1:
        return networks[0]
    what = f"{len(networks)} of them" if networks else "none"
    if found and not networks:
        what = "a model of its own"
    message = (
        "A space that is named takes an estimator with one built-in network, such as "
        f"KerasClassifier() at the end of a pipeline. Got {what} in "
        f"{type(estimator).__name__}: pass a dict as 'space'."
    )
    raise ValueError(message)
