"""What both ensembles share: members and rows in, a weighted average of them out."""

from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, Tags, check_random_state, get_tags, indexable
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from skkeras_tune._compat.sklearn import (
    Interval,
    StrOptions,
    check_sample_weight,
    safe_indexing,
    validate_parameter_constraints,
)
from skkeras_tune.ensemble.gathering import (
    Library,
    gather_from_list,
    gather_from_search,
)
from skkeras_tune.ensemble.members import (
    fit_member,
    is_search,
    list_final_params,
    name_members,
    refuse_final_params,
)
from skkeras_tune.ensemble.objective import (
    average,
    build_loss,
    build_score,
    negate_score,
)
from skkeras_tune.ensemble.report import compare
from skkeras_tune.ensemble.rows import Rows, Truth
from skkeras_tune.ensemble.targets import (
    Target,
    take_weights,
    validate_weighted,
)
from skkeras_tune.ensemble.weights import Weighting, choose_weights
from skkeras_tune.optional import import_optional

if TYPE_CHECKING:
    import pandas as pd


class EnsembleEstimator(BaseEstimator):
    """Base of `EnsembleClassifier` and `EnsembleRegressor`."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_best": [Interval(Integral, 1, None, closed="left")],
        "weighting": [StrOptions({"greedy", "nelder-mead", "mean"})],
        "scoring": [str, callable, None],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "final_params": [dict, list, None],
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
            Groups for the splitter, and with metadata routing for the members that ask
            for them.
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
        # Before a search of hours, which a name that is unknown would waste.
        scorer = None if self.scoring is None else check_scoring(self, self.scoring)
        refuse_final_params(self.final_params, self.estimators)
        library = self._gather(rows)
        self._weigh(library, rows, scorer)
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

    def _weigh(self, library: Library, rows: Rows, scorer: Any) -> None:
        """Choose the weights, and compare models by them."""
        found, names = library.out_of_fold, list(library.members)
        predictions = found.predictions
        weight = take_weights(rows.sample_weight, found.rows)
        truth = Truth(rows.target, rows.y[found.rows], weight)
        name, loss = build_loss(truth, predictions)
        score, minimised = None, loss
        if scorer is not None:
            score = build_score(truth, scorer, safe_indexing(rows.X, found.rows))
            minimised = negate_score(score, predictions)
        self.weights_ = choose_weights(
            self.weighting, minimised, len(names), check_random_state(self.random_state)
        )
        self._comparison = compare(
            names, self.weights_, predictions, truth, (name, loss), score
        )

    def _fit_members(self, library: Library, rows: Rows) -> None:
        """Fit on all rows the members that have a weight."""
        members = library.members
        final = list_final_params(self.final_params, len(members))
        chosen = {
            name: clone(members[name]).set_params(**params)
            for name, params, w in zip(members, final, self.weights_, strict=True)
            if w > 0
        }
        self.estimators_ = Parallel(n_jobs=self.n_jobs)(
            delayed(fit_member)(member, rows) for member in chosen.values()
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
