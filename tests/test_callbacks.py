"""Keras callbacks: where they may be given, and what must not pass between fits."""

import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_validate

from skkeras_tune import KerasClassifier, KerasRegressor

PLAIN = {"early_stopping": False, "random_state": 0}


class Counter(keras.callbacks.Callback):
    """Counts epochs over its whole life."""

    def __init__(self, step=1):
        super().__init__()
        self.step = step
        self.epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += self.step


@pytest.mark.parametrize(
    "params",
    [
        {"callbacks": Counter()},
        {"callbacks": [Counter()]},
        {"callbacks": [[Counter()]]},
        {"callbacks": {"count": Counter()}},
        {"callbacks": Counter, "callbacks__step": 1},
        {"callbacks": {"count": Counter}, "callbacks__count__step": 1},
        {"fit__callbacks": [Counter]},
    ],
)
def test_ways_to_give_a_callback(iris, params):
    """A callback, a class, a list or a dict of them, with or without options."""
    model = KerasClassifier(epochs=3, **PLAIN, **params).fit(*iris)
    assert [callback.epochs for callback in model.callbacks_] == [3]


@pytest.mark.parametrize("params", [{}, {"callbacks": {"count": Counter}}])
def test_options_of_a_callback_that_is_not_there_are_refused(iris, params):
    """An option that no callback takes would be searched over for nothing."""
    model = KerasClassifier(epochs=1, callbacks__stop__patience=3, **PLAIN, **params)
    with pytest.raises(ValueError, match="callbacks__stop__patience=3"):
        model.fit(*iris)


def test_callbacks_given_to_fit_join_the_others(iris):
    """Those of the constructor and those of `fit` are all called."""
    model = KerasClassifier(epochs=2, callbacks=Counter(), **PLAIN)
    model.fit(*iris, callbacks=[Counter(step=10)])
    assert [callback.epochs for callback in model.callbacks_] == [2, 20]


def test_no_state_passes_between_fits(iris):
    """Each fit has copies: the parameter stays as it was given."""
    counter = Counter()
    model = KerasClassifier(epochs=2, callbacks=counter, **PLAIN)
    model.fit(*iris).fit(*iris)
    assert model.callbacks_[0].epochs == 2
    assert counter.epochs == 0
    assert model.callbacks is counter


def test_no_state_passes_between_folds(diabetes):
    """Early stopping by callback starts afresh in each fold of a cross-validation."""
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=2)
    model = KerasRegressor(epochs=30, learning_rate=0.05, callbacks=stop)
    folds = cross_validate(model, *diabetes, cv=3, return_estimator=True)
    stopped = [estimator.callbacks_[0] for estimator in folds["estimator"]]
    assert all(callback is not stop for callback in stopped)
    assert stop.model is None
    assert all(
        estimator.n_epochs_ == callback.stopped_epoch + 1
        for estimator, callback in zip(folds["estimator"], stopped, strict=True)
    )


def test_no_model_hides_in_a_callback(iris):
    """After a fit no callback holds the model, so clones and pickles stay small."""
    model = KerasClassifier(epochs=1, callbacks=[Counter()], **PLAIN).fit(*iris)
    assert model.callbacks[0].model is None
    assert model.callbacks_[0].model is None
    assert clone(model).callbacks[0].model is None
    assert pickle.loads(pickle.dumps(model)).callbacks[0].epochs == 0


def test_a_callback_from_another_training_is_let_go(iris):
    """A callback that trained a plain Keras model is cloned without that model."""
    counter = Counter()
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(iris[0], iris[1], callbacks=[counter], verbose=0)
    ours = KerasClassifier(epochs=1, callbacks=[counter], **PLAIN)
    assert clone(ours).callbacks[0].model is None
    assert ours.fit(*iris).callbacks_[0].model is None
    assert counter.model is model


def test_options_of_callbacks_can_be_searched(diabetes):
    """`set_params(callbacks__patience=...)` reaches the callback."""
    model = KerasRegressor(
        epochs=40, learning_rate=0.05, callbacks=keras.callbacks.EarlyStopping
    )
    epochs = [
        model.set_params(callbacks__patience=n, random_state=0).fit(*diabetes).n_epochs_
        for n in (1, 8)
    ]
    assert epochs[0] < epochs[1]


def test_model_checkpoint(cancer, tmp_path):
    """ModelCheckpoint saves the model of the best epoch."""
    path = tmp_path / "best.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(path, save_best_only=True)
    model = KerasClassifier(epochs=4, callbacks=checkpoint, random_state=0)
    model.fit(*cancer)
    best = keras.saving.load_model(path)
    expected = model.predict_proba(cancer[0])[:, 1]
    np.testing.assert_allclose(
        best.predict(cancer[0], verbose=0)[:, 0], expected, rtol=1e-4, atol=1e-6
    )


def test_tensorboard(cancer, tmp_path):
    """TensorBoard writes its event files."""
    callback = keras.callbacks.TensorBoard(tmp_path)
    KerasClassifier(epochs=2, callbacks=callback, random_state=0).fit(*cancer)
    assert list(tmp_path.rglob("events.out.tfevents.*"))


def test_callbacks_may_change_the_learning_rate(diabetes):
    """ReduceLROnPlateau and LearningRateScheduler act on the model in training."""
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    reduce = keras.callbacks.ReduceLROnPlateau(
        patience=1, min_delta=10.0, factor=0.5, cooldown=0
    )
    model = KerasRegressor(epochs=4, callbacks=schedule, **PLAIN).fit(*diabetes)
    np.testing.assert_allclose(model.history_["learning_rate"], 0.1 / np.arange(1, 5))
    model = KerasRegressor(epochs=6, callbacks=reduce, random_state=0).fit(*diabetes)
    assert model.history_["learning_rate"][-1] < 1e-3


def test_a_callback_may_stop_training(iris):
    """`model.stop_training = True` ends the fit."""
    stop = keras.callbacks.LambdaCallback()

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    model = KerasClassifier(epochs=9, callbacks=[stop, Stop()], **PLAIN).fit(*iris)
    assert model.n_epochs_ == 2


def test_an_error_in_a_callback_reaches_the_caller(iris):
    """A callback's exception is not swallowed, and the estimator lives on."""

    class Broken(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("out of paper")

    model = KerasClassifier(epochs=2, **PLAIN).fit(*iris)
    before = model.predict_proba(iris[0])
    with pytest.raises(RuntimeError, match=r"out of paper"):
        model.fit(*iris, callbacks=[Broken()])
    np.testing.assert_array_equal(model.predict_proba(iris[0]), before)
