"""What is private to other libraries is there, and does what we need of it."""

import gc
import weakref
from numbers import Real

import keras
import numpy as np
import pytest
import tensorflow as tf

from skkeras_tune._compat import keras as keras_parts
from skkeras_tune._compat import sklearn as sklearn_parts
from skkeras_tune._compat import tensorflow as tensorflow_parts
from skkeras_tune._compat.keras import (
    fresh_metric_names,
    fresh_names,
    stop_gradient_leak,
    swap_keras_generator,
    to_numpy,
)
from skkeras_tune._compat.sklearn import (
    check_sample_weight,
    validate_parameter_constraints,
)
from skkeras_tune._compat.tensorflow import quiet_retracing, release_traces

MODULES = (keras_parts, sklearn_parts, tensorflow_parts)


@pytest.mark.parametrize("module", MODULES)
def test_every_name_is_there(module):
    """What a module promises exists in the installed versions."""
    assert sorted(module.__all__) == module.__all__
    assert not [name for name in module.__all__ if not hasattr(module, name)]


@pytest.mark.parametrize("module", MODULES)
def test_every_function_says_what_it_is_for(module):
    """Each function of our own has a docstring."""
    own = [vars(module)[name] for name in module.__all__]
    own = [item for item in own if item.__module__ == module.__name__]
    assert own
    assert all(item.__doc__ for item in own)


# --- names


def test_names_begin_afresh():
    """Inside, objects are named as the first in a process would be."""
    keras.layers.Dense(1)
    for _ in range(2):
        with fresh_names():
            names = [keras.layers.Dense(1).name for _ in range(2)]
        assert names == ["dense", "dense_1"]


def test_names_go_on_after():
    """After the block Keras counts on from where it was."""
    before = keras.layers.Dense(1, name=None).name
    with fresh_names():
        keras.layers.Dense(1)
        keras.layers.Dense(1)
    number = int(before.rpartition("_")[2] or 0) if "_" in before else 0
    assert keras.layers.Dense(1).name == f"dense_{number + 1}"


def test_metric_names_go_on_after():
    """Metrics made after the block are counted as if it had not been."""
    first = keras.metrics.AUC().name
    with fresh_metric_names():
        assert [keras.metrics.AUC().name for _ in range(2)] == ["auc", "auc_1"]
    number = int(first.rpartition("_")[2]) if "_" in first else 0
    assert keras.metrics.AUC().name == f"auc_{number + 1}"


def test_names_go_on_after_an_error():
    """An error in the block leaves the count as it was, too."""

    def fail():
        with fresh_names():
            keras.layers.Dense(1)
            raise RuntimeError("inside")

    keras.layers.Dense(1)
    before = keras.layers.Dense(1).name
    with pytest.raises(RuntimeError, match="inside"):
        fail()
    number = int(before.rpartition("_")[2])
    assert keras.layers.Dense(1).name == f"dense_{number + 1}"


# --- randomness


def test_generators_are_exchanged():
    """The generator behind Keras's draws goes out and comes back."""
    ours = [keras.random.SeedGenerator(7) for _ in range(2)]
    previous = swap_keras_generator(ours[0])
    first = float(keras.random.uniform([]))
    assert swap_keras_generator(ours[1]) is ours[0]
    second = float(keras.random.uniform([]))
    assert swap_keras_generator(previous) is ours[1]
    assert first == second


# --- arrays


@pytest.mark.parametrize(
    "value", [keras.Variable([1.0, 2.0]), tf.constant([1.0, 2.0]), np.array([1.0, 2.0])]
)
def test_values_become_copies(value):
    """Variables, tensors and arrays become arrays that may be written to."""
    array = to_numpy(value)
    assert type(array) is np.ndarray
    array[:] = 0
    np.testing.assert_array_equal(to_numpy(value), [1.0, 2.0])


# --- gradients and traces


def build_model(optimizer="adam"):
    """Return a compiled model with fixed weights."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.set_weights([np.ones((3, 1)), np.zeros(1)])
    model.compile(optimizer=optimizer, loss="mse")
    return model


X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True) * 2


def test_gradients_are_what_they_were():
    """A model trains the same with and without the leak."""
    leaking, mended = build_model(), build_model()
    stop_gradient_leak(mended)
    for model in (leaking, mended):
        model.fit(X, Y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    for here, there in zip(leaking.get_weights(), mended.get_weights(), strict=True):
        np.testing.assert_array_equal(here, there)


def test_variables_without_a_gradient_are_left_alone():
    """Keras warns of a variable that no loss depends on, and trains the others."""

    class Idle(keras.layers.Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.idle = self.add_weight(shape=(), initializer="ones")

    model = keras.Sequential([keras.Input((3,)), Idle(1)])
    model.compile(optimizer="sgd", loss="mse", run_eagerly=True)
    stop_gradient_leak(model)
    before = model.get_weights()[0]
    with pytest.warns(UserWarning, match="Gradients do not exist for variables"):
        model.train_on_batch(X, Y)
    assert float(model.layers[0].idle.numpy()) == 1.0
    assert not np.array_equal(model.get_weights()[0], before)


def test_models_go_when_nobody_holds_them():
    """Mending a model does not keep it alive."""
    model = build_model()
    stop_gradient_leak(model)
    model.train_on_batch(X, Y)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_released_programs_run_on():
    """Releasing traces frees memory, and changes no result of what still runs."""

    @tf.function
    def double(x):
        return 2 * x

    model = build_model()
    model.train_on_batch(X, Y)
    before = double(tf.constant(3.0))
    release_traces()
    assert double(tf.constant(3.0)) == before
    model.train_on_batch(X, Y)


def test_tensorflow_is_quiet_about_retracing_only(caplog):
    """Inside, TensorFlow does not warn of retracing, and warns of all else."""
    logger = tf.get_logger()
    retracing = "5 out of the last 5 calls to %s triggered tf.function retracing."

    def warn():
        caplog.clear()
        logger.warning(retracing, "f")
        logger.warning("something else")
        return {record.getMessage() for record in caplog.records}

    logger.addHandler(caplog.handler)
    try:
        with quiet_retracing():
            assert warn() == {"something else"}
        assert len(warn()) == 2
    finally:
        logger.removeHandler(caplog.handler)


# --- scikit-learn's checks


def test_tensorflow_is_quiet_until_the_last_has_left():
    """Trainings side by side begin and end when they like."""
    logger = tf.get_logger()
    before = list(logger.filters)
    first, second = quiet_retracing(), quiet_retracing()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert len(logger.filters) == len(before) + 1
    second.__exit__(None, None, None)
    assert logger.filters == before


def test_constraints_make_scikit_learns_sentence():
    """A value out of range is refused in scikit-learn's words."""
    constraints = {"rate": [sklearn_parts.Interval(Real, 0, 1, closed="left")]}
    message = (
        r"The 'rate' parameter of Caller must be a float in the range \[0\.0, 1\.0\)\. "
        r"Got 1\.5 instead"
    )
    validate_parameter_constraints(constraints, {"rate": 0.5}, "Caller")
    with pytest.raises(ValueError, match=message):
        validate_parameter_constraints(constraints, {"rate": 1.5}, "Caller")


def test_weights_are_checked_and_copied():
    """Weights become floats in an array of their own; negative ones are refused."""
    options = {"dtype": np.float64, "ensure_non_negative": True, "copy": True}
    given = np.array([1.0, 2.0])
    weight = check_sample_weight(given, X[:2], **options)
    weight[0] = 9
    assert given[0] == 1.0
    with pytest.raises(ValueError, match="Negative values in data"):
        check_sample_weight([-1.0, 1.0], X[:2], **options)
