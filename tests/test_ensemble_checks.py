"""scikit-learn's own checks of the ensembles, with none expected to fail."""

from collections.abc import Callable
from typing import Any

from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.estimator_checks import parametrize_with_checks

from skkeras_tune import EnsembleClassifier, EnsembleRegressor

SETTINGS = {"cv": 2, "random_state": 0}


@parametrize_with_checks(
    [
        EnsembleClassifier([GaussianNB(var_smoothing=0.1), GaussianNB()], **SETTINGS),
        EnsembleRegressor([Ridge(0.1), Ridge()], **SETTINGS),
    ]
)
def test_check_estimator(estimator: Any, check: Callable[[Any], None]) -> None:
    """Each of scikit-learn's checks passes, and none is expected to fail."""
    check(estimator)
