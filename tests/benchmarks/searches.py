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
from tests.benchmarks.sides import (
    OURS,
    Figures,
    build_estimator,
    build_mlp_function,
    load_california,
)

#: scikit-learn's search with our estimators, for Hyperband to be measured against: all
#: fits fused, or one after the other in each of two processes.
IN_FULL = "random search in full"
IN_PROCESSES = "random search in full, two processes"
#: A loop over all members at once, written for this one search.
BY_HAND = "jax.vmap by hand"
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
FOLDS = KFold(3, shuffle=True, random_state=0)


def fuse(side: str, *, fuses: bool = True) -> Any:
    """Return the context of a side's search."""
    if side in (OURS, IN_FULL) and fuses:
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
        from tests.benchmarks.by_hand import score_members

        folds = list(FOLDS.split(X))
        scores = score_members(
            X, y, folds, RATES, units=100, epochs=epochs, batch_size=32
        )
        return {"score": float(scores.mean(axis=0).max())}
    search = GridSearchCV(
        build_estimator(side, "Classifier", (100,), epochs=epochs, batch_size=32),
        {name_rate(side): RATES},
        cv=FOLDS,
        refit=False,
    )
    with fuse(side):
        return {"score": float(search.fit(X, y).best_score_)}


def search_hyperband(
    side: str, max_epochs: int, factor: int = 3, seed: int = 0
) -> Figures:
    """Search networks by Hyperband, 143 for 81 epochs, or train them all to the end.

    Both score the best epoch on a tenth of the rows, and no training is stopped before
    its end. The seed draws the candidates.
    """
    from skkeras_tune import HyperbandSearchCV, KerasRegressor
    from skkeras_tune.search.brackets import list_brackets
    from skkeras_tune.search.draws import draw_candidates

    X, y = load_california()
    estimator = KerasRegressor(epochs=max_epochs, patience=max_epochs, random_state=0)
    space = {
        "n_hidden": [1, 2],
        "units": [16, 32, 64],
        "learning_rate": loguniform(3e-4, 3e-2),
        "l2": loguniform(1e-7, 1e-3),
    }
    if side == OURS:
        search = HyperbandSearchCV(
            estimator,
            space,
            max_epochs=max_epochs,
            factor=factor,
            cv=FOLDS,
            random_state=seed,
            refit=False,
        )
    else:
        sizes = [bracket.size for bracket in list_brackets(max_epochs, factor)]
        state = np.random.RandomState(seed)
        drawn = [c for part in draw_candidates(space, sizes, state) for c in part]
        search = RandomizedSearchCV(
            estimator,
            [{name: [value] for name, value in c.items()} for c in drawn],
            n_iter=len(drawn),
            cv=FOLDS,
            random_state=seed,
            refit=False,
            n_jobs=2 if side == IN_PROCESSES else None,
        )
    with fuse(side):
        search.fit(X, y)
    errors = search.cv_results_["std_test_score"] / np.sqrt(search.n_splits_)
    return {
        "score": float(search.best_score_),
        "standard_error": float(errors[search.best_index_]),
    }


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
