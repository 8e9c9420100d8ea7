"""Ranges of a Bayesian search mean the same to a random one."""

import numpy as np
import pytest
from scipy.stats import randint
from sklearn.model_selection import ParameterSampler
from skopt.space import Categorical, Integer, Real

from skkeras_tune.search.distributions import to_distribution


@pytest.mark.parametrize(
    ("value", "kind", "low", "high"),
    [
        ((4, 9), int, 4, 9),
        ((0.25, 0.5), float, 0.25, 0.5),
        ((1e-4, 1e-1, "log-uniform"), float, 1e-4, 1e-1),
        ((8, 512, "log-uniform"), int, 8, 512),
        (Integer(4, 9), int, 4, 9),
        (Real(1e-4, 1e-1, prior="log-uniform"), float, 1e-4, 1e-1),
    ],
)
def test_ranges_are_drawn_from(value, kind, low, high):
    """Both bounds are within reach, and values are Python's own numbers."""
    space = {"p": to_distribution("p", value)}
    drawn = [each["p"] for each in ParameterSampler(space, 400, random_state=0)]
    assert {type(each) for each in drawn} == {kind}
    assert low <= min(drawn)
    assert max(drawn) <= high
    is_log = "log" in str(value)
    middle = np.sqrt(low * high) if is_log else (low + high) / 2
    assert 0.4 < np.mean(np.array(drawn) < middle) < 0.6


def test_the_bounds_of_integers_are_drawn_too():
    """A range of two integers holds both."""
    drawn = to_distribution("p", (4, 5)).rvs(50, random_state=0)
    assert set(drawn) == {4, 5}


def test_the_same_seed_draws_the_same():
    """A generator or a number gives reproducible draws."""
    value = to_distribution("p", (0.0, 1.0))
    assert value.rvs(3, random_state=1) == value.rvs(3, random_state=1)


@pytest.mark.parametrize(
    "value",
    [[16, 32], (16, 32, 64), ("relu", "tanh"), (True, False), (None, 3), randint(2, 5)],
)
def test_all_else_passes_through(value):
    """Lists, tuples of values and distributions are a random search's own."""
    assert to_distribution("p", value) is value


def test_categories_are_values():
    """Categories are listed, so that they can be counted, unless one is likelier."""
    assert to_distribution("p", Categorical(["a", "b"])) == ["a", "b"]
    drawn = to_distribution("p", Categorical(["a", "b"], prior=[0.999, 0.001]))
    assert drawn.rvs(random_state=0) == "a"


@pytest.mark.parametrize("value", [(9, 4), (0.0, 1.0, "log-uniform")])
def test_bad_bounds_are_named(value):
    """Bounds that are none are shown with their parameter."""
    with pytest.raises(ValueError, match=r"'units' in the space has bounds"):
        to_distribution("units", value)
