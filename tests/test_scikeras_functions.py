"""What scikeras's page "Advanced usage" says of model functions and compilation."""

from inspect import Parameter, Signature

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam
from numpy.testing import assert_allclose
from sklearn.datasets import make_classification

from skkeras_tune import KerasClassifier, KerasRegressor
from tests.scikeras_networks import build_sigmoid, compile_sigmoid, fit_sigmoid


@pytest.fixture(scope="module")
def two_classes():
    """60 rows of 4 features in two classes."""
    return make_classification(60, 4, random_state=0)


# --- Compilation


def test_compiled_model_keeps_its_optimizer(two_classes):
    """A model that the function compiled is not compiled again, with a warning."""
    with pytest.warns(UserWarning, match="optimizer had no effect"):
        classifier = compile_sigmoid(two_classes, compiled_with="sgd", optimizer="adam")
    assert isinstance(classifier.model_.optimizer, SGD)


@pytest.mark.parametrize(
    "optimizer", ["adam", Adam, Adam()], ids=["name", "class", "instance"]
)
def test_model_is_compiled_with_the_optimizer(two_classes, optimizer):
    """A name, a class and an instance of an optimizer compile the model alike."""
    classifier = compile_sigmoid(two_classes, optimizer=optimizer)
    assert isinstance(classifier.model_.optimizer, Adam)


def test_further_arguments_of_compile(two_classes):
    """Other arguments of `compile` are given by their names, or by their route."""
    trained = fit_sigmoid(
        two_classes,
        loss="binary_crossentropy",
        run_eagerly=True,
        weighted_metrics=["accuracy"],
        compile__loss_weights=[0.5],
    )
    assert trained.model_.run_eagerly
    assert "accuracy" in trained.history_
    config = trained.model_.get_compile_config()
    assert config["loss_weights"] == [0.5]


def test_other_loss_than_the_compiled_one_is_refused(two_classes):
    """A loss that the compiled model does not have is an error that names both."""
    with pytest.raises(ValueError, match=r"'mse'.*'binary_crossentropy'"):
        compile_sigmoid(two_classes, compiled_with="sgd", loss="mse")


# --- Arguments of the model function


class Recorder:
    """A model function that takes the given names, and keeps what it got."""

    def __init__(self, *names):
        parameters = [Parameter(name, Parameter.KEYWORD_ONLY) for name in names]
        self.__signature__ = Signature(parameters)

    def __call__(self, **arguments):
        self.got = arguments
        return build_sigmoid({"n_features_in_": 4})


@pytest.mark.parametrize("cls", [KerasClassifier, KerasRegressor])
def test_meta_describes_the_data(two_classes, cls):
    """`meta` holds what scikeras's functions ask for."""
    function = Recorder("meta")
    cls(function).initialize(*two_classes)
    meta = function.got["meta"]
    assert meta["n_features_in_"] == 4
    assert meta["X_shape_"] == (60, 4)
    assert meta["y_ndim_"] == meta["n_outputs_"] == meta["n_outputs_expected_"] == 1
    assert meta["target_type_"] == "binary"
    assert {"X_dtype_", "y_dtype_", "feature_encoder_", "target_encoder_"} <= set(meta)
    if cls is KerasClassifier:
        assert meta["n_classes_"] == 2
        assert list(meta["classes_"]) == [0, 1]


def test_compile_kwargs_hold_objects(two_classes):
    """Names and classes come as objects in `compile_kwargs`, ready for `compile`."""
    function = Recorder("compile_kwargs")
    options = {"loss": "binary_crossentropy", "metrics": [keras.metrics.AUC]}
    compile_sigmoid(two_classes, model=function, optimizer="sgd", **options)
    options = function.got["compile_kwargs"]
    assert isinstance(options["optimizer"], SGD)
    build_sigmoid({"n_features_in_": 4}).compile(**options)
    assert callable(options["loss"])
    assert isinstance(options["metrics"][0], keras.metrics.AUC)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "mse", "metrics": ["accuracy", keras.metrics.AUC]},
        {"loss": keras.losses.BinaryCrossentropy, "loss__label_smoothing": 0.1},
        {"loss": keras.losses.binary_crossentropy, "optimizer": SGD},
    ],
)
def test_what_compile_kwargs_compile_is_one_program(two_classes, options):
    """The way of most scikeras scripts, with names and with Keras's own objects."""

    def function(meta, compile_kwargs):
        model = build_sigmoid(meta)
        model.compile(**compile_kwargs)
        return model

    here, there = (
        KerasClassifier(function, epochs=2, random_state=0, engine=engine, **options)
        for engine in ("auto", "keras")
    )
    X, y = two_classes
    assert here.fit(X, y).engine_ == "compiled", here.engine_reason_
    loss = there.fit(X, y).history_["loss"]
    assert_allclose(here.history_["loss"], loss, rtol=1e-5)


def test_params_are_the_parameters(two_classes):
    """`params` holds what `get_params` returns, before any resolving.

    It leaves out the memory, so that results are found again in another folder.
    """
    function = Recorder("params", "foo")
    options = {"optimizer": "sgd", "model__foo": 1}
    classifier = compile_sigmoid(two_classes, model=function, **options)
    params = classifier.get_params()
    params.pop("memory")
    assert function.got["params"] == params
    assert function.got["params"]["optimizer"] == "sgd"


@pytest.mark.parametrize("name", ["foo", "model__foo"])
def test_parameters_of_the_function(two_classes, name):
    """A parameter of the function comes as it is, routed or by its plain name."""
    function, value = Recorder("foo"), object()
    compile_sigmoid(two_classes, model=function, **{name: value})
    assert function.got == {"foo": value}


def test_function_of_any_keywords(two_classes):
    """A function of `**kwargs` gets the user's parameters and the three offered."""
    function = Recorder()
    del function.__signature__
    compile_sigmoid(two_classes, model=function, optimizer="sgd", foo=1, model__bar=2)
    assert set(function.got) == {"foo", "bar", "meta", "params", "compile_kwargs"}


# --- Arguments of fit


def test_route_beats_plain_name(two_classes):
    """A routed parameter wins over the plain one, and an argument of `fit` over it."""
    options = {"epochs": 4, "fit__epochs": 2}
    classifier = fit_sigmoid(two_classes, **options)
    assert classifier.n_epochs_ == 2
    assert classifier.fit(*two_classes, epochs=1).n_epochs_ == 1
    assert {name: classifier.get_params()[name] for name in options} == options


def test_validation_data_by_its_route(two_classes):
    """`fit__validation_data` is the validation set of each fit."""
    X, y = two_classes
    classifier = fit_sigmoid((X[:40], y[:40]), fit__validation_data=(X[40:], y[40:]))
    loss = classifier.model_.evaluate(X[40:], y[40:, np.newaxis], verbose=0)
    assert_allclose(classifier.history_["val_loss"], loss, rtol=1e-4)
