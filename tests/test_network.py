"""The built-in multilayer perceptron: its layers, and its initial weights."""

import pickle
import random
from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy.stats import ks_2samp

from skkeras_tune.frozen import freeze
from skkeras_tune.network import (
    MLPArchitecture,
    build_mlp,
    resolve_hidden_units,
    resolve_initializer,
)

SMALL = MLPArchitecture(
    input_shape=(3,),
    hidden_units=(5, 4),
    activation="relu",
    dropout=0.0,
    normalization=None,
    l1=0.0,
    l2=0.0,
    wide=False,
    kernel_initializer="auto",
    output_units=2,
    output_activation="softmax",
)

VARIANTS = {
    "plain": {},
    "linear": {"hidden_units": ()},
    "dropout": {"dropout": 0.3},
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "penalties": {"l1": 0.1, "l2": 0.2},
    "wide": {"wide": True},
    "wide and linear": {"wide": True, "hidden_units": ()},
    "image": {"input_shape": (2, 3, 1), "wide": True},
    "everything": {"dropout": 0.3, "normalization": "batch", "l2": 0.1, "wide": True},
    "initializer": {"kernel_initializer": freeze(keras.initializers.Orthogonal())},
}


def list_layers(model):
    """Return the names of a model's layers' classes, without the input's."""
    names = [type(layer).__name__ for layer in model.layers]
    return [name for name in names if name != "InputLayer"]


def list_widths(model):
    """Return the widths of a model's dense layers."""
    return [layer.units for layer in find_layers(model, keras.layers.Dense)]


def find_layers(model, kind):
    """Return a model's layers of one kind."""
    return [layer for layer in model.layers if isinstance(layer, kind)]


# --- the layers


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["Dense", "Activation", "Dense"]),
        ({"n_hidden": 0}, ["Dense"]),
        ({"hidden_layer_sizes": ()}, ["Dense"]),
        ({"n_hidden": 2}, ["Dense", "Activation"] * 2 + ["Dense"]),
        ({"dropout": 0.2}, ["Dense", "Activation", "Dropout", "Dense"]),
        (
            {"normalization": "batch"},
            ["Dense", "BatchNormalization", "Activation", "Dense"],
        ),
        (
            {"normalization": "layer", "dropout": 0.2},
            ["Dense", "LayerNormalization", "Activation", "Dropout", "Dense"],
        ),
        ({"wide": True}, ["Dense", "Activation", "Concatenate", "Dense"]),
        ({"wide": True, "n_hidden": 0}, ["Dense"]),
        ({"activation": None}, ["Dense", "Activation", "Dense"]),
    ],
)
def test_each_option_has_its_layers(options, expected):
    """Normalisation stands before the activation, and dropout after it."""
    assert list_layers(build_mlp(4, units=3, **options)) == expected


def test_widths_are_the_hidden_layers():
    """The hidden layers have the widths that are given, the output its own."""
    assert list_widths(build_mlp(4, 2, hidden_layer_sizes=(7, 5))) == [7, 5, 2]
    assert list_widths(build_mlp(4, 2, n_hidden=3, units=6)) == [6, 6, 6, 2]


def test_sizes_go_before_number_and_width():
    """`hidden_layer_sizes` is used in place of `n_hidden` and `units`."""
    model = build_mlp(4, hidden_layer_sizes=[7], n_hidden=3, units=6)
    assert list_widths(model) == [7, 1]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (None, (6, 6)),
        ((), ()),
        ([7, 5], (7, 5)),
        (np.array([7, 5]), (7, 5)),
        (8, (8,)),
        (np.int64(8), (8,)),
    ],
)
def test_hidden_units_are_plain_integers(sizes, expected):
    """Every spelling of the widths becomes a tuple of plain ints."""
    units = resolve_hidden_units(sizes, np.int64(2), np.int64(6))
    assert units == expected
    assert all(type(width) is int for width in units)


