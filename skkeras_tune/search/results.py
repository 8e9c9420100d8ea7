"""A fitted search in; its best settings, or a table of all of them, out."""

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from skkeras_tune.optional import import_optional
from skkeras_tune.search.epochs import BEST_EPOCH, fix_epochs

if TYPE_CHECKING:
    import pandas as pd

_PREFIX = "mean_test_"
#: Where a search that drops settings has tried them.
_PLACES = ("iter", "n_resources", "iteration", "bracket", "rung")


def best_params(
    search: Any,
    n: int,
    *,
    metric: str | None = None,
    refit_full: bool | float = False,
) -> list[dict[str, Any]]:
    """Return the n best settings of a fitted search, the best first.

    Settings that failed in a fold are left out, and settings that were tried twice are
    returned once. Equal scores keep the order in which they were tried.

    In a halving search, settings that reached a later iteration come before settings
    that were dropped earlier, and each is returned as in its last iteration. In a
    `HyperbandSearchCV` each is returned once, with the epochs of its best rung.

    Parameters
    ----------
    search : fitted search
        Any search with scikit-learn's ``cv_results_``, or an ensemble made of one.
    n : int
        How many settings. When the search has fewer, all are returned.
    metric : str, default=None
        Which of several scores decides. None is the one that the search refits by.
    refit_full : bool or float, default=False
        Also set how long to train on all rows: for this factor times the median of the
        folds' best epochs (True is 1), without early stopping. KerasTuner's guide takes
        1.2. The search must have scored `best_epoch`.

    Returns
    -------
    list of dict
        Parameters for ``search.estimator.set_params``.

    Raises
    ------
    NotFittedError
        If the search is not fitted.
    ValueError
        If `n` is below 1, `metric` is not known, every setting failed, or `refit_full`
        finds no best epochs.

    See Also
    --------
    best_epoch : The scorer that writes down best epochs.
    results_frame : All settings with their scores.
    EnsembleClassifier : A model from the best settings.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skkeras_tune import KerasClassifier, best_params
    >>> X, y = load_iris(return_X_y=True)
    >>> network = KerasClassifier(epochs=10, random_state=0)
    >>> search = GridSearchCV(network, {"learning_rate": [1e-5, 1e-3, 1e-2]}, cv=3)
    >>> best_params(search.fit(X, y), 2)
    [{'learning_rate': 0.01}, {'learning_rate': 0.001}]
    """
    if not isinstance(n, Integral) or n < 1:
        message = f"n must be an int of at least 1. Got {n!r} instead."
        raise ValueError(message)
    _validate_factor(refit_full)
    search = find_search(search)
    rows = list_best_rows(search, int(n), metric=metric)
    results = read_results(search)
    settings = [dict(results["params"][row]) for row in rows]
    if not refit_full:
        return settings
    return [
        fix_epochs(params, search.estimator, results, row, float(refit_full))
        for params, row in zip(settings, rows, strict=True)
    ]


def _validate_factor(refit_full: Any) -> None:
    if not isinstance(refit_full, Real) or not 0 <= float(refit_full) < np.inf:
        message = (
            "refit_full must be a bool or a float in the range (0.0, inf). Got "
            f"{refit_full!r} instead."
        )
        raise ValueError(message)


def list_best_rows(search: Any, n: int, *, metric: str | None = None) -> list[int]:
    """Return the rows of ``cv_results_`` that hold the n best settings.

    Raises
    ------
    NotFittedError, ValueError
        As `best_params`.
    """
    results = read_results(search)
    metric = resolve_metric(search, metric)
    is_valid = np.isfinite(results[_PREFIX + metric])
    if not is_valid.any():
        message = f"Every setting of the search failed: no {metric!r} is finite."
        raise ValueError(message)
    order = [int(row) for row in order_rows(results, metric) if is_valid[row]]
    resource = getattr(search, "resource_", getattr(search, "resource", None))
    settings = [_without(results["params"][row], resource) for row in order]
    distinct = _list_distinct(settings)
    return [order[place] for place, _ in zip(distinct, range(n), strict=False)]


