"""Values as they stand in a column in; the numbers that they say out.

What cannot be read counts as missing.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from skkeras_tune.optional import import_optional

if TYPE_CHECKING:
    import pandas as pd

# Amounts, shares and large numbers as they are written: $1,234.50, -3 %, 12,000 €.
_WRITTEN = re.compile(
    r"([+-]?)[$€£¥]? ?((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?) ?[$€£¥%]?$"
)
_POINTS_TO_COMMAS = str.maketrans(",.", ".,")
# What files say where a number or a date is missing.
_MARKERS = frozenset({"", "?", "-", ".", "na", "n/a", "nan", "null", "none"})
_TRUTHS = {"true": 1.0, "false": 0.0}
# Which Python and NumPy call integers.
_NO_NUMBERS = (bool, np.timedelta64)
#: Differences of greater numbers overflow.
LARGEST = 1e300


def hold_numbers(known: "pd.Series[Any]") -> bool:
    """Tell whether all are numbers that stand as objects, such as decimals."""
    if known.dtype != object:
        return False
    return all(map(_is_number, known))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, _NO_NUMBERS)


def say_numbers(known: "pd.Series[Any]", *, decimal_comma: bool = False) -> bool:
    """Tell whether all are strings of numbers, but for marks of missing ones."""
    pandas = import_optional("pandas", "TablePreprocessor")
    spell_out = _spell_out_comma if decimal_comma else _spell_out

    def read(some: "pd.Series[Any]") -> Any:
        # As objects: of Arrow's strings, those that are none would not be missing.
        return pandas.to_numeric(some.astype(object).map(spell_out), errors="coerce")

    return are_read(known, read)


def are_durations(known: "pd.Series[Any]") -> bool:
    """Tell whether all are durations that stand as objects."""
    return all(map(_is_duration, known))


def are_read(known: "pd.Series[Any]", read: Callable[[Any], Any]) -> bool:
    """Tell whether values are read, but for those that say that one is missing."""
    for some in (known.head(100), known):
        unread = some[read(some).isna()]
        if not all(map(is_marker, unread)):
            return False
    return len(unread) < len(known)


def is_marker(value: Any) -> bool:
    """Tell whether a value says that there is none."""
    return isinstance(value, str) and value.strip().lower() in _MARKERS


def is_absent(value: Any) -> bool:
    """Tell whether a value says that there is none, or is infinite or too large."""
    return is_marker(value) or (_is_number(value) and not -LARGEST <= value <= LARGEST)


def _is_duration(value: Any) -> bool:
    return isinstance(value, timedelta | np.timedelta64)


def to_numbers(values: Any, *, decimal_comma: bool = False) -> Any:
    """Return columns as floats; what is missing or infinite becomes NaN.

    Parameters
    ----------
    values : DataFrame, Series or array-like
    decimal_comma : bool, default=False
        Whether text such as "1.234,50" has its decimals after a comma.
    """
    pandas = import_optional("pandas", "TablePreprocessor")
    frame = pandas.DataFrame(values)
    spell_out = _spell_out_comma if decimal_comma else _spell_out
    columns = [
        _column_to_numbers(frame.iloc[:, i], spell_out) for i in range(frame.shape[1])
    ]
    if not columns:
        return np.empty((len(frame), 0))
    numbers = np.column_stack(columns)
    numbers[np.abs(numbers) > LARGEST] = np.nan
    return numbers


def _column_to_numbers(
    values: "pd.Series[Any]", spell_out: Callable[[Any], Any]
) -> Any:
    pandas = import_optional("pandas", "TablePreprocessor")
    if values.dtype.kind == "m":
        return values.dt.total_seconds().to_numpy(float, na_value=np.nan)
    types = pandas.api.types
    if not types.is_numeric_dtype(values.dtype) or types.is_complex_dtype(values.dtype):
        read = values.astype(object).map(partial(_read_number, spell_out=spell_out))
        values = pandas.to_numeric(read, errors="coerce")
    return values.to_numpy(float, na_value=np.nan)


def _read_number(value: Any, spell_out: Callable[[Any], Any]) -> Any:
    """Return a number, or what pandas is to read as one.

    Those are the seconds of a duration, and 1 or 0 for what a file calls a boolean.
    """
    if isinstance(value, np.timedelta64):
        return value / np.timedelta64(1, "s")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return _TRUTHS.get(value.strip().lower(), spell_out(value))
    if isinstance(value, bytes | np.bool_):
        return value
    try:
        return float(value) if isinstance(value, Real | Decimal) else np.nan
    except OverflowError:
        return np.nan


def _spell_out(value: Any) -> Any:
    """Return a number as it is written as one that pandas reads, all else as it is."""
    found = _WRITTEN.match(value.strip()) if isinstance(value, str) else None
    return found[1] + found[2].replace(",", "") if found else value


def _spell_out_comma(value: Any) -> Any:
    """Do so for one whose decimals follow a comma; of other values it makes nothing."""
    if not isinstance(value, str):
        return value if _is_number(value) else None
    swapped = value.strip().translate(_POINTS_TO_COMMAS)
    return _spell_out(swapped) if _WRITTEN.match(swapped) else None
