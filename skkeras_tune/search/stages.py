"""A candidate, a fold and where its training has paused in; its scores, and more, out.

The network is found in the estimator, and told to go on where it was. All else of the
estimator is fitted as in any search.
"""

from typing import Any

from sklearn.base import clone

from skkeras_tune._compat.sklearn import fit_and_score
from skkeras_tune.nesting import find_last
from skkeras_tune.search.seeds import list_step_seeds
from skkeras_tune.training.pausing import Stages
from skkeras_tune.training.plan import Paused

_RESOURCE = "epochs"


def find_network(estimator: Any) -> tuple[str, Any]:
    """Return the network whose training can go on, and the prefix of its parameters.

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


def train_stage(
    estimator: Any,
    X: Any,
    y: Any,
    candidate: dict[str, Any],
    paused: Paused,
    *,
    keeps: bool,
    step_seed: int,
    **options: Any,
) -> tuple[dict[str, Any], Paused]:
    """Train a candidate in one fold until it has trained its epochs in all, and score.

    Parameters
    ----------
    estimator : estimator
        Not fitted; cloned.
    X, y
        The rows of all folds.
    candidate : dict
        Its parameters, the epochs among them.
    paused : tuple of PausedTraining
        Where the trainings of its members have paused; () begins them.
    keeps : bool
        Whether training may go on from here.
    step_seed : int
        Decides what steps draw that have no seed: the same in each stage.
    **options
        Further arguments of scikit-learn's function for a candidate and a fold.

    Returns
    -------
    record : dict
        What scikit-learn's searches record of a candidate and a fold.
    paused : tuple of PausedTraining
        From where training may go on, if it is to.
    """
    # scikit-learn clones the values once more, and stages are shared by clones.
    params = {name: clone(value, safe=False) for name, value in candidate.items()}
    estimator = clone(estimator).set_params(**params)
    seeds = list_step_seeds(estimator, step_seed)
    estimator.set_params(**seeds)
    params |= seeds  # or a step that is searched would be set again without
    stages = Stages(paused, keeps)
    find_network(estimator)[1].set_stages(stages)
    record = fit_and_score(estimator, X, y, parameters=params, **options)
    return record, stages.last if keeps else ()
