"""Data as users pass it becomes checked rows, and rows get their roles."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_matrix, csc_array, csr_array, csr_matrix, issparse
from sklearn.base import BaseEstimator, RegressorMixin

from skkeras_tune.estimators.rows import (
    Rows,
    assign_roles,
    drop_weightless,
    validate_features,
    validate_rows,
    validation_set,
)

X = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])
Y = np.array([0, 1, 0, 1])


class Regressor(RegressorMixin, BaseEstimator):
    """What learns the features; it needs a target."""


def read(x=X, y=Y, weight=None, groups=None, *, estimator=None, reset=True, **options):
    """Return the rows of a small data set."""
    estimator = Regressor() if estimator is None else estimator
    options = {"numeric": False, **options}
    return drop_weightless(
        validate_rows(estimator, x, y, weight, groups, reset=reset, **options)
    )


# --- features and targets


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool", "uint8"])
def test_features_become_floats(dtype):
    """Features of any number type become the network's floats."""
    rows = read(X.astype(dtype))
    assert rows.x.dtype == "float32"
    np.testing.assert_array_equal(rows.x, X.astype(dtype))


@pytest.mark.parametrize("kind", [csr_array, csr_matrix, csc_array, coo_matrix])
def test_sparse_features_become_csr(kind):
    """Sparse features stay sparse, by rows."""
    rows = read(kind(X))
    assert issparse(rows.x)
    assert rows.x.format == "csr"
    assert rows.x.dtype == "float32"
    np.testing.assert_array_equal(rows.x.toarray(), X)


@pytest.mark.parametrize("make", [np.array, list, pd.DataFrame])
def test_tables_and_lists_are_taken(make):
    """Features may be an array, nested lists or a table."""
    np.testing.assert_array_equal(read(make(X.tolist())).x, X)


def test_features_may_have_more_axes():
    """Images keep their shape."""
    images = np.zeros((4, 3, 3, 1))
    assert read(images).x.shape == (4, 3, 3, 1)


@pytest.mark.parametrize("y", [Y, ["b", "a", "b", "a"], Y[:, np.newaxis], np.eye(4)])
def test_targets_are_kept(y):
    """Targets of any type pass, as they are."""
    np.testing.assert_array_equal(read(y=y).y, y)


def test_sparse_targets_become_dense():
    """Indicators in a sparse matrix become an array."""
    rows = read(y=csr_array(np.eye(4)))
    np.testing.assert_array_equal(rows.y, np.eye(4))


def test_features_are_learned():
    """The estimator learns number and names of the features, and compares them."""
    estimator = Regressor()
    table = pd.DataFrame(X, columns=["a", "b"])
    read(table, estimator=estimator)
    assert estimator.n_features_in_ == 2
    assert estimator.feature_names_in_.tolist() == ["a", "b"]
    x = validate_features(estimator, table, reset=False)
    np.testing.assert_array_equal(x, X)
    with pytest.raises(ValueError, match="same order"):
        validate_features(estimator, table[["b", "a"]], reset=False)


