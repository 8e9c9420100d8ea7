"""Dates in text as countries write them in; the same in ISO's form out.

31/12/2020 begins with the day and 12/31/2020 with the month. Which it is follows from a
whole column, in which some day is above 12.
"""

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from skkeras_tune.optional import import_optional
from skkeras_tune.preprocessing.readings import are_read, is_marker

if TYPE_CHECKING:
    import pandas as pd

#: What comes first in a date.
DayOrder = Literal["day first", "month first"]

_DATE = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?: (\d{1,2}:\d{2})(:\d{2})?( [AP]M)?)?$",
    re.IGNORECASE,
)
_FORMATS = {"day first": "%d/%m/%Y", "month first": "%m/%d/%Y"}
_TIMES = (" %H:%M:%S", " %I:%M:%S %p")


def find_day_orders(known: "pd.Series[Any]") -> list[DayOrder]:
    """Return the orders in which all values are dates, but for marks of missing ones.

    There are two where no day is above 12, and none where values are no such dates.

    Parameters
    ----------
    known : Series
        Without missing values.
    """
    if not all(map(_may_be_date, known.head(100))):
        return []
    return [
        order for order in get_args(DayOrder) if are_read(known, partial(_read, order))
    ]


def _may_be_date(value: Any) -> bool:
    return isinstance(value, str) and bool(_DATE.match(value) or is_marker(value))


def _read(order: DayOrder, values: "pd.Series[Any]") -> Any:
    """Return dates; what is no text of a date in this order is missing."""
    pandas = import_optional("pandas", "DateEncoder")
    texts = values.map(_unify)
    dates = pandas.Series(pandas.NaT, texts.index, "datetime64[us]")
    for time in _TIMES:
        is_left = dates.isna() & texts.notna()
        if not is_left.any():
            break
        read = pandas.to_datetime(
            texts[is_left], format=_FORMATS[order] + time, errors="coerce"
        )
        dates[is_left] = read.astype("datetime64[us]")
    return dates


def _unify(value: Any) -> str | None:
    """Return a date with slashes and a time; None for all else."""
    found = _DATE.match(value) if isinstance(value, str) else None
    if not found:
        return None
    one, _, two, year, time, seconds, half = found.groups()
    return f"{one}/{two}/{year} {time or '00:00'}{seconds or ':00'}{half or ''}"


def to_iso(values: "pd.Series[Any]", order: DayOrder) -> "pd.Series[Any]":
    """Return text with its dates in ISO's form, and all else as it is.

    Parameters
    ----------
    values : Series of objects
    order : {"day first", "month first"}
    """
    dates = _read(order, values)
    return values.where(dates.isna(), dates.dt.strftime("%Y-%m-%dT%H:%M:%S"))
