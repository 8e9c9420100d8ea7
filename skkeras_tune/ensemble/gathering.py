"""A list or a search in; named members with their out-of-fold predictions out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sklearn import get_config
from sklearn.base import clone

from skkeras_tune.ensemble.members import (
    name_members,
    validate_member,
    weight_arguments,
)
from skkeras_tune.ensemble.out_of_fold import (
    OutOfFold,
    Splits,
    join_folds,
    list_splits,
    predict_out_of_fold,
)
from skkeras_tune.ensemble.rows import Rows
from skkeras_tune.ensemble.targets import Numbers, Target
from skkeras_tune.search.recording import (
    fit_recorded,
    read_recorded,
    why_not_recorded,
)
from skkeras_tune.search.results import (
    list_best_rows,
    read_results,
    refuse_no_ranking,
)


@dataclass(frozen=True, eq=False)
class Library:
    """Members by name, not fitted, with what they predict out of fold.

    Attributes
    ----------
    members : dict of str to estimator
    out_of_fold : OutOfFold
    search : search or None
        The fitted search that the members come from.
    reason : str or None
        Why the predictions took fits of their own; None when a search gave them.
    """

    members: dict[str, Any]
    out_of_fold: OutOfFold
    search: Any = None
    reason: str | None = None


def gather_from_list(
    estimators: Any, rows: Rows, owner: Any, cv: Any, n_jobs: int | None
) -> Library:
    """Cross-validate the estimators of a list.

    Parameters
    ----------
    estimators : list of estimators, or of (name, estimator) pairs
    rows : Rows
    owner : estimator
        The ensemble, whose kind decides the folds.
    cv : int, splitter, iterable or None
    n_jobs : int or None
    """
    members = name_members(estimators)
    _validate(members, rows.target)
    splits = list_splits(cv, owner, rows.X, rows.y, rows.groups)
    return _cross_validate(members, rows, splits, n_jobs, "the members are a list")


def gather_from_search(
    search: Any, n_best: int, rows: Rows, cv: Any, n_jobs: int | None
) -> Library:
    """Take the best settings of a search; a search that is not fitted is fitted first.

    Parameters
    ----------
    search : search
        Left as it is.
    n_best : int
    rows : Rows
    cv : int, splitter, iterable or None
        None takes the search's own folds.
    n_jobs : int or None
    """
    _validate({"estimator": search.estimator}, rows.target)
    is_fitted = hasattr(search, "cv_results_")
    if not is_fitted:
        refuse_no_ranking(search)
    folds = search.cv if cv is None else cv
    splits = list_splits(folds, search.estimator, rows.X, rows.y, rows.groups)
    if is_fitted:
        reason = "the search was fitted before"
    elif cv is not None:
        reason = "cv asks for folds of the ensemble's own"
    else:
        reason = why_not_recorded(search, rows.X, splits) or ""
    if not reason:
        with TemporaryDirectory(prefix="skkeras_tune-") as folder:
            return _gather_recorded(
                search, n_best, rows, splits, Path(folder), n_jobs=n_jobs
            )
    fitted = search if is_fitted else _fit_search(search, rows)
    members = list_candidates(fitted, n_best)
    library = _cross_validate(members, rows, splits, n_jobs, reason)
    return Library(members, library.out_of_fold, fitted, reason)


def list_candidates(search: Any, n_best: int) -> dict[str, Any]:
    """Return estimators with the best settings, named by their rows in the results."""
    params = read_results(search)["params"]
    return {
        f"candidate_{row}": clone(search.estimator).set_params(
            **clone(dict(params[row]), safe=False)
        )
        for row in list_best_rows(search, n_best)
    }


def _gather_recorded(
    search: Any,
    n_best: int,
    rows: Rows,
    splits: Splits,
    folder: Path,
    n_jobs: int | None,
) -> Library:
    read = rows.target.read
    params = _search_arguments(search, rows)
    if get_config()["enable_metadata_routing"]:
        # The folds are drawn already; the networks may ask for them too.
        params = {**_group_argument(rows), **params}
    fitted = fit_recorded(search, rows.X, rows.y, splits, read, folder, **params)
    members = list_candidates(fitted, n_best)
    seed = getattr(fitted, "step_seed_", None)
    folds = read_recorded(list(members.values()), rows.X, splits, folder, seed)
    if folds is not None:
        joined = join_folds(list(members), folds, splits)
        return Library(members, joined, fitted)
    reason = "the search did not score its best settings on every row of each fold"
    library = _cross_validate(members, rows, splits, n_jobs, reason)
    return Library(members, library.out_of_fold, fitted, reason)


def _fit_search(search: Any, rows: Rows) -> Any:
    params = {**_group_argument(rows), **_search_arguments(search, rows)}
    return clone(search).fit(rows.X, rows.y, **params)


def _group_argument(rows: Rows) -> dict[str, Any]:
    return {} if rows.groups is None else {"groups": rows.groups}


def _search_arguments(search: Any, rows: Rows) -> dict[str, Any]:
    weights = weight_arguments(search.estimator, rows.sample_weight)
    return {**(rows.fit_params or {}), **weights}


def _cross_validate(
    members: dict[str, Any],
    rows: Rows,
    splits: Splits,
    n_jobs: int | None,
    reason: str,
) -> Library:
    found = predict_out_of_fold(members, rows, splits, n_jobs)
    return Library(members, found, reason=reason)


def _validate(members: Mapping[str, Any], target: Target) -> None:
    for name, member in members.items():
        validate_member(name, member, classifies=not isinstance(target, Numbers))
