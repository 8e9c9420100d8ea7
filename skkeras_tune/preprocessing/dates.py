"""Columns of dates in, columns of numbers that a network can use out."""

import re
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skkeras_tune.optional import import_optional
from skkeras_tune.preprocessing.day_order import DayOrder, to_iso
from skkeras_tune.preprocessing.readings import are_read, is_marker

if TYPE_CHECKING:
    import pandas as pd

_ISO_DATE = re.compile(
    r"\d{4}([-/])\d{2}\1\d{2}"
    r"([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
)
_DAY = 86_400.0
#: Dates further away are missing: microseconds between two might not fit into 64 bits.
_LAST_YEAR = 100_000
#: Angles of the calendar, in parts of a full turn.
_TURNS = ("year", "week", "day")


class DateEncoder(TransformerMixin, BaseEstimator):
    """Turn dates into days since the first, and places in year, week and day.

    The places are points of a circle (sine and cosine), so that December is next to
    January. Those of the day are left out where no date has a time. Missing dates, and
    those that cannot be read, are NaN throughout.

    Parameters
    ----------
    order : {"day first", "month first"}, default=None
        How text such as 31/12/2020 is read. None reads ISO's form alone.

    Attributes
    ----------
    origin_ : list of Timestamp
        The first date of each column.
    has_time_ : list of bool
        Whether a column has times of the day.
    n_features_in_ : int
        Number of columns.
    """

    def __init__(self, order: DayOrder | None = None) -> None:
        self.order = order

    def fit(self, X: "pd.DataFrame", y: Any = None) -> Self:
        """Learn the first dates, and whether there are times.

        Parameters
        ----------
        X : DataFrame of dates
        y : ignored
        """
        self.n_features_in_ = X.shape[1]
        self._names = [str(name) for name in X.columns]
        self.origin_, self.has_time_ = [], []
        for i in range(X.shape[1]):
            dates = to_dates(X.iloc[:, i], self.order)
            known = dates.dropna()
            self.origin_.append(known.min())
            self.has_time_.append(bool((known != known.dt.normalize()).any()))
        return self

    def transform(self, X: "pd.DataFrame") -> NDArray[np.float64]:
        """Return the numbers, of shape (n_samples, n_numbers).

        Parameters
        ----------
        X : DataFrame of dates
        """
        check_is_fitted(self)
        parts = [
            _to_parts(to_dates(X.iloc[:, i], self.order), origin, has_time)
            for i, (origin, has_time) in enumerate(
                zip(self.origin_, self.has_time_, strict=True)
            )
        ]
        return np.hstack(parts)

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        """Return names such as "date_days" and "date_week_sin"."""
        names = self._names if names is None else names
        found = []
        for name, has_time in zip(names, self.has_time_, strict=True):
            turns = _TURNS if has_time else _TURNS[:-1]
            waves = [f"{name}_{t}_{wave}" for t in turns for wave in ("sin", "cos")]
            found += [f"{name}_days", *waves]
        return np.asarray(found, object)


def say_dates(known: "pd.Series[Any]") -> bool:
    """Tell whether all are dates or periods, or strings of a date in ISO's form."""
    first = known.head(100)
    if all(map(_is_date, first)):
        return True
    if not all(_is_date(value) or _may_be_date(value) for value in first):
        return False
    return are_read(known, to_dates)


def _is_date(value: Any) -> bool:
    return hasattr(value, "year") and hasattr(value, "day")


def _may_be_date(value: Any) -> bool:
    return isinstance(value, str) and bool(_ISO_DATE.match(value) or is_marker(value))


def to_dates(
    values: "pd.Series[Any]", order: DayOrder | None = None
) -> "pd.Series[Any]":
    """Return dates without a zone, in microseconds; ISO's strings are read.

    Parameters
    ----------
    values : Series
    order : {"day first", "month first"}, default=None
        In which text such as 31/12/2020 is read too.
    """
    pandas = import_optional("pandas", "DateEncoder")
    # Arrow's days are of this kind too, but have no zone to ask for.
    if values.dtype.kind != "M" or values.dtype.type is date:
        # What cannot be read counts as missing, as new categories do.
        texts = values.astype(object).map(_to_string)
        values = pandas.to_datetime(
            texts if order is None else to_iso(texts, order),
            errors="coerce",
            format="ISO8601",
            utc=True,
        )
    if getattr(values.dt, "tz", None) is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    # Nanoseconds would count three centuries at most. Not by `dt.as_unit`, which
    # columns of Arrow lack in pandas 2.1.
    return values.where(values.dt.year.abs() <= _LAST_YEAR).astype("datetime64[us]")


def _to_string(value: Any) -> str | None:
    """Return a date, or the first of a period, in ISO's form; None for other things."""
    if hasattr(value, "to_timestamp"):
        with suppress(ValueError):  # too far away
            value = value.to_timestamp()
    if hasattr(value, "isoformat"):
        value = value.isoformat()
    return value if isinstance(value, str) else None


def _to_parts(
    dates: "pd.Series[Any]", origin: Any, has_time: bool
) -> NDArray[np.float64]:
    seconds = (dates - origin).dt.total_seconds().to_numpy(float)
    of_day = (dates - dates.dt.normalize()).dt.total_seconds().to_numpy(float) / _DAY
    year = (dates.dt.day_of_year.to_numpy(float) - 1 + of_day) / 366
    week = (dates.dt.day_of_week.to_numpy(float) + of_day) / 7
    turns = [year, week, of_day] if has_time else [year, week]
    waves = [wave(2 * np.pi * turn) for turn in turns for wave in (np.sin, np.cos)]
    return np.column_stack([seconds / _DAY, *waves])
