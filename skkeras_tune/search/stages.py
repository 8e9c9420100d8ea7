"""A candidate, a fold and where its training has paused in; its scores, and more, out.

The network in the estimator is told to go on where it was. All else of the estimator is
fitted as in any search.
"""

from typing import Any

from sklearn.base import clone

from skkeras_tune._compat.sklearn import fit_and_score
from skkeras_tune.search.resource import find_network
from skkeras_tune.search.seeds import list_step_seeds
from skkeras_tune.training.pausing import Stages
from skkeras_tune.training.plan import Paused


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
