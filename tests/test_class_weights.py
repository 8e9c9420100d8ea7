"""The weights of classes multiply the weights of rows."""

import numpy as np
import pytest

from skkeras_tune.estimators.class_weights import (
    resolve_class_weights,
    weigh_indicators,
)
from skkeras_tune.estimators.rows import Rows

X = np.arange(8.0).reshape(4, 2)
Y = np.array([0, 1, 0, 1])


def weigh(class_weight, y=Y, weight=None, classes=None):
    """Return the weights of rows with these labels."""
    weight = None if weight is None else np.array(weight, float)
    rows = Rows(X, y, weight)
    classes = np.unique(y) if classes is None else np.array(classes)
    return resolve_class_weights(class_weight, rows, y, classes).apply(rows, y).weight


@pytest.mark.parametrize("labels", [Y, np.array(["x", "y", "x", "y"])])
def test_class_weights_multiply(labels):
    """The weight of a class multiplies the weights of its rows."""
    names = np.unique(labels)
    class_weight = {names[0]: 3.0, names[1]: 0.5}
    np.testing.assert_array_equal(weigh(class_weight, labels), [3, 0.5, 3, 0.5])
    weights = weigh(class_weight, labels, [1, 2, 3, 4])
    np.testing.assert_array_equal(weights, [3, 1, 9, 2])


def test_classes_that_a_dict_does_not_name_weigh_one():
    """A dict may name some of the classes only, and the rows may lack one of them."""
    np.testing.assert_array_equal(weigh({1: 5.0}), [1, 5, 1, 5])
    np.testing.assert_array_equal(weigh({2: 5.0}, classes=[0, 1, 2]), [1, 1, 1, 1])


def test_unknown_labels_are_refused():
    """A dict that names a label which there is not is refused, with the labels."""
    with pytest.raises(
        ValueError, match=r"does not hold: \[7\]. The classes are \[0, 1"
    ):
        weigh({7: 2.0})


def test_balanced_classes_weigh_the_same():
    """Balanced weights add up to the same for each class, and to the rows."""
    y = np.array([0, 0, 0, 1])
    weight = weigh("balanced", y)
    assert weight[y == 0].sum() == pytest.approx(weight[y == 1].sum())
    assert weight.sum() == pytest.approx(4)


def test_balanced_is_of_the_rows_that_count():
    """Rows of weight zero have no part in the balance."""
    weight = weigh("balanced", np.array([0, 0, 1, 1]), [1, 1, 1, 0])
    assert weight[:2].sum() == pytest.approx(weight[2])


def test_other_rows_take_the_weights_of_these():
    """What the training rows decide is applied to a validation set as it is."""
    y = np.array([0, 0, 0, 1])
    weights = resolve_class_weights("balanced", Rows(X, y), y, np.array([0, 1]))
    others = weights.apply(Rows(X, Y), Y).weight
    np.testing.assert_allclose(others, [2 / 3, 2, 2 / 3, 2])


def test_indicators_multiply_over_their_labels():
    """A row of several labels has the product of their weights."""
    y = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    weights = weigh_indicators([{0: 1, 1: 2}, {0: 1, 1: 3}], Rows(X, y)).weight
    np.testing.assert_array_equal(weights, [2, 6, 3, 1])
