"""What a fitted estimator ends in: pipelines and searches in, the inner one out."""

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

# Where scikit-learn's meta-estimators keep the one that they have fitted.
_FITTED = ("best_estimator_", "regressor_", "estimator_")


def find_fitted(estimator: Any, attribute: str, caller: str) -> Any:
    """Return the innermost estimator, which has an attribute of fitted networks.

    Parameters
    ----------
    estimator : estimator
        A fitted network, or a pipeline, a `TransformedTargetRegressor` or a search that
        ends in one.
    attribute : str
        What a fitted network has.
    caller : str
        Who asks, for the message.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it ends in no network.
    """
    if hasattr(estimator, "fit"):
        check_is_fitted(estimator)
    found = estimator
    while not hasattr(found, attribute):
        names = [name for name in _FITTED if hasattr(found, name)]
        if isinstance(found, Pipeline):
            found = found[-1]
        elif names:
            found = getattr(found, names[0])
        else:
            message = (
                f"{caller} needs a fitted KerasClassifier or KerasRegressor, or a "
                "fitted pipeline or search that ends in one. "
                f"Got {estimator!r} instead."
            )
            raise TypeError(message)
    return found
