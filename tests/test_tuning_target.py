"""The target that `tune` is given: labels or numbers, and what is refused."""

from decimal import Decimal

import numpy as np
import pytest
from scipy.sparse import csr_array

from skkeras_tune.tuning.target import read_groups, read_target

pandas = pytest.importorskip("pandas")


@pytest.mark.parametrize(
    ("y", "classifies"),
    [
        (["a", "b"], True),
        (pandas.Series(["a", "b"], dtype="category"), True),
        (pandas.array([0, 1], dtype="Int64"), True),
        (np.array([1, 2.5], object), False),
        (np.array([True, False], object), True),
        ([0, 1, 2], True),
        (np.arange(100), False),
        ([0.1, 0.2], False),
        ([[0, 1], [1, 1]], True),
        ([[0.1, 1], [1, 1]], False),
        ([[1], [2]], True),
        ([Decimal("0.5"), Decimal("1.5"), 2], False),
        (csr_array([[0, 1], [1, 1]]), True),
    ],
)
def test_the_task_follows_from_the_values(y, classifies):
    """Labels are classified, and numbers predicted as floats."""
    target = read_target(y)
    assert target.classifies is classifies
    assert classifies or target.y.dtype == float


@pytest.mark.parametrize(
    "values", [np.arange(30), [0.0, 1.0, 2.0], [True, False], np.arange(3, dtype="f4")]
)
@pytest.mark.parametrize("kind", ["series", "frame", "index", "categorical"])
def test_categories_are_labels(values, kind):
    """Whatever a categorical column holds was said to be labels."""
    y = pandas.Categorical(values)
    build = {
        "series": pandas.Series,
        "frame": lambda y: pandas.DataFrame({"y": y}),
        "index": pandas.CategoricalIndex,
        "categorical": lambda y: y,
    }[kind]
    target = read_target(build(y))
    assert target.labels.tolist() == list(values)
    assert not read_target(build(y), "regression").classifies


@pytest.mark.parametrize("values", [[0.5, 1.5, 2.5], [0, 0.5, 1]])
def test_categories_of_fractions_are_refused(values):
    """No classifier takes fractions for labels, and to learn them as numbers is wrong.

    Who has said that they are numbers is believed.
    """
    y = pandas.Series(values * 2, dtype="category")
    with pytest.raises(ValueError, match=r"such as 0\.5, .*y.astype\(str\).*\(float\)"):
        read_target(y)
    assert not read_target(y, "regression").classifies
    assert read_target(y.astype(str)).classifies
    with pytest.raises(ValueError, match="no whole numbers, such as inf"):
        read_target(y.cat.rename_categories([1.0, 2.0, np.inf]))


@pytest.mark.parametrize("y", [[0.5, 1.5, 1.5], [[0.5, 1.0], [1.0, 0.0]]])
def test_fractions_that_are_said_to_be_labels_are_refused(y):
    """Who says that they are classified hears that no classifier takes them."""
    with pytest.raises(ValueError, match=r"such as 0\.5, .* task='regression'"):
        read_target(y, "classification")
    assert read_target([1.0, 2.0, 3.0], "classification").classifies


def test_several_columns_of_categories():
    """Only zeros and ones stand together as labels, categories or not."""
    frame = pandas.DataFrame({"a": [0, 1, 0], "b": [0, 1, 1]})
    assert read_target(frame.astype("category")).classifies
    frame["b"] = [1, 2, 3]
    assert not read_target(frame).classifies
    with pytest.raises(ValueError, match="y has several columns of categories, and"):
        read_target(frame.astype({"b": "category"}))
    assert not read_target(frame.astype("category"), "regression").classifies


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([[1, 2], [2, 3]], r"of labels, .* Got \[1, 2\] .*, or task='regression' if"),
        ([[0.0, 2.0], [1.0, 3.0]], "of labels, and only zeros and ones"),
        ([["a", "b"], ["c", "d"]], "of text, .*: pass one column[.]$"),
    ],
)
def test_several_columns_of_classes(y, match):
    """Whole numbers in several columns are numbers, and no classes for a network.

    An estimator of the user's may take them.
    """
    with pytest.raises(ValueError, match=f"y has several columns {match}"):
        read_target(y, "classification")
    assert read_target(y, "classification", is_built=False).classifies
    if isinstance(y[0][0], int):
        assert not read_target(y).classifies


def test_floats_are_labels_only_if_two_whole_numbers():
    """Floats are numbers, but for what missing values or a cast leave of two labels."""
    assert read_target([0.0, 1.0, 1.0]).classifies
    assert not read_target([0.0, 1.0, 2.0]).classifies
    assert not read_target([0.5, 1.0]).classifies
    assert read_target(np.arange(20)).classifies
    assert not read_target(np.arange(21)).classifies


