"""Hyperband: distributions of hyper-parameters in, a fitted search out.

Candidates train side by side; after some epochs the worse leave, and the others go on
where they are.
"""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, indexable
from sklearn.utils.parallel import Parallel

from skkeras_tune._compat.sklearn import (
    BaseSearchCV,
    Interval,
    check_method_params,
    fit_context,
)
from skkeras_tune.search.brackets import list_brackets
from skkeras_tune.search.contest import Contender, Row, enter, promote
from skkeras_tune.search.draws import draw_candidates
from skkeras_tune.search.failures import report_failed_fits, spread_error_score
from skkeras_tune.search.resource import (
    refuse_epochs,
    refuse_searched_epochs,
    resolve_resource,
)
from skkeras_tune.search.rungs import Pauses, RungTrainer, list_scores
from skkeras_tune.search.tasks import (
    list_evaluations,
    open_fit,
    open_task,
    propagate,
)
from skkeras_tune.search.winner import build_winner, fit_winner
from skkeras_tune.training.epoch_tasks import describe_rows

_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")


class HyperbandSearchCV(BaseSearchCV):
    """Hyperband over hyper-parameters, with cross-validation.

    Many candidates train for a few epochs. One in `factor` of them, the best, goes on
    for `factor` times as many, and so on to `max_epochs`. Since some candidates are
    slow to show what they are worth, this is done in several brackets: the first starts
    with the most candidates and drops most of them, the last trains a few from
    beginning to end [1]_.

    Training goes on from rung to rung: nothing is trained twice. A candidate that
    reaches the last rung has weights, history and score as if it had been trained for
    `max_epochs` at once, with the same batches, dropout, learning rates and early
    stopping. One that early stopping has ended does not train any more.

    A score is that of the best epoch so far, if the estimator stops early and restores
    the best weights (as it does by default). Who goes on is decided by ranks: each
    fold ranks the candidates of the rung, the best mean ranks go on, and mean scores
    decide between equals. A fold in which a young network is far off on a few rows
    thus has the say of one fold, not of all. With a single fold ranks and scores agree.

    Within :class:`~skkeras_tune.fused` the candidates of all brackets and folds train
    side by side.

    Parameters
    ----------
    estimator : estimator
        A `KerasClassifier` or `KerasRegressor`, alone, as the last step of a
        `Pipeline`, or as the regressor of a `TransformedTargetRegressor`. Steps that
        draw at random without a `random_state` are given one.
    param_distributions : dict or list of dict
        What is drawn from, as in :class:`sklearn.model_selection.RandomizedSearchCV`:
        lists of values, or distributions with an ``rvs`` method.
    max_epochs : int, default=81
        Epochs of the last rungs, in place of the estimator's. Somewhat more than the
        largest network needs, with early stopping. KerasTuner's default is 100 [2]_; 81
        is a power of the factor, as in the paper's example.
    factor : int, default=3
        One in so many candidates goes on from each rung, for so many times the epochs.
    hyperband_iterations : int, default=1
        How often all brackets are run, with new candidates.
    resource : str, default="auto"
        The full name of the parameter that counts the epochs, such as
        "kerasclassifier__epochs"; "auto" finds it.
    scoring : str, callable, list, tuple or dict, default=None
        What is maximised, as in :class:`sklearn.model_selection.GridSearchCV`. With
        several metrics, `refit` names the one that guides the search.
    n_jobs : int, default=None
        Number of fits at the same time.
    refit : bool, str or callable, default=True
        Whether to train the best candidate on all rows, for the epochs that its row has
        in ``cv_results_`` (early stopping may end it before); with several metrics, the
        name of one. A callable chooses the row.
    cv : int, cross-validation generator or iterable, default=None
        The folds, as in :class:`sklearn.model_selection.GridSearchCV`. They are drawn
        once, and are the same in all rungs.
    verbose : int, default=0
        How much to print.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of fits to hand to the workers in advance.
    random_state : int, RandomState instance or None, default=None
        Seed of the candidates, of all brackets.
    error_score : "raise" or float, default=np.nan
        Score of a fit that fails. With a number the search goes on, with a
        :class:`~sklearn.exceptions.FitFailedWarning`, but without the candidate.
    return_train_score : bool, default=False
        Whether ``cv_results_`` has training scores.

    Attributes
    ----------
    cv_results_ : dict of ndarrays
        One row for each candidate in each rung that it reached, bracket after bracket.
        The columns are those of :class:`sklearn.model_selection.GridSearchCV` and
        "iteration", "bracket" (how often it drops candidates), "rung" (from 0) and
        "epochs" (that it has trained in all). The fit time is that of the rung alone.
    best_index_ : int
        The row of the best mean score among all rows, as in the paper and in
        KerasTuner. A score is that of a best epoch, so that those of different rungs
        can be compared.
    best_params_ : dict
        The parameters of that row, the epochs among them.
    best_score_ : float
        Its mean score over the folds.
    best_estimator_ : estimator
        Trained on all rows, with `refit`.
    brackets_ : list of Bracket
        The brackets of an iteration, with the number of candidates and epochs of each
        rung in ``rungs``.
    resource_ : str
        The full name of the parameter that counts the epochs.
    step_seed_ : int
        Has decided what steps draw that have no seed of their own.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds that the last training took.
    scorer_ : callable or dict
        What the scores come from.
    multimetric_ : bool
        Whether there are several.

    Raises
    ------
    ValueError
        In `fit`, if a parameter is out of range, the estimator does not train in
        epochs, or every fit failed.

    See Also
    --------
    BayesSearchCV : Search that learns from what was tried.
    sklearn.model_selection.HalvingRandomSearchCV :
        A single bracket, which trains each rung from the beginning.

    References
    ----------
    .. [1] L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh, A. Talwalkar, "Hyperband: A
       Novel Bandit-Based Approach to Hyperparameter Optimization", Journal of Machine
       Learning Research 18(185), 2018, https://jmlr.org/papers/v18/16-558.html.
    .. [2] "Hyperband Tuner", https://keras.io/keras_tuner/api/tuners/hyperband: 100
       epochs, factor 3, one iteration. It rounds epochs and numbers of candidates up,
       the paper's algorithm and this class round them down.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skkeras_tune import HyperbandSearchCV, KerasClassifier, fused
    >>> X, y = load_iris(return_X_y=True)
    >>> search = HyperbandSearchCV(
    ...     make_pipeline(StandardScaler(), KerasClassifier(random_state=0)),
    ...     {"kerasclassifier__learning_rate": loguniform(1e-3, 1e-1)},
    ...     max_epochs=9,
    ...     cv=3,
    ...     random_state=0,
    ... )
    >>> with fused():
    ...     search = search.fit(X, y)
    >>> [bracket.rungs for bracket in search.brackets_]
    [[(9, 1), (3, 3), (1, 9)], [(5, 3), (1, 9)], [(3, 9)]]
    >>> len(search.cv_results_["params"]), bool(search.best_score_ > 0.9)
    (22, True)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSearchCV._parameter_constraints,
        "param_distributions": [dict, list],
        "max_epochs": [_AT_LEAST_ONE],
        "factor": [Interval(Integral, 2, None, closed="left")],
        "hyperband_iterations": [_AT_LEAST_ONE],
        "resource": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        max_epochs: int = 81,
        factor: int = 3,
        hyperband_iterations: int = 1,
        resource: str = "auto",
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_distributions = param_distributions
        self.max_epochs = max_epochs
        self.factor = factor
        self.hyperband_iterations = hyperband_iterations
        self.resource = resource
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, **params: Any) -> Self:
        """Search for the best parameters, and refit the estimator with them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target.
        **params : dict
            Arguments of the estimator's ``fit``, `groups` for the splitter, or metadata
            to route.

        Returns
        -------
        self : HyperbandSearchCV
            The fitted search.

        Raises
        ------
        ValueError
            If a parameter is out of range, the estimator does not train in epochs, or
            every fit failed.
        """
        refuse_epochs(params)
        resource = resolve_resource(self.resource, self.estimator)
        scorers, metric = self._get_scorers()
        X, y = indexable(X, y)
        params = check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        weight, n_tasks = params.get("sample_weight"), 1 + (self.refit is not False)
        with open_fit(self, X, y, weight, n_tasks) as task:
            cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
            splits = list(cv.split(X, y, **routed.splitter.split))
            random_state = check_random_state(self.random_state)
            contenders = self._draw(resource, len(splits), random_state)
            self.step_seed_ = int(random_state.randint(2**31 - 1))
            with Parallel(self.n_jobs, pre_dispatch=self.pre_dispatch) as parallel:
                trainer = RungTrainer(
                    clone(self.estimator),
                    X,
                    y,
                    splits,
                    resource,
                    self.step_seed_,
                    self._list_options(scorers, routed),
                    parallel,
                )
                rows = self._search(contenders, trainer, task)
            self._keep(rows, len(splits), metric)
            self.resource_ = resource
            self.scorer_ = getattr(scorers, "_scorers", scorers)  # several by name
            if self.refit:
                self._refit(X, y, routed.estimator.fit, weight, task)
        return self

    def _list_options(self, scorers: Any, routed: Any) -> dict[str, Any]:
        """Return what each fit is told beside its candidate and its rows."""
        return {
            "scorer": scorers,
            "fit_params": routed.estimator.fit,
            "score_params": routed.scorer.score,
            "return_train_score": self.return_train_score,
            "return_n_test_samples": True,
            "return_times": True,
            "error_score": self.error_score,
            "verbose": self.verbose,
        }

    def _check_refit_for_multimetric(self, scores: Any) -> None:
        """Refuse several metrics of which none is named to compare candidates by."""
        if not (isinstance(self.refit, str) and self.refit in scores):
            message = (
                "With several metrics, the 'refit' parameter of HyperbandSearchCV must "
                f"name the one that guides the search, one of {sorted(scores)!r}. Got "
                f"{self.refit!r} instead."
            )
            raise ValueError(message)

    def _draw(
        self, resource: str, n_splits: int, random_state: np.random.RandomState
    ) -> list[Contender]:
        """Return the candidates of all brackets."""
        spaces = self.param_distributions
        spaces = [spaces] if isinstance(spaces, dict) else spaces
        if not any(spaces):
            message = (
                "The 'param_distributions' parameter of HyperbandSearchCV must name at "
                f"least one parameter. Got {self.param_distributions!r} instead."
            )
            raise ValueError(message)
        refuse_searched_epochs(spaces, resource)
        self.brackets_ = list_brackets(self.max_epochs, self.factor)
        iterations = range(self.hyperband_iterations)
        brackets = [(i, bracket) for i in iterations for bracket in self.brackets_]
        sizes = [bracket.size for _, bracket in brackets]
        drawn = draw_candidates(self.param_distributions, sizes, random_state)
        return enter(brackets, drawn, n_splits)

    def _search(
        self, contenders: list[Contender], trainer: RungTrainer, parent: Any
    ) -> list[Row]:
        """Run all brackets, side by side, and return the rows bracket after bracket."""
        rows: list[Row] = []
        with open_task(
            parent, self, task_name="search", max_subtasks=len(self.brackets_)
        ) as task:
            while contenders:
                new, contenders = self._advance(
                    contenders, trainer, task, may_all_fail=bool(rows)
                )
                rows += new
        return sorted(rows, key=lambda row: row.order)

    def _advance(
        self,
        contenders: list[Contender],
        trainer: RungTrainer,
        parent: Any,
        *,
        may_all_fail: bool,
    ) -> tuple[list[Row], list[Contender]]:
        """Run a rung of each bracket; return its rows, and who goes on.

        The trainings of all others are forgotten here.
        """
        rows, paused = self._run_rungs(contenders, trainer, parent)
        records = [record for row in rows for record in row.records]
        report_failed_fits(records, self.error_score, may_all_fail=may_all_fail)
        spread_error_score(records, self.error_score)
        if isinstance(records[0]["test_scores"], dict):
            self._check_refit_for_multimetric(records[0]["test_scores"])
        scores = np.array([list_scores(row, self.refit) for row in rows])
        return rows, promote(contenders, scores, paused)

    def _run_rungs(
        self, contenders: list[Contender], trainer: RungTrainer, parent: Any
    ) -> tuple[list[Row], list[Pauses]]:
        """Train each contender in each fold to the end of its rung."""
        n_fits = trainer.count_fits(contenders)
        if self.verbose > 0:
            print(  # noqa: T201  as scikit-learn's searches do
                f"Fitting {len(trainer.splits)} folds for each of {len(contenders)} "
                f"candidates, totalling {n_fits} fits"
            )
        options: dict[str, Any] = {"max_subtasks": n_fits, "sequential_subtasks": False}
        with open_task(parent, self, task_name="rung", **options) as task:
            return trainer.train(contenders, list_evaluations(task, self, n_fits))

    def _keep(self, rows: list[Row], n_splits: int, metric: str) -> None:
        """Set what a search has that was run."""
        records = [record for row in rows for record in row.records]
        places = {name: [row.place[name] for row in rows] for name in rows[0].place}
        params = [row.params for row in rows]
        results = self._format_results(params, n_splits, records, places)
        self.multimetric_ = isinstance(records[0]["test_scores"], dict)
        if self.multimetric_:
            metric = self.refit
        self.n_splits_, self.cv_results_ = n_splits, results
        self.best_index_ = self._select_best_index(self.refit, metric, results)
        self.best_params_ = params[self.best_index_]
        self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]

    def _refit(
        self, X: Any, y: Any, fit_params: dict[str, Any], weight: Any, parent: Any
    ) -> None:
        """Train the best candidate on all rows."""
        winner, facts = build_winner(self), describe_rows(X, y, weight)
        with (
            open_task(
                parent, self, facts=facts, task_name="refit-with-best-params"
            ) as task,
            propagate(task, winner),
        ):
            fit_winner(self, winner, X, y, fit_params)
