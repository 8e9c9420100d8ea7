"""Data, an estimator that can fail, and small searches for the tests of searches."""

import warnings
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import StandardScaler

from skkeras_tune import BayesSearchCV

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
GROUPS = np.arange(len(y)) % 5
LAST_ROW = X[-1]
WEIGHTS = np.where(y == 2, 0.1, 1.0)
REGRESSION_SPACE = {"C": (1e-2, 1e2, "log-uniform")}


class Fragile(ClassifierMixin, BaseEstimator):
    """Logistic regression that fails when it is told to."""

    def __init__(self, C=1.0, fails="never", cuts=()):  # noqa: N803
        self.C = C
        self.fails = fails
        self.cuts = cuts

    def fit(self, X, y, sample_weight=None, note=None):
        if self.fails == "always":
            raise ValueError("nothing can be fitted")
        if self.fails == "without the last row" and not (X[-1] == LAST_ROW).all():
            raise ValueError("the last row is missing")
        self.note_ = note
        self.model_ = LogisticRegression(C=self.C).fit(X, y, sample_weight)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


#: A surrogate that is quick to fit, from the third candidate on.
QUICK = {
    "base_estimator": "RF",
    "n_initial_points": 2,
    "acq_func": "EI",
    "acq_optimizer_kwargs": {"n_points": 100},
}
FAILURES = ["never", "always", "without the last row"]


def build_search(estimator=None, space=None, **options):
    """Return a small search, quick to fit."""
    estimator = LogisticRegression() if estimator is None else estimator
    space = REGRESSION_SPACE if space is None else space
    settings = {"n_iter": 3, "cv": 3, "random_state": 0, "error_score": "raise"}
    return BayesSearchCV(estimator, space, **{**settings, **options})


@contextmanager
def expect_failures():
    """Let pass what a search says of candidates that fail."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the (test|train) scores")
        yield


def search_failures(**options):
    """Search a space that has candidates that fail, and rows for each of them."""
    space = {"fails": FAILURES, "C": [0.1, 1.0, 10.0]}
    search = build_search(Fragile(), space, n_iter=9, error_score=np.nan, **options)
    with expect_failures():
        search.fit(X, y)
    return search


def score_twice(estimator, X, y):
    """Return two scores."""
    score = accuracy_score(y, estimator.predict(X))
    return {"first": score, "second": 1 - score}
