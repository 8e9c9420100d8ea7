"""`tune`: data in, a fitted search out, in one call."""

import os
import time
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

from joblib.parallel import get_active_backend
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length

from skkeras_tune._compat import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from skkeras_tune.ensemble.estimators import EnsembleClassifier, EnsembleRegressor
from skkeras_tune.fusion import fused
from skkeras_tune.fusion.backend import FusedBackend
from skkeras_tune.nesting import list_networks
from skkeras_tune.preprocessing.table import TablePreprocessor
from skkeras_tune.search.budget import Budget, spend
from skkeras_tune.search.winner import build_winner, fit_winner, keep_winner
from skkeras_tune.tuning.assembly import (
    NETWORK,
    PREPARE,
    build_estimator,
    check_features,
    drop_stopping,
    find_prefix,
)
from skkeras_tune.tuning.folds import Folds
from skkeras_tune.tuning.last_fit import LastFit, resolve_members
from skkeras_tune.tuning.scoring import (
    refuse_several_scores,
    validate_folds,
    validate_scoring,
)
from skkeras_tune.tuning.searches import (
    BUILDERS,
    LEVELS,
    Settings,
    complete_search,
    find_space_parameter,
    heeds_budget,
    resolve_space,
)
from skkeras_tune.tuning.target import Target, Task, read_groups, read_target

_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")

_CONSTRAINTS: dict[str, list[Any]] = {
    "estimator": [HasMethods(["fit", "get_params", "set_params"]), None],
    "space": [StrOptions(set(LEVELS)), dict, list],
    "search": [StrOptions(set(BUILDERS)), HasMethods(["fit", "get_params"])],
    "n_iter": [_AT_LEAST_ONE],
    "cv": ["cv_object"],
    "scoring": [str, callable, None],
    "time_budget": [Interval(Real, 0, None, closed="neither"), None],
    "executions_per_trial": [_AT_LEAST_ONE],
    "refit_full": ["boolean", Interval(Real, 0, None, closed="neither")],
    "n_members": [_AT_LEAST_ONE, StrOptions({"auto"})],
    "ensemble": [_AT_LEAST_ONE, None],
    "task": [StrOptions({"auto", "classification", "regression"})],
    "random_state": ["random_state"],
    "memory": [str, os.PathLike, HasMethods("cache"), None],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
}


@dataclass(frozen=True, eq=False)
class _Rows:
    """The checked data, and what goes with it to every `fit`."""

    X: Any
    target: Target
    groups: Any
    fit_params: dict[str, Any]


