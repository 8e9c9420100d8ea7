"""The user's own model as a value that builds it."""

import functools
import pickle
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from skkeras_tune.estimators.model_function import (
    ModelCopy,
    ModelFunction,
    build_network,
    names_parameter,
    needs_parameter,
    takes_parameter,
)
from skkeras_tune.frozen import Arguments, freeze
from skkeras_tune.training.plan import Compilation

COMPILATION = Compilation(
    optimizer=freeze(keras.optimizers.SGD(0.1)),
    loss=freeze(keras.losses.Huber()),
    metrics=freeze(["mae"]),
    options=freeze({"jit_compile": False}),
)
PROVIDED = {"meta": {"n_features_in_": 3}, "params": {"epochs": 5}}
EXAMPLE = np.zeros((1, 3), np.float32)


def plain(units=2):
    """Return a model that is not compiled."""
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])


def compiled(loss="mse"):
    """Return a compiled model."""
    model = plain()
    model.compile(optimizer="sgd", loss=loss)
    return model


def asking(meta, params, compile_kwargs, units):
    """Return a model that shows what it was given."""
    model = plain(units)
    model.given = (dict(meta), dict(params), compile_kwargs)
    return model


class Factory:
    """Models by a method, and by being called."""

    def build(self, units=2):
        return plain(units)

    def __call__(self, units=2):
        return plain(units)


class Shapeless(keras.Model):
    """A model that learns its shape from its first inputs."""

    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(units)

    def call(self, inputs):
        return self.dense(inputs)


def build(model, own=None, named_loss=None, seed=0):
    """Return the Keras model that the network behind `model` builds."""
    network = build_network(
        model, own or {}, PROVIDED, COMPILATION, named_loss, EXAMPLE
    )
    return network.build(seed)


@pytest.mark.parametrize(
    "function",
    [
        plain,
        functools.partial(plain),
        Factory().build,
        Factory(),
        lambda units: plain(units),
        lambda **options: plain(options["units"]),
    ],
    ids=["function", "partial", "method", "object", "lambda", "keywords"],
)
def test_any_callable_builds(function):
    """Functions, partials, methods and callable objects get the user's arguments."""
    assert build(function, {"units": 5}).output_shape == (None, 5)


def test_a_class_of_models_builds():
    """A class of models gets its own arguments, and nothing for its keywords."""
    model = build(Shapeless, {"units": 5})
    assert type(model) is Shapeless
    assert model.get_weights()[0].shape == (3, 5)


def test_metrics_have_the_same_names_in_each_model():
    """A callback finds `val_auc` in every fold; layers keep names of their own."""

    def function():
        model = plain()
        metrics = [keras.metrics.AUC(), keras.metrics.AUC(), keras.metrics.Recall()]
        model.compile(optimizer="sgd", loss="mse", metrics=metrics)
        return model

    keras.metrics.AUC()
    models = [build(function), build(function)]
    for model in models:
        names = [metric.name for metric in model._compile_metrics._user_metrics]
        assert names == ["auc", "auc_1", "recall"]
    assert models[0].layers[0].name != models[1].layers[0].name


def test_defaults_hold():
    """An argument that the user did not give keeps the function's default."""
    assert build(plain).output_shape == (None, 2)


def test_a_function_gets_what_it_asks_for():
    """`meta`, `params` and `compile_kwargs` are handed to those that name them."""
    meta, params, compile_kwargs = build(asking, {"units": 4}).given
    assert meta == PROVIDED["meta"]
    assert params == PROVIDED["params"]
    assert set(compile_kwargs) == {"optimizer", "loss", "metrics", "jit_compile"}


def test_compile_kwargs_compile():
    """`compile_kwargs` are ready for `compile`, new for each model."""

    def function(compile_kwargs):
        model = plain()
        model.compile(**compile_kwargs)
        return model

    first, second = build(function), build(function)
    assert isinstance(first.optimizer, keras.optimizers.SGD)
    assert isinstance(first.loss, keras.losses.Huber)
    assert first.jit_compile is False
    assert first.optimizer is not second.optimizer