def test_images_are_flattened():
    """Inputs of several axes go through a Flatten, also into the wide join."""
    model = build_mlp((4, 5, 2), 3, n_hidden=1, units=6, wide=True)
    expected = ["Flatten", "Dense", "Activation", "Concatenate", "Dense"]
    assert list_layers(model) == expected
    assert model.input_shape == (None, 4, 5, 2)
    assert model.layers[-1].kernel.shape == (4 * 5 * 2 + 6, 3)


def test_wide_joins_the_inputs_to_the_last_layer():
    """The output is a function of the inputs and of the last hidden layer."""
    model = build_mlp(3, 1, units=4, wide=True)
    kernel = np.zeros((7, 1))
    kernel[:3, 0] = [1, 10, 100]  # of the inputs, which come first
    model.layers[-1].set_weights([kernel, np.zeros(1)])
    np.testing.assert_allclose(model(np.array([[1.0, 2.0, 3.0]])), [[321.0]])


def test_activations_are_those_given():
    """Hidden layers have one activation, the output layer another."""
    model = build_mlp(3, 2, "softmax", activation="tanh")
    (hidden,) = find_layers(model, keras.layers.Activation)
    assert hidden.activation is keras.activations.tanh
    assert model.layers[-1].activation is keras.activations.softmax


def test_no_activation_is_linear():
    """None makes the hidden layers and the output layer linear."""
    model = build_mlp(3, 2, None, activation=None)
    (hidden,) = find_layers(model, keras.layers.Activation)
    assert hidden.activation is keras.activations.linear
    assert model.layers[-1].activation is keras.activations.linear


def test_activations_may_be_functions():
    """A function of one's own is used as it is."""
    model = build_mlp(3, 1, activation=keras.ops.square)
    (hidden,) = find_layers(model, keras.layers.Activation)
    assert hidden.activation is keras.ops.square


def test_penalties_are_on_the_kernels_of_all_layers():
    """The model's penalty is l1 times |w| plus l2 times w squared, over all kernels."""
    model = build_mlp(3, 2, hidden_layer_sizes=(4, 5), l1=0.01, l2=0.02)
    expected = sum(
        0.01 * np.abs(kernel).sum() + 0.02 * np.square(kernel).sum()
        for kernel in model.get_weights()[::2]
    )
    assert float(sum(model.losses)) == pytest.approx(float(expected), rel=1e-5)


def test_no_penalties_add_nothing():
    """Without penalties the model has no losses of its own."""
    assert build_mlp(3).losses == []


def test_dropout_has_the_rate_and_a_seed_of_its_own_in_each_layer():
    """Each dropout layer drops the given share, and draws by itself."""
    model = build_mlp(3, hidden_layer_sizes=(4, 4), dropout=0.25)
    layers = find_layers(model, keras.layers.Dropout)
    assert [layer.rate for layer in layers] == [0.25, 0.25]
    seeds = [layer.seed_generator.state.numpy()[0] for layer in layers]
    assert seeds[0] != seeds[1]


def test_dropout_seeds_are_those_of_the_layers():
    """`dropout_seeds` names the seeds that the built model has."""
    architecture = replace(SMALL, dropout=0.5)
    layers = find_layers(architecture.build(3), keras.layers.Dropout)
    seeds = [int(layer.seed_generator.state.numpy()[0]) for layer in layers]
    assert seeds == architecture.dropout_seeds(3)


def test_models_come_uncompiled():
    """The model is Keras's functional one, and the caller compiles it."""
    model = build_mlp(3)
    assert isinstance(model, keras.Model)
    assert not model.compiled


def test_documented_size():
    """A network of 8, 30, 20 and 3 has the parameters that one counts by hand."""
    model = build_mlp(8, 3, hidden_layer_sizes=(30, 20))
    assert model.count_params() == 9 * 30 + 31 * 20 + 21 * 3


def test_unknown_activations_are_refused():
    """A name that Keras does not know is refused, and shown."""
    with pytest.raises(ValueError, match="sigmoidal"):
        build_mlp(3, activation="sigmoidal")


