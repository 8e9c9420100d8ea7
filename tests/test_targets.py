"""Targets: what the network must end in, encoding, and back into y."""

import warnings

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError

from skkeras_tune.estimators.targets import ClassTargetEncoder, NumberTargetEncoder
from skkeras_tune.losses import build_loss, loss_name

BINARY = np.array([0, 1, 1, 0])
MULTICLASS = np.array([0, 1, 2, 1])
MULTILABEL = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]])
ONE_HOT = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
LOGITS = {"from_logits": True}

LABELS = {
    "strings": np.array(["b", "a", "c", "a"]),
    "objects": np.array(["b", "a", "c", "a"], object),
    "two strings": np.array(["yes", "no", "yes"]),
    "integers": np.array([7, -3, 100, 7]),
    "large integers": np.array([2**40, 2**41, 2**40]),
    "booleans": np.array([True, False, True]),
    "whole floats": np.array([1.0, 3.0, 2.0]),
    "bytes": np.array([2, 1, 2], np.uint8),
}


def fit_classes(y, **options):
    """Return an encoder of these labels."""
    return ClassTargetEncoder(**options).fit(y)


def outputs_for(codes, n_units):
    """Return outputs of a network that is sure of these classes."""
    if n_units == 1:
        return np.where(codes, 0.9, 0.1)[:, np.newaxis]
    return np.eye(n_units)[codes] * 0.8 + 0.1


# --- labels


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_type_come_back(name):
    """What is encoded is decoded into the same labels, of the same type."""
    y = LABELS[name]
    encoder = fit_classes(y)
    codes = encoder.transform(y)
    np.testing.assert_array_equal(encoder.classes_, np.unique(y))
    np.testing.assert_array_equal(encoder.classes_[codes], y)
    decoded = encoder.inverse_transform(outputs_for(codes, encoder.n_classes_))
    np.testing.assert_array_equal(decoded, y)
    assert decoded.dtype == y.dtype


@pytest.mark.parametrize("name", LABELS)
def test_class_numbers_are_int32(name):
    """Labels become class numbers that Keras's losses take."""
    codes = fit_classes(LABELS[name]).transform(LABELS[name])
    assert codes.dtype == np.int32
    assert codes.shape == LABELS[name].shape


@pytest.mark.parametrize(
    ("y", "options", "expected"),
    [
        (BINARY, {}, "binary"),
        (MULTICLASS, {}, "multiclass"),
        (MULTILABEL, {}, "multilabel-indicator"),
        (MULTILABEL, {"one_hot": True}, "multilabel-indicator"),
        (ONE_HOT, {}, "multilabel-indicator"),
        (ONE_HOT, {"one_hot": True}, "multiclass-onehot"),
        (BINARY, {"classes": [0, 1, 2]}, "multiclass"),
        (np.zeros(3), {"classes": [0, 1]}, "binary"),
    ],
)
def test_target_types(y, options, expected):
    """The type follows from the labels, or from those that are to come."""
    encoder = fit_classes(y, **options)
    assert encoder.target_type_ == expected
    assert encoder.get_metadata()["target_type_"] == expected


def test_classes_may_be_given():
    """With `classes` the numbers are theirs, in whatever order they are given."""
    encoder = fit_classes(np.array(["b", "b"]), classes=["c", "b", "a"])
    assert encoder.classes_.tolist() == ["a", "b", "c"]
    assert encoder.transform(np.array(["b", "c"])).tolist() == [1, 2]


def test_a_column_is_a_vector_with_a_warning():
    """Labels in one column are taken, with scikit-learn's warning, given once."""
    encoder = fit_classes(MULTICLASS[:, np.newaxis])
    with pytest.warns(DataConversionWarning, match="column-vector y was passed") as w:
        codes = encoder.transform(MULTICLASS[:, np.newaxis])
    assert (codes.shape, len(w)) == ((4,), 1)


def test_encoding_leaves_y_alone():
    """The caller's labels are not written to."""
    y = MULTILABEL.copy()
    fit_classes(y).transform(y)[:] = 7
    np.testing.assert_array_equal(y, MULTILABEL)


def test_encoders_are_estimators():
    """Encoders clone, and keep their parameters as they were given."""
    classes = ["b", "a"]
    encoder = clone(fit_classes(np.array(["a", "b"]), classes=classes))
    assert encoder.get_params() == {"classes": classes, "one_hot": False}
    assert not hasattr(encoder, "classes_")


