"""Candidates of a Bayesian search: none twice, failures or not."""

import itertools
import math
import warnings

import numpy as np
import pytest
import skopt
from skopt.learning import GaussianProcessRegressor
from skopt.learning.gaussian_process.kernels import Matern
from skopt.space import Integer, Real

from skkeras_tune.search.choice import Choice
from skkeras_tune.search.proposals import DistinctOptimizer, prepare_to_imagine


def build_optimizer(*dimensions, **options):
    """Return an optimizer with a quick surrogate."""
    settings = {
        "base_estimator": "RF",
        "n_initial_points": 3,
        "acq_func": "EI",
        "acq_optimizer_kwargs": {"n_points": 100},
        "random_state": 0,
    }
    return DistinctOptimizer(skopt.Optimizer(dimensions, **{**settings, **options}))


def ask_all(optimizer, n_points=1, limit=50):
    """Ask until nothing is left, and tell a score of each point."""
    points = []
    while len(points) < limit:
        asked = optimizer.ask(n_points)
        if not asked:
            break
        points += asked
        optimizer.tell(asked, [float(len(points))] * len(asked))
    return points


@pytest.mark.parametrize("n_points", [1, 2, 5])
def test_a_finite_space_is_gone_through_once(n_points):
    """Each point of a finite space is asked for once, and then none."""
    optimizer = build_optimizer(Choice([(1,), (2, 3), None]), Integer(1, 3))
    points = ask_all(optimizer, n_points)
    expected = itertools.product([(1,), (2, 3), None], [1, 2, 3])
    assert len(points) == 9
    assert {tuple(point) for point in points} == set(expected)


def test_equal_categories_are_distinct_points():
    """1, 1.0 and True are three points."""
    points = ask_all(build_optimizer(Choice([1, 1.0, True])))
    assert sorted(str(value) for (value,) in points) == ["1", "1.0", "True"]


def test_the_last_points_of_a_large_space_are_found():
    """A rare category is found in order when random draws miss it."""
    prior = [1 - 1e-9, 1e-9]
    points = ask_all(build_optimizer(Choice(["common", "rare"], prior)))
    assert [value for (value,) in points] == ["common", "rare"]


def test_a_category_of_probability_zero_is_never_asked_for():
    """A space counts as exhausted without the categories that its prior excludes."""
    points = ask_all(build_optimizer(Choice(["a", "b", "c"], [0.5, 0.0, 0.5])))
    assert sorted(value for (value,) in points) == ["a", "c"]


def test_a_constraint_holds():
    """Points outside skopt's space_constraint are never asked for."""
    optimizer = build_optimizer(
        Integer(1, 4), Integer(1, 4), space_constraint=lambda point: point[0] < point[1]
    )
    points = ask_all(optimizer)
    assert sorted(map(tuple, points)) == list(itertools.combinations([1, 2, 3, 4], 2))


def test_a_continuous_space_is_never_exhausted():
    """A space with a real dimension always has new points."""
    points = ask_all(build_optimizer(Real(0, 1), Choice(["a"])), n_points=4, limit=12)
    assert len({value for value, _ in points}) == 12


def test_points_hold_python_objects():
    """Numbers are Python's ints and floats, whatever skopt's generator makes."""
    dimensions = [Integer(1, 9), Real(0, 1), Choice([(1,), (2,)])]
    for generator in ["random", "lhs"]:
        optimizer = build_optimizer(*dimensions, initial_point_generator=generator)
        (point,) = optimizer.ask(1)
        assert [type(value) for value in point] == [int, float, tuple]


def test_higher_scores_are_better():
    """The surrogate is told losses: its best point has the highest score."""
    optimizer = build_optimizer(Real(0, 1))
    points = optimizer.ask(3)
    result = optimizer.tell(points, [0.1, 0.9, 0.5])
    assert result.x == points[1]
    assert result.fun == -0.9


@pytest.mark.parametrize("failure", [math.nan, -math.inf, math.inf])
def test_a_failure_is_told_as_the_worst_score(failure):
    """The surrogate sees the worst finite score in place of a failure."""
    optimizer = build_optimizer(Real(0, 1))
    result = optimizer.tell(optimizer.ask(3), [0.8, failure, 0.3])
    np.testing.assert_array_equal(result.func_vals, [-0.8, -0.3, -0.3])


