"""Trained weights predict, here and in another process."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy.sparse import csr_array

from skkeras_tune.estimators.model_function import ModelFunction, build_network
from skkeras_tune.estimators.trained_model import TrainedModel
from skkeras_tune.frozen import Arguments, freeze
from skkeras_tune.network import MLPArchitecture
from skkeras_tune.training import Compilation, ModelState, TrainingPlan

X = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")

ARCHITECTURE = MLPArchitecture(
    input_shape=(3,),
    hidden_units=(4,),
    activation="relu",
    dropout=0.5,
    normalization="batch",
    l1=0.0,
    l2=0.0,
    wide=False,
    kernel_initializer="auto",
    output_units=2,
    output_activation="softmax",
)
COMPILATION = Compilation("adam", "categorical_crossentropy")
PLAN = TrainingPlan(ARCHITECTURE, COMPILATION, seed=3, epochs=1, batch_size=8)


class Shapeless(keras.Model):
    """A model that learns its shape from its first inputs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


class OwnPrediction(Shapeless):
    """A model with its own way to predict."""

    def predict_step(self, data):
        return super().predict_step(data) + 100


def build_linear():
    """Return a model of one layer."""
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


NETWORKS = {
    "built-in": ARCHITECTURE,
    "function": ModelFunction(build_linear, Arguments({})),
    "class": ModelFunction(Shapeless, Arguments({}), example=Arguments({"x": X[:1]})),
    "object": build_network(build_linear(), {}, {}, COMPILATION, None, X[:1]),
}


def build(network=ARCHITECTURE, loss="mse"):
    """Return a network with the weights that it starts with."""
    compilation = Compilation("adam", freeze(loss))
    return TrainedModel.untrained(
        replace(PLAN, network=network, compilation=compilation)
    )


def predict(trained, x=X, batch_size=None, **options):
    """Return the predictions for some rows."""
    return trained.predict(x, batch_size, options)


# --- predictions


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_are_the_models_outputs(name):
    """Predictions are what Keras's model gives, without dropout, as an array."""
    trained = build(NETWORKS[name])
    outputs = predict(trained)
    assert type(outputs) is np.ndarray
    expected = trained.model(X, training=False).numpy()
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [None, 1, 7, 50, 1000])
def test_the_batch_size_does_not_matter(batch_size):
    """Predictions are the same in batches of any size, for each row once."""
    trained = build()
    np.testing.assert_allclose(
        predict(trained, batch_size=batch_size),
        trained.model(X).numpy(),
        rtol=1e-5,
    )


def test_large_data_is_predicted_in_parts():
    """Without a batch size the rows go through in parts that fit into memory."""
    sizes = []

    class Noting(keras.layers.Layer):
        def call(self, inputs):
            sizes.append(inputs.shape[0])
            return inputs

    def function():
        return keras.Sequential([keras.Input((2000,)), Noting()])

    trained = build(ModelFunction(function, Arguments({})))
    sizes.clear()
    rows = np.zeros((3000, 2000), np.float32)
    assert predict(trained, rows).shape == rows.shape
    assert sum(sizes) == 3000
    assert max(sizes) < 1000


def test_sparse_rows_predict_as_dense_ones():
    """Sparse features give the predictions of the same features in an array."""
    trained = build()
    np.testing.assert_array_equal(predict(trained, csr_array(X)), predict(trained))


def test_options_go_to_keras_predict():
    """Options are those of Keras's own `predict`, with the same result."""
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_predict_batch_end=lambda batch, logs: seen.append(batch)
    )
    trained = build()
    outputs = predict(trained, csr_array(X), 20, callbacks=[callback])
    np.testing.assert_allclose(outputs, predict(trained), rtol=1e-5)
    assert seen == [0, 1, 2]


def test_predict_steps_of_the_users_are_used():
    """A model with its own `predict_step` predicts by it."""
    example = Arguments({"x": X[:1]})
    trained = build(ModelFunction(OwnPrediction, Arguments({}), example=example))
    expected = trained.model(X).numpy() + 100
    np.testing.assert_allclose(predict(trained), expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"verbose": 0}], ids=["called", "predicted"])
