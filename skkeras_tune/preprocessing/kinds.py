"""The values of a column in; its kind, and what is done with it, out."""

import re
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from skkeras_tune.optional import import_optional
from skkeras_tune.preprocessing.dates import say_dates, to_dates
from skkeras_tune.preprocessing.day_order import DayOrder, find_day_orders
from skkeras_tune.preprocessing.readings import (
    are_durations,
    hold_numbers,
    is_absent,
    say_numbers,
    to_numbers,
)
from skkeras_tune.preprocessing.words import find_words

if TYPE_CHECKING:
    import pandas as pd

#: What is done with a column; the last four are not read, or only where it is missing.
Kind = Literal[
    "number",
    "number in text",
    "number with decimal comma",
    "boolean",
    "date",
    "date, day first",
    "date, month first",
    "duration",
    "few categories",
    "many categories",
    "words",
    "constant",
    "empty",
    "identifier",
    "text",
]
#: What a user may say: also that a column is one of categories, few or many.
GivenKind = Kind | Literal["categories"]
GIVEN_KINDS = (*get_args(Kind), "categories")
DROPPED = frozenset({"constant", "empty", "identifier", "text"})
NUMERIC: tuple[Kind, ...] = ("number", "number in text", "boolean", "duration")
#: How text is read as dates of a kind, beside ISO's form.
DATES: dict[Kind, DayOrder | None] = {
    "date": None,
    "date, day first": "day first",
    "date, month first": "month first",
}
#: Kinds that say how the text of another kind is read, which values tell.
FINER: dict[GivenKind, tuple[Kind, ...]] = {
    "number": ("number with decimal comma",),
    "date": ("date, day first", "date, month first"),
}
_ORDERED: dict[DayOrder, Kind] = {order: kind for kind, order in DATES.items() if order}

_DATES_BECOME = "turned into days, and parts of the year, week and day"
_TREATMENTS = {
    "number": "scaled",
    "number in text": "read as numbers, and scaled",
    "number with decimal comma": "read as numbers with a decimal comma, and scaled",
    "boolean": "scaled as 0 and 1",
    "date": _DATES_BECOME,
    "date, day first": f"read with the day before the month, and {_DATES_BECOME}",
    "date, month first": f"read with the month before the day, and {_DATES_BECOME}",
    "duration": "turned into seconds, and scaled",
    "few categories": "a column for each category",
    "many categories": "each category's mean target, cross-fitted",
    "words": "a column for each word that recurs",
}

_EITHER_ORDER = (
    "; as no day is above 12, it is not read as dates: use pandas.to_datetime"
)

# Below so many rows, that all values differ says little.
_FEW_ROWS = 20
# A column of strings of which more than this share are distinct names its rows, or
# holds numbers.
_DISTINCT = 0.5
# Strings of more words than this, on average, are sentences.
_MANY_WORDS = 5
# Of the words that recur, so many are shown.
_SHOWN = 4
# Whole numbers that count rows leave out at most as many as there are.
_MOST_COUNTED = 2
_IDENTIFIER = re.compile(r"(^|[\W_])(id|uuid|guid)$", re.IGNORECASE)
_COUNTER = re.compile(r"(^|[\W_])(index|key)$", re.IGNORECASE)
_CAMEL_ID = re.compile(r"[a-z]I[dD]$")


def decide_kind(
    name: Any, known: "pd.Series[Any]", n_distinct: int, n_rows: int, max_one_hot: int
) -> tuple[Kind, str]:
    """Return what kind of column it is, and what is done with it, in words.

    Parameters
    ----------
    name : object
        Of the column.
    known : Series
        Its values, without missing ones.
    n_distinct : int
        How many of them are distinct.
    n_rows : int
        How many there are with the missing ones.
    max_one_hot : int
        Up to so many distinct values, categories are few.

    Raises
    ------
    TypeError
        If the values are complex numbers.
    """
    if not n_distinct:
        return "empty", "dropped: it has no values"
    if n_distinct == 1:
        return "constant", f"dropped: every value is {known.iloc[:1].tolist()[0]!r}"
    kind = _find_type(name, known)
    if kind == "number" and _number_rows(name, known, n_distinct, n_rows):
        return "identifier", "dropped: its name and its values number the rows"
    if kind is None:
        return _decide_objects(known, n_distinct, max_one_hot)
    if kind == "number" and all(map(is_absent, known)):
        return "empty", "dropped: its values are infinite, or too large to scale"
    return kind, _TREATMENTS[kind]


