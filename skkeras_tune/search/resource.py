"""What Hyperband gives out, the network's epochs: an estimator in, their name out.

Whatever else would set them is refused.
"""

from typing import Any

from skkeras_tune.nesting import find_last

_RESOURCE = "epochs"


def find_network(estimator: Any) -> tuple[str, Any]:
    """Return the prefix of the parameters of the network that can go on, and itself.

    Parameters
    ----------
    estimator : estimator
        The network alone, at the end of pipelines, or in a
        `TransformedTargetRegressor`.

    Raises
    ------
    ValueError
        If there is none.
    """
    found = find_last(estimator)
    if found is None:
        message = (
            "HyperbandSearchCV needs an estimator that trains in epochs and can go "
            "on: a KerasClassifier or KerasRegressor, alone, as the last step of a "
            "Pipeline or as the regressor of a TransformedTargetRegressor. Got "
            f"{estimator!r} instead."
        )
        raise ValueError(message)
    return found


def resolve_resource(resource: str, estimator: Any) -> str:
    """Return the full name of the parameter that counts the epochs.

    Raises
    ------
    ValueError
        If the estimator has no such parameter, or is told its epochs otherwise.
    """
    prefix, network = find_network(estimator)
    name = prefix + _RESOURCE
    if resource not in ("auto", name):
        message = (
            "The 'resource' parameter of HyperbandSearchCV must be 'auto' or the name "
            f"of the network's epochs, here {name!r}. Got {resource!r} instead."
        )
        raise ValueError(message)
    if f"fit__{_RESOURCE}" in network.get_params(deep=False):
        message = (
            f"HyperbandSearchCV sets the epochs, but the estimator has "
            f"{prefix}fit__{_RESOURCE}, which would overrule it. Leave it out."
        )
        raise ValueError(message)
    return name


def refuse_epochs(params: dict[str, Any]) -> None:
    """Refuse an argument of `fit` that would overrule the epochs of a rung.

    Raises
    ------
    ValueError
        If one of `params` does.
    """
    for name in params:
        if name.rpartition("__")[2] == "epochs":
            message = (
                f"HyperbandSearchCV sets the epochs itself. Got fit({name}=...): pass "
                "max_epochs to the constructor instead."
            )
            raise ValueError(message)


def refuse_searched_epochs(spaces: list[dict[str, Any]], resource: str) -> None:
    """Refuse to draw the epochs, or what would overrule those of a rung.

    Parameters
    ----------
    spaces : list of dict
        What candidates are drawn from.
    resource : str
        The full name of the parameter that counts the epochs.

    Raises
    ------
    ValueError
        If one of the spaces names either.
    """
    overruling = f"{resource.removesuffix('epochs')}fit__epochs"
    for name in (resource, overruling):
        if any(name in space for space in spaces):
            message = (
                f"HyperbandSearchCV cannot search over {name!r}, since it sets the "
                "epochs itself. Leave it out of param_distributions."
            )
            raise ValueError(message)