@pytest.mark.parametrize(
    ("loss", "activate"),
    [
        (keras.losses.BinaryCrossentropy(from_logits=True), keras.ops.sigmoid),
        (keras.losses.CategoricalCrossentropy(from_logits=True), keras.ops.softmax),
    ],
)
def test_logits_become_probabilities(loss, activate, options):
    """What the loss would do to the outputs is done to predictions."""
    network = replace(ARCHITECTURE, output_activation=None)
    trained = build(network, loss)
    expected = activate(trained.model(X)).numpy()
    np.testing.assert_allclose(predict(trained, **options), expected, rtol=1e-5)


def test_several_outputs_keep_their_structure():
    """Outputs in a dict come out as a dict of arrays, batches joined."""

    def function():
        inputs = keras.Input((3,), name="x")
        outputs = {"a": keras.layers.Dense(1)(inputs), "b": inputs}
        return keras.Model({"x": inputs}, outputs)

    trained = build(ModelFunction(function, Arguments({})))
    outputs = predict(trained, {"x": X}, 20)
    assert outputs["a"].shape == (50, 1)
    np.testing.assert_array_equal(outputs["b"], X)


# --- the model


def test_untrained_models_have_their_first_weights():
    """A network that is not trained has the weights that it starts with."""
    weights = build().state.weights
    for here, there in zip(weights, ARCHITECTURE.initial_weights(3), strict=True):
        np.testing.assert_array_equal(here, there)


def test_the_model_is_built_once():
    """The Keras model is built on first use, and stays the same."""
    state = build().state
    trained = TrainedModel(
        ARCHITECTURE, COMPILATION, 3, ModelState(state.weights, state.optimizer_state)
    )
    assert trained.state.model is None
    assert trained.model is trained.model
    assert trained.model.compiled


def test_threads_share_one_model():
    """A model that several threads ask for at once is built once."""
    state = build().state
    trained = TrainedModel(
        ARCHITECTURE, COMPILATION, 3, ModelState(state.weights, state.optimizer_state)
    )
    with ThreadPoolExecutor(4) as threads:
        models = list(threads.map(lambda _: trained.model, range(4)))
    assert len({id(model) for model in models}) == 1


def test_predictions_follow_the_model():
    """What is done to the Keras model shows in predictions and in the state."""
    trained = build()
    zeros = [np.zeros_like(w) for w in trained.model.get_weights()]
    trained.model.set_weights(zeros)
    np.testing.assert_allclose(predict(trained), 0.5)
    assert not any(w.any() for w in trained.state.weights)


# --- elsewhere

COPIES = {
    "pickled": lambda trained: pickle.loads(pickle.dumps(trained)),
    "copied": copy.deepcopy,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", NETWORKS)
def test_copies_predict_the_same(name, how):
    """After pickling or copying, predictions are the same.

    Those of the built-in network to the last digit, since a copy has no Keras model,
    whose normalisation rounds in another way.
    """
    trained = build(NETWORKS[name])
    expected = predict(trained)
    found = predict(COPIES[how](trained))
    if name == "built-in":
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("how", COPIES)
def test_copies_are_apart(how):
    """A change to a copy's model leaves the original alone."""
    trained = build()
    expected = predict(trained)
    other = COPIES[how](trained)
    other.model.set_weights([np.zeros_like(w) for w in other.model.get_weights()])
    np.testing.assert_array_equal(predict(trained), expected)


def test_changes_of_the_model_are_pickled():
    """A model that was changed by hand is pickled as it is now."""
    trained = build()
    weights = [w + 1 for w in trained.model.get_weights()]
    trained.model.set_weights(weights)
    copied = COPIES["pickled"](trained)
    for here, there in zip(copied.state.weights, weights, strict=True):
        np.testing.assert_array_equal(here, there)
    # The copy predicts without a Keras model, which adds up in another order.
    np.testing.assert_allclose(predict(copied), predict(trained), rtol=1e-5, atol=1e-6)


def test_the_optimizers_state_is_pickled():
    """A copy goes on training where the original would."""
    trained = build(NETWORKS["function"])
    y = np.zeros((50, 2), np.float32)
    trained.model.train_on_batch(X, y)
    other = COPIES["pickled"](trained)
    for model in (trained.model, other.model):
        model.train_on_batch(X, y)
    np.testing.assert_allclose(predict(other), predict(trained), rtol=1e-5)


def test_pickles_are_small():
    """A pickle holds weights and settings, and no Keras model."""
    trained = build()
    n_bytes = sum(v.nbytes for v in trained.state.weights) * 3  # Adam keeps two more
    assert len(pickle.dumps(trained)) < n_bytes + 10_000
