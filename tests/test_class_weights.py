"""The weights of classes multiply the weights of rows."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from skkeras_tune import KerasClassifier
from skkeras_tune.estimators.class_weights import (
    resolve_class_weights,
    weigh_columns,
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
    """A dict of labels none of which there is is refused, with the labels."""
    with pytest.raises(
        ValueError, match=r"does not hold: \[7\]. The classes are \[0, 1"
    ):
        weigh({7: 2.0})


def test_a_dict_may_name_a_class_that_a_fold_lacks():
    """Labels that the rows lack are passed over, as in scikit-learn."""
    np.testing.assert_array_equal(weigh({1: 5.0, 2: 9.0}), [1, 5, 1, 5])


@pytest.mark.parametrize("weight", [-1, np.nan, np.inf])
def test_weights_that_would_drop_a_class_are_refused(weight):
    """Negative weights and those that are not finite are refused, with the class."""
    with pytest.raises(ValueError, match=rf"Got {weight!r} for the class 'a'"):
        weigh({"a": weight, "b": 2}, np.array(["a", "b", "a", "b"]))


def test_a_class_may_weigh_nothing():
    """A weight of zero is taken."""
    np.testing.assert_array_equal(weigh({0: 0, 1: 2}), [0, 2, 0, 2])


@pytest.mark.parametrize("class_weight", [[1, 100], [{0: 1, 1: 2}]])
def test_lists_are_for_several_labels(class_weight):
    """A list is refused for a target of one column, in favour of a dict."""
    model = KerasClassifier(epochs=1, class_weight=class_weight)
    with pytest.raises(ValueError, match=r"must be a dict or 'balanced' .* Got \["):
        model.fit(X, Y)


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


INDICATORS = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])


def weigh_indicators(class_weight, y=INDICATORS, held_out=None):
    """Return the weights of training rows and of held-out rows with these labels."""
    held_out = None if held_out is None else Rows(X, held_out)
    return weigh_columns(class_weight, Rows(X, y), held_out, "multilabel-indicator")


def test_indicators_multiply_over_their_labels():
    """A row of several labels has the product of their weights."""
    rows, _ = weigh_indicators([{0: 1, 1: 2}, {0: 1, 1: 3}])
    np.testing.assert_array_equal(rows.weight, [2, 6, 3, 1])
    rows, _ = weigh_indicators([None, {1: 3}])
    np.testing.assert_array_equal(rows.weight, [1, 3, 3, 1])


def test_balanced_indicators_are_scikit_learns():
    """Balanced weights of several labels are those of scikit-learn."""
    y = np.array([[1, 0], [1, 1], [1, 0], [0, 0]])
    rows, _ = weigh_indicators("balanced", y)
    np.testing.assert_allclose(rows.weight, compute_sample_weight("balanced", y))


def test_held_out_indicators_are_weighted_alike():
    """Held-out rows of several labels take the weights that the others decide."""
    y = np.array([[1, 0], [1, 1], [1, 0], [0, 0]])
    rows, held_out = weigh_indicators("balanced", y, y[::-1])
    np.testing.assert_allclose(held_out.weight, rows.weight[::-1])


def test_a_label_that_no_row_has_may_be_weighted():
    """The weight of a label holds for indicators that are all zero."""
    rows, _ = weigh_indicators([{1: 2}, {1: 2}], INDICATORS * [0, 1])
    np.testing.assert_array_equal(rows.weight, [1, 2, 2, 1])


@pytest.mark.parametrize(
    ("class_weight", "wanted"),
    [
        ({0: 1, 1: 2}, "a list of 2 dicts"),
        ([{1: 2}], "a list of 2 dicts"),
        ([1, 2], "must hold a dict"),
        ([{1: 2}, {1: -1}], "Got -1 for the class 1"),
    ],
)
def test_indicators_take_a_dict_for_each_label(class_weight, wanted):
    """What is not one dict for each label is refused."""
    with pytest.raises(ValueError, match=wanted):
        weigh_indicators(class_weight)
