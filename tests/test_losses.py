"""Losses by name and family, and the targets and outputs that each works with."""

import keras
import numpy as np
import pytest

from skkeras_tune.losses import (
    adapt_targets,
    build_loss,
    loss_family,
    loss_name,
    takes_logits,
    to_probabilities,
)

LABELS = np.array([0, 2, 1], np.int32)


class OwnCrossentropy(keras.losses.BinaryCrossentropy):
    """A loss of the user's, made of one of Keras's."""


class OwnLoss(keras.losses.Loss):
    """A loss of the user's that is like none of Keras's."""

    def call(self, y_true, y_pred):
        return keras.ops.mean(y_pred - y_true, axis=-1)


def own_function(y_true, y_pred):
    """Return a loss of the user's."""
    return keras.ops.mean(y_pred - y_true, axis=-1)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", "mean_squared_error"),
        ("mean_squared_error", "mean_squared_error"),
        ("MeanSquaredError", "mean_squared_error"),
        (keras.losses.MeanSquaredError(), "mean_squared_error"),
        (keras.losses.MeanSquaredError, "mean_squared_error"),
        (keras.losses.mean_squared_error, "mean_squared_error"),
        ("bce", "binary_crossentropy"),
        (
            keras.losses.SparseCategoricalCrossentropy(name="mine"),
            "sparse_categorical_crossentropy",
        ),
        (OwnLoss(), "own_loss"),
        (own_function, "own_function"),
    ],
)
def test_every_spelling_has_one_name(loss, expected):
    """A loss has one name as a string, a class, an object or a function."""
    assert loss_name(loss) == expected


def test_unknown_losses_are_refused():
    """A name that Keras does not know is refused, and shown."""
    with pytest.raises(ValueError, match="Could not interpret loss identifier: mze"):
        loss_name("mze")


FAMILIES = {
    "binary": ["binary_crossentropy", "binary_focal_crossentropy"],
    "sparse": ["sparse_categorical_crossentropy"],
    "categorical": [
        "categorical_crossentropy",
        "categorical_focal_crossentropy",
        "kl_divergence",
    ],
    "hinge": ["hinge", "squared_hinge", "categorical_hinge"],
    "regression": [
        "mean_squared_error",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
        "huber",
        "log_cosh",
        "poisson",
        "cosine_similarity",
    ],
}
SPELLINGS = {
    "name": lambda name: name,
    "object": lambda name: find_class(name)(),
    "class": lambda name: find_class(name),
    "function": lambda name: getattr(keras.losses, name),
}


def find_class(name):
    """Return Keras's class of a loss, by the name of the function."""
    (found,) = (
        item
        for item in vars(keras.losses).values()
        if isinstance(item, type) and item.__name__.lower() == name.replace("_", "")
    )
    return found


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("name", "family"), [(name, f) for f, names in FAMILIES.items() for name in names]
)
def test_every_spelling_has_one_family(name, family, spelling):
    """The family of a loss does not depend on how it is spelled."""
    assert loss_family(SPELLINGS[spelling](name)) == family


@pytest.mark.parametrize("loss", [OwnLoss(), OwnLoss, own_function, lambda t, p: p])
def test_other_losses_are_custom(loss):
    """A loss that Keras does not have belongs to no family."""
    assert loss_family(loss) == "custom"


def test_a_subclass_is_of_its_bases_family():
    """A loss made of one of Keras's works with what that one works with."""
    assert loss_family(OwnCrossentropy()) == "binary"
    assert loss_family(OwnCrossentropy) == "binary"


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (keras.losses.BinaryCrossentropy(from_logits=True), True),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), True),
        (keras.losses.BinaryCrossentropy(), False),
        (keras.losses.MeanSquaredError(), False),
        (OwnLoss(), False),
        ("binary_crossentropy", False),
        (own_function, False),
        ([keras.losses.BinaryCrossentropy(from_logits=True)], True),
        ({"out": keras.losses.BinaryCrossentropy(from_logits=True)}, True),
        ([keras.losses.BinaryCrossentropy(from_logits=True), "mse"], False),
        (None, False),
    ],
)
def test_logits_are_of_losses_that_say_so(loss, expected):
    """Only a loss with from_logits=True applies the last activation itself."""
    assert takes_logits(loss) is expected


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"out": x}])
def test_the_loss_of_one_output_may_stand_in_a_list_or_dict(wrap):
    """A list or dict of one loss asks for the targets that the loss asks for."""
    loss = wrap("categorical_crossentropy")
    assert loss_family(loss) == "categorical"
    assert loss_name(loss) == "categorical_crossentropy"
    assert adapt_targets(LABELS, loss, 3).shape == (len(LABELS), 3)


# --- routed options


@pytest.mark.parametrize(
    "loss", ["bce", "binary_crossentropy", keras.losses.BinaryCrossentropy]
)
def test_options_make_a_loss(loss):
    """A loss given by name or class is built with its options."""
    built = build_loss(loss, {"label_smoothing": 0.2, "from_logits": True})
    expected = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2)
    assert built.get_config() == expected.get_config()