def test_the_dtype_policy_is_kept():
    """The model has the policy that held when the architecture was made."""
    model = replace(SMALL, dtype_policy="float64").build(0)
    dense = find_layers(model, keras.layers.Dense)
    assert {layer.kernel.dtype for layer in dense} == {"float64"}


# --- the initial weights


@pytest.mark.parametrize("name", VARIANTS)
def test_initial_weights_are_those_of_the_model(name):
    """The weights drawn without a model are those that a model is built with."""
    architecture = replace(SMALL, **VARIANTS[name])
    built = architecture.build(3).get_weights()
    drawn = architecture.initial_weights(3)
    assert len(built) == len(drawn)
    for there, here in zip(built, drawn, strict=True):
        np.testing.assert_array_equal(there, here)
        assert there.dtype == here.dtype


@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_seed_gives_the_same_model(name):
    """Building is a function of architecture and seed."""
    architecture = replace(SMALL, **VARIANTS[name])
    first, second = architecture.build(3), architecture.build(3)
    assert first is not second
    inputs = np.ones((2, *architecture.input_shape))
    np.testing.assert_array_equal(
        first(inputs, training=True), second(inputs, training=True)
    )


def test_other_seeds_give_other_weights():
    """Every kernel depends on the seed."""
    first, second = SMALL.initial_weights(3), SMALL.initial_weights(4)
    for here, there in zip(first[::2], second[::2], strict=True):
        assert not np.array_equal(here, there)


def test_layers_of_one_shape_have_different_weights():
    """Each layer draws its own weights, the output layer too."""
    architecture = replace(SMALL, hidden_units=(3, 3), output_units=3)
    kernels = architecture.initial_weights(0)[::2]
    architecture = replace(architecture, kernel_initializer="glorot_uniform")
    kernels += architecture.initial_weights(0)[::2]
    for index, kernel in enumerate(kernels[:3]):
        for other in kernels[:index]:
            assert not np.allclose(kernel, other)


def test_a_layer_does_not_depend_on_those_after_it():
    """Adding a layer leaves the weights before it as they were."""
    shallow = replace(SMALL, hidden_units=(5,)).initial_weights(0)
    deep = replace(SMALL, hidden_units=(5, 4)).initial_weights(0)
    np.testing.assert_array_equal(shallow[0], deep[0])


def test_building_leaves_the_random_state_alone():
    """Nothing drawn for a model shows in the process's generators."""
    random.seed(0)
    expected = random.random()
    random.seed(0)
    SMALL.build(1)
    assert random.random() == expected


LARGE = replace(SMALL, input_shape=(300,), hidden_units=(200,), output_units=150)


@pytest.mark.parametrize(
    ("initializer", "activation", "expected"),
    [
        ("auto", "relu", keras.initializers.HeNormal),
        ("auto", "selu", keras.initializers.LecunNormal),
        ("auto", "tanh", keras.initializers.GlorotUniform),
        ("glorot_normal", "relu", keras.initializers.GlorotNormal),
        ("he_uniform", "relu", keras.initializers.HeUniform),
        ("lecun_uniform", "relu", keras.initializers.LecunUniform),
        ("random_uniform", "relu", keras.initializers.RandomUniform),
    ],
)
@pytest.mark.parametrize("n_inputs", [300, 20])
def test_hidden_kernels_follow_keras_initializers(
    initializer, activation, expected, n_inputs
):
    """Hidden kernels are distributed as the layer's own initializer draws them."""
    architecture = replace(
        LARGE,
        input_shape=(n_inputs,),
        kernel_initializer=initializer,
        activation=activation,
    )
    kernel = architecture.initial_weights(0)[0]
    reference = expected(seed=1)((n_inputs, 200)).numpy()
    assert kernel.dtype == reference.dtype
    assert ks_2samp(kernel.ravel(), reference.ravel()).pvalue > 0.01
    assert kernel.std() == pytest.approx(reference.std(), rel=0.02)
    assert np.abs(kernel).max() == pytest.approx(np.abs(reference).max(), rel=0.05)


