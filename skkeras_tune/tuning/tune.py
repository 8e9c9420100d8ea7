"""`tune`: data in, a fitted search out, in one call."""

import time
import warnings
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral
from typing import Any, Literal

from joblib.parallel import get_active_backend
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length

from skkeras_tune.fusion import fused
from skkeras_tune.fusion.backend import FusedBackend
from skkeras_tune.preprocessing.task import Task
from skkeras_tune.search.budget import Budget, spend
from skkeras_tune.tuning.arguments import refuse_budget, validate_arguments
from skkeras_tune.tuning.assembly import list_fit_params, resolve_estimator
from skkeras_tune.tuning.features import validate_features
from skkeras_tune.tuning.fitting import Rows, fit_ensemble, fit_search
from skkeras_tune.tuning.folds import Folds
from skkeras_tune.tuning.last_fit import plan_last_fit
from skkeras_tune.tuning.scoring import validate_splits
from skkeras_tune.tuning.searches import Settings, build_search
from skkeras_tune.tuning.target import read_groups, read_target


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
        Strings, booleans, pandas's categories and integers of at most 20 different
        values are labels; so are floats that are two whole numbers, such as 0.0 and
        1.0. All else are numbers, which the network learns standardised: integers of
        more values, and other floats, 0.0, 1.0 and 2.0 among them. Several columns of
        zeros and ones are several labels, and other integers in several columns are
        numbers: tune builds no network for several labels of more than two classes.
    estimator : estimator, default=None
        An estimator of your own, such as a pipeline that ends in a `KerasClassifier`.
    space : {"small", "default", "large"}, dict or list of dict, default="default"
        A level of `mlp_space`, or a space of your own: lists of values, and, but for
        "grid", skopt's dimensions and ranges as ``(low, high)`` or ``(low, high,
        "log-uniform")``; "random" and "hyperband" take scipy's distributions too. Where
        tune builds the estimator, the network's parameters go by their plain names.
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
        and a training that is not through by then, or after a third of the time to
        search in, ends with a part of an epoch. A budget too short for all that was
        tried still gives a model, with a warning. Not with "hyperband", whose brackets
        say in advance how many epochs are trained.
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
        out rows to stop early. With metadata routing, an estimator of your own has them
        if it asks for them.
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
        If a parameter is out of range, `y` has missing values, is constant, is text
        that hardly repeats, or holds labels in several columns or numbers whose squared
        errors float64 cannot hold, no column of X can be used, `scoring` or `cv` does
        not go with `y`, or every candidate fails or has NaN for a score.
    TypeError
        If X or `y` is of a type that cannot be used.

    Warns
    -----
    UserWarning
        If `time_budget` was too short for one candidate, or for the last fit.

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
    validate_arguments(locals())
    estimator = _find_estimator(estimator, search)
    is_built = estimator is None
    target = read_target(y, _resolve_task(task, estimator), is_built=is_built)
    groups = read_groups(groups)
    if is_built:
        X = validate_features(X)
    check_consistent_length(X, target.y, groups)
    seed, n_models = _resolve_seed(random_state), int(ensemble or 1)
    folds = Folds(
        5 if cv is None else cv,
        int(executions_per_trial),
        classifies=target.classifies,
        random_state=seed,
    )
    model, prefix = resolve_estimator(
        estimator, X, target, folds, groups, random_state=seed, memory=memory
    )
    labels = target.y if target.classifies else None
    settings = Settings(int(n_iter), folds, scoring, seed, int(verbose))
    chosen = build_search(search, model, space, prefix, X, labels, settings)
    validate_splits(chosen, folds, X, target, groups, is_built=is_built)
    refuse_budget(time_budget, chosen)
    fit_params = list_fit_params(chosen.estimator, prefix, groups)
    rows = Rows(X, target, groups, fit_params)
    n_folds = folds.get_n_splits(X, target.y, groups)
    last = plan_last_fit(
        chosen,
        refit_full,
        n_members,
        n_rows=len(target.y),
        n_models=n_models,
        seed=seed,
        built=is_built,
    )
    budget = _build_budget(time_budget, started, n_models, n_folds, last.n_members or 1)
    with _fuse(n_jobs), spend(budget):
        if ensemble is None:
            result = fit_search(chosen, rows, last)
        else:
            result = fit_ensemble(chosen, rows, n_models, last, scoring, seed)
    _warn_of_little_time(budget, time_budget)
    return result


def _find_estimator(estimator: Any, search: Any) -> Any:
    """Return the user's estimator, if there is one: what a search has goes first."""
    own = None if isinstance(search, str) else getattr(search, "estimator", None)
    return estimator if own is None else own


def _resolve_task(task: Task, estimator: Any) -> Task:
    """Let an estimator of the user's decide what y is."""
    if estimator is None or task != "auto":
        return task
    return "classification" if is_classifier(estimator) else "regression"


def _resolve_seed(random_state: Any) -> int | None:
    if random_state is None or isinstance(random_state, Integral):
        return None if random_state is None else int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


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


def _warn_of_little_time(budget: Budget | None, seconds: float | None) -> None:
    if budget is None or not (budget.is_too_short or budget.end.has_cut):
        return
    what = "to train one candidate" if budget.is_too_short else "for the last fit"
    warnings.warn(
        f"time_budget={seconds!r} seconds were too short {what}: its networks ended "
        "early. Raise time_budget, or lower cv or the number of rows.",
        UserWarning,
        stacklevel=3,  # the caller of tune
    )
