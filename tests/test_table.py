"""Data frames of any columns become numbers for a network."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone

from skkeras_tune import TablePreprocessor
from skkeras_tune.preprocessing.numbers import SmoothScaler

pandas = pytest.importorskip("pandas")

N_ROWS = 200


@pytest.fixture
def frame():
    """Return a table with a column of each kind."""
    generator = np.random.default_rng(0)
    rows = np.arange(N_ROWS)
    return pandas.DataFrame(
        {
            "PassengerId": rows + 1,
            "age": np.where(rows % 7, generator.normal(30, 10, N_ROWS), np.nan),
            "income": generator.pareto(1, N_ROWS) * 1e5,
            "member": rows % 3 == 0,
            "port": np.where(rows % 11, np.where(rows % 2, "S", "C"), None),
            "street": [f"street {row % 60}" for row in rows],
            "zip": [f"{10_000 + row % 90}" for row in rows],
            "joined": pandas.Timestamp("2020-01-01") + pandas.to_timedelta(rows, "D"),
            "born": [f"1990-01-{row % 28 + 1:02d}" for row in rows],
            "seen": [f"2020-01-01T{row % 24:02d}:00:00.000Z" for row in rows],
            "stay": pandas.to_timedelta(rows % 5, "h"),
            "name": [f"Person {row}" for row in rows],
            "cabin": [f"C{row}" if row % 3 else None for row in rows],
            "ship": "Titanic",
            "empty": np.nan,
        }
    )


@pytest.fixture
def labels():
    """Return two classes."""
    return np.arange(N_ROWS) % 2


def test_each_column_is_recognised(frame, labels):
    """What a column is follows from its type and its values."""
    report = TablePreprocessor().fit(frame, labels).report()
    assert report["kind"].to_dict() == {
        "PassengerId": "identifier",
        "age": "number",
        "income": "number",
        "member": "boolean",
        "port": "few categories",
        "street": "many categories",
        "zip": "number in text",
        "joined": "date",
        "born": "date",
        "seen": "date",
        "stay": "duration",
        "name": "identifier",
        "cabin": "identifier",
        "ship": "constant",
        "empty": "empty",
    }
    assert report.loc["cabin", "treatment"].endswith("says where it is missing")
    assert report.loc["ship", "treatment"] == "dropped: every value is 'Titanic'"


def test_all_numbers_are_finite_and_small(frame, labels):
    """Whatever goes in, a network gets numbers of a moderate size."""
    numbers = TablePreprocessor().fit_transform(frame, labels)
    assert np.isfinite(numbers).all()
    assert np.abs(numbers).max() <= 3
    assert len(numbers) == N_ROWS


def test_every_number_has_a_name(frame, labels):
    """Names say where a number comes from."""
    table = TablePreprocessor().fit(frame, labels)
    names = list(table.get_feature_names_out())
    assert len(names) == len(set(names)) == table.transform(frame).shape[1]
    assert "numbers__age" in names
    assert "numbers__missingindicator_age" in names
    assert "few__port_S" in names
    assert "missing__missingindicator_cabin" in names
    assert "dates__joined_days" in names


def test_new_values_are_taken(frame, labels):
    """New categories, dates, missing and infinite values are no failure."""
    table = TablePreprocessor().fit(frame, labels)
    new = frame.head(3).copy()
    new["port"] = ["X", None, "S"]
    new["street"] = ["elsewhere", None, "street 1"]
    new["joined"] = pandas.to_datetime(["2030-05-05", None, "2020-01-01"])
    new["born"] = ["unknown", None, "2001-01-01"]
    new["income"] = [np.inf, np.nan, 1e300]
    new["zip"] = ["none", None, "10001"]
    new["member"] = [True, False, True]
    numbers = table.transform(new)
    assert np.isfinite(numbers).all()
    assert numbers.shape[1] == table.transform(frame).shape[1]


def test_rows_do_not_see_their_own_target(frame):
    """Categories without meaning get no meaning from the rows' own targets."""
    y = np.random.default_rng(1).normal(size=N_ROWS)
    street = frame[["street"]]
    table = TablePreprocessor()
    fitted = table.fit_transform(street, y)[:, 0]
    seen = table.transform(street)[:, 0]
    assert abs(np.corrcoef(fitted, y)[0, 1]) < 0.3
    assert np.corrcoef(seen, y)[0, 1] > 0.4


