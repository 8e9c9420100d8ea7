"""Saving and loading: pickle, joblib, copy, clone, and Keras's own format."""

import copy
import pickle
import subprocess
import sys

import joblib
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skkeras_tune import KerasClassifier, KerasRegressor

QUICK = {"epochs": 2, "early_stopping": False, "random_state": 0}


def build(meta, width=4):
    """A model function that pickles, since it stands in a module."""
    return keras.Sequential(
        [
            keras.layers.Dense(width, activation="relu"),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )


class Doubled(keras.layers.Layer):
    """A layer that Keras does not know."""

    def call(self, inputs):
        return 2 * inputs


def build_custom(meta):
    """A model function with a layer of the user's own."""
    return keras.Sequential([Doubled(), keras.layers.Dense(meta["n_classes_"])])


def _through_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


ROUND_TRIPS = {
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "joblib": _through_joblib,
    "deepcopy": lambda model, folder: copy.deepcopy(model),
}


@pytest.mark.parametrize("way", ROUND_TRIPS)
@pytest.mark.parametrize("source", [None, build, build_custom])
def test_a_copy_predicts_the_same(iris, tmp_path, way, source):
    """A copy of a fitted estimator predicts the same, to the last bit."""
    X, y = iris
    params = {"loss__from_logits": True} if source is build_custom else {}
    loss = "sparse_categorical_crossentropy"
    model = KerasClassifier(source, loss=loss, **QUICK, **params).fit(X, y)
    copied = ROUND_TRIPS[way](model, tmp_path)
    assert_array_equal(copied.predict_proba(X), model.predict_proba(X))
    assert copied.history_ == model.history_
    assert copied.get_params() == model.get_params()


@pytest.mark.parametrize("source", [None, build])
def test_a_copy_goes_on_training(iris, source):
    """A loaded estimator continues as the original would, optimizer state included."""
    X, y = iris
    loss = "sparse_categorical_crossentropy"
    model = KerasClassifier(source, loss=loss, **QUICK).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    for estimator in (model, loaded):
        estimator.partial_fit(X, y)
    assert_allclose(loaded.predict_proba(X), model.predict_proba(X), rtol=1e-5)


def test_copies_share_nothing(iris):
    """Training a copy on leaves the original as it was."""
    X, y = iris
    model = KerasClassifier(**QUICK).fit(X, y)
    before = model.predict_proba(X)
    copy.deepcopy(model).partial_fit(X, y)
    assert_array_equal(model.predict_proba(X), before)


def test_a_pickle_holds_no_keras_model(iris):
    """The pickle is weights and settings: small, and the same before any predict."""
    model = KerasClassifier(**QUICK).fit(*iris)
    before = pickle.dumps(model)
    model.predict(iris[0])
    assert len(pickle.dumps(model)) == len(before) < 30_000


def test_a_clone_of_a_fitted_estimator_is_not_fitted(iris):
    """`clone` keeps the parameters and drops what was learnt."""
    model = KerasClassifier(**QUICK, callbacks=[keras.callbacks.Callback()])
    model.fit(*iris)
    copied = clone(model)
    assert copied.get_params().keys() == model.get_params().keys()
    assert copied.units == model.units
    with pytest.raises(NotFittedError):
        copied.predict(iris[0])


@pytest.mark.parametrize("kind", [KerasClassifier, KerasRegressor])
def test_keras_format_and_back(iris, tmp_path, kind):
    """A model saved by Keras comes back as an estimator that predicts the same."""
    X, y = iris
    original = kind(**QUICK).fit(X, y)
    original.model_.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    again = kind(loaded, **QUICK).initialize(X, y)
    assert_array_equal(again.predict(X), original.predict(X))
    again.partial_fit(X, y)
    assert again.n_epochs_ == 1
    assert not np.array_equal(again.weights_[0], original.weights_[0])


def test_a_given_model_is_not_trained(iris):
    """A Keras model given as `model` is copied: fit starts from it and leaves it."""
    X, y = iris
    given = KerasClassifier(**QUICK).fit(X, y).model_
    weights = given.get_weights()
    first = KerasClassifier(given, **QUICK).fit(X, y)
    second = KerasClassifier(given, **QUICK).fit(X, y)
    for kept, weight in zip(weights, given.get_weights(), strict=True):
        assert_array_equal(kept, weight)
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_changes_to_the_model_are_seen_and_kept(iris):
    """Weights that the user sets in `model_` are predicted with, and pickled."""
    X, y = iris
    model = KerasClassifier(**QUICK).fit(X, y)
    model.model_.set_weights([np.zeros_like(w) for w in model.model_.get_weights()])
    assert_allclose(model.predict_proba(X), 1 / 3, rtol=1e-6)
    assert not np.any(model.weights_[0])
    assert_allclose(pickle.loads(pickle.dumps(model)).predict_proba(X), 1 / 3)


def test_loading_in_another_process(iris, tmp_path):
    """A pickle is read, and predicts the same, in a process of its own."""
    X, y = iris
    model = KerasClassifier(**QUICK).fit(X, y)
    joblib.dump((model, X, model.predict_proba(X)), tmp_path / "all.joblib")
    script = (
        "import joblib, numpy, sys\n"
        "model, X, expected = joblib.load(sys.argv[1])\n"
        "numpy.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-5)\n"
        "print('same')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "all.joblib")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "same"
