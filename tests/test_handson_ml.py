"""Hands-On Machine Learning's tenth chapter, on a few districts and few epochs.

The second edition tunes a Keras network with scikit-learn; the third turns to
KerasTuner and leaves scikit-learn to a remark. Written as the book writes it: a
function with defaults that compiles its model, and Keras's arguments in `fit`.
"""

import keras
import numpy as np
import pytest
from keras.callbacks import EarlyStopping, ModelCheckpoint
from numpy.testing import assert_allclose
from scipy.stats import loguniform
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    ShuffleSplit,
    train_test_split,
)
from sklearn.preprocessing import StandardScaler

from skkeras_tune import KerasRegressor


def build_model(n_hidden=1, n_neurons=30, learning_rate=3e-3, input_shape=(8,)):
    """Build and compile a network, with defaults for all that is tuned."""
    model = keras.Sequential([keras.layers.InputLayer(shape=input_shape)])
    for _ in range(n_hidden):
        model.add(keras.layers.Dense(n_neurons, activation="relu"))
    model.add(keras.layers.Dense(1))
    model.compile(loss="mse", optimizer=keras.optimizers.SGD(learning_rate))
    return model


@pytest.fixture(scope="module")
def housing():
    """Training, validation and test sets of 8 standardised features."""
    generator = np.random.default_rng(42)
    X = generator.normal(size=(200, 8))
    y = X @ generator.normal(size=8) + np.sin(X[:, 0])
    X_rest, X_test, y_rest, y_test = train_test_split(X, y, random_state=42)
    X_train, X_valid, y_train, y_valid = train_test_split(
        X_rest, y_rest, random_state=42
    )
    scaler = StandardScaler().fit(X_train)
    X_train, X_valid, X_test = map(scaler.transform, (X_train, X_valid, X_test))
    return X_train, y_train, (X_valid, y_valid), X_test, y_test


def test_defaults_of_the_function(housing):
    """The function's own defaults hold, also where we have a parameter of that name."""
    X_train, y_train, valid, X_test, y_test = housing
    regressor = KerasRegressor(build_model, random_state=0)
    regressor.fit(
        X_train,
        y_train,
        epochs=30,
        validation_data=valid,
        callbacks=[EarlyStopping(patience=10)],
    )
    hidden, output = regressor.model_.layers
    assert (hidden.units, output.units) == (30, 1)
    assert_allclose(regressor.model_.optimizer.learning_rate, 3e-3)
    assert len(regressor.history_["val_loss"]) <= 30
    assert regressor.predict(X_test[:3]).shape == (3,)
    assert regressor.score(X_test, y_test) > 0.3


def test_arguments_of_fit_do_not_stay(housing):
    """What is given to `fit` holds for that fit, and no parameter changes."""
    X_train, y_train, valid, *_ = housing
    regressor = KerasRegressor(build_model, epochs=3)
    before = regressor.get_params()
    regressor.fit(X_train, y_train, epochs=1, validation_data=valid, batch_size=10)
    assert regressor.get_params() == before
    assert regressor.n_epochs_ == 1
    assert regressor.fit(X_train, y_train).n_epochs_ == 3


def test_early_stopping_in_fit_stops(housing):
    """An EarlyStopping given to `fit` decides, on the validation set given there."""
    X_train, y_train, valid, *_ = housing
    stopping = EarlyStopping(patience=1, min_delta=1e9)
    regressor = KerasRegressor(build_model).fit(
        X_train, y_train, epochs=9, validation_data=valid, callbacks=[stopping]
    )
    assert regressor.n_epochs_ == 2
    loss = np.mean((regressor.predict(valid[0]) - valid[1]) ** 2)
    assert_allclose(loss, regressor.history_["val_loss"][1], rtol=1e-4)


def test_random_search(housing, tmp_path):
    """The search draws depth, width and rate, hands `fit` on, and saves the best."""
    X_train, y_train, valid, X_test, _ = housing
    distributions = {
        "n_hidden": [0, 1, 2, 3],
        "n_neurons": np.arange(1, 100),
        "learning_rate": loguniform(3e-4, 3e-2),
    }
    search = RandomizedSearchCV(
        KerasRegressor(build_model), distributions, n_iter=2, cv=2, random_state=1
    )
    search.fit(
        X_train,
        y_train,
        epochs=3,
        validation_data=valid,
        callbacks=[EarlyStopping(patience=10)],
    )
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best, model = search.best_params_, search.best_estimator_.model_
    assert len(model.layers) == best["n_hidden"] + 1
    assert all(layer.units == best["n_neurons"] for layer in model.layers[:-1])
    assert_allclose(model.optimizer.learning_rate, best["learning_rate"], rtol=1e-6)
    model.save(tmp_path / "best.keras")
    loaded = keras.models.load_model(tmp_path / "best.keras")
    expected = search.predict(X_test)
    assert_allclose(loaded.predict(X_test, verbose=0)[:, 0], expected, rtol=1e-4)


@pytest.mark.parametrize("early_stopping", [True, False])
def test_model_evaluates_and_goes_on_training(housing, early_stopping):
    """`model_` takes y with one axis in Keras's own `evaluate` and `fit`."""
    X_train, y_train, valid, X_test, y_test = housing
    regressor = KerasRegressor(build_model, early_stopping=early_stopping)
    regressor.fit(X_train, y_train, epochs=1, validation_data=valid)
    expected = np.mean((regressor.predict(X_test) - y_test) ** 2)
    loss = regressor.model_.evaluate(X_test, y_test, verbose=0)
    assert_allclose(loss, expected, rtol=1e-4)
    history = regressor.model_.fit(X_train, y_train, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_grid_over_lists_of_numbers(housing):
    """NumPy's numbers, and lists drawn beforehand, serve as values to try."""
    X_train, y_train, *_ = housing
    grid = {"n_neurons": np.arange(3, 5).tolist(), "n_hidden": np.array([1])}
    split = ShuffleSplit(1, random_state=0)
    search = GridSearchCV(KerasRegressor(build_model), grid, cv=split)
    search.fit(X_train, y_train, epochs=1, verbose=0)
    assert search.best_estimator_.model_.layers[0].units in (3, 4)


def test_checkpoint_in_fit(housing, tmp_path):
    """A ModelCheckpoint given to `fit` saves the best epoch's model."""
    X_train, y_train, valid, X_test, _ = housing
    path = tmp_path / "best.keras"
    regressor = KerasRegressor(build_model).fit(
        X_train,
        y_train,
        epochs=2,
        validation_data=valid,
        callbacks=[ModelCheckpoint(path, save_best_only=True)],
    )
    saved = keras.models.load_model(path).predict(X_test, verbose=0)[:, 0]
    assert_allclose(regressor.predict(X_test), saved, rtol=1e-4)
