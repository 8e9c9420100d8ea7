"""`random_state` decides everything random in a fit, and nothing outside it."""

import os
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

from skkeras_tune import KerasClassifier
from tests.seeding import seed_everything

NOISY = {"epochs": 2, "dropout": 0.3, "metrics": ["accuracy"]}

SCRIPT = """
from sklearn.datasets import load_iris
from skkeras_tune import KerasClassifier
X, y = load_iris(return_X_y=True)
model = KerasClassifier(epochs=2, dropout=0.3, random_state=3).fit(X, y)
print(repr(model.predict_proba(X).sum(axis=0).tolist()), model.history_)
"""


def build_with_every_generator(meta, dropout):
    """A model function that draws from Python, NumPy and Keras without seeds."""
    units = 3 + random.randrange(1) + np.random.randint(1)  # noqa: NPY002
    noise = keras.random.normal((1,))
    return keras.Sequential(
        [
            keras.layers.GaussianNoise(0.1),
            keras.layers.Dense(units + int(noise[0] > 99), activation="relu"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )


@pytest.mark.parametrize("model", [None, build_with_every_generator])
def test_the_same_seed_gives_the_same_model(iris, model):
    """The same `random_state` gives the same weights, another one others."""
    params = {**NOISY, "loss": "sparse_categorical_crossentropy"}
    first, again, other = (
        KerasClassifier(model, **params, random_state=seed).fit(*iris).weights_
        for seed in (5, 5, 6)
    )
    for weight, expected in zip(again, first, strict=True):
        assert_array_equal(weight, expected)
    assert not np.array_equal(first[0], other[0])


def test_none_differs_from_fit_to_fit(iris):
    """Without `random_state`, each fit is another draw, whatever NumPy's seed is."""
    weights = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002
        weights.append(KerasClassifier(**NOISY).fit(*iris).weights_[0])
    assert not np.array_equal(*weights)


def test_a_generator_moves_on(iris):
    """A RandomState instance is drawn from, so a second fit differs."""
    model = KerasClassifier(**NOISY, random_state=np.random.RandomState(0))
    first = model.fit(*iris).weights_[0]
    assert not np.array_equal(model.fit(*iris).weights_[0], first)


def test_other_fits_do_not_interfere(iris, cancer):
    """What was trained before in the process does not change a result."""
    alone = KerasClassifier(**NOISY, random_state=0).fit(*iris).weights_[0]
    KerasClassifier(**NOISY, random_state=1).fit(*cancer)
    KerasClassifier(**NOISY, random_state=1).fit(*iris)
    KerasClassifier(**NOISY, random_state=0, learning_rate=0.5).fit(*iris)
    after = KerasClassifier(**NOISY, random_state=0).fit(*iris).weights_[0]
    assert_array_equal(after, alone)


@pytest.mark.parametrize("model", [None, build_with_every_generator])
@pytest.mark.parametrize("random_state", [None, 0])
def test_global_random_state_is_untouched(iris, model, random_state):
    """The generators of Python, NumPy, TensorFlow and Keras go on as they would."""

    def draw():
        return [
            random.random(),
            np.random.rand(),  # noqa: NPY002
            tf.random.uniform([]).numpy(),
            keras.random.uniform([]).numpy(),
        ]

    params = {**NOISY, "loss": "sparse_categorical_crossentropy"}
    seed_everything(11)
    expected = [draw(), draw()]
    seed_everything(11)
    first = draw()
    KerasClassifier(model, **params, random_state=random_state).fit(*iris).predict(
        iris[0]
    )
    assert [first, draw()] == expected


def test_many_models_set_off_no_warning(iris, caplog):
    """Models that are each traced once do not set off TensorFlow's retracing alarm."""
    tf.get_logger().propagate = True
    for units in range(5, 15):
        KerasClassifier(units=units, epochs=1, random_state=0).fit(*iris)
    assert "retracing" not in caplog.text


def test_determinism_flags_are_untouched(iris):
    """TensorFlow's determinism, environment and threads are as they were."""
    before = dict(os.environ)
    KerasClassifier(**NOISY, random_state=0).fit(*iris)
    assert dict(os.environ) == before
    # With determinism on, a random op without a seed raises.
    tf.random.uniform([2])
    KerasClassifier(**NOISY).fit(*iris)


def test_the_same_in_a_new_process():
    """A seed gives the same result in every process, whatever its hash seed."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
