"""A data frame in, what each of its columns is and what is done with it out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from skkeras_tune.optional import import_optional

if TYPE_CHECKING:
    import pandas as pd

#: What is done with a column; the last four are not read, or only where it is missing.
Kind = Literal[
    "number",
    "number in text",
    "boolean",
    "date",
    "duration",
    "few categories",
    "many categories",
    "constant",
    "empty",
    "identifier",
    "text",
]

_DATE: tuple[Kind, str] = (
    "date",
    "turned into days, and parts of the year, week and day",
)
_DURATION: tuple[Kind, str] = ("duration", "turned into seconds, and scaled")

DROPPED = frozenset({"constant", "empty", "identifier", "text"})

# Below so many rows, that all values differ says little.
_FEW_ROWS = 20
# A column of strings of which more than this share are distinct names its rows.
_DISTINCT = 0.5
# Strings of more words than this, on average, are sentences.
_MANY_WORDS = 5
_IDENTIFIER = re.compile(r"(^|[\W_])(id|uuid|guid|index|key)$", re.IGNORECASE)
_CAMEL_ID = re.compile(r"[a-z]I[dD]$")
_ISO_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
)
# What files say where a number or a date is missing.
_MARKERS = frozenset({"", "?", "-", ".", "na", "n/a", "nan", "null", "none"})


@dataclass(frozen=True)
class Column:
    """What a column is, and why.

    Attributes
    ----------
    name : object
        Its name in the data frame.
    place : int
        Its place there.
    kind : str
    reason : str
        What is done with it, in words.
    n_distinct : int
        Distinct values, without missing ones.
    has_missing : bool
    """

    name: Any
    place: int
    kind: Kind
    reason: str
    n_distinct: int
    has_missing: bool

    @property
    def is_dropped(self) -> bool:
        """Whether its values are not read."""
        return self.kind in DROPPED

    @property
    def keeps_missing(self) -> bool:
        """Whether it is told where a column that is dropped has no value."""
        return self.is_dropped and self.has_missing and self.kind != "empty"


def read_columns(frame: "pd.DataFrame", max_one_hot: int) -> list[Column]:
    """Return what each column of a data frame is.

    Parameters
    ----------
    frame : DataFrame
    max_one_hot : int
        Up to so many distinct values, categories are few.

    Raises
    ------
    ValueError
        If two columns have one name, or all would be dropped.
    TypeError
        If a column holds what is no number, date or category, or some names are strings
        and others are not.
    """
    _validate_names(frame.columns)
    if not len(frame):
        raise ValueError("X has no rows.")
    columns = [
        _read_column(name, place, frame.iloc[:, place], max_one_hot)
        for place, name in enumerate(frame.columns)
    ]
    _refuse_useless(columns)
    return columns


def _validate_names(names: "pd.Index[Any]") -> None:
    if not names.is_unique:
        twice = names[names.duplicated()].unique().tolist()
        message = f"X has several columns of one name: {twice!r}. Rename them."
        raise ValueError(message)
    others = [name for name in names if not isinstance(name, str)]
    if 0 < len(others) < len(names):
        message = (
            "The columns of X must all have strings for names, or none of them. Got "
            f"{others[:5]!r} beside strings: use X.columns = list(map(str, X.columns))."
        )
        raise TypeError(message)


def _refuse_useless(columns: Sequence[Column]) -> None:
    if any(not column.is_dropped or column.keeps_missing for column in columns):
        return
    found = ", ".join(f"{c.name!r} ({c.kind})" for c in columns[:10])
    more = f" and {len(columns) - 10} more" if len(columns) > 10 else ""
    message = (
        "X has no column that a network could learn from. It needs numbers, dates or "
        f"categories that differ and repeat. Got {found or 'no columns'}{more}."
    )
    raise ValueError(message)


def _read_column(
    name: Any, place: int, values: "pd.Series[Any]", max_one_hot: int
) -> Column:
    known = values.dropna()
    n_distinct = _count_distinct(name, known)
    kind, reason = _decide(name, known, n_distinct, len(values), max_one_hot)
    return Column(name, place, kind, reason, n_distinct, len(known) < len(values))


def _count_distinct(name: Any, known: "pd.Series[Any]") -> int:
    try:
        return int(known.nunique())
    except (TypeError, NotImplementedError) as error:
        kind = type(known.iloc[0]).__name__
        message = (
            f"The column {name!r} of X holds objects of type {kind}, which are no "
            "numbers, dates or categories. Turn it into such columns, or drop it."
        )
        raise TypeError(message) from error


def _decide(
    name: Any, known: "pd.Series[Any]", n_distinct: int, n_rows: int, max_one_hot: int
) -> tuple[Kind, str]:
    types = import_optional("pandas", "TablePreprocessor").api.types
    if not n_distinct:
        return "empty", "dropped: it has no values"
    if n_distinct == 1:
        return "constant", f"dropped: every value is {known.iloc[0]!r}"
    if types.is_bool_dtype(known.dtype):
        return "boolean", "scaled as 0 and 1"
    if known.dtype.kind == "M":
        return _DATE
    if known.dtype.kind == "m":
        return _DURATION
    if types.is_complex_dtype(known.dtype):
        message = f"The column {name!r} of X holds complex numbers. Split it in two."
        raise TypeError(message)
    if types.is_numeric_dtype(known.dtype):
        if _names_rows(name, known, n_distinct, n_rows):
            return "identifier", "dropped: its name and its values number the rows"
        return "number", "scaled"
    return _decide_objects(known, n_distinct, max_one_hot)


def _names_rows(
    name: Any, known: "pd.Series[Any]", n_distinct: int, n_rows: int
) -> bool:
    """Tell whether whole numbers only count the rows, as their name says."""
    is_named = isinstance(name, str) and (
        _IDENTIFIER.search(name.strip()) or _CAMEL_ID.search(name)
    )
    all_differ = n_distinct == n_rows >= _FEW_ROWS
    return bool(is_named and all_differ and known.dtype.kind in "iu")


def _decide_objects(
    known: "pd.Series[Any]", n_distinct: int, max_one_hot: int
) -> tuple[Kind, str]:
    """Decide on strings, categories and other objects."""
    is_few = n_distinct <= max_one_hot
    is_declared = known.dtype.name == "category"
    if not is_declared and _are_dates(known):
        return _DATE
    if not is_declared and all(map(_is_duration, known)):
        return _DURATION
    if not (is_few or is_declared) and _are_numbers(known):
        return "number in text", "read as numbers, and scaled"
    all_differ = n_distinct > _DISTINCT * len(known) and len(known) >= _FEW_ROWS
    if all_differ and not is_declared:
        if known.head(1000).astype(str).str.split().str.len().mean() > _MANY_WORDS:
            return "text", "dropped: sentences, which differ from row to row"
        told = f"dropped: {n_distinct} different values in {len(known)} rows"
        return "identifier", told
    if is_few:
        return "few categories", "a column for each category"
    return "many categories", "each category's mean target, cross-fitted"


def _are_numbers(known: "pd.Series[Any]") -> bool:
    pandas = import_optional("pandas", "TablePreprocessor")
    return _are_read(known, partial(pandas.to_numeric, errors="coerce"))


def _are_dates(known: "pd.Series[Any]") -> bool:
    """Tell whether all are dates or periods, or strings of a date in ISO's form."""
    first = known.head(100)
    if all(hasattr(value, "year") and hasattr(value, "day") for value in first):
        return True
    if not all(isinstance(value, str) and _may_be_date(value) for value in first):
        return False
    pandas = import_optional("pandas", "TablePreprocessor")
    options = {"errors": "coerce", "format": "ISO8601", "utc": True}
    return _are_read(known, partial(pandas.to_datetime, **options))