@pytest.mark.parametrize("name", [n for names in FAMILIES.values() for n in names])
def test_every_named_loss_takes_options(name):
    """Each of Keras's losses can be named and given options."""
    assert type(build_loss(name, {"reduction": "sum"})) is find_class(name)


@pytest.mark.parametrize(
    "loss", ["mse", keras.losses.Huber(), own_function, OwnLoss, None, ["mse"]]
)
def test_without_options_a_loss_is_kept(loss):
    """Without options a loss is passed through as it is."""
    assert build_loss(loss, {}) is loss


@pytest.mark.parametrize("loss", [keras.losses.Huber(), own_function])
def test_options_of_a_finished_loss_are_refused(loss):
    """A loss that is built already takes no options; the error names them."""
    message = r"The options \['delta'\] are for a loss named by a string.*Got loss="
    with pytest.raises(ValueError, match=message):
        build_loss(loss, {"delta": 2.0})


# --- targets


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", OwnLoss()])
def test_class_numbers_pass_to_losses_that_take_them(loss):
    """Sparse losses compare class numbers, and so may a loss of the user's."""
    np.testing.assert_array_equal(adapt_targets(LABELS, loss, 3), LABELS)


@pytest.mark.parametrize(
    "loss",
    ["categorical_crossentropy", "kl_divergence", "categorical_hinge", "mse", "mae"],
)
def test_class_numbers_become_indicators_elsewhere(loss):
    """Other losses compare one indicator for each output."""
    adapted = adapt_targets(LABELS, loss, 3)
    np.testing.assert_array_equal(adapted, [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert adapted.dtype == "float32"


@pytest.mark.parametrize(
    "loss", ["binary_crossentropy", "hinge", "mse", OwnLoss(), own_function]
)
def test_one_unit_compares_with_one_column(loss):
    """With one output two classes are a column of zeros and ones."""
    adapted = adapt_targets(np.array([0, 1, 1]), loss, 1)
    np.testing.assert_array_equal(adapted, [[0], [1], [1]])
    assert adapted.dtype == "float32"


def test_more_outputs_than_classes():
    """Classes that the outputs have and the rows lack are columns of zeros."""
    adapted = adapt_targets(LABELS, "categorical_crossentropy", 5)
    assert adapted.shape == (3, 5)
    np.testing.assert_array_equal(adapted.argmax(axis=1), LABELS)


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy", own_function])
def test_numbers_pass_through(loss):
    """Numbers and indicators are what every loss compares with."""
    numbers = np.array([[0.5, 1.0]], np.float32)
    assert adapt_targets(numbers, loss, 2) is numbers


def test_models_of_several_outputs_get_class_numbers():
    """Where no single width is known, class numbers are left as they are."""
    np.testing.assert_array_equal(adapt_targets(LABELS, "mse", None), LABELS)


@pytest.mark.parametrize(
    ("loss", "units"),
    [
        ("sparse_categorical_crossentropy", 3),
        ("categorical_crossentropy", 3),
        ("binary_crossentropy", 1),
        ("mse", 3),
    ],
)
def test_adapted_targets_have_a_finite_loss(loss, units):
    """Keras's losses take the adapted targets, one value for each row."""
    labels = LABELS if units == 3 else np.array([0, 1, 1])
    outputs = np.full((3, units), 1 / 3, np.float32)
    compare = build_loss(loss, {"reduction": None})
    values = compare(adapt_targets(labels, loss, units), outputs)
    assert values.shape == (3,)
    assert np.isfinite(values.numpy()).all()


# --- outputs

LOGITS = np.array([[-2.0, 0.0, 1.0], [3.0, 0.5, -1.0]], np.float32)


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy", OwnLoss(), None])
def test_outputs_pass_through(loss):
    """Outputs of a network with an activation of its own are left as they are."""
    assert to_probabilities(LOGITS, loss) is LOGITS


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.BinaryCrossentropy(from_logits=True),
        keras.losses.BinaryFocalCrossentropy(from_logits=True),
        OwnCrossentropy(from_logits=True),
    ],
)
def test_binary_logits_become_probabilities_one_by_one(loss):
    """Each output of a binary loss is a probability by itself."""
    expected = 1 / (1 + np.exp(-LOGITS))
    np.testing.assert_allclose(to_probabilities(LOGITS, loss), expected, rtol=1e-5)
    one = to_probabilities(LOGITS[:, :1], loss)
    np.testing.assert_allclose(one, expected[:, :1], rtol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.CategoricalCrossentropy(from_logits=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras.losses.CategoricalFocalCrossentropy(from_logits=True),
    ],
)
def test_categorical_logits_become_probabilities_together(loss):
    """The outputs of a categorical loss add up to one, in each row."""
    exponentials = np.exp(LOGITS)
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    probabilities = to_probabilities(LOGITS, loss)
    assert isinstance(probabilities, np.ndarray)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)