def test_features_are_counted():
    """The estimator learns the number of features, and refuses another."""
    estimator = Regressor()
    read(estimator=estimator)
    with pytest.raises(ValueError, match=r"3 features.*expecting 2"):
        read(np.ones((4, 3)), estimator=estimator, reset=False)
    with pytest.raises(ValueError, match=r"1 features.*expecting 2"):
        validate_features(estimator, np.ones((4, 1)), reset=False)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"x": np.full((4, 2), np.nan)}, "Input X contains NaN"),
        ({"x": np.full((4, 2), np.inf)}, "Input X contains infinity"),
        ({"x": np.full((4, 2), 1e300)}, "Input X contains infinity"),
        ({"x": np.ones(4)}, "Expected 2D array, got 1D array instead"),
        ({"x": np.ones((3, 2))}, r"inconsistent numbers of samples: \[3, 4\]"),
        ({"x": np.ones((0, 2)), "y": []}, r"Found array with 0 sample\(s\)"),
        ({"x": [["a", "b"]] * 4}, "could not convert string to float"),
        ({"y": None}, "requires y to be passed"),
        ({"y": [0.5, np.nan, 1, 2], "numeric": True}, "Input y contains NaN"),
        ({"y": ["a"] * 4, "numeric": True}, "y must hold numbers. Got .*'a'.* of type"),
        ({"weight": [1, 2]}, "inconsistent numbers of samples|sample_weight.shape"),
        ({"weight": [-1, 1, 1, 1]}, "Negative values in data passed to .sample_weight"),
        ({"weight": [np.nan, 1, 1, 1]}, "Input sample_weight contains NaN"),
        ({"groups": [1, 2]}, r"inconsistent numbers of samples: \[4, 2\]"),
    ],
)
def test_bad_data_is_refused(bad, message):
    """What is not finite, or does not fit together, is refused by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            read(**bad)


# --- weights


def test_without_weights_there_are_none():
    """Rows without weights stay without."""
    assert read().weight is None


def test_weights_are_kept():
    """Weights of any number type become floats."""
    np.testing.assert_array_equal(read(weight=[1, 2, 3, 4]).weight, [1.0, 2, 3, 4])


def test_one_weight_is_for_all_rows():
    """A single number is every row's weight, as in scikit-learn."""
    np.testing.assert_array_equal(read(weight=2.0).weight, [2.0] * 4)


def test_rows_of_no_weight_are_left_out():
    """Rows of weight zero are dropped with their targets and groups."""
    rows = read(weight=[1, 0, 3, 0], groups=["a", "b", "c", "d"])
    assert len(rows) == 2
    np.testing.assert_array_equal(rows.x, X[[0, 2]])
    np.testing.assert_array_equal(rows.y, [0, 0])
    np.testing.assert_array_equal(rows.weight, [1, 3])
    np.testing.assert_array_equal(rows.groups, ["a", "c"])


def test_sparse_rows_of_no_weight_are_left_out():
    """Sparse rows of weight zero are dropped too."""
    rows = read(csr_array(X), weight=[0, 1, 1, 0])
    np.testing.assert_array_equal(rows.x.toarray(), X[1:3])


def test_all_weights_zero_are_refused():
    """With no weight at all there is nothing to train on."""
    message = "All sample weights are zero.*Got 4 weights, all 0"
    with pytest.raises(ValueError, match=message):
        drop_weightless(replace(read(), weight=np.zeros(4)))
    message = f"{message}|must contain at least one non-zero"  # scikit-learn 1.9's
    with pytest.raises(ValueError, match=message):
        read(weight=np.zeros(4))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_the_callers_arrays_are_left_alone(dtype):
    """Nothing is written into what the user passed."""
    x, y, weight = X.astype(dtype), Y.copy(), np.array([1, 2, 0, 3], dtype)
    groups = np.arange(4)
    for array in (x, y, weight, groups):
        array.flags.writeable = False
    rows = read(x, y, weight, groups)
    data = assign_roles(rows, read(x, y, weight))
    data.weight[:] = 7
    np.testing.assert_array_equal(weight, np.array([1, 2, 0, 3], dtype))


# --- validation sets


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((None, None, None, None), None),
        ((None, "X", "y", None), ("X", "y", None)),
        ((None, "X", "y", "w"), ("X", "y", "w")),
        ((("X", "y"), None, None, None), ("X", "y", None)),
        ((["X", "y", "w"], None, None, None), ("X", "y", "w")),
    ],
)
def test_both_spellings_of_a_validation_set(arguments, expected):
    """scikit-learn's and Keras's spelling mean the same."""
    assert validation_set(*arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((("X", "y"), "X", "y", None), "Give X_val and y_val, or validation_data"),
        ((("X",), None, None, None), r"must be \(X, y\) or .*Got tuple instead"),
        ((("X", "y", "w", "?"), None, None, None), r"must be \(X, y\)"),
        ((np.ones((2, 2)), None, None, None), "Got ndarray instead"),
        ((None, "X", None, None), "X_val and y_val go together. y_val is missing"),
        ((None, None, "y", None), "X_val and y_val go together. X_val is missing"),
    ],
)
def test_half_a_validation_set_is_refused(arguments, message):
    """A validation set that is incomplete or given twice is refused."""
    with pytest.raises(ValueError, match=message):
        validation_set(*arguments)