def _find_type(name: Any, known: "pd.Series[Any]") -> Kind | None:
    """Return the kind of a column whose type tells, None for objects and categories."""
    types = import_optional("pandas", "TablePreprocessor").api.types
    if known.dtype.name == "category":
        return None
    if types.is_bool_dtype(known.dtype):
        return "boolean"
    if known.dtype.kind in "Mm":
        return "date" if known.dtype.kind == "M" else "duration"
    if types.is_complex_dtype(known.dtype):
        message = f"The column {name!r} of X holds complex numbers. Split it in two."
        raise TypeError(message)
    is_number = types.is_numeric_dtype(known.dtype) or hold_numbers(known)
    return "number" if is_number else None


def _number_rows(
    name: Any, known: "pd.Series[Any]", n_distinct: int, n_rows: int
) -> bool:
    """Tell whether whole numbers only tell rows apart, as their name says."""
    all_differ = n_distinct == n_rows >= _FEW_ROWS
    if not (isinstance(name, str) and all_differ and known.dtype.kind in "iu"):
        return False
    if _IDENTIFIER.search(name.strip()) or _CAMEL_ID.search(name):
        return True
    # Of such a name, numbers may say something unless they are simply counted up.
    is_counted = int(known.max()) - int(known.min()) < _MOST_COUNTED * n_rows
    return bool(_COUNTER.search(name.strip())) and is_counted


def _decide_objects(
    known: "pd.Series[Any]", n_distinct: int, max_one_hot: int
) -> tuple[Kind, str]:
    """Decide on strings, categories and other objects."""
    is_few = n_distinct <= max_one_hot
    is_varied = n_distinct > _DISTINCT * len(known)
    kind: Kind = "few categories" if is_few else "many categories"
    if known.dtype.name == "category":
        return kind, _TREATMENTS[kind]
    orders = find_day_orders(known)
    read = (
        _ORDERED[orders[0]]
        if len(orders) == 1
        else _find_reading(known, may_be_numbers=is_varied or not is_few)
    )
    if read is not None:
        return read, _TREATMENTS[read]
    reason = _TREATMENTS[kind]
    if is_varied and len(known) >= _FEW_ROWS:
        kind, reason = _decide_texts(known, n_distinct)
    return kind, reason + (_EITHER_ORDER if orders else "")


def _find_reading(known: "pd.Series[Any]", *, may_be_numbers: bool) -> Kind | None:
    """Return what objects are to be read as, None if they are categories."""
    if say_dates(known):
        return "date"
    if are_durations(known):
        return "duration"
    if may_be_numbers and say_numbers(known):
        return "number in text"
    if may_be_numbers and say_numbers(known, decimal_comma=True):
        return "number with decimal comma"
    return None


def _decide_texts(known: "pd.Series[Any]", n_distinct: int) -> tuple[Kind, str]:
    """Decide on strings that differ in most rows."""
    if known.head(1000).astype(str).str.split().str.len().mean() > _MANY_WORDS:
        return "text", "dropped: sentences, which differ from row to row"
    words = find_words(known)
    if words:
        shown = ", ".join([*words[:_SHOWN], *["..."][: len(words) > _SHOWN]])
        return "words", f"{_TREATMENTS['words']}: {shown}"
    return "identifier", f"dropped: {n_distinct} different values in {len(known)} rows"


def resolve_given(
    name: Any,
    given: GivenKind,
    known: "pd.Series[Any]",
    n_distinct: int,
    max_one_hot: int,
) -> tuple[Kind, str]:
    """Return the kind of a column that is said, and what is done with it, in words.

    Raises
    ------
    ValueError
        If it holds no value that can be read as that.
    """
    kind: Kind
    if given == "categories":
        kind = "few categories" if n_distinct <= max_one_hot else "many categories"
    else:
        kind = given
    if kind in DROPPED:
        return kind, "dropped, as kinds says"
    # As objects: sparse values map to sparse ones, which cannot say that all are False.
    values = known[~known.astype(object).map(is_absent).astype(bool)]
    if len(values) and not count_readable(kind, values):
        message = (
            f"The column {name!r} of X is to be a {kind}, as kinds says, and holds "
            f"none. Got {values.iloc[0]!r}."
        )
        raise ValueError(message)
    return kind, _TREATMENTS[kind]


def count_readable(kind: Kind, known: "pd.Series[Any]") -> int:
    """Return how many values can be read as those of a kind.

    Infinite numbers cannot.
    """
    if kind in NUMERIC:
        return int(np.isfinite(to_numbers(known)).sum())
    if kind == "number with decimal comma":
        return int(np.isfinite(to_numbers(known, decimal_comma=True)).sum())
    if kind in DATES:
        return int(to_dates(known, DATES[kind]).notna().sum())
    return len(known)
