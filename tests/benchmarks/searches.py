"""Searches that are timed: ours within `fused`, the rivals' as they are."""

import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
from scipy.stats import loguniform
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.preprocessing import StandardScaler

from examples.datasets import load_fashion_mnist, load_pima
from tests.benchmarks.by_hand import search_by_hand
from tests.benchmarks.sides import (
    OURS,
    Figures,
    build_estimator,
    build_mlp_function,
    load_california,
)

BY_HAND = "a loop by hand"
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
FOLDS = KFold(3, shuffle=True, random_state=0)


def fuse(side: str, *, fuses: bool = True) -> Any:
    """Return the context of a side's search."""
    if side == OURS and fuses:
        from skkeras_tune import fused

        return fused()
    return nullcontext()


def name_rate(side: str) -> str:
    """Return what a side's estimator calls its learning rate."""
    names = {OURS: "learning_rate", "scikit-learn": "learning_rate_init"}
    return names.get(side, "optimizer__learning_rate")


def search_california(side: str, epochs: int, *, fuses: bool = True) -> Figures:
    """Search four learning rates over three folds of California housing."""
    X, y = load_california()
    search = GridSearchCV(
        build_estimator(side, "Regressor", (30,), epochs=epochs, batch_size=32),
        {name_rate(side): RATES},
        cv=FOLDS,
        refit=False,
        n_jobs=2 if side == "scikit-learn" else None,
    )
    with fuse(side, fuses=fuses):
        return {"score": float(search.fit(X, y).best_score_)}


def search_at_random(side: str, n_folds: int) -> Figures:
    """Search ten networks of 0 to 3 hidden layers, after Hands-On Machine Learning.

    Each trains up to 100 epochs, and stops early on a tenth of its rows. Fewer than
    three folds are the first of the three.
    """
    X, y = load_california()
    estimator = _build_stopping(side, epochs=100)
    names = (
        ("n_hidden", "units") if side == OURS else ("model__n_hidden", "model__units")
    )
    space = {
        names[0]: [0, 1, 2, 3],
        names[1]: np.arange(1, 100),
        name_rate(side): loguniform(3e-4, 3e-2),
    }
    folds = list(FOLDS.split(X))[:n_folds]
    search = RandomizedSearchCV(
        estimator, space, n_iter=10, cv=folds, random_state=0, refit=False
    )
    with fuse(side):
        return {"score": float(search.fit(X, y).best_score_)}


def search_executions(side: str, epochs: int) -> Figures:
    """Search four learning rates, each trained three times, on California housing.

    Ours trains on three folds; KerasTuner three times on the first of them.
    """
    if side == OURS:
        return search_california(side, epochs)
    import keras
    import keras_tuner

    X, y = load_california()
    train, test = next(FOLDS.split(X))

    def build(settings: Any) -> Any:
        model = build_mlp_function({"n_features_in_": X.shape[1]})
        rate = settings.Choice("learning_rate", list(RATES))
        model.compile(keras.optimizers.Adam(rate), "mse")
        return model

    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.GridSearch(
            build, "val_loss", executions_per_trial=3, directory=folder
        )
        tuner.search(
            X[train],
            y[train],
            validation_data=(X[test], y[test]),
            epochs=epochs,
            batch_size=32,
            verbose=0,
        )
    (best,) = tuner.oracle.get_best_trials(1)
    return {"score": 1 - best.score / float(y[test].var())}


def search_batch_sizes(side: str, epochs: int) -> Figures:
    """Search five batch sizes over five folds of Pima Indians diabetes."""
    X, y = load_pima()
    X = StandardScaler().fit_transform(X)
    search = GridSearchCV(
        build_estimator(side, "Classifier", (12,), epochs=epochs, batch_size=32),
        {"batch_size": [8, 16, 32, 64, 128]},
        cv=KFold(5, shuffle=True, random_state=0),
        refit=False,
    )
    with fuse(side):
        return {"score": float(search.fit(X, y.to_numpy()).best_score_)}


def search_pictures(side: str, epochs: int) -> Figures:
    """Search four learning rates over three folds of 48,000 pictures."""
    X, y, _, _ = load_fashion_mnist()
    X, y = X.reshape(len(X), -1)[:48_000], y[:48_000]
    if side == BY_HAND:
        folds = list(FOLDS.split(X))
        return {"score": search_by_hand(X.astype("float32"), y, folds, RATES, epochs)}
    search = GridSearchCV(
        build_estimator(side, "Classifier", (100,), epochs=epochs, batch_size=32),
        {name_rate(side): RATES},
        cv=FOLDS,
        refit=False,
    )
    with fuse(side):
        return {"score": float(search.fit(X, y).best_score_)}


def _build_stopping(side: str, epochs: int) -> Any:
    if side == OURS:
        import skkeras_tune

        return skkeras_tune.KerasRegressor(epochs=epochs, patience=10)
    import keras
    from scikeras.wrappers import KerasRegressor

    return KerasRegressor(
        build_deep_function,
        model__n_hidden=1,
        model__units=30,
        optimizer="adam",
        optimizer__learning_rate=1e-3,
        loss="mse",
        verbose=0,
        epochs=epochs,
        batch_size=32,
        validation_split=0.1,
        callbacks=keras.callbacks.EarlyStopping,
        callbacks__patience=10,
        callbacks__restore_best_weights=True,
    )


def build_deep_function(meta: Mapping[str, Any], n_hidden: int, units: int) -> Any:
    """Build a regressor of some hidden layers of the same width."""
    import keras

    layers = [
        keras.layers.Dense(int(units), "relu", kernel_initializer="he_normal")
        for _ in range(n_hidden)
    ]
    inputs = keras.Input((meta["n_features_in_"],))
    return keras.Sequential([inputs, *layers, keras.layers.Dense(1)])
