"""Bayesian search: a space of hyper-parameters in, a fitted search out.

The search is scikit-optimize's, mended where it fails on today's scikit-learn.
"""

import copy
import itertools
import math
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral, Number
from typing import Any, ClassVar, Self

import numpy as np
import skopt
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.utils import check_random_state
from skopt.callbacks import check_callback
from skopt.space import Categorical, Dimension, Integer, check_dimension
from skopt.utils import eval_callbacks

from skkeras_tune._compat import Interval

#: Points drawn at random before those of a finite space are gone through in order.
N_DRAWS = 100

#: Points gone through in order, so that a constrained space cannot take for ever.
MAX_ENUMERATED = 100_000

_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")


class Choice(Categorical):
    """A categorical dimension over any Python objects.

    skopt hashes categories and packs them into NumPy arrays, which fails for lists and
    takes tuples apart. Its encoders see only positions here.

    Parameters
    ----------
    categories : iterable
        The objects to choose from. NumPy's scalars become Python's.
    prior : list of float, default=None
        Probability of each category; None makes them equal.
    transform : str, default=None
        The encoding that the surrogate sees, by skopt's name; None for one-hot.
    name : str, default=None
        Name of the dimension.
    """

    def __init__(
        self,
        categories: Iterable[Any],
        prior: Sequence[float] | None = None,
        transform: str | None = None,
        name: str | None = None,
    ) -> None:
        values = [v.item() if isinstance(v, np.generic) else v for v in categories]
        self._positions = Categorical(range(len(values)), prior)
        super().__init__(values, prior, transform, name)

    def set_transformer(self, transform: str = "onehot") -> None:
        self.transform_ = transform
        self._positions.set_transformer(transform)

    def find_positions(self, values: Iterable[Any]) -> list[int]:
        """Return the position of each value among the categories."""
        # Identity first: 1, 1.0 and True are equal, and may be distinct categories.
        known = {id(value): i for i, value in enumerate(self.categories)}
        find = self.categories.index
        return [known[id(v)] if id(v) in known else find(v) for v in values]

    def transform(self, X: Iterable[Any]) -> Any:
        return self._positions.transform(self.find_positions(X))

    def inverse_transform(self, Xt: Any) -> list[Any]:  # noqa: N803  skopt's name
        return [self.categories[int(i)] for i in self._positions.inverse_transform(Xt)]

    def rvs(self, n_samples: int | None = None, random_state: Any = None) -> Any:
        drawn = self._positions.rvs(n_samples, random_state)
        values = [self.categories[int(i)] for i in np.atleast_1d(drawn)]
        return values[0] if n_samples is None else values

    def distance(self, a: Any, b: Any) -> int:
        first, second = self.find_positions([a, b])
        return int(first != second)


def list_search_spaces(
    search_spaces: Any, n_iter: int
) -> list[tuple[dict[str, Any], int]]:
    """Return each space with its number of iterations.

    Raises
    ------
    ValueError
        If a space is empty or not a dict, or a number not a positive int.
    """
    spaces = [search_spaces] if isinstance(search_spaces, dict) else search_spaces
    pairs: list[Any] = [
        space if isinstance(space, tuple) else (space, n_iter) for space in spaces
    ]
    if not pairs or not all(
        len(pair) == 2 and isinstance(pair[0], dict) and pair[0] for pair in pairs
    ):
        message = (
            "The 'search_spaces' parameter of BayesSearchCV must be a non-empty dict, "
            "or a list of non-empty dicts and (dict, int) tuples. "
            f"Got {search_spaces!r} instead."
        )
        raise ValueError(message)
    for _, number in pairs:
        if isinstance(number, bool) or not isinstance(number, Integral) or number < 1:
            message = (
                "The number of iterations beside a space in the 'search_spaces' "
                "parameter of BayesSearchCV must be an int in the range [1, inf). "
                f"Got {number!r} instead."
            )
            raise ValueError(message)
    return pairs


