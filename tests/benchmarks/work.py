"""The pieces of work that are timed, each in the hands of two libraries.

Run as ``python -m tests.benchmarks.work NAME SIDE``, in a process of its own, it prints
one line of JSON with the figures.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.preprocessing import StandardScaler

from examples.datasets import load_california_housing

Figures = dict[str, float]
Data = tuple[NDArray[Any], NDArray[Any]]

#: The libraries compared; the first is the one whose ratio is printed.
SIDES = ("skkeras_tune", "scikeras")


def load_california() -> Data:
    """Return 20,433 standardised rows of 8 features, and a standardised target."""
    X, y = load_california_housing()
    y = y.to_numpy()
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


def build_classifier(side: str, units: int, **params: Any) -> Any:
    """Return a classifier of one hidden layer of `units`, without early stopping."""
    if side == "skkeras_tune":
        from skkeras_tune import KerasClassifier

        return KerasClassifier(units=units, early_stopping=False, **params)
    from scikeras.wrappers import KerasClassifier as Rival

    rate = params.pop("learning_rate", 1e-3)
    return Rival(
        build_mlp_function,
        model__units=units,
        optimizer="adam",
        optimizer__learning_rate=rate,
        loss="sparse_categorical_crossentropy",
        verbose=0,
        **params,
    )


def build_regressor(side: str, units: int, **params: Any) -> Any:
    """Return a regressor of one hidden layer of `units`, without early stopping."""
    if side == "skkeras_tune":
        from skkeras_tune import KerasRegressor

        return KerasRegressor(units=units, early_stopping=False, **params)
    from scikeras.wrappers import KerasRegressor as Rival

    return Rival(
        build_mlp_function,
        model__units=units,
        optimizer="adam",
        optimizer__learning_rate=params.pop("learning_rate", 1e-3),
        loss="mse",
        verbose=0,
        **params,
    )


def build_mlp_function(meta: dict[str, Any], units: int = 30) -> Any:
    """Build the network that both libraries are given as ``model=``."""
    import keras

    is_classifier = meta.get("n_classes_", 0) > 1
    n_outputs = meta["n_classes_"] if is_classifier else 1
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(units, "relu", kernel_initializer="he_normal"),
            keras.layers.Dense(n_outputs, "softmax" if is_classifier else None),
        ]
    )


def fit_california(side: str, epochs: int) -> Figures:
    """Fit 8-30-1 on two thirds of California housing once, from a cold start."""
    X, y = load_california()
    model = build_regressor(side, 30, epochs=epochs, batch_size=32)
    model.fit(X[:13_600], y[:13_600])
    return {"score": float(model.score(X[13_600:], y[13_600:]))}


def fit_function(side: str, epochs: int) -> Figures:
    """Fit the same model function, given as ``model=``, on two thirds of the rows."""
    if side == "skkeras_tune":
        from skkeras_tune import KerasRegressor
    else:
        from scikeras.wrappers import KerasRegressor
    X, y = load_california()
    own = {"early_stopping": False} if side == "skkeras_tune" else {}
    model = KerasRegressor(
        build_mlp_function,
        loss="mse",
        optimizer="adam",
        epochs=epochs,
        batch_size=32,
        verbose=0,
        **own,
    )
    model.fit(X[:13_600], y[:13_600])
    return {"score": float(model.score(X[13_600:], y[13_600:]))}


def search_california(side: str, epochs: int) -> Figures:
    """Search four learning rates over three folds of California housing."""
    X, y = load_california()
    rate = "learning_rate" if side == "skkeras_tune" else "optimizer__learning_rate"
    search = GridSearchCV(
        build_regressor(side, 30, epochs=epochs, batch_size=32),
        {rate: [3e-4, 1e-3, 3e-3, 1e-2]},
        cv=KFold(3, shuffle=True, random_state=0),
        refit=False,
    )
    return {"score": float(search.fit(X, y).best_score_)}


def cross_validate_small(side: str, epochs: int) -> Figures:
    """Cross-validate on 569 rows in ten folds: short fits, where overhead counts."""
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = build_classifier(side, 30, epochs=epochs, batch_size=32)
    folds = KFold(10, shuffle=True, random_state=0)
    return {"score": float(cross_validate(model, X, y, cv=folds)["test_score"].mean())}


def repeat_fits(side: str, n_fits: int) -> Figures:
    """Fit and predict again and again, each with another width, and watch memory."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:200] / 16, y[:200]

    def fit(i: int) -> None:
        build_classifier(side, 3 + i % 20, epochs=1).fit(X, y).predict(X)

    for i in range(25):  # more than are kept for later
        fit(i)
    before = _peak_megabytes()
    start = time.perf_counter()
    for i in range(n_fits):
        fit(i)
    seconds = time.perf_counter() - start
    return {
        "megabytes_per_fit": (_peak_megabytes() - before) / n_fits,
        "seconds_per_fit": seconds / n_fits,
    }


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


#: Name, function, and its amount of work: of the full run, and of the quick one.
WORK: dict[str, tuple[Callable[[str, int], Figures], int, int]] = {
    "one fit, 13,600 x 8, 8-30-1, cold": (fit_california, 5, 1),
    "the same through model=": (fit_function, 5, 1),
    "grid search, 4 rates x 3 folds, 20,433 x 8": (search_california, 5, 1),
    "10-fold cross-validation, 569 x 30": (cross_validate_small, 20, 2),
    "fits and predictions, 200 x 64": (repeat_fits, 60, 5),
}


def main(name: str, side: str, amount: str) -> None:
    """Do one piece of work and print its figures."""
    import keras
    import tensorflow

    assert side in SIDES
    assert keras.backend.backend() == "tensorflow"
    tensorflow.constant(0)  # starts the runtime, which neither side is charged for
    np.random.seed(0)  # noqa: NPY002  scikeras draws from it
    start = time.perf_counter()
    figures = WORK[name][0](side, int(amount))
    figures.setdefault("seconds", time.perf_counter() - start)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
