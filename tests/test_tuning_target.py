"""The target that `tune` is given: labels or numbers, and what is refused."""

import numpy as np
import pytest

from skkeras_tune.tuning.target import read_target

pandas = pytest.importorskip("pandas")


@pytest.mark.parametrize(
    ("y", "classifies"),
    [
        (["a", "b"], True),
        (pandas.Series(["a", "b"], dtype="category"), True),
        (pandas.array([0, 1], dtype="Int64"), True),
        (np.array([1, 2.5], object), False),
        (np.array([True, False], object), True),
        ([0, 1, 2], True),
        (np.arange(100), False),
        ([0.1, 0.2], False),
        ([[0, 1], [1, 1]], True),
        ([[0.1, 1], [1, 1]], False),
        ([[1], [2]], True),
    ],
)
def test_the_task_follows_from_the_values(y, classifies):
    """Labels are classified, and numbers predicted as floats."""
    target = read_target(y)
    assert target.classifies is classifies
    assert classifies or target.y.dtype == float


def test_the_task_can_be_said():
    """A user may know better."""
    assert not read_target([0, 1, 2], "regression").classifies
    assert read_target(np.arange(100), "classification").classifies
    with pytest.raises(ValueError, match="task='regression' needs numbers"):
        read_target(["a", "b"], "regression")


@pytest.mark.parametrize(
    ("y", "n"),
    [
        ([1.0, np.nan, 2.0], "1 missing value in"),
        (["a", None, None], "2 missing values in"),
        (pandas.array([1, None], dtype="Int64"), "1 missing value in"),
        (pandas.Series(["a", None], dtype="category"), "1 missing value in"),
    ],
)
def test_missing_values_are_refused(y, n):
    """The error counts them and says what to do."""
    with pytest.raises(ValueError, match=f"y has {n} .* Leave out the rows"):
        read_target(y)


@pytest.mark.parametrize("y", [[1, 1], ["a", "a"], [0.5, 0.5], [[1, 0], [1, 0]]])
def test_a_constant_is_refused(y):
    """There is nothing to learn from one value."""
    with pytest.raises(ValueError, match="y holds the same value in all 2 rows"):
        read_target(y)


def test_other_faults():
    """No target, infinite numbers, dates and cubes are refused."""
    with pytest.raises(TypeError, match="y is None"):
        read_target(None)
    with pytest.raises(ValueError, match="infinite"):
        read_target([1.5, np.inf])
    with pytest.raises(ValueError, match="labels or numbers"):
        read_target(np.array(["2020-01-01"], "datetime64[D]"))
    with pytest.raises(ValueError, match="must have shape"):
        read_target(np.zeros((2, 2, 2)))
