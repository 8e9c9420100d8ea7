"""Networks in other estimators: pipelines and searches in, what they hold out.

A network is known by `set_stages`, which no other estimator has.
"""

from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

# Where scikit-learn's meta-estimators keep the one that they have fitted.
_FITTED = ("best_estimator_", "regressor_", "estimator_")


def list_networks(estimator: Any) -> dict[str, Any]:
    """Return the networks that an estimator is or holds.

    Parameters
    ----------
    estimator : object
        Fitted or not; what is no estimator holds none.

    Returns
    -------
    dict
        By what comes before the names of their parameters: "" of the estimator itself,
        else such as "pipeline__network__".
    """
    if _is_network(estimator):
        return {"": estimator}
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        return {}
    params = estimator.get_params(deep=True)
    return {f"{name}__": part for name, part in params.items() if _is_network(part)}


def find_last(estimator: Any) -> tuple[str, Any] | None:
    """Return the network that an estimator trains last, or None if it does not.

    Parameters
    ----------
    estimator : estimator
        Not fitted.

    Returns
    -------
    prefix : str
        What comes before the names of its parameters.
    network : estimator
        The estimator itself, or that at the end of pipelines or in a
        `TransformedTargetRegressor`.
    """
    prefix, inner = "", estimator
    while not _is_network(inner):
        if isinstance(inner, Pipeline):
            name, inner = inner.steps[-1]
        elif isinstance(inner, TransformedTargetRegressor):
            name, inner = "regressor", inner.regressor
        else:
            return None
        prefix = f"{prefix}{name}__"
    return prefix, inner


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


def _is_network(part: Any) -> bool:
    return hasattr(part, "set_stages") and not isinstance(part, type)
