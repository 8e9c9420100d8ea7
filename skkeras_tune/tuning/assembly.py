"""Data in, an estimator for it out: what prepares the columns, and a network."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skkeras_tune.ensemble.members import group_arguments
from skkeras_tune.estimators import KerasClassifier
from skkeras_tune.estimators.base import KerasEstimator
from skkeras_tune.nesting import list_networks
from skkeras_tune.preprocessing.columns import is_frame, read_columns
from skkeras_tune.preprocessing.kinds import GivenKind, Kind
from skkeras_tune.preprocessing.table import TablePreprocessor, build_number_steps
from skkeras_tune.search.spaces import choose_batch_size
from skkeras_tune.training.holdout import hold_out
from skkeras_tune.tuning.folds import Folds
from skkeras_tune.tuning.regressor import StandardizedRegressor
from skkeras_tune.tuning.target import Target

# Names of the steps.
_PREPARE, _NETWORK = "prepare", "network"

# Networks stop early, long before this.
_EPOCHS, _PATIENCE = 200, 16
#: Of fewer rows a tenth says too little of when to stop.
FEW_ROWS = 2000
# So that a tenth of the rows of half of them has one of each class.
_MANY_ROWS_PER_CLASS = 20


def resolve_estimator(
    estimator: Any,
    X: Any,
    target: Target,
    folds: Folds,
    groups: NDArray[Any] | None = None,
    *,
    random_state: int | None,
    memory: Any,
) -> tuple[Any, str | None]:
    """Return an estimator to search, and the prefix of the network in a built one.

    Parameters
    ----------
    estimator : estimator or None
        The user's, which is copied. None builds one.
    X : DataFrame, ndarray or sparse matrix
    target : Target
    folds : Folds
        Say which rows a fit has.
    groups : ndarray of shape (n_samples,), default=None
        Whose rows are held out together.
    random_state : int or None
        Of a built one.
    memory : str, path, joblib.Memory or None
        Of the networks, the user's too.
    """
    if estimator is None:
        model = _build_estimator(X, target, random_state=random_state, memory=memory)
        if not _can_hold_out(model[_NETWORK], X, target, folds, groups):
            model.set_params(
                **{
                    f"{_NETWORK}__early_stopping": False,
                    f"{_NETWORK}__validation_split": 0.0,
                    f"{_NETWORK}__epochs": _EPOCHS // 2,
                }
            )
        return model, f"{_NETWORK}__"
    model = clone(estimator)
    if memory is not None:
        for network in list_networks(model).values():
            network.set_params(memory=memory)
    return model, None


def _build_estimator(
    X: Any, target: Target, *, random_state: int | None, memory: Any
) -> Pipeline:
    """Return a pipeline for these rows, not fitted."""
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
    if get_config()["enable_metadata_routing"]:
        # The user has no hold of the network to set what it asks for.
        network.set_fit_request(groups=True)
    return Pipeline(
        [(_PREPARE, _build_preparation(X, random_state)), (_NETWORK, network)]
    )


def _can_hold_out(
    network: KerasEstimator,
    X: Any,
    target: Target,
    folds: Folds,
    groups: NDArray[Any] | None,
) -> bool:
    """Tell whether each fold has rows of each class, and whole groups, to stop on.

    Many rows without groups do.
    """
    labels, n_classes = None, 1
    if target.labels is not None:
        known, labels = np.unique(target.labels, return_inverse=True)
        n_classes = len(known)
    n_many = max(FEW_ROWS, _MANY_ROWS_PER_CLASS * n_classes)
    if groups is None and X.shape[0] >= n_many:
        return True
    all_rows = np.arange(X.shape[0])  # a splitter may give masks
    trained = [all_rows[train] for train, _ in folds.split(X, target.y, groups)]
    return all(
        hold_out(
            len(train),
            network.validation_split,
            seed=0,
            labels=None if labels is None else labels[train],
            groups=None if groups is None else groups[train],
        )
        for train in trained
    )


def _build_preparation(X: Any, random_state: int | None) -> Any:
    if is_frame(X):
        # Once for all fits: the rows of a fold may say otherwise, and a table without a
        # column of use would fail in each of them.
        table = TablePreprocessor(random_state=random_state or 0)
        columns = read_columns(X, table.max_one_hot)
        return table.set_params(kinds={c.name: _pin(c.kind) for c in columns})
    if issparse(X):
        return MaxAbsScaler()
    return make_pipeline(*build_number_steps())


def _pin(kind: Kind) -> GivenKind:
    """Return what a column is in all fits: of categories, not whether they are few."""
    return "categories" if kind.endswith("categories") else kind


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


def find_preprocessor(model: Any) -> TablePreprocessor | None:
    """Return what prepares the columns of a data frame in a built estimator."""
    prepare = getattr(model, "named_steps", {}).get(_PREPARE)
    return prepare if isinstance(prepare, TablePreprocessor) else None


def list_fit_params(estimator: Any, prefix: str | None, groups: Any) -> dict[str, Any]:
    """Return the groups for a network that was built here, which holds rows out.

    With metadata routing they are for whatever estimator asks for them.
    """
    if get_config()["enable_metadata_routing"]:
        return group_arguments(estimator, groups)
    is_built = prefix is not None and _NETWORK in getattr(estimator, "named_steps", ())
    return {} if groups is None or not is_built else {f"{prefix}groups": groups}