def test_many_categories_without_a_target(frame):
    """Without a target, or with several, the most frequent ones get a column each."""
    street = frame[["street"]]
    for y in (None, np.zeros((N_ROWS, 2))):
        numbers = TablePreprocessor(min_frequency=1).fit_transform(street, y)
        assert numbers.shape == (N_ROWS, 40)


@pytest.mark.parametrize(("n_rows", "least"), [(80, 2), (500, 5), (3000, 10)])
def test_what_is_rare_depends_on_the_rows(n_rows, least):
    """A small table keeps what a few of its rows say; categories of fewer are one."""
    sizes = [least, least, least - 1]
    codes = np.repeat(["a", "b", "c", "d"], [*sizes, n_rows - sum(sizes)])
    table = TablePreprocessor().fit(pandas.DataFrame({"code": codes}))
    numbers = table.transform(pandas.DataFrame({"code": ["a", "b", "c", "d", "new"]}))
    assert len(np.unique(numbers, axis=0)) == 4
    assert (numbers[2] == numbers[4]).all()


@pytest.mark.parametrize("kind", ["strings", "rare class", "floats", "column"])
def test_targets_of_any_kind(frame, kind):
    """Labels, rare ones too, and numbers guide the encoding of categories."""
    rows = np.arange(N_ROWS)
    y = {
        "strings": np.where(rows % 2, "yes", "no"),
        "rare class": np.where(rows == 5, 2, rows % 2),
        "floats": rows.astype(float),
        "column": (rows % 2)[:, None],
    }[kind]
    numbers = TablePreprocessor().fit_transform(frame[["street"]], y)
    assert numbers.shape == (N_ROWS, 1)


def test_categories_by_their_type():
    """A column of the dtype "category" is one, whatever it holds."""
    codes = pandas.Series(np.arange(N_ROWS), dtype="category")
    frame = pandas.DataFrame({"code": codes, "few": (codes.astype(int) % 3)})
    frame["few"] = frame["few"].astype("category")
    kinds = TablePreprocessor().fit(frame, np.arange(N_ROWS) % 2).report()["kind"]
    assert kinds.to_list() == ["many categories", "few categories"]


def test_a_whole_number_is_one_category_whatever_its_type():
    """Missing values make floats of whole numbers, which stay the same categories."""
    codes = pandas.Series([1, 2, None] * 20, dtype="Int64")
    frame = pandas.DataFrame({"code": codes.astype("category")})
    table = TablePreprocessor().fit(frame)
    known = codes.dropna()
    expected = table.transform(frame)[known.index]
    assert len(np.unique(expected, axis=0)) == 2
    for dtype in (int, float, str, "category"):
        numbers = table.transform(known.astype(dtype).to_frame("code"))
        np.testing.assert_array_equal(numbers, expected)


def test_numbers_that_differ_are_no_identifier():
    """Whole numbers that all differ are kept unless their name says what they are."""
    frame = pandas.DataFrame({"year": np.arange(1900, 1960), "paid": np.arange(60)})
    kinds = TablePreprocessor().fit(frame).report()["kind"]
    assert kinds.to_list() == ["number", "number"]


def test_a_text_column_is_left_out():
    """Sentences are no categories."""
    text = [f"This is the remark number {row} of many" for row in range(50)]
    frame = pandas.DataFrame({"remark": text, "x": np.arange(50.0)})
    table = TablePreprocessor().fit(frame)
    assert table.report().loc["remark", "kind"] == "text"
    assert table.transform(frame).shape == (50, 1)


def test_a_hundred_thousand_categories_take_one_column():
    """Many categories that repeat are encoded compactly and quickly."""
    codes = np.random.default_rng(0).integers(100_000, size=250_000)
    frame = pandas.DataFrame({"user": codes.astype(str)})
    frame["user"] = "u" + frame["user"]
    numbers = TablePreprocessor().fit_transform(frame, codes % 2)
    assert numbers.shape == (250_000, 1)


