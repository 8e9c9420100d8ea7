"""`EnsembleClassifier` and `EnsembleRegressor`: what users touch, and no arithmetic."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Tags

from skkeras_tune.ensemble.base import EnsembleEstimator
from skkeras_tune.ensemble.objective import clip_probabilities
from skkeras_tune.ensemble.targets import Target, validate_classes, validate_numbers
from skkeras_tune.log_probabilities import LogProbabilitiesMixin


class EnsembleClassifier(ClassifierMixin, LogProbabilitiesMixin, EnsembleEstimator):
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
    final_params : dict, list of dict or None, default=None
        Parameters that the members are given for their last fit, on all rows, such as
        ``{"refit_full": True}``, which would make each fit of a search twice as long.
        A list has those of each member, the best setting's first, such as seeds.

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
        return clip_probabilities(self._average(X))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        kinds = [m.classifier_tags for m in self._list_tags()]
        tags.classifier_tags.multi_label = all(k and k.multi_label for k in kinds)
        return tags


class EnsembleRegressor(RegressorMixin, EnsembleEstimator):
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
    final_params : dict, list of dict or None, default=None
        Parameters that the members are given for their last fit, on all rows, such as
        ``{"refit_full": True}``, which would make each fit of a search twice as long.
        A list has those of each member, the best setting's first, such as seeds.

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
