"""A pipeline in; seeds for its steps that draw at random and have none, out.

Stages of one training must be given the same rows, and so must its network each time.
"""

from numbers import Integral
from typing import Any

from sklearn.base import is_classifier
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from skkeras_tune.nesting import find_last
from skkeras_tune.randomness import derive_seed


def list_step_seeds(estimator: Any, seed: int) -> dict[str, Any]:
    """Return parameters with which the steps before a network draw the same each time.

    Parameters
    ----------
    estimator : estimator
        Ends in a network, which keeps the seed it has.
    seed : int
        Of a step follow from it and the step's name.
    """
    found = find_last(estimator)
    steps = {
        name: value
        for name, value in estimator.get_params().items()
        if found is None or not name.startswith(found[0])
    }
    seeds: dict[str, Any] = {
        name: derive_seed(seed, name)
        for name, value in steps.items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    kind = StratifiedKFold if is_classifier(estimator) else KFold
    folds = {
        f"{name}__cv": kind(step.cv, shuffle=True, random_state=derive_seed(seed, name))
        for name, step in steps.items()
        if _draws_folds(step)
    }
    return seeds | folds


def _draws_folds(step: Any) -> bool:
    """Tell whether a step encodes its training rows in folds that no seed decides.

    From scikit-learn 1.9 on, a `TargetEncoder` takes a splitter for a `random_state`.
    """
    return (
        isinstance(step, TargetEncoder)
        and isinstance(step.cv, Integral)
        and isinstance(step.random_state, str)
        and bool(step.shuffle)
    )