@pytest.mark.parametrize(
    "y", [np.array([0.5, 1.5]), np.array([[1, 2], [3, 4]]), np.array([[0.5, 1.0]])]
)
def test_targets_that_are_no_labels_are_refused(y):
    """Numbers, and several columns of labels, are refused with what to do."""
    with pytest.raises(ValueError, match=r"Unknown label type.*use KerasRegressor"):
        fit_classes(y)


@pytest.mark.parametrize("y", [np.array([1, 1, 1]), np.array(["a"])])
def test_one_class_is_refused(y):
    """A single class is refused, and shown."""
    message = rf"y has 1 class .*needs at least 2\. Got .* in {len(y)} rows"
    with pytest.raises(ValueError, match=message):
        fit_classes(y)


def test_unknown_labels_are_refused():
    """Labels that are not among the classes are refused in fit and transform."""
    message = r"does not know: \['d'\]. Its classes are \['a', 'b', 'c'\]"
    with pytest.raises(ValueError, match=message):
        fit_classes(np.array(["a", "d"]), classes=["a", "b", "c"])
    with pytest.raises(ValueError, match=message):
        fit_classes(np.array(["a", "b", "c"])).transform(np.array(["d", "a"]))


@pytest.mark.parametrize("y", [MULTILABEL[:, :2], MULTILABEL[:, 0]])
def test_other_numbers_of_label_columns_are_refused(y):
    """Indicators of another width are refused; both widths are shown."""
    message = "y has shape .*was fitted with 3 label columns"
    with pytest.raises(ValueError, match=message):
        fit_classes(MULTILABEL).transform(y)


@pytest.mark.parametrize("encoder", [ClassTargetEncoder(), NumberTargetEncoder()])
def test_unfitted_encoders_are_refused(encoder):
    """An encoder that has seen no target says so."""
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        encoder.transform(BINARY)
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        encoder.inverse_transform(np.ones((2, 1)))


# --- probabilities


def test_one_unit_is_the_second_classes_probability():
    """A single output is completed to two probabilities that add up to one."""
    encoder = fit_classes(np.array(["no", "yes"]))
    outputs = np.array([[0.2], [0.9]])
    probabilities = encoder.inverse_transform(outputs, return_proba=True)
    np.testing.assert_allclose(probabilities, [[0.8, 0.2], [0.1, 0.9]])
    assert encoder.inverse_transform(outputs).tolist() == ["no", "yes"]


def test_flat_outputs_are_taken():
    """Outputs of shape (n_samples,) are one column."""
    encoder = fit_classes(BINARY)
    probabilities = encoder.inverse_transform(np.array([0.2, 0.9]), return_proba=True)
    assert probabilities.shape == (2, 2)


def test_two_units_are_kept():
    """Two outputs of a binary target are its probabilities."""
    encoder = fit_classes(BINARY)
    outputs = np.array([[0.2, 0.8], [0.7, 0.3]])
    np.testing.assert_array_equal(encoder.inverse_transform(outputs, True), outputs)
    assert encoder.inverse_transform(outputs).tolist() == [1, 0]


