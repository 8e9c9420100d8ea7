"""`EnsembleClassifier` and `EnsembleRegressor`: what users touch, and no arithmetic."""

from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, Tags, check_random_state, get_tags, indexable
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from skkeras_tune._compat import (
    Interval,
    StrOptions,
    check_sample_weight,
    safe_indexing,
    validate_parameter_constraints,
)
from skkeras_tune.ensemble.gathering import (
    Library,
    Rows,
    gather_from_list,
    gather_from_search,
)
from skkeras_tune.ensemble.members import fit_member, is_search, name_members
from skkeras_tune.ensemble.objective import (
    average,
    build_loss,
    build_score,
    negate_score,
)
from skkeras_tune.ensemble.report import compare
from skkeras_tune.ensemble.targets import (
    Target,
    validate_classes,
    validate_numbers,
    validate_weighted,
)
from skkeras_tune.ensemble.weights import Weighting, choose_weights
from skkeras_tune.optional import import_optional

if TYPE_CHECKING:
    import pandas as pd


class _Ensemble(BaseEstimator):
    """What both ensembles share."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_best": [Interval(Integral, 1, None, closed="left")],
        "weighting": [StrOptions({"greedy", "nelder-mead", "mean"})],
        "scoring": [str, callable, None],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "final_params": [dict, None],
    }

    def __init__(
        self,
        estimators: Any,
        *,
        n_best: int = 8,
        weighting: Weighting = "greedy",
        scoring: Any = None,
        cv: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        final_params: Any = None,
    ) -> None:
        self.estimators = estimators
        self.n_best = n_best
        self.weighting = weighting
        self.scoring = scoring
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.final_params = final_params

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Choose the weights out of fold, and fit the members on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Whatever the members take.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the members and for the loss. A pipeline gets them
            for its last step.
        groups : array-like of shape (n_samples,), default=None
            Groups for the splitter.
        **fit_params
            Arguments of the `fit` of each member, or of the search. Of those with one
            value a row, each fold gets its own rows'.

        Returns
        -------
        self
            The ensemble itself.

        Raises
        ------
        ValueError
            If a parameter or the data is out of range, no setting of the search
            succeeded, or a member predicts NaN.
        TypeError
            If a member does not predict what the ensemble averages, or takes no
            weights.
        """
        constraints = self._parameter_constraints
        params = self.get_params(deep=False)
        params.pop("estimators")
        validate_parameter_constraints(constraints, params, type(self).__name__)
        rows = self._validate_rows(X, y, sample_weight, groups, fit_params)
        library = self._gather(rows)
        self._weigh(library, rows)
        self._fit_members(library, rows)
        self.search_ = library.search
        self.recorded_ = library.reason is None
        self.recorded_reason_ = library.reason
        return self

    def _validate_target(self, y: Any) -> tuple[NDArray[Any], Target]:
        raise NotImplementedError

    def _validate_rows(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, fit_params: Any
    ) -> Rows:
        y, self._target = self._validate_target(y)
        validate_data(self, X, skip_check_array=True)
        (X,) = indexable(X)  # of sparse matrices, some have no rows to take
        check_consistent_length(X, y, groups)
        if sample_weight is not None:
            sample_weight = check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            validate_weighted(y, self._target, sample_weight)
        return Rows(X, y, self._target, sample_weight, groups, fit_params)

    def _gather(self, rows: Rows) -> Library:
        if is_search(self.estimators):
            return gather_from_search(
                self.estimators, self.n_best, rows, self.cv, self.n_jobs
            )
        return gather_from_list(self.estimators, rows, self, self.cv, self.n_jobs)

    def _weigh(self, library: Library, rows: Rows) -> None:
        """Choose the weights, and compare models by them."""
        found, names = library.out_of_fold, list(library.members)
        predictions, y = found.predictions, rows.y[found.rows]
        weight = rows.sample_weight
        weight = None if weight is None else weight[found.rows]
        name, loss = build_loss(rows.target, predictions, y, weight)
        score, minimised = None, loss
        if self.scoring is not None:
            scorer = check_scoring(self, self.scoring)
            x = safe_indexing(rows.X, found.rows)
            score = build_score(rows.target, scorer, x, y, weight)
            minimised = negate_score(score, predictions)
        self.weights_ = choose_weights(
            self.weighting, minimised, len(names), check_random_state(self.random_state)
        )
        self._comparison = compare(
            names,
            self.weights_,
            predictions,
            rows.target,
            y,
            weight,
            (name, loss),
            score,
        )

    def _fit_members(self, library: Library, rows: Rows) -> None:
        """Fit on all rows the members that have a weight."""
        pairs = zip(library.members.items(), self.weights_, strict=True)
        final = self.final_params or {}
        chosen = {
            name: clone(member).set_params(**final)
            for (name, member), w in pairs
            if w > 0
        }
        self.estimators_ = Parallel(n_jobs=self.n_jobs)(
            delayed(fit_member)(
                member, rows.X, rows.y, rows.sample_weight, None, rows.fit_params
            )
            for member in chosen.values()
        )
        self.names_ = list(library.members)
        self.named_estimators_ = Bunch(
            **dict(zip(chosen, self.estimators_, strict=True))
        )

    def _average(self, X: Any) -> NDArray[np.float64]:
        """Return the weighted average of the members' predictions."""
        check_is_fitted(self)
        weights = self.weights_[self.weights_ > 0]
        read = self._target.read
        return average(weights, np.stack([read(m, X) for m in self.estimators_]))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the label or the numbers that the weighted average stands for.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Whatever the members take.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Shaped as `y` in `fit`.
        """
        averaged = self._average(X)
        return self._target.decode(averaged)

    def report(self) -> "pd.DataFrame":
        """Compare each member, their plain mean and the weighted average.

        All are judged on the same rows: those that some fold held out, by predictions
        of models that did not see them. The weights were chosen on these rows too, so
        the weighted average is flattered a little, which the mean is not; a weighted
        average that hardly beats the mean is no better.

        Returns
        -------
        pandas.DataFrame
            A row for each member, "mean" and "weighted". The columns are ``weight``,
            ``log_loss`` and ``accuracy`` for a classifier or ``squared_error`` and
            ``r2`` for a regressor, and ``scoring`` where it was given.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        check_is_fitted(self)
        pandas = import_optional("pandas", f"{type(self).__name__}.report")
        return pandas.DataFrame(self._comparison).set_index("model")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")

    def _list_tags(self) -> list[Tags]:
        """Return the members' tags; none where `fit` would refuse them."""
        try:
            if is_search(self.estimators):
                return [get_tags(self.estimators.estimator)]
            return [get_tags(m) for m in name_members(self.estimators).values()]
        except (AttributeError, TypeError, ValueError):
            return []

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        members = self._list_tags()
        tags.input_tags.sparse = all(m.input_tags.sparse for m in members)
        tags.input_tags.allow_nan = all(m.input_tags.allow_nan for m in members)
        return tags


