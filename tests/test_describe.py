"""Search spaces in words."""

import numpy as np
import pytest
from scipy.stats import loguniform, norm, randint, uniform
from skopt.space import Categorical, Integer, Real

from skkeras_tune import describe_space, mlp_space
from skkeras_tune.search.describe import count_candidates


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Real(1e-4, 1e-2, "log-uniform"), "0.0001 to 0.01, evenly over its logarithm"),
        (Real(0.0, 0.5), "0.0 to 0.5"),
        (Integer(1, 4), "1 to 4"),
        (Categorical(["a", "b"]), "'a' or 'b'"),
        ((1, 4), "1 to 4"),
        ((1e-4, 1e-2, "log-uniform"), "0.0001 to 0.01, evenly over its logarithm"),
        ([1, 4], "1 or 4"),
        ([(64,), (64, 32), None], "(64,), (64, 32) or None"),
        (["relu"], "'relu'"),
        ((True, False), "True or False"),
        (np.array([0.1, 0.2]), "0.1 or 0.2"),
        (loguniform(1e-4, 1e-2), "0.0001 to 0.01, evenly over its logarithm"),
        (uniform(0, 0.5), "0.0 to 0.5"),
        (randint(1, 5), "1 to 4, whole numbers"),
        (norm(0, scale=2), "drawn from norm(0, scale=2)"),
    ],
)
def test_every_kind_of_value_has_words(value, words):
    """Dimensions, tuples, lists and distributions are written out."""
    assert describe_space({"x": value}).splitlines()[0] == f"x: {words}"


@pytest.mark.parametrize("search", ["bayes", "random", "grid"])
@pytest.mark.parametrize("level", ["small", "default", "large"])
def test_named_spaces_have_words(level, search):
    """Each parameter of a named space has a line."""
    space = mlp_space(level, search=search)
    lines = describe_space(space).splitlines()
    names = [line.partition(":")[0] for line in lines]
    assert names[: len(space)] == list(space)


def test_candidates_are_counted():
    """The last line counts the candidates where all values are listed."""
    assert describe_space({"a": [1, 2], "b": [3]}).endswith("\n2 candidates")
    assert describe_space({"a": [1]}).endswith("\n1 candidate")
    assert count_candidates({"a": [1, 2], "b": (0.0, 1.0)}) is None


def test_several_spaces():
    """Each of several spaces has its lines, whatever number stands beside it."""
    text = describe_space([({"a": [1]}, 5), {"b": (1, 2)}])
    assert text.splitlines() == [
        "space 1:",
        "  a: 1",
        "  1 candidate",
        "space 2:",
        "  b: 1 to 2",
    ]


@pytest.mark.parametrize("space", [{}, [], [{}], "small", None, [1]])
def test_no_space_is_refused(space):
    """What is empty or no space has no words."""
    with pytest.raises(ValueError, match="must be a non-empty dict"):
        describe_space(space)


class Coin:
    """Draws without being of scipy."""

    def rvs(self, random_state=None):
        return 0

    def __repr__(self):
        return "Coin()"


def test_other_things_that_draw():
    """What draws in its own way is shown as it is."""
    assert describe_space({"x": Coin()}) == "x: drawn from Coin()"
    assert describe_space({"x": 3}) == "x: 3"