def test_labels_above_one_half_are_set():
    """Each label of several is decided by itself."""
    encoder = fit_classes(MULTILABEL)
    outputs = np.array([[0.6, 0.4, 0.5], [0.1, 0.1, 0.1]])
    decoded = encoder.inverse_transform(outputs)
    np.testing.assert_array_equal(decoded, [[1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(encoder.inverse_transform(outputs, True), outputs)


def test_one_hot_rows_come_back():
    """Of one label among many, each row has a single one."""
    encoder = fit_classes(ONE_HOT, one_hot=True)
    codes = encoder.transform(ONE_HOT)
    np.testing.assert_array_equal(codes, ONE_HOT)
    decoded = encoder.inverse_transform(np.array([[0.4, 0.3, 0.3], [0.4, 0.3, 0.45]]))
    np.testing.assert_array_equal(decoded, [[1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("y", [MULTILABEL, ONE_HOT])
def test_indicators_are_floats(y):
    """Indicators become floats, which Keras's losses compare with."""
    codes = fit_classes(y).transform(y)
    assert codes.dtype == "float32"
    np.testing.assert_array_equal(codes, y)


def test_metadata_of_labels():
    """A model function may ask for the classes and their number."""
    meta = fit_classes(LABELS["strings"]).get_metadata()
    assert meta["classes_"].tolist() == ["a", "b", "c"]
    assert meta["n_classes_"] == 3
    assert meta["n_outputs_"] == meta["n_outputs_expected_"] == 1


# --- the head for labels

KIND = {
    "binary": (BINARY, {}),
    "multiclass": (MULTICLASS, {}),
    "multilabel": (MULTILABEL, {}),
    "onehot": (ONE_HOT, {"one_hot": True}),
}


class OwnLoss(keras.losses.Loss):
    """A loss of the user's."""

    def call(self, y_true, y_pred):
        return keras.ops.mean(y_pred - y_true, axis=-1)


@pytest.mark.parametrize(
    ("kind", "loss", "units", "activation", "name"),
    [
        ("binary", "auto", 1, "sigmoid", "binary_crossentropy"),
        ("binary", "bce", 1, "sigmoid", "binary_crossentropy"),
        ("binary", "binary_focal_crossentropy", 1, "sigmoid", None),
        ("binary", "sparse_categorical_crossentropy", 2, "softmax", None),
        ("binary", "categorical_crossentropy", 2, "softmax", None),
        ("binary", "kl_divergence", 2, "softmax", None),
        ("binary", "mse", 1, "sigmoid", "mean_squared_error"),
        ("binary", OwnLoss(), 1, "sigmoid", "own_loss"),
        ("binary", keras.losses.BinaryCrossentropy(**LOGITS), 1, None, None),
        ("binary", keras.losses.CategoricalCrossentropy(**LOGITS), 2, None, None),
        ("multiclass", "auto", 3, "softmax", "sparse_categorical_crossentropy"),
        ("multiclass", "categorical_crossentropy", 3, "softmax", None),
        ("multiclass", "categorical_focal_crossentropy", 3, "softmax", None),
        ("multiclass", "mse", 3, "softmax", "mean_squared_error"),
        ("multiclass", OwnLoss(), 3, "softmax", "own_loss"),
        (
            "multiclass",
            keras.losses.SparseCategoricalCrossentropy(**LOGITS),
            3,
            None,
            "sparse_categorical_crossentropy",
        ),
        ("multilabel", "auto", 3, "sigmoid", "binary_crossentropy"),
        ("multilabel", "binary_focal_crossentropy", 3, "sigmoid", None),
        ("multilabel", "mse", 3, "sigmoid", "mean_squared_error"),
        ("multilabel", keras.losses.BinaryCrossentropy(**LOGITS), 3, None, None),
        ("onehot", "auto", 3, "softmax", "categorical_crossentropy"),
        ("onehot", "kl_divergence", 3, "softmax", None),
        ("onehot", "mse", 3, "softmax", None),
    ],
)
def test_heads_of_labels(kind, loss, units, activation, name):
    """Width, activation and loss follow from the target and from the loss given."""
    y, options = KIND[kind]
    head = fit_classes(y, **options).resolve_head(loss, {})
    assert (head.units, head.activation) == (units, activation)
    assert loss_name(head.loss) == (name or loss_name(loss))


@pytest.mark.parametrize(
    ("kind", "loss", "default"),
    [
        ("binary", "hinge", "binary_crossentropy"),
        ("binary", keras.losses.SquaredHinge(), "binary_crossentropy"),
        ("multiclass", "bce", "sparse_categorical_crossentropy"),
        ("multiclass", "categorical_hinge", "sparse_categorical_crossentropy"),
        ("multilabel", "categorical_crossentropy", "binary_crossentropy"),
        ("multilabel", "sparse_categorical_crossentropy", "binary_crossentropy"),
        ("onehot", "bce", "categorical_crossentropy"),
        ("onehot", "sparse_categorical_crossentropy", "categorical_crossentropy"),
    ],
)
def test_losses_that_do_not_fit_labels_are_refused(kind, loss, default):
    """A loss for another kind of target is refused, with the one that fits."""
    y, options = KIND[kind]
    message = (
        f"loss='{loss_name(loss)}' does not fit a .* target with . classes.*"
        f"loss='auto', which is '{default}'"
    )
    with pytest.raises(ValueError, match=message):
        fit_classes(y, **options).resolve_head(loss, {})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("binary", keras.losses.BinaryCrossentropy),
        ("multiclass", keras.losses.CategoricalCrossentropy),
        ("multilabel", keras.losses.BinaryCrossentropy),
        ("onehot", keras.losses.CategoricalCrossentropy),
    ],
)
def test_smoothed_labels_need_a_loss_that_smooths(kind, expected):
    """Label smoothing with the automatic loss chooses one that takes it."""
    y, options = KIND[kind]
    head = fit_classes(y, **options).resolve_head("auto", {"label_smoothing": 0.1})
    assert type(head.loss) is expected
    assert head.loss.get_config()["label_smoothing"] == 0.1


def test_options_reach_the_head():
    """Logits asked for by an option leave the output layer linear."""
    head = fit_classes(MULTICLASS).resolve_head("auto", LOGITS)
    assert (head.units, head.activation) == (3, None)


@pytest.mark.parametrize("kind", KIND)
def test_the_automatic_head_compares_with_the_encoded_target(kind):
    """The chosen loss takes the target and outputs of the chosen width."""
    y, options = KIND[kind]
    encoder = fit_classes(y, **options)
    head = encoder.resolve_head("auto", {})
    targets = encoder.transform(y)
    targets = targets[:, np.newaxis] if head.units == 1 else targets
    outputs = np.full((len(y), head.units), 0.3, np.float32)
    compare = build_loss(head.loss, {"reduction": None})
    assert np.isfinite(compare(targets, outputs).numpy()).all()


# --- numbers


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 3)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_numbers_come_back_in_their_shape(shape, dtype):
    """Numbers become float columns, and predictions have the shape of y."""
    y = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    encoder = NumberTargetEncoder().fit(y)
    targets = encoder.transform(y)
    assert targets.dtype == "float32"
    assert targets.shape == (5, encoder.n_outputs_)
    predictions = encoder.inverse_transform(targets)
    np.testing.assert_array_equal(predictions, y)
    assert predictions.dtype == (dtype if dtype.startswith("float") else "float32")


def test_predictions_of_integers_are_not_rounded():
    """Whole numbers are predicted as floats."""
    encoder = NumberTargetEncoder().fit(np.array([1, 2, 3]))
    assert encoder.inverse_transform(np.array([[1.5]])).tolist() == [1.5]


def test_metadata_of_numbers():
    """A model function may ask for the number of outputs and the kind of target."""
    meta = NumberTargetEncoder().fit(np.array([[0.5, 1.5], [1.0, 2.0]])).get_metadata()
    assert meta["n_outputs_"] == 2
    assert meta["target_type_"] == "continuous-multioutput"
    assert meta["n_outputs_expected_"] == 1


@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        ("auto", None),
        ("mae", None),
        ("huber", None),
        ("poisson", "exponential"),
        (keras.losses.Poisson(), "exponential"),
        (OwnLoss(), None),
    ],
)
def test_heads_of_numbers(loss, activation):
    """Regression ends in a linear layer as wide as y, Poisson's in an exponential."""
    encoder = NumberTargetEncoder().fit(np.ones((4, 2)) * 0.5)
    head = encoder.resolve_head(loss, {})
    assert (head.units, head.activation) == (2, activation)
    assert loss_name(head.loss) == loss_name("mse" if loss == "auto" else loss)


def test_options_reach_the_loss_of_numbers():
    """Targets are compared with the options of the loss."""
    encoder = NumberTargetEncoder().fit(np.array([0.5, 1.5]))
    loss = encoder.resolve_head("huber", {"delta": 2.0}).loss
    expected = keras.losses.Huber(delta=2.0)
    assert float(loss([[9.0]], [[0.0]])) == float(expected([[9.0]], [[0.0]]))


@pytest.mark.parametrize("loss", ["bce", "sparse_categorical_crossentropy", "hinge"])
def test_losses_that_do_not_fit_numbers_are_refused(loss):
    """A loss for labels is refused, with the one that fits."""
    message = (
        f"loss='{loss_name(loss)}' does not fit a regression target.*"
        "'mean_squared_error', or KerasClassifier"
    )
    with pytest.raises(ValueError, match=message):
        NumberTargetEncoder().fit(np.array([0.5, 1.5])).resolve_head(loss, {})


@pytest.mark.parametrize(
    ("fitted", "given", "shown"),
    [
        ((4,), (4, 2), r"\(n_samples,\)"),
        ((4, 2), (4,), r"\(n_samples, 2\)"),
        ((4, 2), (4, 3), r"\(n_samples, 2\)"),
    ],
)
def test_targets_of_another_shape_are_refused(fitted, given, shown):
    """Numbers of another shape are refused; both shapes are shown."""
    encoder = NumberTargetEncoder().fit(np.full(fitted, 0.5))
    with pytest.raises(ValueError, match=f"y has shape .*fitted with .*{shown}"):
        encoder.transform(np.full(given, 0.5))


def test_numbers_too_large_are_refused():
    """A number beyond the network's precision is refused, without NumPy's warning."""
    y = np.array([1.0, -1e300])
    encoder = NumberTargetEncoder().fit(y)
    message = r"too large for the network's float32: .*1e\+300.*Scale y"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            encoder.transform(y)