def _are_read(known: "pd.Series[Any]", read: Callable[[Any], Any]) -> bool:
    """Tell whether values are read, but for those that say that one is missing."""
    for some in (known.head(100), known):
        unread = some[read(some).isna()]
        if not all(map(_is_marker, unread)):
            return False
    return len(unread) < len(known)


def _is_marker(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() in _MARKERS


def _may_be_date(value: str) -> bool:
    return bool(_ISO_DATE.match(value)) or _is_marker(value)


def _is_duration(value: Any) -> bool:
    return isinstance(value, timedelta)


def list_places(columns: Sequence[Column], *kinds: Kind) -> list[int]:
    """Return the places of the columns of these kinds."""
    return [column.place for column in columns if column.kind in kinds]


def is_frame(X: Any) -> bool:
    """Tell whether X is a data frame of pandas, and none that is yet to be computed."""
    kind = type(X)  # whose attributes are no columns
    has_parts = all(hasattr(kind, name) for name in ("iloc", "columns", "dtypes"))
    return has_parts and not hasattr(kind, "compute")


def to_numbers(values: Any) -> Any:
    """Return columns as floats; what is missing or infinite becomes NaN."""
    pandas = import_optional("pandas", "TablePreprocessor")
    frame = pandas.DataFrame(values)
    columns = [_column_to_numbers(frame.iloc[:, i]) for i in range(frame.shape[1])]
    if not columns:
        return np.empty((len(frame), 0))
    numbers = np.column_stack(columns)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _column_to_numbers(values: "pd.Series[Any]") -> Any:
    pandas = import_optional("pandas", "TablePreprocessor")
    if values.dtype.kind == "m":
        return values.dt.total_seconds().to_numpy(float, na_value=np.nan)
    if not pandas.api.types.is_numeric_dtype(values.dtype):
        values = pandas.to_numeric(values.map(_to_seconds), errors="coerce")
    return values.to_numpy(float, na_value=np.nan)


def _to_seconds(value: Any) -> Any:
    return value.total_seconds() if _is_duration(value) else value