def build_space(space: dict[str, Any], estimator: BaseEstimator) -> dict[str, Any]:
    """Return a space of new skopt dimensions, for parameters the estimator has.

    Raises
    ------
    ValueError
        With the name of the dimension or parameter, and its value.
    """
    built = {name: build_dimension(name, value) for name, value in space.items()}
    # Only `set_params` knows the names: a space may replace a pipeline's step and set
    # that step's parameters too.
    candidate = {name: dimension.bounds[0] for name, dimension in built.items()}
    try:
        clone(estimator).set_params(**clone(candidate, safe=False))
    except (AttributeError, TypeError, ValueError) as error:
        message = (
            "The 'search_spaces' parameter of BayesSearchCV must name parameters of "
            f"its estimator. Got {list(space)} instead: {error}"
        )
        raise ValueError(message) from error
    return built


def build_dimension(name: str, value: Any) -> Dimension:
    """Return a new dimension from what a search space holds under a name.

    Raises
    ------
    ValueError
        With the name and the value.
    """
    try:
        if _holds_objects(value):
            dimension: Dimension = Choice(value)
        else:
            # A copy, since skopt sets the names and transformers of its dimensions.
            dimension = copy.copy(check_dimension(value))
        if type(dimension) in (Categorical, Choice):
            dimension = Choice(
                dimension.categories,
                dimension.prior,
                dimension.transform_,
                dimension.name,
            )
            _validate_categories(dimension.categories)
    except (TypeError, ValueError) as error:
        message = (
            f"The {name!r} dimension in the 'search_spaces' parameter of BayesSearchCV "
            "must be a skopt dimension, a (low, high) or (low, high, prior) tuple, or "
            f"a list of categories. Got {value!r} instead: {error}"
        )
        raise ValueError(message) from error
    dimension.name = dimension.name or name
    return dimension


def _holds_objects(value: Any) -> bool:
    # skopt would take a pair of them for bounds, and refuse it.
    return isinstance(value, (list, tuple)) and not all(
        isinstance(item, (str, Number, np.generic)) for item in value
    )


def _validate_categories(categories: Sequence[Any]) -> None:
    for first, second in itertools.combinations(categories, 2):
        try:
            bool(first == second)
        except ValueError as error:
            message = "arrays cannot be told apart by ==; give them as lists or tuples"
            raise ValueError(message) from error


class DistinctOptimizer:
    """A skopt optimizer that survives failures and asks for no point twice.

    A failed point, whose score is nan or infinite, is told to the surrogate as the
    worst finite score so far, and is told anew when the worst changes. While there is
    no finite score, there is nothing to fit a surrogate to, and points are random.

    Parameters
    ----------
    optimizer : skopt.Optimizer
        The optimizer, whose categorical dimensions are `Choice`.
    """

    def __init__(self, optimizer: skopt.Optimizer) -> None:
        self.optimizer = optimizer
        self.scores: list[float] = []
        self.asked: set[tuple[Any, ...]] = set()

    def ask(self, n_points: int) -> list[list[Any]]:
        """Return new points: n_points of them, or all that the space has left."""
        points = []
        for proposal in self._propose(n_points):
            for candidate in itertools.chain([proposal], self._draw_others()):
                point = self._to_python(candidate)
                key = self._to_key(point)
                if key not in self.asked:
                    self.asked.add(key)
                    points.append(point)
                    break
        return points

    def tell(self, points: list[list[Any]], scores: Iterable[float]) -> OptimizeResult:
        """Record the scores of points; higher is better."""
        self.scores.extend(scores)
        worst = min(filter(math.isfinite, self.scores), default=None)
        penalty = -(worst or 0.0)
        losses = [-s if math.isfinite(s) else penalty for s in self.scores]
        n_told = len(losses) - len(points)
        self.optimizer.yi[:] = losses[:n_told]
        return self.optimizer.tell(points, losses[n_told:], fit=worst is not None)

    def _propose(self, n_points: int) -> list[list[Any]]:
        optimizer = self.optimizer
        is_initial = len(self.scores) < optimizer.n_initial_points_
        if not is_initial and not any(map(math.isfinite, self.scores)):
            drawn: list[list[Any]] = optimizer.space.rvs(n_points, optimizer.rng)
            return drawn
        with warnings.catch_warnings():
            # It says that a known point was exchanged for a random one, which may be
            # known too; `ask` sees to both.
            warnings.filterwarnings(
                "ignore", "The objective has been evaluated at", UserWarning
            )
            # ask(1) would fit two more surrogates, to copies: three times the time.
            return [optimizer.ask()] if n_points == 1 else optimizer.ask(n_points)

    def _draw_others(self) -> Iterator[list[Any]]:
        space = self.optimizer.space
        yield from space.rvs(N_DRAWS, random_state=self.optimizer.rng)
        columns = [_list_values(dimension) for dimension in space]
        points = map(list, itertools.product(*columns))
        for point in itertools.islice(points, MAX_ENUMERATED):
            if point in space:
                yield point

    def _to_python(self, point: list[Any]) -> list[Any]:
        return [
            value if isinstance(dimension, Choice) else np.asarray(value).item()
            for dimension, value in zip(self.optimizer.space, point, strict=True)
        ]

    def _to_key(self, point: list[Any]) -> tuple[Any, ...]:
        return tuple(
            dimension.find_positions([value])[0]
            if isinstance(dimension, Choice)
            else value
            for dimension, value in zip(self.optimizer.space, point, strict=True)
        )