@pytest.mark.parametrize("validation_data", [None, ("X", "y")])
def test_weights_of_nothing_are_refused(validation_data):
    """Weights of a validation set that is not given are no silent loss."""
    message = "sample_weight_val weighs the rows of X_val, which is missing"
    with pytest.raises(ValueError, match=message):
        validation_set(validation_data, None, None, "w")


# --- roles

SPLIT = (np.array([0, 2, 3]), np.array([1]))


def test_without_a_split_all_rows_are_trained_on():
    """With neither a validation set nor a split nothing is held out."""
    data = assign_roles(Rows(X, Y))
    np.testing.assert_array_equal(data.train_rows, np.arange(4))
    assert len(data.validation_rows) == 0
    assert data.weight is None


def test_a_split_is_taken_as_it_is():
    """The rows stay where they are, and the split says what each is for."""
    data = assign_roles(Rows(X, Y), split=SPLIT)
    np.testing.assert_array_equal(data.train_rows, SPLIT[0])
    np.testing.assert_array_equal(data.validation_rows, SPLIT[1])
    assert data.x is X


JOINS = {
    "arrays": (X, X[:2] + 10),
    "sparse": (csr_array(X), csr_array(X[:2] + 10)),
    "sparse and array": (csr_array(X), X[:2] + 10),
    "array and sparse": (X, csr_array(X[:2] + 10)),
}


@pytest.mark.parametrize("join", JOINS)
def test_a_validation_set_is_joined(join):
    """A validation set's rows come after those trained on."""
    upper, lower = JOINS[join]
    data = assign_roles(Rows(upper, Y), Rows(lower, Y[:2]))
    np.testing.assert_array_equal(data.train_rows, np.arange(4))
    np.testing.assert_array_equal(data.validation_rows, [4, 5])
    dense = data.x.toarray() if issparse(data.x) else data.x
    np.testing.assert_array_equal(dense, np.r_[X, X[:2] + 10])
    np.testing.assert_array_equal(data.y, np.r_[Y, Y[:2]])


def test_a_sparse_validation_set_stays_sparse():
    """Joining sparse rows does not make them dense."""
    data = assign_roles(Rows(*(csr_array(X), Y)), Rows(csr_array(X), Y))
    assert data.x.format == "csr"


def test_nested_rows_are_joined():
    """Rows in several arrays are joined array by array."""
    upper = Rows({"a": X, "b": [X, Y]}, {"out": Y})
    data = assign_roles(upper, upper)
    assert data.x["a"].shape == (8, 2)
    assert data.x["b"][1].shape == data.y["out"].shape == (8,)


def test_weights_average_one_in_each_role():
    """Weights are relative: within each role their mean is one."""
    weight = np.array([1.0, 8.0, 2.0, 3.0])
    data = assign_roles(Rows(X, Y, weight), split=SPLIT)
    np.testing.assert_allclose(data.weight, [0.5, 1, 1, 1.5])
    assert data.weight.dtype == "float32"


@pytest.mark.parametrize(
    ("upper", "lower", "expected"),
    [
        (None, None, None),
        ([1, 3, 1, 3], None, [0.5, 1.5, 0.5, 1.5, 1, 1]),
        (None, [1, 3], [1, 1, 1, 1, 0.5, 1.5]),
        ([2, 2, 2, 2], [1, 3], [1, 1, 1, 1, 0.5, 1.5]),
    ],
)
def test_rows_without_weights_weigh_one(upper, lower, expected):
    """Where one of two sets has weights, the other's rows weigh the same each."""
    upper, lower = (None if w is None else np.array(w, float) for w in (upper, lower))
    data = assign_roles(Rows(X, Y, upper), Rows(X[:2], Y[:2], lower))
    if expected is None:
        assert data.weight is None
    else:
        np.testing.assert_allclose(data.weight, expected)


def test_the_scale_of_weights_does_not_matter():
    """Tiny and huge weights train as those around one do."""
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    expected = assign_roles(Rows(X, Y, weight)).weight
    for scale in (1e-30, 1e30):
        scaled = assign_roles(Rows(X, Y, weight * scale)).weight
        np.testing.assert_allclose(scaled, expected, rtol=1e-6)
