"""The weights: never negative, they sum to one, and no member alone is better."""

import numpy as np
import pytest
from scipy.optimize import minimize

from skkeras_tune.ensemble.weights import (
    choose_weights,
    select,
    weigh_by_selection,
    weigh_by_simplex,
)

WEIGHTINGS = ["greedy", "nelder-mead", "mean"]


def build_error(n_members, seed=0, n_rows=300):
    """Return the squared error of members that err alike in part, of unequal skill."""
    rng = np.random.RandomState(seed)
    own = rng.uniform(0.2, 2, (n_members, 1)) * rng.normal(size=(n_members, n_rows))
    errors = own + 0.5 * rng.normal(size=n_rows)
    products = errors @ errors.T / n_rows
    return lambda weights: float(weights @ products @ weights)


def list_losses(loss, n_members):
    """Return the losses of the single members and of their mean."""
    return [loss(w) for w in [*np.eye(n_members), np.full(n_members, 1 / n_members)]]


@pytest.mark.parametrize("n_members", [1, 2, 3, 5, 8, 16])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_weights_are_shares(weighting, n_members):
    """Weights are not negative and sum to one, for any number of members."""
    weights = choose_weights(
        weighting, build_error(n_members), n_members, np.random.RandomState(0)
    )
    assert weights.shape == (n_members,)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n_members", [2, 3, 5, 8, 16])
@pytest.mark.parametrize("weighting", ["greedy", "nelder-mead"])
def test_no_member_is_better(weighting, n_members, seed):
    """Chosen weights are never worse than the best single member or the mean."""
    loss = build_error(n_members, seed)
    weights = choose_weights(weighting, loss, n_members, np.random.RandomState(seed))
    lowest = min(list_losses(loss, n_members))
    assert loss(weights) <= lowest + 1e-12  # rounding


def test_no_member_is_better_by_a_loss_of_steps():
    """The same holds for a loss that is flat nearly everywhere, as accuracy is."""
    rng = np.random.RandomState(0)
    truth = rng.randint(2, size=100)
    chances = np.clip(truth + rng.normal(0, 0.8, (6, 100)), 0, 1)

    def share_of_errors(weights):
        return float(np.mean((weights @ chances > 0.5) != truth))

    lowest = min(list_losses(share_of_errors, 6))
    for weighting in ("greedy", "nelder-mead"):
        weights = choose_weights(weighting, share_of_errors, 6, rng)
        assert share_of_errors(weights) <= lowest


@pytest.mark.parametrize("n_members", [2, 3, 5, 8, 16])
def test_simplex_finds_the_minimum(n_members):
    """Nelder and Mead's method ends where a method for smooth losses does."""
    loss = build_error(n_members)
    exact = minimize(
        loss,
        np.full(n_members, 1 / n_members),
        method="SLSQP",
        bounds=[(0, 1)] * n_members,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
    )
    assert loss(weigh_by_simplex(loss, n_members)) == pytest.approx(exact.fun, rel=1e-3)


def test_simplex_finds_a_corner():
    """A member that is best by itself gets all the weight."""
    weights = weigh_by_simplex(lambda w: float(w @ [3.0, 1.0, 2.0]), 3)
    np.testing.assert_allclose(weights, [0, 1, 0], atol=1e-6)


def test_selection_counts_members_with_replacement():
    """A member that is worth two thirds is taken twice for every other's once."""
    target = np.array([2 / 3, 1 / 3, 0])
    weights = select(
        lambda w: float(np.sum((w - target) ** 2)),
        np.array([1.0, 2.0, 3.0]),
        np.arange(3),
    )
    np.testing.assert_allclose(weights, target)


def test_selection_keeps_to_its_bag():
    """Members outside of a bag get no weight in it."""
    weights = select(
        lambda w: float(w @ [1.0, 2, 3]), np.arange(1.0, 4), np.array([1, 2])
    )
    np.testing.assert_array_equal(weights, [0, 1, 0])


def test_selection_is_bagged():
    """Bags that lack the members chosen from all give weight to more members."""
    target = np.eye(12)[:2].mean(axis=0)

    def distance(weights):
        return float(np.sum((weights - target) ** 2))

    alone = np.array([distance(corner) for corner in np.eye(12)])
    np.testing.assert_array_equal(select(distance, alone, np.arange(12)), target)
    bagged = weigh_by_selection(distance, 12, np.random.RandomState(0))
    assert np.count_nonzero(bagged) > 2
    assert set(np.argsort(bagged)[-2:]) == {0, 1}


def test_bags_that_lose_are_left_out():
    """Where one member is best by far, bags without it do not water it down."""
    weights = weigh_by_selection(
        lambda w: float(w @ np.arange(1.0, 13)), 12, np.random.RandomState(0)
    )
    np.testing.assert_array_equal(weights, np.eye(12)[0])


def test_selection_follows_its_seed():
    """The same random state draws the same bags."""
    loss = build_error(12)
    first, second = (
        weigh_by_selection(loss, 12, np.random.RandomState(1)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    other = weigh_by_selection(loss, 12, np.random.RandomState(2))
    assert not np.array_equal(first, other)