def _list_values(dimension: Dimension) -> Sequence[Any]:
    """Return the values that can be drawn from a dimension; none if too many."""
    if isinstance(dimension, Choice):
        pairs = zip(dimension.categories, dimension.prior_, strict=True)
        return [value for value, prior in pairs if prior > 0]
    if isinstance(dimension, Integer):
        return range(dimension.low, dimension.high + 1)
    return []


@dataclass(frozen=True)
class FailedBatch:
    """Candidates that failed in every fold, which scikit-learn keeps no record of."""

    row: int
    candidates: list[dict[str, Any]]
    seconds_per_fit: float

    def build_records(
        self, template: dict[str, Any], n_splits: int, error_score: float
    ) -> list[dict[str, Any]]:
        """Return what scikit-learn would have recorded, one dict for each fit."""
        record = {
            **template,
            "fit_time": self.seconds_per_fit,
            "score_time": 0.0,
        }
        for key in template.keys() & {"test_scores", "train_scores"}:
            scores = template[key]
            record[key] = (
                dict.fromkeys(scores, error_score)
                if isinstance(scores, dict)
                else error_score
            )
        return [record] * (n_splits * len(self.candidates))


@dataclass
class Progress:
    """What a running search knows; dropped when it ends."""

    callbacks: list[Callable[[OptimizeResult], bool | None]] = field(
        default_factory=list
    )
    n_rows: int = 0
    failures: list[FailedBatch] = field(default_factory=list)
    n_failed_fits: int = 0
    last_failure: str = ""
    format_arguments: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[type["Progress"], tuple[()]]:
        # scikit-learn 1.9 sends the search to its workers, which need nothing of this;
        # and a callback may not be picklable.
        return Progress, ()

    @property
    def has_succeeded(self) -> bool:
        """Whether any candidate was fitted in any fold."""
        return sum(len(batch.candidates) for batch in self.failures) < self.n_rows


def _read_failures(error: ValueError) -> tuple[int, str]:
    """Return number and details of scikit-learn's "All the fits failed"; 0 if another."""
    match = re.match(r"\s*All the (\d+) fits failed", str(error))
    if match is None:
        return 0, ""
    return int(match[1]), str(error).partition("details about the failures:\n")[2]


def _rank(scores: NDArray[np.float64]) -> NDArray[np.int32]:
    """Rank scores as scikit-learn does: 1 is best, and nan shares the last rank."""
    losses = np.where(np.isnan(scores), np.inf, -scores)
    ranks: NDArray[np.int32] = rankdata(losses, method="min").astype(np.int32)
    return ranks


