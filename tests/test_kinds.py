"""What kind of column it is follows from its values, or is said."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from skkeras_tune import TablePreprocessor

pandas = pytest.importorskip("pandas")

N_ROWS = 60


def find_kind(values, name="column", **kinds):
    """Return what a column is taken for."""
    table = pandas.DataFrame({name: values, "other": np.arange(len(values)) % 7})
    report = TablePreprocessor(**kinds).fit(table, np.arange(len(values)) % 2).report()
    return report.loc[name, "kind"]


@pytest.mark.parametrize("n_distinct", [5, 36, N_ROWS])
@pytest.mark.parametrize("kind", [Decimal, int, float, np.float64])
def test_numbers_as_objects_are_numbers(kind, n_distinct):
    """How many differ says nothing of numbers, whatever column they stand in."""
    values = [kind(i % n_distinct) for i in range(N_ROWS)]
    assert find_kind(pandas.Series([*values[:-1], None], dtype=object)) == "number"


@pytest.mark.parametrize("kind", [timedelta, np.timedelta64])
def test_durations_as_objects(kind):
    """NumPy's durations are some as Python's are."""
    values = [
        timedelta(hours=i) if kind is timedelta else np.timedelta64(i, "h")
        for i in range(N_ROWS)
    ]
    table = pandas.DataFrame({"a": pandas.Series(values, dtype=object)})
    preprocessor = TablePreprocessor().fit(table)
    assert preprocessor.report().loc["a", "kind"] == "duration"
    assert np.ptp(preprocessor.transform(table)) > 1


def test_names_with_titles_are_words():
    """Texts that differ are read for the words that they share."""
    values = [f"Q{i}x, {['Mr.', 'Mrs.'][i % 2]} P{i}y" for i in range(N_ROWS)]
    assert find_kind(values) == "words"


def test_where_words_are_missing_is_told():
    """A column of words has one more where there is none."""
    values = [f"{['Mr.', 'Mrs.'][i % 2]} P{i}y" for i in range(N_ROWS)]
    table = pandas.DataFrame({"name": [None, *values[1:]]})
    preprocessor = TablePreprocessor().fit(table)
    assert preprocessor.transform(table)[:2].tolist() == [[0, 0, 1], [0, 1, 0]]
    assert preprocessor.report().loc["name", "treatment"] == (
        "a column for each word that recurs: mr, mrs; a column says where it is missing"
    )


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("user_id", np.arange(N_ROWS) ** 3, "identifier"),
        ("row_index", np.arange(N_ROWS)[::-1], "identifier"),
        ("house_price_index", np.arange(N_ROWS) ** 3, "number"),
        ("price", np.arange(N_ROWS), "number"),
    ],
)
def test_numbers_of_rows(name, values, kind):
    """An index numbers the rows if it counts them; an id need not."""
    assert find_kind(values, name) == kind


def test_booleans_of_the_type_category_are_categories():
    """Who calls a column categories has categories."""
    values = pandas.Series([True, False] * (N_ROWS // 2)).astype("category")
    assert find_kind(values) == "few categories"


def test_kinds_are_said():
    """What kinds says goes before what values say."""
    values = [i % 3 for i in range(N_ROWS)]
    assert find_kind(values, kinds={"column": "few categories"}) == "few categories"
    assert find_kind(values, kinds={"column": "identifier"}) == "identifier"
    assert find_kind(list(map(str, values)), kinds={"column": "number"}) == "number"


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"colour": "number"}, "kinds names what is no column of X: 'colour'"),
        ({"column": "text column"}, r"must be one of .* Got 'text column'"),
        ({"column": "number"}, "is to be a number, as kinds says. Got 'a'"),
        ({"column": "date"}, "is to be a date, as kinds says. Got 'a'"),
    ],
)
def test_kinds_that_cannot_be_are_refused(kinds, message):
    """A column must be there, and hold what it is said to be."""
    values = ["a", "?", *["1"] * N_ROWS]
    with pytest.raises(ValueError, match=message):
        find_kind(values, kinds=kinds)


def test_kinds_hold_in_few_rows():
    """A part of the rows is prepared as all were, if kinds says so."""
    rows = np.arange(400)
    table = pandas.DataFrame({"shop": [f"s{i % 200}" for i in rows], "z": rows % 9})
    kinds = {
        column.name: column.kind for column in TablePreprocessor().fit(table).columns_
    }
    part = table.iloc[:250]
    assert TablePreprocessor().fit(part).report()["kind"]["shop"] == "identifier"
    fitted = TablePreprocessor(kinds=kinds).fit(part, rows[:250] % 2)
    assert fitted.report()["kind"].to_dict() == kinds