def test_a_failure_is_told_anew_when_the_worst_changes():
    """Past failures follow the worst score, from the first finite one on."""
    optimizer = build_optimizer(Real(0, 1))
    losses = []
    for score in [math.nan, 0.5, 0.2, 0.9]:
        result = optimizer.tell(optimizer.ask(1), [score])
        losses.append(result.func_vals.tolist())
    assert losses == [
        [0.0],
        [-0.5, -0.5],
        [-0.2, -0.5, -0.2],
        [-0.2, -0.5, -0.2, -0.9],
    ]


@pytest.mark.parametrize("n_points", [1, 2])
def test_points_are_random_while_all_fail(n_points):
    """Without a finite score no surrogate is fitted, and the search goes on."""
    optimizer = build_optimizer(Real(0, 1), base_estimator="GP")
    for _ in range(4):
        points = optimizer.ask(n_points)
        optimizer.tell(points, [math.nan] * n_points)
    assert optimizer.optimizer.models == []
    assert len(optimizer.asked) == 4 * n_points
    optimizer.tell(optimizer.ask(1), [0.5])
    assert len(optimizer.optimizer.models) == 1


def test_the_same_seed_gives_the_same_points():
    """Two optimizers with one seed ask for the same points."""
    first, second = (
        ask_all(build_optimizer(Real(0, 1), Choice([(1,), (2,)])), limit=6)
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("surrogate", ["GP", "RF"])
def test_several_by_confidence_bounds_are_apart_and_not_taken_for_known(surrogate):
    """What the surrogate expects of a step stands for its scores only while asking."""
    optimizer = build_optimizer(Real(0, 1), base_estimator=surrogate, acq_func="LCB")
    for n_told in range(3):
        points = optimizer.ask(3)
        assert len(optimizer.optimizer.Xi) == len(optimizer.scores)
        assert len(optimizer.optimizer.models) == n_told
        values = np.sort(np.ravel(points))
        assert np.diff(values).min() > 1e-4
        optimizer.tell(points, [-((x - 0.3) ** 2) for (x,) in points])


@pytest.mark.parametrize("n_points", [1, 3])
def test_confidence_bounds_follow_the_order_of_scores(n_points):
    """However far scores are apart, those of one order lead to the same points."""
    asked = []
    for spread in [1, 30]:
        optimizer = build_optimizer(Real(0, 1), base_estimator="GP", acq_func="LCB")
        points = []
        while len(points) < 9:
            step = optimizer.ask(n_points)
            scores = [-abs(x - 0.3) for (x,) in step]
            optimizer.tell(step, [math.expm1(spread * score) for score in scores])
            points += step
        asked.append(points)
    np.testing.assert_allclose(*asked)


def test_results_hold_scores_where_the_surrogate_is_told_ranks():
    """What skopt's plots show is how good the points were."""
    optimizer = build_optimizer(Real(0, 1), acq_func="LCB")
    for scores in [[0.5, 0.9, 0.1], [0.8, math.nan, -7.0]]:
        result = optimizer.tell(optimizer.ask(3), scores)
    np.testing.assert_array_equal(result.func_vals, [-0.5, -0.9, -0.1, -0.8, 7.0, 7.0])
    assert result.fun == -0.9
    assert optimizer.optimizer.yi == result.func_vals.tolist()


@pytest.mark.parametrize("noise", [None, 1e-3, 0.1, 10.0, "gaussian"])
def test_a_surrogate_imagines_with_the_kernel_that_it_has(noise):
    """It expects what it expected, and is surer of what it imagines, noise or not."""
    rng = np.random.default_rng(0)
    x, y, places = rng.random((20, 2)), rng.normal(size=20), rng.random((5, 2))
    kernel = Matern(length_scale=[0.3, 0.3], nu=2.5)
    model = GaussianProcessRegressor(kernel, noise=noise, optimizer=None).fit(x, y)
    expected, deviations = model.predict(places, return_std=True)

    def imagine(n):
        points = np.vstack([x, places[:n]]), [*y, *expected[:n]]
        with warnings.catch_warnings():
            # As skopt does: no noise has no logarithm.
            warnings.simplefilter("ignore", RuntimeWarning)
            surrogate = prepare_to_imagine(model, n).fit(*points)
        return surrogate.predict(places, return_std=True)

    np.testing.assert_allclose(imagine(0), [expected, deviations])
    means, imagined = imagine(1)
    np.testing.assert_allclose(means, expected, atol=1e-6)
    assert imagined[0] < 0.75 * deviations[0]
    assert np.all(imagined <= deviations + 1e-9)