def test_the_task_can_be_said():
    """A user may know better."""
    assert not read_target([0, 1, 2], "regression").classifies
    assert read_target(np.arange(100), "classification").classifies
    with pytest.raises(ValueError, match="task='regression' needs numbers"):
        read_target(["a", "b"], "regression")


@pytest.mark.parametrize(
    ("y", "n"),
    [
        ([1.0, np.nan, 2.0], "1 missing value in"),
        (["a", None, None], "2 missing values in"),
        (pandas.array([1, None], dtype="Int64"), "1 missing value in"),
        (pandas.Series(["a", None], dtype="category"), "1 missing value in"),
        (np.ma.masked_equal([1, 2, 3], 2), "1 missing value in"),
    ],
)
def test_missing_values_are_refused(y, n):
    """The error counts them and says what to do."""
    with pytest.raises(ValueError, match=f"y has {n} .* Leave out the rows"):
        read_target(y)


@pytest.mark.parametrize("y", [[1, 1], ["a", "a"], [0.5, 0.5], [[1, 0], [1, 0]]])
def test_a_constant_is_refused(y):
    """There is nothing to learn from one value."""
    with pytest.raises(ValueError, match="y holds the same value in all 2 rows"):
        read_target(y)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([1e160, 2e160, 0.5], "values as large as 2e[+]160, whose squared errors"),
        ([-1e308, 1e308, 0.5], "values as large as 1e[+]308"),
        ([1e308, 1.1e308, 1.2e308], "values as large as 1.2e[+]308"),
        ([1e-200, 2e-200, 4e-200], "values that differ by 3e-200 at most"),
        ([[0.5, 1e-200], [1.5, 2e-200]], "values that differ by 1e-200 at most"),
    ],
)
def test_numbers_whose_squares_cannot_be_held_are_refused(y, match):
    """Such numbers have no squared error, and so no score."""
    with pytest.raises(ValueError, match=f"y has {match}.*another unit.*axis=0"):
        read_target(y)


@pytest.mark.parametrize("factor", [1e-140, 1e-30, 1e30, 1e150])
def test_numbers_of_any_usual_size_are_taken(factor):
    """A constant column among several is no fault either."""
    y = factor * np.array([[1.0, 3.0], [2.5, 3.0]])
    np.testing.assert_array_equal(read_target(y).y, y)


def test_other_faults():
    """No target, infinite numbers, dates and cubes are refused."""
    with pytest.raises(TypeError, match="y is None"):
        read_target(None)
    with pytest.raises(ValueError, match="infinite"):
        read_target([1.5, np.inf])
    with pytest.raises(ValueError, match="labels or numbers"):
        read_target(np.array(["2020-01-01"] * 2, "datetime64[D]"))
    for array in (np.zeros((2, 2, 2)), np.zeros((1, 2)), [], 3):
        with pytest.raises(ValueError, match=r"must have shape .* Got shape"):
            read_target(array)
    with pytest.raises(ValueError, match="pass MultiLabelBinarizer"):
        read_target([["a"], ["a", "b"]])


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.array(["a", 1], object), r"Got str \('a'\), int \(1\) instead"),
        ([b"a", b"b"], r"Got bytes_ \(.*b'b'.*\) instead"),  # NumPy 1 shows less
        (pandas.Series(pandas.period_range("2020", periods=2, freq="D")), "Got Period"),
    ],
)
def test_objects_without_an_order_are_refused(y, match):
    """What is no label or number is shown."""
    with pytest.raises(TypeError, match=match):
        read_target(y)


def test_labels_repeat():
    """Text that differs from row to row is no class, unless a user says so."""
    y = [f"{row}.5" for row in range(30)]
    with pytest.raises(ValueError, match=r"30 different labels .*y.astype\(float\)"):
        read_target(y)
    assert read_target(y, "classification").classifies
    assert read_target(y[:15] * 2).classifies
    with pytest.raises(ValueError, match="y has several columns of text"):
        read_target([["a", "b"], ["c", "d"]])


def test_groups_are_a_column_without_gaps():
    """Each row has a group, of any type."""
    assert read_groups(None) is None
    assert read_groups([["a"], ["b"]]).tolist() == ["a", "b"]
    with pytest.raises(ValueError, match=r"groups must have shape .* Got \(2, 2\)"):
        read_groups(np.zeros((2, 2)))
    for groups in ([1.0, np.nan], ["a", None]):
        with pytest.raises(ValueError, match="groups has 1 missing value in 2 rows"):
            read_groups(groups)