class EnsembleClassifier(ClassifierMixin, _Ensemble):
    """Average the probabilities of several classifiers, with chosen weights.

    The members are the best settings of a search, or estimators of a list, which may be
    of any kind that has `predict_proba`. Takes labels of any type, in one column or as
    indicators of several labels.

    Parameters
    ----------
    estimators : list of estimators, list of (str, estimator) pairs, or search
        The members, or a search whose best settings are to be the members: any search
        with scikit-learn's interface, such as `GridSearchCV` or `BayesSearchCV`. A
        search that is not fitted is copied and fitted in `fit`, and the out-of-fold
        predictions are gathered while it runs. Of a search that is fitted, on the same
        rows, the best settings are cross-validated once more.
    n_best : int, default=8
        How many of a search's settings become members; see `best_params`.
    weighting : {"greedy", "nelder-mead", "mean"}, default="greedy"
        "greedy" selects members with replacement in bags (Caruana et al., 2004),
        "nelder-mead" minimises the loss over all weights, and "mean" weighs equally.
    scoring : str, callable or None, default=None
        What the weights maximise. None is the log loss, which is minimised.
    cv : int, splitter, iterable or None, default=None
        The folds of the out-of-fold predictions. None is the search's own for a search,
        and 5 folds for a list. Folds need not cover all rows.
    n_jobs : int or None, default=None
        Number of fits at the same time, apart from those of a search, which has its
        own.
    random_state : int, RandomState instance or None, default=None
        Draws the bags of "greedy". Members keep their own.
    final_params : dict or None, default=None
        Parameters that the members are given for their last fit, on all rows, such as
        ``{"refit_full": True}``, which would make each fit of a search twice as long.

    Attributes
    ----------
    weights_ : ndarray of shape (n_members,)
        The weights, in the order of `names_`: none is negative, and they sum to one.
    names_ : list of str
        The members' names; ``candidate_3`` is row 3 of the search's ``cv_results_``.
    estimators_ : list of estimators
        The members with a weight above zero, fitted on all rows.
    named_estimators_ : Bunch
        The same by their names.
    search_ : search
        The fitted search, or None for a list.
    recorded_ : bool
        Whether the out-of-fold predictions were gathered while the search ran.
    recorded_reason_ : str or None
        Why not.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, when X has names.

    See Also
    --------
    EnsembleRegressor : The same for numbers.
    best_params : The best settings of a search.

    Notes
    -----
    Weights are chosen by predictions for rows that the members did not see, never by
    those that they were trained on. By the loss on these rows, "greedy" and
    "nelder-mead" are never worse than the best single member, nor than the plain mean;
    on new rows they can be, since weights can overfit. `report` shows all of them side
    by side.

    Predictions are not recorded where they cannot be told apart: over an estimator
    whose parameters cannot be pickled or change in `fit` (a `RandomState` instance),
    with halving over ``n_samples``, with training scores of two folds, and where
    workers do not share a file system. Then the best settings are cross-validated once
    more, and `recorded_reason_` says why.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of
    models", 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skkeras_tune import EnsembleClassifier, KerasClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GridSearchCV(
    ...     KerasClassifier(epochs=20, random_state=0),
    ...     {"learning_rate": [0.003, 0.01, 0.03]},
    ...     cv=3,
    ... )
    >>> ensemble = EnsembleClassifier(search, n_best=2, random_state=0).fit(X, y)
    >>> ensemble.predict_proba(X).shape
    (150, 3)
    >>> print(round(ensemble.weights_.sum(), 6))
    1.0
    >>> ensemble.report().index[-2:].to_list()
    ['mean', 'weighted']
    """

    def _validate_target(self, y: Any) -> tuple[NDArray[Any], Target]:
        y, target = validate_classes(y)
        self.classes_ = target.classes
        return y, target

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the weighted average of the members' probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Whatever the members take.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; for indicators, the probability of each label.
        """
        return self._average(X)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        kinds = [m.classifier_tags for m in self._list_tags()]
        tags.classifier_tags.multi_label = all(k and k.multi_label for k in kinds)
        return tags


class EnsembleRegressor(RegressorMixin, _Ensemble):
    """Average the predictions of several regressors, with chosen weights.

    The members are the best settings of a search, or estimators of a list, which may be
    of any kind. Takes one target or several.

    Parameters
    ----------
    estimators : list of estimators, list of (str, estimator) pairs, or search
        The members, or a search whose best settings are to be the members: any search
        with scikit-learn's interface, such as `GridSearchCV` or `BayesSearchCV`. A
        search that is not fitted is copied and fitted in `fit`, and the out-of-fold
        predictions are gathered while it runs. Of a search that is fitted, on the same
        rows, the best settings are cross-validated once more.
    n_best : int, default=8
        How many of a search's settings become members; see `best_params`.
    weighting : {"greedy", "nelder-mead", "mean"}, default="greedy"
        "greedy" selects members with replacement in bags (Caruana et al., 2004),
        "nelder-mead" minimises the loss over all weights, and "mean" weighs equally.
    scoring : str, callable or None, default=None
        What the weights maximise. None is the mean squared error, which is minimised.
    cv : int, splitter, iterable or None, default=None
        The folds of the out-of-fold predictions. None is the search's own for a search,
        and 5 folds for a list. Folds need not cover all rows.
    n_jobs : int or None, default=None
        Number of fits at the same time, apart from those of a search, which has its
        own.
    random_state : int, RandomState instance or None, default=None
        Draws the bags of "greedy". Members keep their own.
    final_params : dict or None, default=None
        Parameters that the members are given for their last fit, on all rows, such as
        ``{"refit_full": True}``, which would make each fit of a search twice as long.

    Attributes
    ----------
    weights_ : ndarray of shape (n_members,)
        The weights, in the order of `names_`: none is negative, and they sum to one.
    names_ : list of str
        The members' names; ``candidate_3`` is row 3 of the search's ``cv_results_``.
    estimators_ : list of estimators
        The members with a weight above zero, fitted on all rows.
    named_estimators_ : Bunch
        The same by their names.
    search_ : search
        The fitted search, or None for a list.
    recorded_ : bool
        Whether the out-of-fold predictions were gathered while the search ran.
    recorded_reason_ : str or None
        Why not.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, when X has names.

    See Also
    --------
    EnsembleClassifier : The same for labels.
    best_params : The best settings of a search.

    Notes
    -----
    Weights are chosen by predictions for rows that the members did not see, never by
    those that they were trained on. By the loss on these rows, "greedy" and
    "nelder-mead" are never worse than the best single member, nor than the plain mean;
    on new rows they can be, since weights can overfit. `report` shows all of them side
    by side.

    Predictions are not recorded where they cannot be told apart: over an estimator
    whose parameters cannot be pickled or change in `fit` (a `RandomState` instance),
    with halving over ``n_samples``, with training scores of two folds, and where
    workers do not share a file system. Then the best settings are cross-validated once
    more, and `recorded_reason_` says why.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of
    models", 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skkeras_tune import EnsembleRegressor, KerasRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    >>> members = [
    ...     ("network", KerasRegressor(units=16, epochs=20, random_state=0)),
    ...     ("forest", RandomForestRegressor(n_estimators=20, random_state=0)),
    ... ]
    >>> ensemble = EnsembleRegressor(members, cv=3, random_state=0).fit(X, y)
    >>> report = ensemble.report()
    >>> bool(report.squared_error["weighted"] <= report.squared_error["mean"])
    True
    """

    def _validate_target(self, y: Any) -> tuple[NDArray[Any], Target]:
        return validate_numbers(y)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        members = self._list_tags()
        tags.target_tags.multi_output = all(m.target_tags.multi_output for m in members)
        tags.target_tags.single_output = True
        return tags