@pytest.mark.parametrize("precision", ["float64", "float16"])
@pytest.mark.parametrize("initializer", ["he_normal", "glorot_uniform"])
def test_kernels_have_the_precision_of_keras(initializer, precision):
    """Weights are of `keras.config.floatx()`, also where NumPy draws none such."""
    architecture = replace(SMALL, kernel_initializer=initializer)
    keras.config.set_floatx(precision)
    try:
        weights = architecture.initial_weights(0)
    finally:
        keras.config.set_floatx("float32")
    assert {str(weight.dtype) for weight in weights} == {precision}


def test_the_output_kernel_is_glorot_uniform():
    """The output layer keeps Keras's default, whatever the hidden layers have."""
    architecture = replace(LARGE, kernel_initializer="zeros")
    hidden, kernel = architecture.initial_weights(0)[::2]
    limit = (6 / (200 + 150)) ** 0.5
    assert not hidden.any()
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / 3**0.5, rel=0.02)


@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_normalisation_starts_as_keras_starts_it(normalization):
    """Normalisation begins with the values that Keras's own layer begins with."""
    architecture = replace(SMALL, hidden_units=(5,), normalization=normalization)
    layer = architecture.build(0).layers[2]
    fresh = type(layer)()
    fresh.build((None, 5))
    assert [v.name for v in layer.weights] == [v.name for v in fresh.weights]
    for here, there in zip(layer.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(here, there)


def test_biases_start_at_zero():
    """Every bias is zero at first."""
    for bias in SMALL.initial_weights(0)[1::2]:
        assert not bias.any()


def test_seeded_initializers_keep_their_seed():
    """An initializer with a seed draws the same kernel whatever the fit's seed."""
    initializer = freeze(keras.initializers.RandomNormal(seed=5))
    architecture = replace(SMALL, kernel_initializer=initializer)
    first, second = architecture.initial_weights(0), architecture.initial_weights(1)
    np.testing.assert_array_equal(first[0], second[0])
    expected = keras.initializers.RandomNormal(seed=5)((3, 5))
    np.testing.assert_array_equal(first[0], expected)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        *((name, "he_normal") for name in ("relu", "elu", "gelu", "swish", "mish")),
        (keras.activations.relu, "he_normal"),
        ("selu", "lecun_normal"),
        (keras.activations.selu, "lecun_normal"),
        *((name, "glorot_uniform") for name in ("tanh", "sigmoid", "linear", None)),
        (keras.activations.tanh, "glorot_uniform"),
        (keras.ops.square, "glorot_uniform"),
    ],
)
def test_automatic_initializers_suit_the_activation(activation, expected):
    """ReLU and its kin, by name or as functions, take He; SELU LeCun; others Glorot."""
    assert resolve_initializer("auto", activation) == expected


def test_given_initializers_are_kept():
    """An initializer that is given is not exchanged."""
    initializer = keras.initializers.HeUniform()
    assert resolve_initializer(initializer, "selu") is initializer
    assert resolve_initializer("zeros", "relu") == "zeros"


# --- the architecture as a value


def test_architectures_are_values():
    """Architectures are hashable, picklable, and equal when made of equal parts."""
    again = replace(SMALL)
    copy = pickle.loads(pickle.dumps(SMALL))
    assert SMALL == again == copy
    assert hash(SMALL) == hash(again) == hash(copy)
    assert replace(SMALL, l2=0.1) != SMALL


def test_inputs_are_counted():
    """An image has as many inputs as pixels."""
    assert replace(SMALL, input_shape=(4, 5, 2)).n_inputs == 40


def test_built_models_equal_the_public_builder():
    """`build_mlp` gives the model that its architecture builds."""
    model = build_mlp(3, 2, "softmax", hidden_layer_sizes=(5, 4), random_state=7)
    for here, there in zip(model.get_weights(), SMALL.initial_weights(7), strict=True):
        np.testing.assert_array_equal(here, there)
