"""What scikeras's page "Migration" promises of `fit`, losses, and parameters."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skkeras_tune import KerasClassifier, KerasRegressor
from tests.scikeras_networks import build_softmax, stack


def build_with_default(meta, width=6):
    """Build a network whose width need not be declared."""
    return stack(meta, [width], 1)


@pytest.fixture
def regressor():
    """Return a regressor that trains for two epochs."""
    return KerasRegressor(build_with_default, loss="mse", epochs=2, random_state=0)


def test_fit_returns_the_estimator(regressor, diabetes):
    """`fit` returns the estimator and begins `history_` anew; `partial_fit` adds."""
    X, y = diabetes
    assert regressor.fit(X, y) is regressor
    assert isinstance(regressor.history_["loss"], list)
    assert regressor.partial_fit(X, y).current_epoch == 3
    assert regressor.fit(X, y).current_epoch == 2


@pytest.mark.parametrize(
    "loss",
    [
        "categorical_crossentropy",
        "CategoricalCrossentropy",
        keras.losses.CategoricalCrossentropy(),
    ],
    ids=["function", "class", "instance"],
)
def test_categorical_loss_takes_labels(iris, loss):
    """With categorical cross-entropy, labels are one-hot encoded, and come back."""
    X, y = iris[0], np.array(["a", "b", "c"])[iris[1]]
    classifier = KerasClassifier(
        build_softmax, hidden_layer_dim=20, loss=loss, epochs=20, random_state=0
    ).fit(X, y)
    assert_array_equal(classifier.classes_, ["a", "b", "c"])
    assert classifier.score(X, y) > 0.7


def test_one_hot_targets_come_back_one_hot(iris):
    """A one-hot y is one label in each row, and so are the predictions."""
    X, y = iris
    classifier = KerasClassifier(
        build_softmax, hidden_layer_dim=5, loss="categorical_crossentropy", epochs=2
    ).fit(X, np.eye(3)[y])
    assert_array_equal(classifier.predict(X).sum(axis=1), 1)


class CountBatches(keras.callbacks.Callback):
    """Counts the gradient steps."""

    n_batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.n_batches += 1


@pytest.mark.parametrize("place", ["constructor", "routed", "set_params", "fit"])
def test_batch_size_from_anywhere(diabetes, place):
    """The batch size may stand in the constructor, in a route, or in `fit`."""
    X, y = diabetes
    options = {"epochs": 1, "early_stopping": False, "callbacks": CountBatches}
    given = {"batch_size": 100} if place == "fit" else {}
    if place == "constructor":
        options["batch_size"] = 100
    regressor = KerasRegressor(build_with_default, loss="mse", **options)
    if place == "routed":
        regressor.set_params(fit__batch_size=100, predict__batch_size=1000)
    elif place == "set_params":
        regressor.set_params(batch_size=100)
    regressor.fit(X, y, **given)
    assert regressor.callbacks_[0].n_batches == 5  # of 442 rows
    assert regressor.predict(X).shape == y.shape


@pytest.mark.parametrize(
    "name", ["validation_batch_size", "fit__validation_batch_size"]
)
def test_minus_one_is_all_rows(regressor, diabetes, name):
    """A batch size of -1 is all rows, in training, validation and prediction."""
    sizes = {"batch_size": -1, "predict__batch_size": -1, name: -1}
    regressor.set_params(epochs=1, callbacks=CountBatches, **sizes).fit(*diabetes)
    assert regressor.callbacks_[0].n_batches == 1
    assert regressor.predict(diabetes[0]).shape == (442,)


def test_old_name_of_model_is_refused(iris):
    """`build_fn`, which scikeras renamed, is refused by its name."""
    with pytest.raises(TypeError, match="'build_fn'"):
        KerasClassifier(build_fn=build_softmax, epochs=1).fit(*iris)


def test_defaults_of_the_function_hold_until_set(diabetes):
    """A parameter with a default need not be declared, and yet can be set."""
    regressor = KerasRegressor(build_with_default, epochs=1)
    assert "width" not in regressor.get_params()
    assert regressor.fit(*diabetes).model_.layers[0].units == 6
    regressor.set_params(width=4)
    assert clone(regressor).fit(*diabetes).model_.layers[0].units == 4
