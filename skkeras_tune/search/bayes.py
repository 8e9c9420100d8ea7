"""Bayesian search: a space of hyper-parameters in, a fitted search out.

The search is scikit-optimize's, mended where it fails on today's scikit-learn.
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import skopt
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult
from scipy.stats import rankdata
from sklearn.utils import check_random_state
from skopt.callbacks import check_callback
from skopt.utils import eval_callbacks

from skkeras_tune._compat.sklearn import Interval
from skkeras_tune.search.budget import current_budget
from skkeras_tune.search.dimensions import build_space, list_search_spaces
from skkeras_tune.search.failures import (
    Progress,
    insert_failures,
    raise_if_all_failed,
)
from skkeras_tune.search.proposals import DistinctOptimizer
from skkeras_tune.search.tasks import open_task

# Candidates that are drawn at random, about: scikit-optimize's own number.
_N_INITIAL = 10

_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")

#: Called with skopt's result after each step; True ends the search of a space.
StepCallback = Callable[[OptimizeResult], bool | None]


@dataclass
class _Progress(Progress):
    """What a running search knows, and who is told of its steps."""

    callbacks: Sequence[StepCallback] = ()


class BayesSearchCV(skopt.BayesSearchCV):
    """Bayesian search over hyper-parameters, with cross-validation.

    This is :class:`skopt.BayesSearchCV`, and takes its parameters, mended where it
    fails on today's scikit-learn:

    - categories may be any objects, such as tuples for ``hidden_layer_sizes``, lists
      and None, and candidates hold the very objects that were given;
    - a list holds categories, two numbers or not, as in scikit-learn's searches, where
      scikit-optimize 0.10 takes two numbers for bounds;
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
        ``{"base_estimator": "RF", "n_initial_points": 5}``. The first 10 candidates are
        drawn at random unless ``n_initial_points`` says otherwise, or with several
        `n_points` those of the whole steps that come close to it. The acquisition
        function is "gp_hedge", scikit-optimize's own, and "LCB" with several
        `n_points`: the model's expectation then stands for the scores of candidates
        that are not evaluated yet, and confidence bounds keep a step's candidates
        apart [1]_. With "LCB" the model is told normal quantiles of the ranks of the
        scores [2]_, so that candidates which hardly train do not decide what it makes
        of all others. With another function scikit-optimize proposes several, by
        pretending that each has the best score so far.
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
        candidates have the penalty there for a value. With "LCB" its ``models`` predict
        normal quantiles.

    See Also
    --------
    sklearn.model_selection.RandomizedSearchCV : Search by random draws alone.

    References
    ----------
    .. [1] T. Desautels, A. Krause, J. W. Burdick, "Parallelizing
       Exploration-Exploitation Tradeoffs in Gaussian Process Bandit Optimization",
       Journal of Machine Learning Research 15(119), 2014,
       https://jmlr.org/papers/v15/desautels14a.html.
    .. [2] D. Salinas, H. Shen, V. Perrone, "A Quantile-based Approach for
       Hyperparameter Transfer Learning", International Conference on Machine Learning,
       2020, https://proceedings.mlr.press/v119/salinas20a.html.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skkeras_tune import BayesSearchCV, KerasClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> search = BayesSearchCV(
    ...     make_pipeline(StandardScaler(), KerasClassifier(epochs=20, random_state=0)),
    ...     {
    ...         "kerasclassifier__hidden_layer_sizes": [(8,), (16, 8)],
    ...         "kerasclassifier__learning_rate": (1e-3, 1e-1, "log-uniform"),
    ...     },
    ...     n_iter=3,
    ...     cv=3,
    ...     random_state=0,
    ... )
    >>> search.fit(X, y).best_params_["kerasclassifier__hidden_layer_sizes"]
    (16, 8)
    >>> print(search.best_score_ > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **skopt.BayesSearchCV._parameter_constraints,
        "search_spaces": [dict, list],
        "optimizer_kwargs": [dict, None],
        "n_iter": [_AT_LEAST_ONE],
        "fit_params": [dict, None],
        "n_points": [_AT_LEAST_ONE],
        "refit": ["boolean", str],  # a callable could not guide the search
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
        callback: StepCallback | list[StepCallback] | None = None,
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
        # skopt drops the constructor's `fit_params`, and passes `groups` on when it is
        # None, which metadata routing refuses: so this goes past skopt's `fit`.
        params = {**(self.fit_params or {}), **fit_params}
        if groups is not None:
            params["groups"] = groups
        self._progress = _Progress(callbacks=check_callback(callback))
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

        No result is stored before the end, since scikit-learn 1.9 sends the search to
        its workers with every fit.
        """
        self.optimizer_kwargs_ = {
            **_list_defaults(self.n_points),
            **(self.optimizer_kwargs or {}),
            "random_state": check_random_state(self.random_state),
        }
        spaces = [
            (build_space(space, self.estimator), n_iter)
            for space, n_iter in list_search_spaces(self.search_spaces, self.n_iter)
        ]
        optimizers = [self._make_optimizer(space) for space, _ in spaces]
        with open_task(
            callback_ctx, self, task_name="search", max_subtasks=None
        ) as task:
            evaluate = partial(self._evaluate, evaluate_candidates, task)
            results = [
                self._search_space(
                    sorted(space), DistinctOptimizer(optimizer), n_iter, evaluate
                )
                for (space, n_iter), optimizer in zip(spaces, optimizers, strict=True)
            ]
        raise_if_all_failed(self._progress.failures, self._progress.n_rows)
        self.optimizers_ = optimizers
        self._optim_results = results

    def _search_space(
        self,
        names: list[str],
        optimizer: DistinctOptimizer,
        n_iter: int,
        evaluate: Callable[[list[dict[str, Any]]], list[float]],
    ) -> OptimizeResult:
        result, budget = None, current_budget()
        n_left = n_iter
        while n_left > 0:
            n_points = min(n_left, int(self.n_points))
            if budget is not None:
                n_points = budget.choose_size(n_points)
            if n_points < 1:
                break
            points = optimizer.ask(n_points)
            if not points:
                warnings.warn(
                    f"The search space holds only {n_iter - n_left} of the {n_iter} "
                    "candidates asked for. Each was evaluated once.",
                    stacklevel=2,
                )
                break
            n_left -= len(points)
            with budget.evaluate(len(points)) if budget else nullcontext():
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
        evaluate = partial(self._evaluate_as_task, evaluate_candidates, parent)
        results = self._progress.evaluate(evaluate, candidates, self.error_score)
        if results is None:
            return [float(self.error_score)] * len(candidates)
        scores = results[self._find_score_name(results)][-len(candidates) :]
        return [float(score) for score in scores]

    def _evaluate_as_task(
        self,
        evaluate_candidates: Callable[..., Any],
        parent: Any,
        candidates: list[dict[str, Any]],
    ) -> dict[str, Any]:
        with open_task(
            parent,
            self,
            task_name="step",
            max_subtasks=None,
            sequential_subtasks=False,
        ) as task:
            # scikit-learn before 1.9 does not know the argument.
            options = {} if task is None else {"callback_ctx": task}
            results: dict[str, Any] = evaluate_candidates(candidates, **options)
        return results

    def _find_score_name(self, results: dict[str, Any]) -> str:
        prefix = "mean_test_"
        names = [key.removeprefix(prefix) for key in results if key.startswith(prefix)]
        if names == ["score"]:
            return prefix + "score"
        # A callable `scoring` shows only now that it has several scores.
        self._check_refit_for_multimetric(names)
        return f"{prefix}{self.refit}"

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
        candidates, records = insert_failures(
            self._progress.failures, candidates, records, self.error_score
        )
        results: dict[str, Any] = super()._format_results(
            candidates, n_splits, records, more_results
        )
        # skopt ranks training scores too; it casts nan to int.
        for key in [key for key in results if key.startswith("mean_train_")]:
            results[key.replace("mean", "rank", 1)] = _rank(results[key])
        return results


def _list_defaults(n_points: int) -> dict[str, Any]:
    """Return the arguments of an optimizer that is asked for so many points at a time.

    `DistinctOptimizer` says why several are chosen by confidence bounds. A step that
    began at random and went on by a surrogate would fit that to invented scores.
    """
    if n_points == 1:
        return {}
    n_steps = max(1, _N_INITIAL // n_points)
    return {"acq_func": "LCB", "n_initial_points": n_steps * n_points}


def _rank(scores: NDArray[np.float64]) -> NDArray[np.int32]:
    """Rank scores as scikit-learn does: 1 is best, and nan shares the last rank."""
    losses = np.where(np.isnan(scores), np.inf, -scores)
    ranks: NDArray[np.int32] = rankdata(losses, method="min").astype(np.int32)
    return ranks