def find_search(model: Any) -> Any:
    """Return the search that an ensemble is made of, or what is no ensemble itself."""
    search = getattr(model, "search_", None)
    return model if search is None else search


def read_results(search: Any) -> dict[str, Any]:
    """Return a search's results in scikit-learn's form.

    Raises
    ------
    NotFittedError
        If there are none.
    """
    if hasattr(search, "trials_"):
        return _read_trials(search.trials_)
    results: dict[str, Any] | None = getattr(search, "cv_results_", None)
    if results is None:
        message = (
            f"This {type(search).__name__} has no cv_results_: it is not fitted yet, "
            "or is no search. Call its 'fit' first."
        )
        raise NotFittedError(message)
    return results


def _read_trials(trials: Sequence[Any]) -> dict[str, Any]:
    """Return the trials of Optuna's search, whose own results lack the settings.

    A trial that failed has no scores.
    """
    names = dict.fromkeys(name for trial in trials for name in trial.user_attrs)
    columns = {
        name: np.array([trial.user_attrs.get(name, np.nan) for trial in trials])
        for name in names
    }
    return {**columns, "params": [dict(trial.params) for trial in trials]}


def resolve_metric(search: Any, metric: str | None) -> str:
    """Return the name of the score that ranks the settings.

    Raises
    ------
    ValueError
        If the name is not known, or None does not decide.
    """
    names = list_metrics(read_results(search))
    if metric is None:
        refit = getattr(search, "refit", None)
        metric = refit if isinstance(refit, str) and refit in names else None
        ranking = [name for name in names if name != BEST_EPOCH]
        if metric is None and len(ranking) == 1:
            metric = ranking[0]
    if metric not in names:
        message = f"metric must be one of {names!r} in this search. Got {metric!r}."
        raise ValueError(message)
    return metric


def refuse_no_ranking(search: Any) -> None:
    """Refuse a search that has several scores, and none that ranks its settings.

    Parameters
    ----------
    search : search
        Not fitted: `resolve_metric` would tell only when all has been trained.

    Raises
    ------
    ValueError
        If `refit` names none of several scores.
    """
    scoring = getattr(search, "scoring", None)
    if scoring is None or isinstance(scoring, str) or callable(scoring):
        return
    names = [name for name in scoring if name != BEST_EPOCH]
    refit = getattr(search, "refit", None)
    if len(names) > 1 and refit not in names:
        message = (
            f"The 'refit' parameter of {type(search).__name__} must name the score "
            f"that ranks its settings, of {names!r}. Got {refit!r} instead."
        )
        raise ValueError(message)


def list_metrics(results: Mapping[str, Any]) -> list[str]:
    """Return the names of the scores in ``cv_results_``."""
    return [key.removeprefix(_PREFIX) for key in results if key.startswith(_PREFIX)]


def order_rows(results: Mapping[str, Any], metric: str) -> NDArray[np.intp]:
    """Return the rows of ``cv_results_``, the best first and failures last.

    A halving search compares scores within an iteration only, and the later ones are
    the better.
    """
    scores = np.asarray(results[_PREFIX + metric], float)
    losses = np.where(np.isfinite(scores), -scores, np.inf)
    iteration = np.asarray(results.get("iter", np.zeros(len(scores))))
    return np.lexsort((losses, -iteration, np.isinf(losses)))


def _without(params: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key != name}


def _list_distinct(settings: list[dict[str, Any]]) -> Iterator[int]:
    """Yield the place of each setting that is not among those before it."""
    seen: list[dict[str, Any]] = []
    for place, params in enumerate(settings):
        if not any(_are_equal(params, other) for other in seen):
            seen.append(params)
            yield place


