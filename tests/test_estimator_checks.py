"""scikit-learn's own checks of an estimator, with none expected to fail."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skkeras_tune import KerasClassifier, KerasRegressor

# The checks compare a weighted row with a repeated one, so all rows are in one batch
# and none are held out. A few large steps reach the scores that other checks ask for.
SETTINGS = {
    "early_stopping": False,
    "batch_size": -1,
    "epochs": 20,
    "learning_rate": 0.05,
}


@pytest.fixture
def precision(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compute in float64 where a check compares to 1e-7, which is float32's own step.

    Only the checks that compare weighting a row with repeating it do.
    """
    exact = "sample_weight_equivalence" in request.node.name
    _set_precision("float64" if exact else "float32")
    yield
    _set_precision("float32")


def _set_precision(dtype: str) -> None:
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


@pytest.mark.usefixtures("precision")
@parametrize_with_checks([KerasClassifier(**SETTINGS), KerasRegressor(**SETTINGS)])
def test_check_estimator(estimator: Any, check: Callable[[Any], None]) -> None:
    """Each of scikit-learn's checks passes, and none is expected to fail."""
    check(estimator)


@pytest.mark.slow
@pytest.mark.usefixtures("precision")
@parametrize_with_checks(
    [
        KerasClassifier(**SETTINGS, n_members=2),
        KerasRegressor(**SETTINGS, n_members=2),
    ]
)
def test_check_estimator_of_members(
    estimator: Any, check: Callable[[Any], None]
) -> None:
    """Each check passes for two networks that are averaged, too."""
    check(estimator)