@contextmanager
def _open_task(parent: Any, search: BaseEstimator, **options: Any) -> Iterator[Any]:
    """Open a task of scikit-learn 1.9's callbacks, if there are any to tell."""
    if parent is None:
        yield None
        return
    context = parent.subcontext(**options)
    context.call_on_fit_task_begin(estimator=search)
    yield context
    context.call_on_fit_task_end(estimator=search)


class BayesSearchCV(skopt.BayesSearchCV):
    """Bayesian search over hyper-parameters, with cross-validation.

    This is :class:`skopt.BayesSearchCV`, and takes its parameters, mended where it
    fails on today's scikit-learn:

    - categories may be any objects, such as tuples for ``hidden_layer_sizes``, lists
      and None, and candidates hold the very objects that were given;
    - candidates that fail do not end the search. The surrogate is told the worst finite
      score so far in their place, while ``cv_results_`` shows ``error_score``;
    - no candidate is evaluated twice. When a space has no others left, its search ends
      with a warning;
    - metadata routing works, switched on or off, with ``groups`` and weights;
    - ``fit_params`` of the constructor reach the estimator;
    - the search spaces are checked in `fit`, and are never changed.

    Parameters
    ----------
    estimator : estimator
        The estimator to tune.
    search_spaces : dict or list of dict or of (dict, int) tuples
        Parameter names with their dimensions: a skopt ``Real``, ``Integer`` or
        ``Categorical``, a ``(low, high)`` or ``(low, high, prior)`` tuple, or a list of
        categories. A list of spaces is searched one after the other, with its own
        number of iterations where there is one.
    optimizer_kwargs : dict, default=None
        Arguments of :class:`skopt.Optimizer`, such as
        ``{"base_estimator": "RF", "n_initial_points": 5}``.
    n_iter : int, default=50
        Number of candidates, for each space.
    scoring : str, callable, list, tuple or dict, default=None
        What is maximised, as in :class:`sklearn.model_selection.GridSearchCV`. With
        several metrics, `refit` names the one that guides the search.
    fit_params : dict, default=None
        Arguments of the estimator's ``fit``. Those given to `fit` go before them.
    n_jobs : int, default=1
        Number of fits at the same time, of the ``n_points`` times ``cv`` in a step.
    n_points : int, default=1
        Number of candidates to evaluate at the same time.
    iid : str, default="deprecated"
        Ignored, as in scikit-optimize.
    refit : bool or str, default=True
        Whether to refit the best candidate on all rows; with several metrics, the name
        of one.
    cv : int, cross-validation generator or iterable, default=None
        The folds, as in :class:`sklearn.model_selection.GridSearchCV`.
    verbose : int, default=0
        How much to print.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of fits to hand to the workers in advance.
    random_state : int, RandomState instance or None, default=None
        Seed of the candidates.
    error_score : "raise" or float, default="raise"
        Score of a fit that fails. With a number, ``np.nan`` say, the search goes on,
        with a :class:`~sklearn.exceptions.FitFailedWarning`.
    return_train_score : bool, default=False
        Whether ``cv_results_`` has training scores.

    Attributes
    ----------
    cv_results_ : dict of ndarrays
        One row for each candidate, as in
        :class:`sklearn.model_selection.GridSearchCV`, which lists the other attributes.
    optimizer_results_ : list of OptimizeResult
        What skopt knows of each space, for the plots in ``skopt.plots``. Failed
        candidates have the penalty there for a value.

    See Also
    --------
    sklearn.model_selection.RandomizedSearchCV : Search by random draws alone.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skkeras_tune import BayesSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> search = BayesSearchCV(
    ...     MLPClassifier(solver="lbfgs", max_iter=1000, random_state=0),
    ...     {
    ...         "hidden_layer_sizes": [(8,), (16, 8)],
    ...         "alpha": (1e-2, 1e1, "log-uniform"),
    ...     },
    ...     n_iter=5,
    ...     cv=3,
    ...     random_state=0,
    ... )
    >>> search.fit(X, y).best_score_ > 0.9
    True
    >>> search.best_params_["hidden_layer_sizes"] in [(8,), (16, 8)]
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **skopt.BayesSearchCV._parameter_constraints,
        "search_spaces": [dict, list],
        "optimizer_kwargs": [dict, None],
        "n_iter": [_AT_LEAST_ONE],
        "fit_params": [dict, None],
        "n_points": [_AT_LEAST_ONE],
        "random_state": ["random_state"],
    }

    @property
    def total_iterations(self) -> int:
        """Number of candidates of all spaces."""
        # skopt counts the parameters of a single dict as if they were spaces.
        pairs = list_search_spaces(self.search_spaces, self.n_iter)
        return sum(n_iter for _, n_iter in pairs)

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        callback: Callable[[OptimizeResult], bool | None]
        | list[Callable[[OptimizeResult], bool | None]]
        | None = None,
        **fit_params: Any,
    ) -> Self:
        """Search for the best parameters, and refit the estimator with them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target.
        groups : array-like of shape (n_samples,), default=None
            Groups for the splitter.
        callback : callable or list of callables, default=None
            Called after each step with skopt's result so far; returning True ends the
            search of the current space.
        **fit_params : dict
            Arguments of the estimator's ``fit``, or metadata to route.

        Returns
        -------
        self : BayesSearchCV
            The fitted search.

        Raises
        ------
        ValueError
            If a parameter or a dimension is not understood, or if every fit failed.
        """
        self._validate_params()
        if callable(self.refit):
            message = (
                "The 'refit' parameter of BayesSearchCV must be a bool or the name of "
                f"a score, since it guides the search. Got {self.refit!r} instead."
            )
            raise ValueError(message)
        # skopt drops the constructor's `fit_params`, and passes `groups` on when it is
        # None, which metadata routing refuses: so this goes past skopt's `fit`.
        params = {**(self.fit_params or {}), **fit_params}
        if groups is not None:
            params["groups"] = groups
        self._progress = Progress(check_callback(callback))
        try:
            super(skopt.BayesSearchCV, self).fit(X, y, **params)
            # Once more, now that the last failures are known.
            self.cv_results_ = self._format_progress()
        finally:
            del self._progress
        return self

    def _check_search_space(self, search_space: Any) -> None:
        """Leave the check to `fit`: skopt's constructor refuses lists of tuples."""

    def _run_search(
        self, evaluate_candidates: Callable[..., Any], *, callback_ctx: Any = None
    ) -> None:
        """Search each space; mends failures, duplicates and scikit-learn's callbacks.

        Nothing is stored before the end, since scikit-learn 1.9 sends the search to
        its workers with every fit.
        """
        random_state = check_random_state(self.random_state)
        self.optimizer_kwargs_ = {
            **(self.optimizer_kwargs or {}),
            "random_state": random_state,
        }
        spaces = [
            (build_space(space, self.estimator), int(n_iter))
            for space, n_iter in list_search_spaces(self.search_spaces, self.n_iter)
        ]
        optimizers = [self._make_optimizer(space) for space, _ in spaces]
        results = []
        with _open_task(
            callback_ctx, self, task_name="search", max_subtasks=None
        ) as context:
            evaluate = partial(self._evaluate, evaluate_candidates, context)
            for (space, n_iter), optimizer in zip(spaces, optimizers, strict=True):
                distinct = DistinctOptimizer(optimizer)
                results.append(
                    self._search_space(sorted(space), distinct, n_iter, evaluate)
                )
        self._raise_if_all_failed()
        self.optimizers_ = optimizers
        self._optim_results = results

    def _search_space(
        self,
        names: list[str],
        optimizer: DistinctOptimizer,
        n_iter: int,
        evaluate: Callable[[list[dict[str, Any]]], list[float]],
    ) -> OptimizeResult:
        result = None
        n_left = n_iter
        while n_left > 0:
            points = optimizer.ask(min(n_left, int(self.n_points)))
            if not points:
                warnings.warn(
                    f"The search space holds only {n_iter - n_left} of the {n_iter} "
                    "candidates asked for. Each was evaluated once.",
                    stacklevel=2,
                )
                break
            n_left -= len(points)
            scores = evaluate([dict(zip(names, p, strict=True)) for p in points])
            result = optimizer.tell(points, scores)
            if eval_callbacks(self._progress.callbacks, result):
                break
        return result

    def _evaluate(
        self,
        evaluate_candidates: Callable[..., Any],
        parent: Any,
        candidates: list[dict[str, Any]],
    ) -> list[float]:
        """Return a score for each candidate; mends scikit-learn's end at failures."""
        progress = self._progress
        row = progress.n_rows
        progress.n_rows += len(candidates)
        start = time.perf_counter()
        with _open_task(
            parent,
            self,
            task_name="step",
            max_subtasks=None,
            sequential_subtasks=False,
        ) as context:
            options = {} if context is None else {"callback_ctx": context}
            try:
                results = evaluate_candidates(candidates, **options)
            except ValueError as error:
                n_fits, details = _read_failures(error)
                if self.error_score == "raise" or not n_fits:
                    raise
                # The time of each fit is lost: what is left is the mean.
                seconds = (time.perf_counter() - start) / n_fits
                progress.failures.append(FailedBatch(row, candidates, seconds))
                progress.n_failed_fits += n_fits
                progress.last_failure = details
                warnings.warn(
                    f"\nAll the {n_fits} fits with {candidates} failed.\n"
                    f"Their scores will be set to {self.error_score}, and the search "
                    "goes on.\nIf these failures are not expected, you can try to "
                    "debug them by setting error_score='raise'.\n\n"
                    f"Below are more details about the failures:\n{details}",
                    FitFailedWarning,
                    stacklevel=2,
                )
                return [float(self.error_score)] * len(candidates)
        scores = results[self._find_score_name(results)][-len(candidates) :]
        return [float(score) for score in scores]

    def _find_score_name(self, results: dict[str, Any]) -> str:
        prefix = "mean_test_"
        names = [key.removeprefix(prefix) for key in results if key.startswith(prefix)]
        if names == ["score"]:
            return prefix + "score"
        # A callable `scoring` shows only now that it has several scores.
        self._check_refit_for_multimetric(names)
        return f"{prefix}{self.refit}"

    def _raise_if_all_failed(self) -> None:
        progress = self._progress
        if not progress.has_succeeded:
            message = (
                f"\nAll the {progress.n_failed_fits} fits failed.\n"
                "It is very likely that your model is misconfigured.\n"
                "You can try to debug the error by setting error_score='raise'.\n\n"
                f"Below are details about the last failures:\n{progress.last_failure}"
            )
            raise ValueError(message)

    def _format_results(
        self,
        candidate_params: list[dict[str, Any]],
        n_splits: int,
        out: list[dict[str, Any]],
        more_results: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Format the rows so far; mends a warning of nan that came with every step."""
        self._progress.format_arguments = (
            candidate_params,
            n_splits,
            out,
            more_results,
        )
        with warnings.catch_warnings():
            # `fit` formats once more at the end, and lets it through.
            warnings.filterwarnings(
                "ignore", r"One or more of the (test|train) scores", UserWarning
            )
            return self._format_progress()

    def _format_progress(self) -> dict[str, Any]:
        """Format the rows so far, with the failures that scikit-learn drops."""
        candidates, n_splits, records, more_results = self._progress.format_arguments
        candidates, all_records = list(candidates), list(records)
        for batch in self._progress.failures:
            fit = batch.row * n_splits
            candidates[batch.row : batch.row] = batch.candidates
            all_records[fit:fit] = batch.build_records(
                records[0], n_splits, self.error_score
            )
        results: dict[str, Any] = super()._format_results(
            candidates, n_splits, all_records, more_results
        )
        # skopt ranks training scores too; it casts nan to int.
        for key in [key for key in results if key.startswith("mean_train_")]:
            results[key.replace("mean", "rank", 1)] = _rank(results[key])
        return results
