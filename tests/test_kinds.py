"""What kind of column it is follows from its values, or is said."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from skkeras_tune import TablePreprocessor
from skkeras_tune.preprocessing.readings import to_numbers

pandas = pytest.importorskip("pandas")

N_ROWS = 60
DAYS = pandas.date_range("2019-12-20", periods=N_ROWS)


def find_kind(values, name="column", **kinds):
    """Return what a column is taken for."""
    table = pandas.DataFrame({name: values, "other": np.arange(len(values)) % 7})
    report = TablePreprocessor(**kinds).fit(table, np.arange(len(values)) % 2).report()
    return report.loc[name, "kind"]


@pytest.mark.parametrize("n_distinct", [5, 36, N_ROWS])
@pytest.mark.parametrize("kind", [Decimal, Fraction, int, float, np.float64])
def test_numbers_as_objects_are_numbers(kind, n_distinct):
    """How many differ says nothing of numbers, whatever column they stand in."""
    values = [kind(i % n_distinct) for i in range(N_ROWS)]
    column = pandas.Series([*values[:-1], None], dtype=object)
    assert find_kind(column) == "number"
    assert np.isfinite(to_numbers(column)[:-1]).all()


@pytest.mark.parametrize("n_rows", [12, 30, N_ROWS])
def test_numbers_in_text_are_read_in_small_tables(n_rows):
    """Few rows hold few strings, whose numbers would be lost as names of rows."""
    values = [*(f"{i}.5" for i in range(n_rows - 1)), "?"]
    assert find_kind(values) == "number in text"
    assert find_kind([str(i % 5) for i in range(n_rows)]) == "few categories"


@pytest.mark.parametrize(
    ("written", "unit"),
    [("${:,.2f}", 1.5), ("{:,} €", 100), ("-{:,}", 1001), ("{} %", 0.5), ("+£{}", 1)],
)
def test_numbers_are_read_as_people_write_them(written, unit):
    """Signs of money and of shares, and commas between thousands, are no words."""
    numbers = [unit * i for i in range(1, N_ROWS)]
    values = [*map(written.format, numbers), "n/a"]
    assert find_kind(values) == "number in text"
    sign = -1 if written.startswith("-") else 1
    read = to_numbers(pandas.Series(values)).ravel()
    np.testing.assert_allclose(read, [*(sign * n for n in numbers), np.nan])


@pytest.mark.parametrize("written", ["{} dollars", "{}-{}", "$%{}", "{}.5,25,{}"])
def test_what_is_written_otherwise_is_no_number(written):
    """What is no number in any country stands for none."""
    values = [written.format(i, i) for i in range(N_ROWS)]
    assert "number" not in find_kind(values)


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["3,14", "-0,5", "7"], [3.14, -0.5, 7]),
        (["1.234,50", "12.000", "0,5 €"], [1234.5, 12_000, 0.5]),
        (["12,3 %", "1,234", "n/a"], [12.3, 1.234, np.nan]),
    ],
)
def test_decimal_commas_are_read(values, numbers):
    """One value that has no comma between thousands decides for its column."""
    column = pandas.Series([*values, *(f"{i},{i}" for i in range(N_ROWS))])
    assert find_kind(column) == "number with decimal comma"
    read = to_numbers(column, decimal_comma=True).ravel()
    np.testing.assert_allclose(read[:3], numbers)


@pytest.mark.parametrize(
    ("forms", "kind"),
    [
        (["{},{:03d}"], "number in text"),  # thousands, as ever
        (["{}.{:03d}"], "number in text"),
        (["{},5", "{}.5"], "identifier"),
        (["{},5", "1,{:03d}.5"], "identifier"),
        (["{},5", "1,2,{}"], "identifier"),
    ],
)
def test_no_column_is_read_in_two_ways(forms, kind):
    """Where commas are no decimals throughout, they are none."""
    values = [forms[i % len(forms)].format(i, i) for i in range(N_ROWS)]
    assert find_kind(values) == kind


def test_new_rows_are_read_as_the_first_ones():
    """What cannot be read with a decimal comma is missing, and a number is a number."""
    table = pandas.DataFrame({"a": [f"{i},5" for i in range(N_ROWS)]})
    fitted = TablePreprocessor().fit(table.assign(b=range(N_ROWS)))
    values = pandas.Series(["2,5", 2.5, "2.5", "two", None], dtype=object)
    found = fitted.transform(pandas.DataFrame({"a": values, "b": 0}))
    missing = fitted.transform(pandas.DataFrame({"a": [None], "b": 0}))
    assert found[0].tolist() == found[1].tolist() != missing[0].tolist()
    assert (found[2:] == missing).all()


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("%m/%d/%Y", "date, month first"),
        ("%m-%d-%Y %I:%M:%S %p", "date, month first"),
        ("%d/%m/%Y", "date, day first"),
        ("%d.%m.%Y", "date, day first"),
        ("%d.%m.%Y %H:%M", "date, day first"),
        ("%Y/%m/%d", "date"),
    ],
)
@pytest.mark.parametrize("n_distinct", [5, N_ROWS])
def test_dates_of_countries_are_read(form, kind, n_distinct):
    """A day above 12 tells the day from the month, for the whole column."""
    dates = pandas.Series(np.resize(DAYS[:n_distinct], N_ROWS))
    columns = {"plain": dates, "text": dates.dt.strftime(form)}
    table = pandas.DataFrame(columns)
    table.loc[3, "text"] = "n/a"
    assert find_kind(table["text"]) == kind
    expected = TablePreprocessor().fit(table[["plain"]])
    fitted = TablePreprocessor().fit(table[["text"]])
    rows = table.drop(3)
    np.testing.assert_allclose(
        fitted.transform(rows[["text"]])[:, :5],
        expected.transform(rows[["plain"]])[:, :5],
        atol=0.1,
    )


@pytest.mark.parametrize("n_distinct", [5, N_ROWS])
def test_dates_that_do_not_tell_are_left_and_reported(n_distinct):
    """Where no day is above 12, a column is what it was, and the report says why."""
    values = [f"{i % 12 + 1}/{i % 5 + 1}/{1990 + i}" for i in range(n_distinct)]
    table = pandas.DataFrame({"a": np.resize(values, N_ROWS), "b": range(N_ROWS)})
    row = TablePreprocessor().fit(table).report().loc["a"]
    assert row["kind"] == ("few categories" if n_distinct == 5 else "identifier")
    assert "as no day is above 12, it is not read as dates" in row["treatment"]
    said = TablePreprocessor(kinds={"a": "date, day first"}).fit(table)
    assert said.report().loc["a", "treatment"].startswith("read with the day before")


def test_dates_and_text_of_dates_stand_together():
    """A spreadsheet has some dates as such and others as text."""
    days = pandas.Series(DAYS, dtype=object)
    days[::3] = [day.strftime("%Y-%m-%d") for day in DAYS[::3]]
    days[4] = "?"
    assert find_kind(days) == "date"
    assert find_kind(days.replace("?", "soon")) == "identifier"


def test_dates_in_both_orders_are_no_dates():
    """One order fits all values of a column, or it holds no dates."""
    values = [f"{13 + i % 9}/11/{1900 + i}" for i in range(N_ROWS)]
    assert find_kind(values) == "date, day first"
    assert find_kind([*values, "11/13/2020"]) == "identifier"
    assert find_kind([*values, "31/02/2020"]) == "identifier"


def test_new_dates_are_read_as_the_first_ones():
    """Text in the other order is missing, and dates that are none in text are dates."""
    text = pandas.Series(DAYS).dt.strftime("%d/%m/%Y")
    fitted = TablePreprocessor().fit(pandas.DataFrame({"a": text}))
    day = DAYS[5]
    values = [day.strftime("%d/%m/%Y"), "2019-12-25", day, day.date()]
    found = fitted.transform(pandas.DataFrame({"a": pandas.Series(values, dtype="O")}))
    assert (found == found[0]).all()
    unread = fitted.transform(pandas.DataFrame({"a": ["12/25/2019", "soon", None]}))
    assert (unread == unread[2]).all()
    assert unread[2].tolist() != found[0].tolist()


@pytest.mark.parametrize(
    "values", [[np.inf, -np.inf], [np.inf, np.nan], [1e305, 2e305]]
)
def test_columns_of_infinities_are_reported(values):
    """Infinite values are missing, and a column that has no others says so."""
    column = np.resize(values, N_ROWS)
    table = pandas.DataFrame({"a": column, "b": range(N_ROWS)})
    row = TablePreprocessor().fit(table).report().loc["a"]
    assert row["missing"]
    assert "inf" in row["treatment"]
    some = table.assign(a=np.r_[column[:-2], 1.0, 2.0])
    report = TablePreprocessor(kinds={"a": "number"}).fit(some).report()
    assert report.loc["a", ["kind", "missing"]].tolist() == ["number", True]
    TablePreprocessor(kinds={"a": "number"}).fit(table)


@pytest.mark.parametrize("value", [3.0, True, "x"])
def test_the_value_of_a_constant_column_is_shown_as_it_is(value):
    """The report shows no types of NumPy."""
    table = pandas.DataFrame({"a": [value] * 20, "b": range(20)})
    report = TablePreprocessor().fit(table).report()
    assert report.loc["a", "treatment"] == f"dropped: every value is {value!r}"


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


def test_how_text_is_read_need_not_be_said():
    """A number is one with a decimal comma too, and a date one in any order."""
    commas = [f"{i},5" for i in range(N_ROWS)]
    assert "comma" in find_kind(commas, kinds={"column": "number"})
    days = pandas.Series(DAYS).dt.strftime("%d/%m/%Y")
    assert find_kind(days, kinds={"column": "date"}) == "date, day first"


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"colour": "number"}, "kinds names what is no column of X: 'colour'"),
        ({"column": "text column"}, r"must be one of .* Got 'text column'"),
        (
            {"column": "number"},
            "to be a number, as kinds says, and holds none. Got 'a'",
        ),
        ({"column": "date"}, "to be a date, as kinds says, and holds none. Got 'a'"),
    ],
)
def test_kinds_that_cannot_be_are_refused(kinds, message):
    """A column must be there, and hold what it is said to be."""
    values = ["?", "a", *["b"] * N_ROWS]
    with pytest.raises(ValueError, match=message):
        find_kind(values, kinds=kinds)


def test_what_cannot_be_read_is_missing_in_a_column_that_is_said():
    """A column is what it is said to be if a part of it is."""
    table = pandas.DataFrame({"a": ["1", "2", "inf", "x"] * 15})
    numbers = TablePreprocessor(kinds={"a": "number"}).fit_transform(table)
    is_missing = numbers[:4, 1] > numbers[0, 1]
    assert is_missing.tolist() == [False, False, True, True]


def test_a_column_that_is_left_out_may_hold_anything():
    """Lists are no hindrance where nobody reads them."""
    table = pandas.DataFrame({"tags": [["a"], ["b"]] * 10, "z": range(20)})
    with pytest.raises(TypeError, match="'tags'"):
        TablePreprocessor().fit(table)
    fitted = TablePreprocessor(kinds={"tags": "identifier"}).fit(table)
    assert fitted.transform(table).shape == (20, 1)


@pytest.mark.parametrize("kind", ["number", "boolean", "categories"])
@pytest.mark.parametrize("n_ones", [0, 5])
def test_sparse_columns_are_what_is_said(kind, n_ones):
    """Indicators are numbers in a fold without a one, too."""
    dense = pandas.DataFrame({"a": [1] * n_ones + [0] * (N_ROWS - n_ones)})
    dense["z"] = range(N_ROWS)
    sparse = dense.astype({"a": pandas.SparseDtype("uint8", 0)})
    table = TablePreprocessor(kinds={"a": kind})
    expected = table.fit_transform(dense)
    np.testing.assert_array_equal(table.fit_transform(sparse), expected)


def test_categories_are_few_or_many_by_their_number():
    """Who says categories leaves it to max_one_hot how they are encoded."""
    values = [f"s{i % 30}" for i in range(N_ROWS)]
    for most, kind in ((40, "few categories"), (20, "many categories")):
        said = {"kinds": {"column": "categories"}, "max_one_hot": most}
        assert find_kind(values, **said) == kind


def test_words_that_do_not_recur_are_no_table():
    """Columns that give no number at all are refused."""
    table = pandas.DataFrame({"name": [f"Q{i}" for i in range(N_ROWS)]})
    with pytest.raises(ValueError, match="no column that a network could learn from"):
        TablePreprocessor(kinds={"name": "words"}).fit(table)


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
