"""Targets: what is checked of y, and members' predictions as one kind of matrix."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier

from skkeras_tune import EnsembleClassifier, KerasClassifier
from skkeras_tune.ensemble.targets import (
    Indicators,
    Labels,
    Numbers,
    take_weights,
    validate_classes,
    validate_numbers,
    validate_weighted,
)
from tests.searches import X, y

INDICATORS = np.column_stack([y == 0, y > 0, X[:, 0] > 0]).astype(int)
NAMES = np.array(["setosa", "versicolor", "virginica"])


@pytest.mark.parametrize("labels", [y, NAMES[y], NAMES[y].astype(object), y > 0])
def test_labels(labels):
    """Labels of any type are read, and decoded to themselves."""
    found, target = validate_classes(labels)
    assert isinstance(target, Labels)
    member = LogisticRegression().fit(X, labels)
    decoded = target.decode(target.read(member, X))
    np.testing.assert_array_equal(decoded, member.predict(X))
    assert decoded.dtype == np.asarray(labels).dtype
    np.testing.assert_array_equal(found, labels)


def test_members_that_lack_a_class():
    """A class that a member never saw has the probability zero."""
    known = y != 1
    member = LogisticRegression().fit(X[known], y[known])
    probabilities = Labels(np.arange(3)).read(member, X)
    np.testing.assert_array_equal(probabilities[:, 1], 0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_probabilities_sum_to_one():
    """A network's do in single precision only, of which scikit-learn's metrics warn."""
    network = KerasClassifier(units=5, epochs=3, random_state=0).fit(X, y)
    assert network.predict_proba(X).dtype == np.float32
    probabilities = Labels(np.arange(3)).read(network, X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(probabilities, network.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize(
    "member",
    [
        RandomForestClassifier(n_estimators=5, random_state=0),
        KNeighborsClassifier(),
        OneVsRestClassifier(LogisticRegression()),
        MLPClassifier((5,), max_iter=2000, random_state=0),
        KerasClassifier(units=5, epochs=3, random_state=0),
    ],
    ids=lambda member: type(member).__name__,
)
def test_indicators(member):
    """Both of scikit-learn's forms of several probabilities become one matrix."""
    checked, target = validate_classes(INDICATORS)
    assert isinstance(target, Indicators)
    member.fit(X, checked)
    probabilities = target.read(member, X)
    assert probabilities.shape == (150, 3)
    np.testing.assert_array_equal(target.decode(probabilities), member.predict(X))


def test_indicators_of_one_kind():
    """A forest that saw a label always, or never, gives it certainty."""
    constant = INDICATORS * [1, 0, 1]
    constant[:, 2] = 1
    forest = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, constant)
    probabilities = Indicators(np.arange(3)).read(forest, X)
    np.testing.assert_array_equal(probabilities[:, 1], 0)
    np.testing.assert_array_equal(probabilities[:, 2], 1)


@pytest.mark.parametrize("n_columns", [None, 1, 2])
def test_numbers(n_columns):
    """Numbers are columns in between, and have y's shape again in the end."""
    numbers = X[:, 0] if n_columns is None else X[:, :n_columns]
    if n_columns == 1:
        with pytest.warns(DataConversionWarning, match="column-vector"):
            checked, target = validate_numbers(numbers)
    else:
        checked, target = validate_numbers(numbers)
    member = LinearRegression().fit(X, checked)
    read = target.read(member, X)
    assert read.shape == (150, n_columns or 1)
    np.testing.assert_allclose(target.decode(read), checked, atol=1e-9)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ([0.0, 1.0, np.nan], "Input y contains NaN"),
        (np.array(["a", "b", None], object), "Input y contains None"),
        (pd.Series(["a", "b", None], dtype=object), "Input y contains None"),
        ([0.5, 1.5, 2.5], "Unknown label type: continuous"),
        ([1, 1, 1], r"y has 1 class .*Got \[1\] in 3 rows"),
        ([[0, 1], [2, 3]], "Unknown label type: multiclass-multioutput"),
        (None, "requires y"),
    ],
)
def test_bad_classes(bad, problem):
    """Labels that are missing, alone or no labels are refused."""
    with pytest.raises(ValueError, match=problem):
        validate_classes(bad)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ([0.0, np.nan], "Input y contains NaN"),
        ([0.0, np.inf], "Input y contains infinity"),
        (["a", "b"], "y must hold numbers"),
        (None, "requires y"),
    ],
)
def test_bad_numbers(bad, problem):
    """Numbers that are missing, not finite or no numbers are refused."""
    with pytest.raises(ValueError, match=problem):
        validate_numbers(bad)


def test_weights_that_leave_nothing():
    """Weights that leave no rows, or rows of one class, are refused."""
    target = Labels(np.arange(3))
    with pytest.raises(ValueError, match=r"weights are zero\. Got 150 weights, all 0"):
        validate_weighted(y, target, np.zeros(150))
    with pytest.raises(ValueError, match=r"have 1 class, .*Got .*0.* in 50 rows"):
        validate_weighted(y, target, (y == 0) * 1.0)
    validate_weighted(y, target, (y < 2) * 1.0)
    validate_weighted(X[:, 0], Numbers(1), (y == 0) * 1.0)


def test_rows_that_folds_test_need_weights():
    """Members cannot be compared on rows of which none counts."""
    trained, tested = np.arange(1, 150, 2), np.arange(0, 150, 2)
    weight = np.arange(150) % 2 * 1.0
    forest = RandomForestClassifier(n_estimators=2, random_state=0)
    ensemble = EnsembleClassifier([forest], cv=[(trained, tested)])
    with pytest.raises(ValueError, match="The 75 rows that the folds test all have a"):
        ensemble.fit(X, y, sample_weight=weight)
    assert take_weights(weight, trained).tolist() == [1.0] * 75
    assert take_weights(None, tested) is None


def test_numbers_as_objects():
    """Numbers in a column of objects are numbers."""
    checked, target = validate_numbers(np.array([1, 2.5], object))
    assert checked.dtype == float
    assert target == Numbers(1)


def test_odd_probabilities():
    """A member with a column too many is refused."""

    class Odd(LogisticRegression):
        def predict_proba(self, X):
            return np.ones((len(X), 5))

    with pytest.raises(
        ValueError, match=r"Odd.predict_proba gave the shape \(150, 5\)"
    ):
        Labels(np.arange(3)).read(Odd().fit(X, y), X)
