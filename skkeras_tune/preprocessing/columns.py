"""A data frame in, what each of its columns is and what is done with it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skkeras_tune.preprocessing.kinds import (
    DROPPED,
    FINER,
    GIVEN_KINDS,
    GivenKind,
    Kind,
    count_readable,
    decide_kind,
    resolve_given,
)

if TYPE_CHECKING:
    import pandas as pd


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
        Also where a value cannot be read as what the column is, or is infinite.
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
        """Whether a column of its own tells where it has no value."""
        tells = self.kind == "words" or (self.is_dropped and self.kind != "empty")
        return tells and self.has_missing


def read_columns(
    frame: "pd.DataFrame",
    max_one_hot: int,
    kinds: Mapping[Any, GivenKind] | None = None,
) -> list[Column]:
    """Return what each column of a data frame is.

    Parameters
    ----------
    frame : DataFrame
    max_one_hot : int
        Up to so many distinct values, categories are few.
    kinds : mapping, default=None
        What columns are, by their names, whatever their values say.

    Raises
    ------
    ValueError
        If two columns have one name, all would be dropped, or `kinds` names what is no
        column or no kind.
    TypeError
        If a column holds what is no number, date or category, or some names are strings
        and others are not.
    """
    _validate_names(frame.columns)
    if not len(frame):
        raise ValueError("X has no rows.")
    given = dict(kinds or {})
    _validate_kinds(given, frame.columns)
    columns = [
        _read_column(name, place, frame.iloc[:, place], max_one_hot, given.get(name))
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


def _validate_kinds(kinds: Mapping[Any, Any], names: "pd.Index[Any]") -> None:
    unknown = [name for name in kinds if name not in names]
    if unknown:
        message = f"kinds names what is no column of X: {unknown[0]!r}."
        raise ValueError(message)
    for name, kind in kinds.items():
        if kind not in GIVEN_KINDS:
            message = (
                f"The kind of {name!r} must be one of {GIVEN_KINDS}. Got {kind!r}."
            )
            raise ValueError(message)


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
    name: Any,
    place: int,
    values: "pd.Series[Any]",
    max_one_hot: int,
    given: GivenKind | None,
) -> Column:
    known = values.dropna()
    try:
        n_distinct = _count_distinct(name, known)
        kind, reason = decide_kind(name, known, n_distinct, len(values), max_one_hot)
    except TypeError:
        if given not in DROPPED:  # which may hold anything
            raise
        n_distinct, kind, reason = len(known), "empty", ""
    if given is not None and kind not in (given, *FINER.get(given, ())):
        kind, reason = resolve_given(name, given, known, n_distinct, max_one_hot)
    n_read = 0 if kind == "empty" else count_readable(kind, known)
    return Column(name, place, kind, reason, n_distinct, n_read < len(values))


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


def list_places(columns: Sequence[Column], *kinds: Kind) -> list[int]:
    """Return the places of the columns of these kinds."""
    return [column.place for column in columns if column.kind in kinds]


def is_frame(X: Any) -> bool:
    """Tell whether X is a data frame of pandas, and none that is yet to be computed."""
    kind = type(X)  # whose attributes are no columns
    has_parts = all(hasattr(kind, name) for name in ("iloc", "columns", "dtypes"))
    return has_parts and not hasattr(kind, "compute")


def describe_other(X: Any) -> tuple[str, str | None]:
    """Return what stands in place of a data frame, and what would turn it into one.

    The latter is a call such as "X.to_pandas()", or None.
    """
    names = ("to_pandas", "compute", "collect")
    way = next((f"X.{name}()" for name in names if hasattr(X, name)), None)
    library = type(X).__module__.partition(".")[0]
    whose = "" if library == "builtins" else f"{library}'s "
    return f"{whose}{type(X).__name__}", way