def test_named_losses_are_objects_in_compile_kwargs():
    """A loss that was named is handed over as what Keras makes of it."""
    given = []
    compilation = Compilation("sgd", "mse")

    def function(compile_kwargs):
        given.append(compile_kwargs["loss"])
        return plain()

    build_network(function, {}, {}, compilation, None, EXAMPLE).build(0)
    assert not isinstance(given[0], str)
    assert callable(given[0])


def test_the_users_arguments_win():
    """An argument of the user's is used in place of one that is provided."""
    meta, _, _ = build(asking, {"units": 2, "meta": {"own": 1}}).given
    assert meta == {"own": 1}


@pytest.mark.parametrize(
    ("model", "name", "expected"),
    [
        (plain, "units", True),
        (plain, "widths", False),
        (functools.partial(plain, units=3), "units", True),
        (Factory().build, "units", True),
        (Factory().build, "self", False),
        (Factory(), "units", True),
        (lambda **options: None, "anything", True),
        (lambda *args: None, "args", False),
        (Shapeless, "units", True),
        (Shapeless, "anything", False),
        (asking, "meta", False),
        (asking, "params", False),
        (asking, "compile_kwargs", False),
        (asking, "units", True),
        (None, "units", False),
    ],
)
def test_parameters_of_a_function_are_known(model, name, expected):
    """A function's own parameters may be set by the user, the provided ones not."""
    assert takes_parameter(model, name) is expected


@pytest.mark.parametrize(
    ("model", "name", "named", "needed"),
    [
        (plain, "units", True, False),
        (asking, "units", True, True),
        (asking, "meta", True, True),
        (functools.partial(asking, units=3), "units", True, False),
        (Factory().build, "units", True, False),
        (lambda units, **options: None, "units", True, True),
        (lambda units, **options: None, "options", False, False),
        (lambda units, **options: None, "anything", False, False),
    ],
)
def test_named_and_needed_parameters_are_known(model, name, named, needed):
    """A parameter may be named by a function, and needed where it has no default."""
    assert names_parameter(model, name) is named
    assert needs_parameter(model, name) is needed


def test_a_model_takes_no_parameters():
    """A finished model has no parameters to tune."""
    assert takes_parameter(plain(), "units") is False


# --- the same for the same seed


def draw_with_python():
    """Return a model whose weights come from Python's generator."""
    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, bias_initializer=from_python)]
    )


def from_python(shape, dtype=None):
    """Draw a bias with Python's generator."""
    return keras.ops.full(shape, random.random(), dtype)


def draw_with_numpy():
    """Return a model whose weights come from NumPy's global generator."""
    model = plain()
    model.set_weights([np.random.random(w.shape) for w in model.get_weights()])  # noqa: NPY002
    return model