def test_missing_values_of_every_sort():
    """None, NaN, NA and NaT are missing, in every kind of column."""
    frame = pandas.DataFrame(
        {
            "whole": pandas.array([1, None, 3] * 10, dtype="Int64"),
            "flag": pandas.array([True, None, False] * 10, dtype="boolean"),
            "text": pandas.array(["a", None, "b"] * 10, dtype="string"),
            "mixed": [True, None, "b"] * 10,
            "date": pandas.to_datetime(["2020-01-01", None, "2021-01-01"] * 10),
            "zoned": pandas.to_datetime(
                ["2020-01-01", None, "2021-01-01"] * 10, utc=True
            ),
        }
    )
    numbers = TablePreprocessor().fit_transform(frame)
    assert np.isfinite(numbers).all()


def test_missing_values_of_every_sort_in_columns_left_out():
    """Where a column that is left out has no value is told, however that is said."""
    frame = pandas.DataFrame({"a": ["x", None] * 10, "b": range(20)})
    table = TablePreprocessor().fit(frame)
    for missing in (None, np.nan, pandas.NA, pandas.NaT):
        new = frame.assign(a=pandas.Series(["x", missing] * 10, dtype=object))
        np.testing.assert_array_equal(table.transform(new), table.transform(frame))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["", "?", " NA ", "-"], "number in text"),
        (["", "?", " NA ", "-"], "date"),
        ([""], "few categories"),
    ],
)
def test_text_that_says_that_a_value_is_missing(values, kind):
    """Numbers and dates in text are read where some are blank or question marks."""
    rows = range(50)
    text = {
        "number in text": [f"{row}.5" for row in rows],
        "date": [f"2020-02-{row % 28 + 1:02d}" for row in rows],
        "few categories": ["?" for _ in rows],
    }[kind]
    frame = pandas.DataFrame({"a": text + values})
    table = TablePreprocessor().fit(frame)
    assert table.report().loc["a", "kind"] == kind
    assert np.isfinite(table.transform(frame)).all()


def test_durations_and_periods_as_objects():
    """Types that pandas does not keep as such are recognised, in new tables too."""
    hours = pandas.Series(pandas.to_timedelta(np.arange(60), "h"))
    months = pandas.Series(pandas.period_range("2020-01", periods=60, freq="M"))
    frame = pandas.DataFrame({"stay": hours, "month": months})
    objects = frame.astype(object)
    for fitted in (frame, objects):
        table = TablePreprocessor().fit(fitted)
        assert table.report()["kind"].to_list() == ["duration", "date"]
        numbers = table.transform(frame)
        assert len(np.unique(numbers[:, 0])) == 60
        np.testing.assert_array_equal(table.transform(objects), numbers)


def test_columns_of_arrow():
    """Days, times, durations and decimals of Arrow are what they are."""
    arrow = pytest.importorskip("pyarrow")
    types = {
        "day": (arrow.date32(), "date"),
        "time": (arrow.timestamp("us", tz="Europe/Zurich"), "date"),
        "stay": (arrow.duration("us"), "duration"),
    }
    times = pandas.Series(pandas.date_range("2020", periods=30, tz="UTC"))
    columns = {"day": times.dt.date, "time": times, "stay": times - times[0]}
    frame = pandas.DataFrame(
        {n: c.astype(pandas.ArrowDtype(types[n][0])) for n, c in columns.items()}
    )
    table = TablePreprocessor().fit(frame)
    assert table.report()["kind"].to_list() == [kind for _, kind in types.values()]
    assert np.isfinite(table.transform(frame)).all()
    texts = {
        "identifier": [f"n{i}" for i in range(30)],
        "number in text": [f"{i}.5" for i in range(30)],
        "number with decimal comma": [f"{i},5" for i in range(30)],
        "date, day first": times.dt.strftime("%d.%m.%Y"),
    }
    frame = pandas.DataFrame(texts, dtype=pandas.ArrowDtype(arrow.string()))
    assert TablePreprocessor().fit(frame).report()["kind"].to_list() == list(texts)
    lists = pandas.Series(
        [[1], [2]], dtype=pandas.ArrowDtype(arrow.list_(arrow.int8()))
    )
    with pytest.raises(TypeError, match="The column 'a' of X holds objects of type l"):
        TablePreprocessor().fit(lists.to_frame("a"))


