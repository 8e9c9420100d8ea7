"""The loss of a weighted average in, weights that are not negative and sum to one out.

Nothing here knows of models: a loss takes an array of weights, one for each member.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]

#: The loss of the members' average under some weights; lower is better.
Loss = Callable[[Array], float]
Weighting = Literal["greedy", "nelder-mead", "mean"]

# Of the greedy selection: Caruana et al. (2004) draw half of the library for each of 20
# bags; theirs holds thousands, and of two or three members half is too few to choose
# from. More rounds than 50 change the weights by less than a fiftieth.
_N_BAGS = 20
_BAG_SHARE = 0.5
_SMALLEST_BAG = 4
_N_ROUNDS = 50
_PATIENCE = 10

_EVALUATIONS_PER_MEMBER = 100
_N_RESTARTS = 4
_SMALL_STEP = 0.1
_TOLERANCE = 1e-7


def choose_weights(
    weighting: Weighting, loss: Loss, n_members: int, rng: np.random.RandomState
) -> Array:
    """Return one weight for each member.

    Parameters
    ----------
    weighting : {"greedy", "nelder-mead", "mean"}
    loss : callable
    n_members : int
    rng : RandomState
        Draws the bags of the greedy selection.
    """
    if weighting == "mean" or n_members == 1:
        return weigh_equally(n_members)
    if weighting == "nelder-mead":
        return weigh_by_simplex(loss, n_members)
    return weigh_by_selection(loss, n_members, rng)


def weigh_equally(n_members: int) -> Array:
    """Return the weights of the plain mean."""
    return np.full(n_members, 1 / n_members)


def _normalise(weights: Array) -> Array:
    normalised: Array = weights / weights.sum()
    return normalised


def weigh_by_simplex(loss: Loss, n_members: int) -> Array:
    """Minimise the loss by Nelder and Mead's method.

    The space of the weights is itself a simplex whose corners are the single members,
    and the search begins with it. It goes on around the mean, and then around the best
    weights so far until they no longer get better. So the result is never worse than
    the best single member, or than the mean.

    Parameters
    ----------
    loss : callable
    n_members : int

    References
    ----------
    Nelder and Mead, "A simplex method for function minimization", 1965.
    """
    mean = weigh_equally(n_members)
    best = _descend(loss, np.eye(n_members))
    best = min(best, _descend(loss, _shrink(mean)), key=loss)
    for _ in range(_N_RESTARTS):
        again = _descend(loss, _shrink(best))
        if loss(again) >= loss(best) - _TOLERANCE:
            break
        best = again
    return min(mean, best, key=loss)


def _shrink(centre: Array) -> Array:
    """Return a small simplex: its corners lie on the way to those of the space."""
    corners = np.eye(len(centre))
    return centre + _SMALL_STEP * (corners - centre)


def _descend(loss: Loss, corners: Array) -> Array:
    """Run the method from a simplex of n points, in n - 1 free coordinates."""
    n_members = len(corners)
    found = minimize(
        lambda free: loss(_close(free)),
        corners[0, :-1],
        method="Nelder-Mead",
        options={
            "initial_simplex": corners[:, :-1],
            "maxfev": _EVALUATIONS_PER_MEMBER * n_members,
            "xatol": 1e-4,
            "fatol": _TOLERANCE,
            "adaptive": True,
        },
    )
    return _close(found.x)


def _close(free: Array) -> Array:
    """Add the last weight, and bring a point outside of the simplex back into it."""
    weights = np.maximum(np.append(free, 1 - free.sum()), 0)
    return _normalise(weights)


def weigh_by_selection(loss: Loss, n_members: int, rng: np.random.RandomState) -> Array:
    """Select members greedily, with replacement, and average over bags.

    Each bag is a random half of the members, but at least four. Its selection begins
    with its best members, as many of them as lower the loss, and then adds the member
    that helps most, again and again; what counts is how often each was taken by the
    time the loss was lowest. Where the bags' average is worse than the best single
    member or the mean, the selection from all members, which begins with the best,
    takes its place.

    Parameters
    ----------
    loss : callable
    n_members : int
    rng : RandomState

    References
    ----------
    Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of
    models", 2004.
    """
    alone = np.array([loss(corner) for corner in np.eye(n_members)])
    size = min(n_members, max(_SMALLEST_BAG, round(_BAG_SHARE * n_members)))
    bags = [rng.choice(n_members, size, replace=False) for _ in range(_N_BAGS)]
    averaged = np.mean([select(loss, alone, np.sort(bag)) for bag in bags], axis=0)
    mean = weigh_equally(n_members)
    if loss(averaged) <= min(alone.min(), loss(mean)):
        return _normalise(averaged)
    return min(select(loss, alone, np.arange(n_members)), mean, key=loss)


def select(loss: Loss, alone: Array, bag: NDArray[np.intp]) -> Array:
    """Select greedily from the members in a bag.

    Parameters
    ----------
    loss : callable
    alone : ndarray of shape (n_members,)
        The loss of each member by itself.
    bag : ndarray of int
        The members to select from.
    """
    counts = _take_best(loss, alone, bag)
    best, lowest = counts, loss(_normalise(counts))
    steps = np.eye(len(alone))
    for _ in range(_N_ROUNDS):
        total = counts.sum() + 1
        losses = [loss((counts + steps[member]) / total) for member in bag]
        place = int(np.argmin(losses))
        counts = counts + steps[bag[place]]
        if losses[place] < lowest:
            best, lowest = counts, losses[place]
        elif counts.sum() - best.sum() >= _PATIENCE:
            break
    return _normalise(best)


def _take_best(loss: Loss, alone: Array, bag: NDArray[np.intp]) -> Array:
    """Take the best members of a bag, as many as give the lowest loss together."""
    order = bag[np.argsort(alone[bag], kind="stable")]
    taken: Array = np.cumsum(np.eye(len(alone))[order], axis=0)
    best: Array = taken[int(np.argmin([loss(_normalise(counts)) for counts in taken]))]
    return best
