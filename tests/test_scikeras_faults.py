"""What scikeras 0.13 gets wrong on today's libraries, as rules for our estimators.

The sixth, its failing checks of scikit-learn's, is in `test_estimator_checks`; its use
of memory is in `test_memory`.
"""

import copy
import functools
import inspect
import os
import pickle
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.callbacks import EarlyStopping
from keras.optimizers import SGD
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    check_cv,
)

from skkeras_tune import KerasClassifier, KerasRegressor

LABELS = np.array(["no", "yes"])


def build_sigmoid(units=3):
    """Build a network for two classes, not compiled."""
    hidden = keras.layers.Dense(units, activation="relu")
    return keras.Sequential([hidden, keras.layers.Dense(1, activation="sigmoid")])


@pytest.fixture(scope="module")
def two_classes():
    """80 rows of 4 features, sorted by their two classes."""
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1], 40)
    return generator.normal(size=(80, 4)) + y[:, np.newaxis], y


@pytest.fixture
def classifier():
    """Return a classifier with a function of the user's."""
    return KerasClassifier(build_sigmoid, epochs=1, random_state=0)


class Subclass(KerasClassifier):
    """A classifier with its network inside."""

    def _keras_build_fn(self):
        return build_sigmoid()


# --- 1: tags


@pytest.mark.parametrize("cls", [KerasClassifier, Subclass])
def test_classifiers_are_classifiers(two_classes, cls):
    """scikit-learn sees a classifier, and stratifies its folds."""
    assert is_classifier(cls())
    folds = check_cv(3, two_classes[1], classifier=is_classifier(cls()))
    assert isinstance(folds, StratifiedKFold)


def test_regressors_are_regressors():
    """scikit-learn sees a regressor."""
    assert is_regressor(KerasRegressor())


def test_scorers_find_probabilities(classifier, two_classes):
    """Scorers that need the probability of the second class work."""
    classifier.fit(*two_classes)
    assert 0 <= get_scorer("roc_auc")(classifier, *two_classes) <= 1
    assert get_scorer("neg_log_loss")(classifier, *two_classes) < 0


# --- 2: callbacks given to fit


class CountEpochs(keras.callbacks.Callback):
    """Counts epochs, in all its copies together."""

    total = 0

    def on_epoch_end(self, epoch, logs=None):
        CountEpochs.total += 1


def test_callbacks_of_fit_are_used(classifier, two_classes):
    """Callbacks of the constructor and of `fit` all run."""
    before = CountEpochs.total
    classifier.set_params(callbacks=[CountEpochs()])
    classifier.fit(*two_classes, callbacks=[CountEpochs()])
    assert CountEpochs.total - before == 2


# --- 3: random state


def test_a_seeded_fit_leaves_the_process_as_it_was(classifier, two_classes):
    """Global generators, the environment and TensorFlow's flags stay the same."""
    python, numpy, environment = (
        random.getstate(),
        np.random.get_state(),  # noqa: NPY002  the state that must not change
        {**os.environ},
    )
    classifier.fit(*two_classes).predict(two_classes[0])
    assert random.getstate() == python
    assert_array_equal(np.random.get_state()[1], numpy[1])  # noqa: NPY002
    assert {**os.environ} == environment
    tf.random.uniform([1])  # would raise, were TensorFlow's ops deterministic


def test_seeds_make_fits_reproducible(classifier, two_classes):
    """The same `random_state` gives the same weights, and another gives others."""
    first = classifier.fit(*two_classes).weights_
    for ours, again in zip(first, classifier.fit(*two_classes).weights_, strict=True):
        assert_array_equal(ours, again)
    other = classifier.set_params(random_state=1).fit(*two_classes).weights_
    assert not np.array_equal(first[0], other[0])


# --- 4 and 5: validation


@pytest.mark.parametrize("labels", [LABELS, np.array([1, 2])], ids=["strings", "ints"])
def test_validation_data_is_encoded(classifier, two_classes, labels):
    """Labels of `validation_data` go through the encoder of y."""
    X, y = two_classes
    named = labels[y]
    classifier.fit(X[::2], named[::2], validation_data=(X[1::2], named[1::2]))
    codes = y[1::2].reshape(-1, 1).astype("float32")
    loss = keras.losses.binary_crossentropy(codes, classifier.model_(X[1::2]))
    assert_allclose(classifier.history_["val_loss"][0], np.mean(loss), rtol=1e-4)


def share_of_ones(y_true, y_pred):
    """Return the mean label of a batch, whatever is predicted."""
    return keras.ops.mean(y_true) + 0 * keras.ops.sum(y_pred)


@pytest.mark.parametrize("name", ["validation_split", "fit__validation_split"])
def test_held_out_rows_have_all_classes(classifier, two_classes, name):
    """Rows held out of sorted labels have the classes in proportion."""
    classifier.set_params(metrics=[share_of_ones], **{name: 0.2}).fit(*two_classes)
    assert_allclose(classifier.history_["val_share_of_ones"], 0.5)


# --- 7: types and names of features


@pytest.mark.parametrize("fitted", ["float32", "int64"])
def test_types_of_features_mix(two_classes, classifier, fitted):
    """Any type of number predicts, whatever type was fitted."""
    X, y = two_classes
    X = np.round(X)
    classifier.fit(X.astype(fitted), y)
    expected = classifier.predict_proba(X.astype("float32"))
    for dtype in ("float64", "int32"):
        assert_array_equal(classifier.predict_proba(X.astype(dtype)), expected)