@pytest.mark.parametrize(
    "columns",
    [
        {"a": [1, 1, 1], "b": ["x", "x", "x"]},
        {"id": np.arange(30), "name": [f"n{i}" for i in range(30)]},
        {},
    ],
)
def test_a_table_without_use_is_refused(columns):
    """The error names the columns and what is wrong with each."""
    frame = pandas.DataFrame(columns, index=range(3 if "a" in columns else 30))
    with pytest.raises(ValueError, match="X has no column that a network could learn"):
        TablePreprocessor().fit(frame)


def test_columns_of_one_name_are_refused():
    """A name that stands twice is named."""
    frame = pandas.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    match = re.escape("several columns of one name: ['a']")
    with pytest.raises(ValueError, match=match):
        TablePreprocessor().fit(frame)


def test_names_are_strings_or_not():
    """Strings and other names together are refused before anything is trained."""
    frame = pandas.DataFrame([[1, 2], [3, 4]], columns=["a", 1])
    with pytest.raises(TypeError, match=r"Got \[1\] beside strings"):
        TablePreprocessor().fit(frame)


def test_columns_may_have_any_name():
    """A column that is called as a method of other libraries is a column."""
    frame = pandas.DataFrame({"compute": [1, 2], "iloc": [2, 3]})
    assert TablePreprocessor().fit_transform(frame).shape == (2, 2)


def test_names_of_several_levels():
    """A report has the names that are tuples as they are."""
    names = pandas.MultiIndex.from_tuples([("a", "mean"), ("a", "max")])
    frame = pandas.DataFrame([[1, 2], [3, 4]], columns=names)
    report = TablePreprocessor().fit(frame).report()
    assert report.index.to_list() == names.to_list()


def test_objects_are_refused():
    """Lists and the like are named with their column."""
    frame = pandas.DataFrame({"a": [[1], [2], [3]]})
    with pytest.raises(TypeError, match="The column 'a' of X holds objects of type l"):
        TablePreprocessor().fit(frame)
    frame = pandas.DataFrame({"a": [1j, 2j]})
    with pytest.raises(TypeError, match="The column 'a' of X holds complex numbers"):
        TablePreprocessor().fit(frame)


def test_no_rows_are_refused():
    """An empty table says nothing of its columns."""
    with pytest.raises(ValueError, match="X has no rows"):
        TablePreprocessor().fit(pandas.DataFrame({"a": []}))


def test_no_new_rows_are_refused():
    """The error is scikit-learn's."""
    fitted = TablePreprocessor().fit(pandas.DataFrame({"a": [1.0, 2.0]}))
    match = r"Found array with 0 sample\(s\) \(shape=\(0, 1\)\) .* TablePreprocessor"
    with pytest.raises(ValueError, match=match):
        fitted.transform(pandas.DataFrame({"a": []}))


def test_arrays_are_refused():
    """Arrays need no such preparation."""
    match = r"takes a data frame of pandas. Got numpy's ndarray instead: wrap it"
    with pytest.raises(TypeError, match=match):
        TablePreprocessor().fit(np.zeros((3, 2)))


def test_frames_of_other_libraries_are_refused():
    """The error says how to turn it into one of pandas, as that of tune does."""

    class Polars:
        def to_pandas(self):
            return None

    with pytest.raises(TypeError, match=r"Polars instead: pass X.to_pandas\(\)\.$"):
        TablePreprocessor().fit(Polars())


@pytest.mark.parametrize("parameter", ["max_one_hot", "min_frequency"])
def test_parameters_are_checked(parameter):
    """Numbers below one are refused in scikit-learn's words."""
    match = f"The '{parameter}' parameter of TablePreprocessor must be"
    with pytest.raises(ValueError, match=match):
        TablePreprocessor(**{parameter: 0}).fit(pandas.DataFrame({"a": [1, 2]}))


