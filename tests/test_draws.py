"""Candidates are drawn once for all brackets, and differ where the space allows it."""

import warnings
from itertools import chain

import numpy as np
import pytest
from scipy.stats import loguniform, randint, uniform

from skkeras_tune.search.draws import draw_candidates


def draw(space, sizes=(9, 5, 3), seed=0):
    return draw_candidates(space, sizes, np.random.RandomState(seed))


def count_distinct(candidates):
    return len({repr(sorted(c.items())) for c in candidates})


@pytest.mark.parametrize(
    "space",
    [
        {"rate": loguniform(1e-4, 1e-1), "units": [8, 16, 32]},
        {"units": range(1, 18)},
        {"units": randint(1, 18)},
        [{"rate": uniform()}, {"units": [1, 2]}],
        {"sizes": [(i, j) for i in range(5) for j in range(4)]},
    ],
)
def test_no_candidate_twice(space):
    """A space that has enough gives each bracket candidates of its own."""
    brackets = draw(space)
    assert [len(candidates) for candidates in brackets] == [9, 5, 3]
    assert count_distinct(chain(*brackets)) == 17


def test_a_seed_repeats_the_draws():
    """The same seed gives the same candidates, another gives others."""
    space = {"rate": loguniform(1e-4, 1e-1)}
    assert draw(space) == draw(space)
    assert draw(space) != draw(space, seed=1)


@pytest.mark.parametrize("units", [[1, 2, 3, 4, 5, 6], randint(1, 7), [1, 2, 3] * 2])
def test_a_small_space_is_shared(units):
    """Brackets share the candidates of a small space, each at most once."""
    with pytest.warns(UserWarning, match=r"only [36] of the 17 candidates"):
        brackets = draw({"units": units})
    n = count_distinct(chain(*brackets))
    assert [len(candidates) for candidates in brackets] == [n, min(n, 5), 3]
    for candidates in brackets:
        assert count_distinct(candidates) == len(candidates)


def test_a_space_that_is_just_enough():
    """A grid with as many points as are asked for is used up, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        brackets = draw({"units": list(range(17))})
    assert sorted(c["units"] for c in chain(*brackets)) == list(range(17))


def test_values_are_those_that_were_given():
    """Candidates hold the very objects of a list."""
    values = [object() for _ in range(20)]
    assert all(c["value"] in values for c in chain(*draw({"value": values})))


def test_a_wrong_space():
    """A value that is neither a list nor a distribution is named, by scikit-learn."""
    with pytest.raises(TypeError, match="'units' is not iterable"):
        draw({"units": 3})