def _are_equal(params: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return params.keys() == other.keys() and all(
        _is_same(value, other[name]) for name, value in params.items()
    )


def _is_same(value: Any, other: Any) -> bool:
    """Tell whether two values are equal; those that cannot be compared are not."""
    if value is other:
        return True
    try:
        return type(value) is type(other) and bool(np.all(value == other))
    except (TypeError, ValueError):
        return False


def results_frame(
    search: Any, *, metric: str | None = None, splits: bool = False
) -> "pd.DataFrame":
    """Return a fitted search's results as a tidy table, the best settings first.

    Parameters
    ----------
    search : fitted search
        Any search with scikit-learn's ``cv_results_``, or an ensemble made of one.
    metric : str, default=None
        Which of several scores decides the order. None is the one that the search
        refits by.
    splits : bool, default=False
        Also give the score of each fold.

    Returns
    -------
    pandas.DataFrame
        A row for each setting, indexed by its row in ``cv_results_``. The columns are

        - ``rank`` in this table: 1 is the best, equals share the better rank, and
          settings that failed have none;
        - ``iter`` and ``n_resources`` in a halving search, ``iteration``, ``bracket``
          and ``rung`` in a `HyperbandSearchCV`;
        - the parameters by their own names; one that a setting lacks is missing;
        - ``mean_score`` and ``std_score`` over the folds, with the score's name in
          place of "score" where there are several, ``mean_train_score`` and
          ``std_train_score`` where they were asked for, and with `splits` also
          ``split0_score`` and so on;
        - ``fit_time`` and ``score_time``, the mean seconds of a fold.

    Raises
    ------
    NotFittedError
        If the search is not fitted.
    ValueError
        If `metric` is not known.
    ImportError
        If pandas is not installed.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skkeras_tune import KerasClassifier, results_frame
    >>> X, y = load_iris(return_X_y=True)
    >>> network = KerasClassifier(epochs=10, random_state=0)
    >>> search = GridSearchCV(network, {"learning_rate": [1e-5, 1e-2]}, cv=3)
    >>> frame = results_frame(search.fit(X, y))
    >>> frame[["rank", "learning_rate"]]
               rank  learning_rate
    candidate
    1             1        0.01000
    0             2        0.00001
    """
    pandas = import_optional("pandas", "results_frame")
    search = find_search(search)
    results = read_results(search)
    metric = resolve_metric(search, metric)
    order = order_rows(results, metric)
    columns: dict[str, Any] = {
        **{name: results[name] for name in _PLACES if name in results},
        **_parameter_columns(results["params"]),
        **_score_columns(results, splits=splits),
    }
    frame = pandas.DataFrame(
        {name: [values[row] for row in order] for name, values in columns.items()},
        index=pandas.Index(order, name="candidate"),
    )
    ranks = _rank(frame, metric)
    frame.insert(0, "rank", pandas.array(ranks, dtype="Int64"))
    return frame


def _rank(frame: Any, metric: str) -> list[int | None]:
    """Return the ranks of an ordered table; equals share the better rank."""
    scores = frame[f"mean_{metric}"].to_list()
    iterations = frame["iter"].to_list() if "iter" in frame else [0] * len(frame)
    keys = list(zip(iterations, scores, strict=True))
    return [keys.index(key) + 1 if np.isfinite(key[1]) else None for key in keys]


def _parameter_columns(settings: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for params in settings for name in params)
    return {
        name: [params.get(name, np.nan) for params in settings]
        for name in sorted(names)
    }


def _score_columns(results: Mapping[str, Any], *, splits: bool) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for part, mark in (("test", ""), ("train", "train_")):
        for metric in list_metrics(results):
            ending = f"_{part}_{metric}"
            kinds = ["mean", "std", *(_list_splits(results, ending) if splits else [])]
            columns |= {
                f"{kind}_{mark}{metric}": results[kind + ending]
                for kind in kinds
                if kind + ending in results
            }
    for name in ("fit_time", "score_time"):
        columns[name] = results[f"mean_{name}"]
    return columns


def _list_splits(results: Mapping[str, Any], ending: str) -> list[str]:
    """Return "split0" and so on, as many as have a column of this ending."""
    keys = [key for key in results if key.startswith("split") and key.endswith(ending)]
    return [key.removesuffix(ending) for key in keys]