def test_other_columns_are_refused(frame, labels):
    """Columns in another order or number are no table of the same kind."""
    table = TablePreprocessor().fit(frame, labels)
    with pytest.raises(ValueError, match="feature names"):
        table.transform(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        table.transform(frame.iloc[:, :3])


def test_copies(frame, labels):
    """It clones, pickles, and leaves the table as it was."""
    before = frame.copy(deep=True)
    table = TablePreprocessor(min_frequency=3)
    numbers = table.fit_transform(frame, labels)
    pandas.testing.assert_frame_equal(frame, before)
    again = clone(table).fit_transform(frame, labels)
    np.testing.assert_array_equal(again, numbers)
    loaded = pickle.loads(pickle.dumps(table))
    np.testing.assert_array_equal(loaded.transform(frame), table.transform(frame))
    assert loaded.report().equals(table.report())


def test_a_global_output_of_frames_changes_nothing(frame, labels):
    """Whatever scikit-learn's output is set to, a network gets an array."""
    from sklearn import config_context

    plain = TablePreprocessor().fit_transform(frame, labels)
    with config_context(transform_output="pandas"):
        numbers = TablePreprocessor().fit(frame, labels).transform(frame)
    assert np.asarray(numbers).shape == plain.shape


def test_scaler_keeps_the_middle_and_bounds_the_rest():
    """Numbers between the quartiles hardly change; far ones approach three."""
    X = np.r_[np.linspace(-1, 1, 101), 1e300, -1e300, np.nan][:, None]
    scaled = SmoothScaler().fit_transform(X)
    assert np.isnan(scaled[-1]).all()
    assert scaled[-3, 0] == pytest.approx(3)
    assert scaled[-2, 0] == pytest.approx(-3)
    assert scaled[75, 0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("size", [5e-324, 1e-305, 1e-160, 1e160, 1e299])
@pytest.mark.parametrize("far", [0.0, 1e7, 1e300])
def test_scaler_of_numbers_of_any_size(size, far):
    """Neither the smallest nor the largest numbers overflow, nor do they warn."""
    X = np.r_[size * np.linspace(-4, 4, 9), far, -far][:, None]
    scaled = SmoothScaler().fit_transform(X)
    assert np.isfinite(scaled).all()
    assert np.abs(scaled).max() <= 3
    if 1e-306 < size < far / 100:
        assert scaled[-2:, 0] == pytest.approx([3, -3])


def test_scaler_of_columns_without_quartiles():
    """Zeros and ones are told apart, a constant becomes zero, and so does nothing."""
    X = np.array([[0, 5, np.nan]] * 9 + [[1, 5, np.nan]])
    scaled = SmoothScaler().fit(X).transform(np.nan_to_num(X))
    assert scaled[-2:, 0] == pytest.approx([0, 2 / np.sqrt(1 + 4 / 9)])
    assert (scaled[:, 1:] == 0).all()


def test_columns_without_strings_for_names_keep_their_order():
    """Columns that change places are refused, whatever their names are."""
    table = pandas.DataFrame(np.arange(12.0).reshape(6, 2))
    fitted = TablePreprocessor().fit(table)
    with pytest.raises(ValueError, match=r"their order: \[0, 1\] .* Got \[1, 0\]"):
        fitted.transform(table[[1, 0]])


def test_a_name_may_be_nan():
    """Two names that are NaN are one name, as pandas has it."""
    table = pandas.DataFrame(np.eye(6)[:, :2], columns=[np.nan, 1.0])
    fitted = TablePreprocessor().fit(table)
    assert fitted.transform(table.copy()).shape == (6, 2)


def test_one_and_true_are_two_categories():
    """A row's numbers do not depend on the rows that stand before it."""
    table = pandas.DataFrame({"mixed": pandas.Series([1, "1", True, "x"] * 30)})
    fitted = TablePreprocessor().fit(table)
    numbers = fitted.transform(table)
    for place in range(4):
        alone = fitted.transform(table.iloc[[place]])
        assert alone.tolist() == numbers[[place]].tolist()


def test_booleans_may_come_as_strings():
    """A file that was written and read again says "True"."""
    table = pandas.DataFrame({"member": [True, False, False] * 20})
    fitted = TablePreprocessor().fit(table)
    again = table.astype(str)
    assert fitted.transform(again).tolist() == fitted.transform(table).tolist()


def test_numbers_too_large_to_subtract_are_missing():
    """Such numbers count as infinite ones do."""
    table = pandas.DataFrame({"a": [1.7e308, -1.7e308, 1.0, 2.0, 3.0] * 10})
    assert np.isfinite(TablePreprocessor().fit_transform(table)).all()