def tune(
    X: ArrayLike,
    y: ArrayLike,
    *,
    estimator: Any = None,
    space: Any = "default",
    search: Literal["bayes", "random", "grid", "hyperband"] | Any = "bayes",
    n_iter: int = 50,
    cv: Any = 5,
    scoring: Any = None,
    time_budget: float | None = None,
    executions_per_trial: int = 1,
    refit_full: bool | float = True,
    n_members: int | Literal["auto"] = "auto",
    ensemble: int | None = None,
    groups: ArrayLike | None = None,
    task: Task = "auto",
    random_state: Any = None,
    memory: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Any:
    """Find good settings of a network for a table, and fit it with them.

    Without an estimator it builds one: columns are prepared by what they hold (see
    `TablePreprocessor`; arrays are imputed and scaled), and the network classifies or
    predicts numbers as `y` says. Everything trains in `fused`.

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        The rows as they are.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Strings, booleans, categories and whole numbers of at most 20 values are labels;
        other numbers are numbers, which the network learns standardised. Several
        columns of zeros and ones are several labels.
    estimator : estimator, default=None
        An estimator of your own, such as a pipeline that ends in a `KerasClassifier`.
    space : {"small", "default", "large"}, dict or list of dict, default="default"
        A level of `mlp_space`, or a space of your own, in the form that `search` takes.
        Where tune builds the estimator, the network's parameters go by their plain
        names.
    search : {"bayes", "random", "grid", "hyperband"} or search, default="bayes"
        `BayesSearchCV` with eight candidates at a time,
        :class:`~sklearn.model_selection.RandomizedSearchCV`,
        :class:`~sklearn.model_selection.GridSearchCV`, ``HyperbandSearchCV``, or a
        search that is not fitted. Of the latter, what it has is kept; its estimator,
        space, `cv` and `scoring` are filled in where they are None.
    n_iter : int, default=50
        Number of candidates, for "bayes" and "random"; the space bounds it.
    cv : int, splitter, iterable or None, default=5
        Folds; None is 5. An int gives shuffled ones, stratified by label, that keep
        groups whole. A splitter, such as
        :class:`~sklearn.model_selection.TimeSeriesSplit`, does as it does.
    scoring : str, callable or None, default=None
        What is maximised. None is accuracy for labels and R squared for numbers.
    time_budget : float, default=None
        Seconds that the whole call may take. The search ends in time for the last fit,
        and a training that is not through by then ends with the epoch it is in. A
        budget too short for one candidate still gives a model, with a warning. Not with
        "hyperband", whose brackets say in advance how many epochs are trained.
    executions_per_trial : int, default=1
        Each candidate is scored by so many repetitions of the folds, and their mean
        counts. ``cv_results_`` has a column for each fold of each repetition.
    refit_full : bool or float, default=True
        The last fit stops early on held-out rows; this trains again on all rows, for
        this factor times the best number of epochs (True is 1). The same holds for the
        members of an ensemble. Not for "hyperband" or a search of your own.
    n_members : int or "auto", default="auto"
        The last fit trains so many networks with the winner's settings, from seeds of
        their own, and averages them; the same holds for each member of an ensemble.
        "auto" is 4 for tables of less than 2,000 rows, where how one network turns out
        is luck for the most part, 2 for an ensemble's members, and 1 for more rows. It
        leaves an estimator of your own as it is, and a space that has ``n_members``.
        Not for "hyperband" or a search of your own.
    ensemble : int, default=None
        Return an ensemble of the so many best candidates in place of a search.
    groups : array-like of shape (n_samples,), default=None
        Rows of one group stay together in the folds, and where the built network holds
        out rows to stop early.
    task : {"auto", "classification", "regression"}, default="auto"
        What `y` is, where its values mislead. It needs no say where `estimator` is
        given.
    random_state : int, RandomState instance or None, default=None
        Decides folds, candidates and networks; in the last fit each member of an
        ensemble has a seed, and held-out rows, of its own. Of an estimator of your own
        it decides nothing.
    memory : str, path or joblib.Memory, default=None
        Where the networks' trainings are kept, so that a call which was killed goes on
        where it was when it is repeated. Needs an int as `random_state`.
    n_jobs : int, default=None
        Cores to use. None is all of them.
    verbose : int, default=0
        How much the search prints.

    Returns
    -------
    search : fitted search
        With ``best_estimator_``, ``best_params_``, ``best_score_``, ``cv_results_``,
        ``predict``, ``score`` and all that a search has. Where tune prepares a data
        frame, ``column_report_`` says what was done with each column.
        With `ensemble`, an `EnsembleClassifier` or `EnsembleRegressor`, whose
        ``search_`` is the search.

    Raises
    ------
    ValueError
        If a parameter is out of range, `y` has missing values, is constant, or is text
        that hardly repeats, no column of X can be used, `scoring` or `cv` does not go
        with `y`, or every candidate fails.
    TypeError
        If X or `y` is of a type that cannot be used.

    Warns
    -----
    UserWarning
        If `time_budget` was too short for one candidate.

    See Also
    --------
    mlp_space : What is searched.
    TablePreprocessor : How columns are prepared.
    EnsembleClassifier : An ensemble of a search of your own.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skkeras_tune import tune
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> search = tune(X, y, space="small", n_iter=4, cv=3, random_state=0)
    >>> bool(search.best_score_ > 0.9)
    True
    >>> search.predict(X[:2]).shape
    (2,)
    """
    started = time.monotonic()
    _validate(locals())
    estimator = _find_estimator(estimator, search)
    target = read_target(y, _resolve_task(task, estimator))
    groups = read_groups(groups)
    X = _validate_rows(X, target, groups, built=estimator is None)
    seed = _resolve_seed(random_state)
    folds = Folds(
        5 if cv is None else cv,
        int(executions_per_trial),
        classifies=target.classifies,
        random_state=seed,
    )
    model, prefix = _resolve_estimator(
        estimator, X, target, folds, random_state=seed, memory=memory
    )
    settings = Settings(int(n_iter), folds, scoring, seed, int(verbose))
    chosen = _build_search(search, model, space, prefix, X, target, settings)
    # A search of the user's may have folds of its own.
    is_own = getattr(chosen, "cv", None) is not folds
    splits = [] if is_own else list(folds.split(X, target.y, groups))
    validate_scoring(chosen, target, splits)
    if estimator is None:
        validate_folds(target, splits)
    _refuse_budget(time_budget, chosen)
    fit_params = _list_fit_params(chosen.estimator, prefix, groups)
    rows = _Rows(X, target, groups, fit_params)
    n_folds = folds.get_n_splits(X, target.y, groups)
    n_models = int(ensemble or 1)
    last = _plan_last_fit(
        chosen,
        refit_full,
        n_members,
        n_rows=len(target.y),
        n_models=n_models,
        seed=seed,
        built=estimator is None,
    )
    budget = _build_budget(time_budget, started, n_models, n_folds, last.n_members or 1)
    with _fuse(n_jobs), spend(budget):
        if ensemble is None:
            result = _fit_search(chosen, rows, last)
        else:
            result = _fit_ensemble(chosen, rows, n_models, last, scoring, seed)
    if budget is not None and budget.is_too_short:
        warnings.warn(
            f"time_budget={time_budget!r} seconds were too short to train one "
            "candidate: its networks ended early. Raise time_budget, or lower cv or "
            "the number of rows.",
            UserWarning,
            stacklevel=2,
        )
    return result


def _validate(arguments: dict[str, Any]) -> None:
    params = {name: arguments[name] for name in _CONSTRAINTS}
    validate_parameter_constraints(_CONSTRAINTS, params, "tune")
    if isinstance(params["cv"], Integral) and params["cv"] < 2:
        message = (
            "The 'cv' parameter of tune must be an int in the range [2, inf), a "
            f"splitter or an iterable. Got {params['cv']!r} instead."
        )
        raise ValueError(message)
    for name in ("search", "cv"):
        if isinstance(params[name], type):
            message = (
                f"The '{name}' parameter of tune must be an instance. Got the class "
                f"{params[name].__name__} instead."
            )
            raise TypeError(message)
    if arguments["memory"] is not None and arguments["random_state"] is None:
        message = (
            "The 'memory' parameter of tune needs an int as 'random_state', since "
            "without one no training is ever repeated. Got None instead."
        )
        raise ValueError(message)


def _refuse_budget(time_budget: float | None, search: Any) -> None:
    """Refuse a bound of time for a search that would leave none for its last fit."""
    if time_budget is not None and not heeds_budget(search):
        message = (
            "The 'time_budget' parameter of tune must be None with "
            f"{type(search).__name__}, which cannot try fewer candidates. Got "
            f"{time_budget!r} instead: bound the work by the search's own parameters, "
            "such as max_epochs=27 of HyperbandSearchCV."
        )
        raise ValueError(message)


def _find_estimator(estimator: Any, search: Any) -> Any:
    """Return the user's estimator, if there is one: what a search has goes first."""
    own = None if isinstance(search, str) else getattr(search, "estimator", None)
    return estimator if own is None else own


def _resolve_task(task: Task, estimator: Any) -> Task:
    """Let an estimator of the user's decide what y is."""
    if estimator is None or task != "auto":
        return task
    return "classification" if is_classifier(estimator) else "regression"


def _validate_rows(X: Any, target: Target, groups: Any, *, built: bool) -> Any:
    if built:
        X = check_features(X)
    check_consistent_length(X, target.y, groups)
    return X


def _resolve_seed(random_state: Any) -> int | None:
    if random_state is None or isinstance(random_state, Integral):
        return None if random_state is None else int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _resolve_estimator(
    estimator: Any,
    X: Any,
    target: Target,
    folds: Folds,
    *,
    random_state: int | None,
    memory: Any,
) -> tuple[Any, str | None]:
    """Return the estimator, and the prefix of the network in one that is built here."""
    if estimator is None:
        model = build_estimator(X, target, random_state=random_state, memory=memory)
        share = 1 - 1 / folds.cv if isinstance(folds.cv, int) else 0.5
        drop_stopping(model[NETWORK], target, share)
        return model, f"{NETWORK}__"
    model = clone(estimator)
    if memory is not None:
        for network in list_networks(model).values():
            network.set_params(memory=memory)
    return model, None


def _build_search(
    search: Any,
    model: Any,
    space: Any,
    prefix: str | None,
    X: Any,
    target: Target,
    settings: Settings,
) -> Any:
    kind = search if isinstance(search, str) else None
    if kind is None:
        found = find_space_parameter(search)
        has_space = found is None or search.get_params(deep=False)[found[0]] is not None
        if found is None or has_space:
            return complete_search(search, model, None, settings)
        kind = found[1]
    labels = target.y if target.classifies else None
    if isinstance(space, str):
        prefix = find_prefix(model) if prefix is None else prefix
    names = model.get_params(deep=True)

    def rename(name: str) -> str:
        is_known = name in names or name.partition("__")[0] in names
        return name if prefix is None or is_known else f"{prefix}{name}"

    resolved = resolve_space(space, kind, X, labels, prefix or "", rename)
    if not isinstance(search, str):
        return complete_search(search, model, resolved, settings)
    return BUILDERS[kind](model, resolved, settings)


def _list_fit_params(estimator: Any, prefix: str | None, groups: Any) -> dict[str, Any]:
    """Return the groups for a network that was built here, which holds rows out."""
    is_built = prefix is not None and NETWORK in getattr(estimator, "named_steps", ())
    if groups is None or not is_built or get_config()["enable_metadata_routing"]:
        return {}
    return {f"{prefix}groups": groups}


def _plan_last_fit(
    search: Any,
    refit_full: bool | float,
    n_members: int | Literal["auto"],
    *,
    n_rows: int,
    n_models: int,
    seed: int | None,
    built: bool,
) -> LastFit:
    """Return what the last fit sets; of an estimator of the user's, what was asked."""
    if not built:
        return LastFit(refit_full, None if n_members == "auto" else n_members, None)
    found = find_space_parameter(search)
    space = None if found is None else search.get_params(deep=False)[found[0]]
    resolved = resolve_members(n_members, n_rows, n_models, space)
    return LastFit(refit_full, resolved, seed)


def _build_budget(
    seconds: float | None, started: float, n_models: int, n_folds: int, n_networks: int
) -> Budget | None:
    if seconds is None:
        return None
    left = float(seconds) - (time.monotonic() - started)
    return Budget(left, n_models, n_folds, n_networks)


def _fuse(n_jobs: int | None) -> AbstractContextManager[Any]:
    """Train together, unless the caller does so already."""
    backend, _ = get_active_backend()
    if isinstance(backend, FusedBackend):
        return nullcontext()
    return fused(n_jobs=n_jobs)


def _fit_search(search: Any, rows: _Rows, last: LastFit) -> Any:
    """Fit a search, and its winner on all rows unless it does so itself."""
    groups = {} if rows.groups is None else {"groups": rows.groups}
    search.fit(rows.X, rows.target.y, **groups, **rows.fit_params)
    if search.get_params(deep=False).get("refit") is False:
        _refit(search, rows, last)
    _report_columns(search)
    return search


def _refit(search: Any, rows: _Rows, last: LastFit) -> None:
    """Fit the winner of a search that has not done so, with its networks' epochs."""
    refuse_several_scores(search)
    winner = build_winner(search)
    winner.set_params(**last.list_params(winner))
    fit_winner(search, winner, rows.X, rows.target.y, rows.fit_params)
    search.refit = True


def _report_columns(search: Any) -> None:
    model = getattr(search, "best_estimator_", None)
    prepare = getattr(model, "named_steps", {}).get(PREPARE)
    if isinstance(prepare, TablePreprocessor):
        search.column_report_ = prepare.report()


def _fit_ensemble(
    search: Any,
    rows: _Rows,
    n_best: int,
    last: LastFit,
    scoring: Any,
    seed: int | None,
) -> Any:
    """Fit an ensemble of a search, among whose members the winner is, as a rule."""
    kind = EnsembleClassifier if rows.target.classifies else EnsembleRegressor
    ensemble = kind(
        search,
        n_best=n_best,
        scoring=scoring,
        random_state=seed,
        final_params=last.list_member_params(search.estimator, n_best),
    )
    groups = {} if rows.groups is None else {"groups": rows.groups}
    ensemble.fit(rows.X, rows.target.y, **groups, **rows.fit_params)
    fitted = ensemble.search_
    if fitted.get_params(deep=False).get("refit") is False:
        name = f"candidate_{fitted.best_index_}"
        if name in ensemble.named_estimators_:
            keep_winner(fitted, ensemble.named_estimators_[name])
            fitted.refit = True
        else:
            _refit(fitted, rows, last)
    _report_columns(fitted)
    return ensemble