def draw_with_tensorflow():
    """Return a model whose weights come from TensorFlow's global generator."""
    model = plain()
    model.set_weights([tf.random.normal(w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize(
    "function",
    [plain, draw_with_python, draw_with_numpy, draw_with_tensorflow, Shapeless],
)
def test_the_seed_decides_the_weights(function):
    """The same seed gives the same weights, and another seed others."""
    network = ModelFunction(function, Arguments({}), example=Arguments({"x": EXAMPLE}))
    first, second, other = (network.build(s).get_weights() for s in (1, 1, 2))
    for here, there in zip(first, second, strict=True):
        np.testing.assert_array_equal(here, there)
    assert any(
        not np.array_equal(here, there)
        for here, there in zip(first, other, strict=True)
    )


def test_arguments_are_not_used_up():
    """What a function does to its lists and dicts does not show in the next model."""

    def function(widths, meta):
        meta.clear()
        layers = [keras.layers.Dense(widths.pop(0)) for _ in range(len(widths))]
        return keras.Sequential([keras.Input((3,)), *layers])

    widths = [5, 4]
    network = build_network(
        function, {"widths": widths}, PROVIDED, COMPILATION, None, EXAMPLE
    )
    for _ in range(2):
        assert network.build(0).output_shape == (None, 4)
    assert widths == [5, 4]
    assert PROVIDED["meta"] == {"n_features_in_": 3}


def test_a_model_without_a_shape_gets_one():
    """A model without an input layer is built on the example."""
    model = build(Shapeless)
    assert model.built
    assert [w.shape for w in model.get_weights()] == [(3, 2), (2,)]


def test_a_shapeless_model_object_gets_a_shape():
    """A model object without an input layer is built on the example too."""
    model = build(Shapeless())
    assert [w.shape for w in model.get_weights()] == [(3, 2), (2,)]


def test_a_shaped_model_object_keeps_its_weights():
    """A model object that was built without an input layer keeps its weights."""
    model = Shapeless()
    model(EXAMPLE)
    for here, there in zip(
        build(model).get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(here, there)


# --- a model given as an object


def test_a_model_object_is_copied_with_its_weights():
    """Each fit gets a copy of a model object, which stays as it was."""
    original = plain()
    before = original.get_weights()
    first, second = build(original), build(original, seed=1)
    assert first is not second
    assert first is not original
    first.set_weights([np.zeros_like(w) for w in before])
    for model in (original, second):
        for here, there in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(here, there)


def test_a_compiled_model_object_stays_compiled():
    """A copy is compiled as the object was."""
    copy = build(compiled("mae"))
    assert copy.compiled
    assert copy.loss == "mae"


# --- as values


@pytest.mark.parametrize("model", [plain, Factory, asking])
def test_functions_are_values(model):
    """Networks of equal functions and arguments are equal, hashable and picklable."""

    def wrap():
        own = {"units": 4, "scale": np.arange(3)}
        return build_network(model, own, PROVIDED, COMPILATION, "huber", EXAMPLE)

    first, second = wrap(), wrap()
    copy = pickle.loads(pickle.dumps(first))
    assert first == second == copy
    assert hash(first) == hash(second) == hash(copy)
    other = build_network(model, {}, PROVIDED, COMPILATION, "huber", EXAMPLE)
    assert first != other


def test_copies_are_values():
    """The network of a model object is hashable and picklable."""
    network = build_network(plain(), {}, PROVIDED, COMPILATION, None, EXAMPLE)
    assert isinstance(network, ModelCopy)
    copy = pickle.loads(pickle.dumps(network))
    assert copy == network
    assert hash(copy) == hash(network)
    for here, there in zip(
        copy.build(0).get_weights(), network.build(0).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(here, there)


# --- what is refused


@pytest.mark.parametrize("result", [None, "model", keras.layers.Dense(2), plain])
def test_other_results_are_refused(result):
    """A function that returns no model is refused, with what it returned."""
    message = r"'model' function must return a keras.Model.*Got .* of type "
    with pytest.raises(TypeError, match=message + type(result).__name__):
        build(lambda: result)


@pytest.mark.parametrize(
    "loss", ["mae", "mean_absolute_error", keras.losses.MeanAbsoluteError()]
)
def test_another_loss_is_refused(loss):
    """A model compiled with another loss than the one named is refused."""
    message = "loss='mse', but the model was compiled with loss='mean_absolute_error'"
    with pytest.raises(ValueError, match=message):
        build(lambda: compiled(loss), named_loss="mse")
    with pytest.raises(ValueError, match=message):
        build(compiled(loss), named_loss="mse")


@pytest.mark.parametrize(
    ("function", "named_loss"),
    [
        (lambda: compiled("mse"), "mse"),
        (lambda: compiled("mse"), "mean_squared_error"),
        (lambda: compiled(keras.losses.MeanSquaredError()), "mse"),
        (lambda: compiled("mse"), None),
        (lambda: compiled(lambda t, p: t - p), "mse"),
        (plain, "mse"),
    ],
)
def test_the_same_loss_passes(function, named_loss):
    """A loss named twice in any spelling, once, or not at all passes."""
    assert isinstance(build(function, named_loss=named_loss), keras.Model)


def test_errors_of_the_function_pass_through():
    """An error in the user's function is the user's to see."""

    def function():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        build(function)
