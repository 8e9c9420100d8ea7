"""Dates become numbers."""

import numpy as np
import pytest

from skkeras_tune.preprocessing.dates import DateEncoder

pandas = pytest.importorskip("pandas")


def encode(values):
    """Return the encoder, and the numbers by name."""
    frame = pandas.DataFrame({"d": values})
    encoder = DateEncoder().fit(frame)
    numbers = encoder.transform(frame)
    return encoder, dict(zip(encoder.get_feature_names_out(), numbers.T, strict=True))


def test_days_are_counted_from_the_first():
    """The first date is day zero."""
    _, numbers = encode(pandas.to_datetime(["2020-01-03", "2020-01-01"]))
    assert numbers["d_days"].tolist() == [2.0, 0.0]


def test_december_is_next_to_january():
    """Places in the year are on a circle."""
    _, numbers = encode(pandas.to_datetime(["2020-12-31", "2021-01-01", "2020-07-01"]))
    points = np.column_stack([numbers["d_year_sin"], numbers["d_year_cos"]])
    near, far = np.linalg.norm(points[1:] - points[0], axis=1)
    assert near < 0.05
    assert far > 1.9


def test_times_of_the_day_count_where_there_are_any():
    """Columns for the day are there for dates with times alone."""
    _, plain = encode(pandas.to_datetime(["2020-01-03", "2020-01-01"]))
    _, timed = encode(pandas.to_datetime(["2020-01-03 06:00", "2020-01-01 18:00"]))
    assert "d_day_sin" not in plain
    assert timed["d_day_sin"] == pytest.approx([1, -1])


def test_strings_and_zones_are_the_same_dates():
    """ISO strings, dates of Python and dates with a zone mean the same."""
    plain = pandas.Series(pandas.to_datetime(["2020-01-03", "2020-01-01"]))
    _, expected = encode(plain)
    for values in (
        ["2020-01-03", "2020-01-01"],
        ["2020-01-03T00:00:00Z", "2020-01-01T01:00:00+01:00"],
        plain.dt.date,
        plain.dt.tz_localize("UTC"),
        plain.dt.to_period("D"),
    ):
        _, numbers = encode(values)
        assert {n: v.tolist() for n, v in numbers.items()} == {
            n: v.tolist() for n, v in expected.items()
        }


def test_missing_dates_are_missing():
    """A missing date is NaN in every number."""
    _, numbers = encode(pandas.to_datetime(["2020-01-03", None, "2021-01-01"]))
    assert all(np.isnan(values[1]) for values in numbers.values())


def test_what_is_no_date_is_missing():
    """Numbers and other text in a new table are no dates."""
    encoder, _ = encode(pandas.to_datetime(["2020-01-03", "2020-01-01"]))
    for value in (3, 2.5, "soon"):
        assert np.isnan(encoder.transform(pandas.DataFrame({"d": [value]}))).all()
