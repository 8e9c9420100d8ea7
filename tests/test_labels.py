"""Labels or numbers, and classes with enough rows."""

import numpy as np
import pytest

from skkeras_tune.preprocessing.labels import has_classes, pool_rare


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (["a", "b"], True),
        ([True, False], True),
        ([3, 4, 5], True),
        (range(20), True),
        (range(21), False),
        ([0.0, 1.0, 1.0], True),
        ([0.0, 1.0, 2.0], False),
        ([0.5, 1.0], False),
        ([0.0, 1.0, np.nan], True),
        ([1j, 2j], False),
    ],
)
def test_what_is_a_label(y, expected):
    """Few whole numbers, strings and booleans are labels; the rest are numbers."""
    assert has_classes(np.array(list(y))) is expected


def test_rare_classes_share_a_number():
    """Classes with too few rows are put together."""
    pooled = pool_rare(["a"] * 10 + ["b"] * 2 + ["c"] * 3 + ["d"] * 9, 5)
    assert np.bincount(pooled).tolist() in ([10, 5, 9], [5, 10, 9], [10, 9, 5])


def test_too_few_rare_rows_join_the_smallest_class():
    """What is rare all together goes to the next class."""
    pooled = pool_rare([0] * 10 + [1] * 6 + [2], 5)
    assert sorted(np.bincount(pooled).tolist()) == [7, 10]


def test_frequent_classes_stay():
    """Classes with enough rows are numbered as they are."""
    assert pool_rare([5, 5, 7, 7], 2).tolist() == [0, 0, 1, 1]
    assert pool_rare([True, 1.5, "x", None], 1).max() == 3