def test_reordered_columns_are_refused(two_classes, classifier):
    """Columns in another order than in `fit` are an error."""
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(two_classes[0], columns=list("abcd"))
    classifier.fit(X, two_classes[1])
    assert list(classifier.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="same order"):
        classifier.predict(X[list("badc")])


# --- 8: weights


@pytest.mark.parametrize("dtype", [int, float])
def test_weights_of_the_caller_stay(two_classes, classifier, dtype):
    """Class weights multiply a copy of the caller's weights, of any type."""
    X, y = two_classes
    weight = np.arange(1, 81).astype(dtype)
    kept = weight.copy()
    classifier.set_params(class_weight={0: 1.0, 1: 2.5}).fit(X, y, weight)
    assert_array_equal(weight, kept)


# --- 9: options of a loss


def test_options_reach_a_named_loss(classifier, two_classes):
    """A loss given by its name takes routed options, and they change the loss."""
    X, y = two_classes
    classifier.set_params(loss="binary_crossentropy", loss__label_smoothing=0.9)
    smoothed = classifier.fit(X, y).history_["loss"]
    plain = KerasClassifier(build_sigmoid, epochs=1, random_state=0).fit(X, y)
    assert classifier.model_.loss.label_smoothing == 0.9
    assert not np.allclose(smoothed, plain.history_["loss"])


# --- 10: optimizers, callbacks and models of any kind


def test_optimizer_instance_serves_many_fits(classifier, two_classes):
    """An optimizer instance is copied for each fit, and stays as it was."""
    optimizer = SGD(0.1, momentum=0.9)
    classifier.set_params(optimizer=optimizer)
    first, second = (classifier.fit(*two_classes).weights_ for _ in range(2))
    assert_array_equal(first[0], second[0])
    assert int(optimizer.iterations) == 0
    assert classifier.model_.optimizer.momentum == 0.9


@pytest.mark.parametrize(
    ("callbacks", "name"),
    [
        (EarlyStopping, "callbacks__patience"),
        ([EarlyStopping], "callbacks__0__patience"),
    ],
    ids=["class", "list"],
)
def test_options_of_callbacks_are_searched(classifier, two_classes, callbacks, name):
    """A search sets options of callbacks."""
    classifier.set_params(callbacks=callbacks)
    search = GridSearchCV(classifier, {name: [3]}, cv=ShuffleSplit(1, random_state=0))
    assert search.fit(*two_classes).best_estimator_.callbacks_[0].patience == 3


class Builder:
    """A callable object, whose method serves as well."""

    def __init__(self, units):
        self.units = units

    def __call__(self, extra=0):
        return build_sigmoid(self.units + extra)

    def build(self, extra=0):
        return self(extra)


class Network(keras.Model):
    """A model written as a class, which is the function that builds it."""

    def __init__(self, extra=0):
        super().__init__()
        self.hidden = keras.layers.Dense(4 + extra)
        self.out = keras.layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        return self.out(self.hidden(inputs))


@pytest.mark.parametrize(
    ("model", "width"),
    [
        (lambda extra=0: build_sigmoid(4 + extra), 6),
        (functools.partial(Builder(4).build), 6),
        (functools.partial(build_sigmoid, units=6), 6),
        (Builder(4), 6),
        (Builder(4).build, 6),
        (Network, 6),
    ],
    ids=["lambda", "partial", "bound", "object", "method", "class"],
)
def test_any_callable_is_a_model_function(two_classes, model, width):
    """Functions, partials, objects, methods and classes all build models."""
    takes_extra = "extra" in inspect.signature(model).parameters
    classifier = KerasClassifier(
        model, epochs=1, **({"extra": 2} if takes_extra else {})
    )
    classifier = clone(classifier).initialize(*two_classes)
    assert classifier.weights_[0].shape == (4, width)
    assert classifier.predict_proba(two_classes[0]).shape == (80, 2)


# --- 11: callbacks in parameters


def test_callbacks_in_parameters_hold_no_model(classifier, two_classes):
    """After `fit` the user's callback is as it was; so clones and pickles are small."""
    callback = EarlyStopping(restore_best_weights=True)
    before = {name: copy.copy(value) for name, value in vars(callback).items()}
    classifier.set_params(callbacks=[callback]).fit(*two_classes)
    assert vars(callback) == before
    assert classifier.callbacks[0] is callback
    for copied in (clone(classifier), pickle.loads(pickle.dumps(classifier))):
        assert copied.callbacks[0]._model is None
    assert all(ours is not callback for ours in classifier.callbacks_)


# --- 12: tracing


def test_predictions_do_not_retrace(classifier, two_classes, monkeypatch):
    """TensorFlow has nothing to warn of when many models predict."""
    warned = []
    monkeypatch.setattr(tf.get_logger(), "handle", warned.append)
    for _ in range(6):
        clone(classifier).initialize(*two_classes).predict(two_classes[0])
    assert not [record for record in warned if "retracing" in record.getMessage()]


# --- 13: side effects of importing

_COMPARE = """
import keras
kinds = keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer
names = "__reduce__", "__deepcopy__"
before = [vars(kind).get(name) for kind in kinds for name in names]
import skkeras_tune
assert before == [vars(kind).get(name) for kind in kinds for name in names]
"""


def test_import_leaves_keras_alone():
    """Importing us changes neither pickling nor copying of Keras's objects."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", _COMPARE], check=True, env=environment)
