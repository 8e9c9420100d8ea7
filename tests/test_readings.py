"""Values in columns are read as the numbers that they say."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skkeras_tune.preprocessing.readings import hold_numbers, is_marker, to_numbers

pandas = pytest.importorskip("pandas")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (2, 2.0),
        (2.5, 2.5),
        (Decimal("2.5"), 2.5),
        (Fraction(5, 2), 2.5),
        (np.float32(2.5), 2.5),
        ("2.5", 2.5),
        ("True", 1.0),
        (" false", 0.0),
        (True, 1.0),
        (timedelta(minutes=1), 60.0),
        (np.timedelta64(1, "m"), 60.0),
        ("two", np.nan),
        ("?", np.nan),
        (None, np.nan),
        (np.inf, np.nan),
        (
            Fraction(10**400),
            np.nan,
        ),  # which pandas 2.1 takes where it takes no such int
        (1.7e308, np.nan),
        (1j, np.nan),
    ],
)
def test_what_values_say(value, number):
    """What is no number, infinite or too large to subtract is missing."""
    column = pandas.Series([value, "x"], dtype=object)
    assert_array_equal(to_numbers(column)[:, 0], [number, np.nan])


@pytest.mark.parametrize("dtype", [None, object])
@pytest.mark.parametrize("value", [1j, pandas.Timestamp("2020-01-01"), [1]])
def test_what_is_no_number_is_missing(value, dtype):
    """A new table may hold anything, which is not made a number of."""
    column = pandas.Series([value, value], dtype=dtype)
    assert_array_equal(to_numbers(column), [[np.nan], [np.nan]])


def test_no_columns_are_no_numbers():
    """Rows without columns stay rows."""
    assert to_numbers(pandas.DataFrame(index=range(3))).shape == (3, 0)


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        ([1, 2.5, Decimal(3)], True),
        ([1, True], False),
        ([1, "2"], False),
        ([1j, 2], False),
        ([np.timedelta64(1, "m")], False),
    ],
)
def test_columns_of_numbers(values, holds):
    """Booleans, durations and complex numbers are no numbers to scale."""
    assert hold_numbers(pandas.Series(values, dtype=object)) is holds


def test_marks_of_missing_values():
    """What files write where there is no value."""
    assert all(map(is_marker, ["", " ? ", "NA", "n/a", "None"]))
    assert not any(map(is_marker, ["0", "no", None, 0]))
