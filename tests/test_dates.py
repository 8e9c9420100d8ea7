"""Dates become numbers."""

from datetime import date

import numpy as np
import pytest

from skkeras_tune.preprocessing.dates import DateEncoder

pandas = pytest.importorskip("pandas")

LAST = date(9999, 12, 31)


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


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_dates_may_be_centuries_apart(unit):
    """Three centuries are counted, though nanoseconds do not fit into an integer."""
    dates = pandas.to_datetime(["1960-01-01", "2262-04-11", "2001-01-05"])
    _, numbers = encode(dates.astype(f"datetime64[{unit}]"))
    days = (date(2262, 4, 11) - date(1960, 1, 1)).days
    assert numbers["d_days"].tolist() == [0, days, 14980]


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_the_last_date_of_databases(unit):
    """A far date in a new table is counted, however the first ones were held."""
    dates = pandas.to_datetime(["2020-01-03", "2020-01-01"])
    encoder, _ = encode(dates.astype(f"datetime64[{unit}]"))
    far = pandas.DataFrame({"d": np.array([LAST], "datetime64[s]")})
    assert encoder.transform(far)[0, 0] == (LAST - date(2020, 1, 1)).days


@pytest.mark.parametrize(
    "value",
    [
        LAST,
        LAST.isoformat(),
        f"{LAST}T23:00:00-05:00",
        pandas.Period(LAST.isoformat(), "D"),
        pandas.Period(ordinal=150_000_000, freq="D"),
    ],
    ids=str,
)
def test_dates_far_away(value):
    """Whatever this version of pandas cannot read is missing, and the rest finite."""
    frame = pandas.DataFrame({"d": [value, None, value]})
    encoder, _ = encode(pandas.to_datetime(["2020-01-03", "2020-01-01"]))
    for found in (encoder.transform(frame), DateEncoder().fit_transform(frame)):
        is_known = np.isfinite(found)
        assert is_known[0].all() or np.isnan(found).all()
        assert not is_known[1].any()


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_dates_too_far_away_are_missing(unit):
    """Dates between which microseconds cannot count are missing."""
    dates = np.array(["2020-01-01", "290000-01-01", "-200000-01-01"])
    _, numbers = encode(dates.astype(f"datetime64[{unit}]"))
    assert all(np.isnan(values[1:]).all() for values in numbers.values())
    assert numbers["d_days"][0] == 0


@pytest.mark.parametrize("zone", [None, "Europe/Zurich"])
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_dates_of_arrow(unit, zone):
    """Arrow's dates are those of pandas, though it divides no times by itself."""
    arrow = pytest.importorskip("pyarrow")
    dates = pandas.Series(pandas.to_datetime(["1960-01-01", "2262-04-10"]))
    dates = dates.astype(f"datetime64[{unit}]").dt.tz_localize(zone)
    _, expected = encode(dates)
    kind = pandas.ArrowDtype(arrow.timestamp(unit, tz=zone))
    _, numbers = encode(dates.astype(kind))
    assert {n: v.tolist() for n, v in numbers.items()} == {
        n: v.tolist() for n, v in expected.items()
    }
