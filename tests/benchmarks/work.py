"""The pieces of work that are timed, each in the hands of two libraries.

Run as ``python -m tests.benchmarks.work NAME SIDE``, in a process of its own, it prints
one line of JSON with the figures.
"""

import itertools
import json
import sys
import time
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.model_selection import KFold, cross_validate
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from examples.datasets import load_fashion_mnist
from tests.benchmarks import searches
from tests.benchmarks.sides import (
    OURS,
    Figures,
    build_estimator,
    build_mlp_function,
    load_california,
    peak_megabytes,
)

#: Rows and target to train on, and the same to test.
Split = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


def timed_fit(model: Any, X: Any, y: Any, flops_a_row: int = 0) -> Figures:
    """Fit, and return the seconds and the rate of the matrix products."""
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    flops = flops_a_row * len(X) * model.get_params()["epochs"] if flops_a_row else 0
    return {"seconds": seconds, **({"gflops": flops / seconds / 1e9} if flops else {})}


def fit_california(side: str, epochs: int, *, again: bool = False) -> Figures:
    """Fit 8-30-1 on two thirds of California housing; `again` times a second fit."""
    X, y = load_california()
    model = build_estimator(side, "Regressor", (30,), epochs=epochs, batch_size=32)
    if again:
        model.fit(X[:13_600], y[:13_600])
    flops = 6 * (8 * 30 + 30) if side != "scikit-learn" else 0
    figures = timed_fit(model, X[:13_600], y[:13_600], flops)
    return {**figures, "score": float(model.score(X[13_600:], y[13_600:]))}


def fit_function(side: str, epochs: int) -> Figures:
    """Fit the same model function, given as ``model=``, on two thirds of the rows."""
    if side == OURS:
        from skkeras_tune import KerasRegressor
    else:
        from scikeras.wrappers import KerasRegressor
    X, y = load_california()
    own = {"early_stopping": False} if side == OURS else {}
    model = KerasRegressor(
        build_mlp_function,
        loss="mse",
        optimizer="adam",
        epochs=epochs,
        batch_size=32,
        verbose=0,
        **own,
    )
    figures = timed_fit(model, X[:13_600], y[:13_600])
    return {**figures, "score": float(model.score(X[13_600:], y[13_600:]))}


def fit_two_layers(side: str, epochs: int) -> Figures:
    """Fit 20-64-64-2 on 5,000 made rows, in batches of 256."""
    X, y = make_classification(5000, 20, n_informative=10, random_state=0)
    X = StandardScaler().fit_transform(X)
    model = build_estimator(side, "Classifier", (64, 64), epochs=epochs, batch_size=256)
    figures = timed_fit(model, X, y, 6 * (20 * 64 + 64 * 64 + 64))
    return {**figures, "score": float(model.score(X, y))}


def fit_pictures(
    side: str, epochs: int, *, widths: tuple[int, ...] = (100,), batch_size: int = 32
) -> Figures:
    """Fit a network on 48,000 pictures of Fashion-MNIST."""
    X, y, X_test, y_test = load_fashion_mnist()
    X, X_test = (pictures.reshape(len(pictures), -1) for pictures in (X, X_test))
    X, y = X[:48_000], y[:48_000]
    model = build_estimator(
        side, "Classifier", widths, epochs=epochs, batch_size=batch_size
    )
    sizes = (784, *widths, 10)
    flops = 6 * sum(a * b for a, b in itertools.pairwise(sizes))
    figures = timed_fit(model, X, y, flops)
    return {**figures, "score": float(model.score(X_test, y_test))}


def build_convolutions(meta: dict[str, Any]) -> Any:
    """Build a small convolutional network for pictures of 24 x 24 pixels."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((24, 24, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )


def build_deep_convolutions(meta: dict[str, Any]) -> Any:
    """Build a network of three blocks of two convolutions, for 28 x 28 pixels."""
    from keras import Input, Sequential, layers

    model = Sequential([Input((28, 28, 1))])
    for n_filters in (32, 64, 128):
        for _ in range(2):
            model.add(layers.Conv2D(n_filters, 3, padding="same", use_bias=False))
            model.add(layers.BatchNormalization())
            model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D())
        model.add(layers.Dropout(0.2))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(meta["n_classes_"], activation="softmax"))
    return model


def load_enlarged_digits() -> Split:
    """Return 1,437 digits to train on and 360 to test, of 24 x 24 pixels."""
    X, y = load_digits(return_X_y=True)
    X = np.kron(X.reshape(-1, 8, 8), np.ones((1, 3, 3)))[..., np.newaxis] / 16
    return X[:1437], y[:1437], X[1437:], y[1437:]


def load_few_pictures() -> Split:
    """Return 2,000 pictures of Fashion-MNIST to train on and 2,000 to test."""
    X, y, X_test, y_test = load_fashion_mnist()
    n = 2_000
    return X[:n, ..., np.newaxis], y[:n], X_test[:n, ..., np.newaxis], y_test[:n]


def fit_convolutions(
    side: str,
    epochs: int,
    *,
    build: Callable[[dict[str, Any]], Any] = build_convolutions,
    load: Callable[[], Split] = load_enlarged_digits,
) -> Figures:
    """Fit a convolutional network that is given as ``model=``."""
    if side == OURS:
        from skkeras_tune import KerasClassifier
    else:
        from scikeras.wrappers import KerasClassifier
    X, y, X_test, y_test = load()
    own = {"early_stopping": False} if side == OURS else {}
    model = KerasClassifier(
        build,
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        epochs=epochs,
        batch_size=32,
        verbose=0,
        **own,
    )
    figures = timed_fit(model, X, y)
    return {**figures, "score": float(model.score(X_test, y_test))}


def fit_few_rows(side: str, epochs: int) -> Figures:
    """Fit 30 units on 300 rows, the first fit of the process."""
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = build_estimator(side, "Classifier", (30,), epochs=epochs, batch_size=32)
    figures = timed_fit(model, X[:300], y[:300])
    return {**figures, "score": float(model.score(X[300:], y[300:]))}


def predict_first(side: str, n_rows: int) -> Figures:
    """Predict for the first time, on an estimator whose shape was seen before."""
    X, y = load_california()
    params = {"epochs": 1, "batch_size": 128}
    for _ in range(2):
        model = build_estimator(side, "Regressor", (30,), **params).fit(X, y)
        start = time.perf_counter()
        model.predict(X[:n_rows])
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "score": float(model.score(X, y))}


def cross_validate_small(side: str, epochs: int) -> Figures:
    """Cross-validate on 569 rows in ten folds: short fits, where overhead counts."""
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = build_estimator(side, "Classifier", (30,), epochs=epochs, batch_size=32)
    folds = KFold(10, shuffle=True, random_state=0)
    return {"score": float(cross_validate(model, X, y, cv=folds)["test_score"].mean())}


def repeat_fits(side: str, n_fits: int) -> Figures:
    """Fit and predict again and again, each with another width, and watch memory."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:200] / 16, y[:200]

    def fit(i: int) -> None:
        model = build_estimator(
            side, "Classifier", (3 + i % 20,), epochs=1, batch_size=32
        )
        model.fit(X, y).predict(X)

    for i in range(25):  # more than the shapes
        fit(i)
    before = peak_megabytes()
    start = time.perf_counter()
    for i in range(n_fits):
        fit(i)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "megabytes_per_fit": (peak_megabytes() - before) / n_fits,
    }


def measure_matmul() -> float:
    """Return the billions of operations a second of one core's matrix product."""
    values = np.ones((1024, 1024), np.float32)
    with threadpool_limits(1):
        seconds = min(timeit.repeat(lambda: values @ values, number=5, repeat=5)) / 5
    return 2 * 1024**3 / seconds / 1e9


class Work(NamedTuple):
    """A piece of work: its amount in full and when quick, and who else does it."""

    do: Callable[[str, int], Figures]
    full: int
    quick: int
    rival: str = "scikeras"
    on_disk: bool = False
    """Whether our programs may be on disk already; otherwise none is."""
    share: float = 1.0
    """The part of the amount that the rival does; its seconds are scaled."""


WORK: dict[str, Work] = {
    "one fit, 13,600 x 8, 8-30-1, cold, 50 epochs": Work(fit_california, 50, 1),
    "the same, 5 epochs": Work(fit_california, 5, 1),
    "the same, 50 epochs, program on disk": Work(fit_california, 50, 1, on_disk=True),
    "the same, 50 epochs, second fit": Work(partial(fit_california, again=True), 50, 1),
    "the same, 50 epochs, cold, one core": Work(fit_california, 50, 1, "scikit-learn"),
    "the same, 5 epochs, through model=": Work(fit_function, 5, 1),
    "1,437 digits, two convolutions, through model=": Work(fit_convolutions, 5, 1),
    "2,000 pictures, six convolutions and batch normalisation, through model=": Work(
        partial(
            fit_convolutions, build=build_deep_convolutions, load=load_few_pictures
        ),
        10,
        1,
    ),
    "5,000 x 20, 64-64, batch 256, cold": Work(fit_two_layers, 20, 1),
    "Fashion-MNIST, 784-100-10, cold": Work(fit_pictures, 5, 1),
    "Fashion-MNIST, 784-300-100-10, batch 128, cold": Work(
        partial(fit_pictures, widths=(300, 100), batch_size=128), 5, 1
    ),
    "300 rows, cold": Work(fit_few_rows, 5, 5),
    "first predict of 1,000 rows": Work(predict_first, 1000, 1000),
    "grid search, 4 rates x 3 folds, 20,433 x 8": Work(
        partial(searches.search_california, fuses=False), 5, 1
    ),
    "the same, fused": Work(searches.search_california, 5, 1),
    "the same, fused, 50 epochs": Work(searches.search_california, 50, 10, share=0.1),
    "the same, fused, against two processes": Work(
        searches.search_california, 50, 1, "scikit-learn"
    ),
    "the same, fused, 5 epochs, three executions a trial": Work(
        searches.search_executions, 5, 1, "KerasTuner"
    ),
    "random search, 10 draws of widths, depths and rates x 3 folds, fused": Work(
        searches.search_at_random, 3, 1, share=1 / 3
    ),
    "Hyperband over 143 networks x 3 folds, 20,433 x 8, fused": Work(
        searches.search_hyperband, 81, 3, searches.IN_FULL
    ),
    "the same, against the search without fused": Work(
        searches.search_hyperband, 81, 3, searches.IN_PROCESSES
    ),
    "Pima, 5 batch sizes x 5 folds, fused": Work(
        searches.search_batch_sizes, 100, 10, share=0.1
    ),
    "Fashion-MNIST, 784-100-10, 4 rates x 3 folds, fused": Work(
        searches.search_pictures, 5, 5, share=0.2
    ),
    "the same, against all twelve in one loop": Work(
        searches.search_pictures, 5, 1, searches.BY_HAND
    ),
    "10-fold cross-validation, 569 x 30": Work(cross_validate_small, 20, 2),
    "fits and predictions, 200 x 64, 20 widths": Work(repeat_fits, 60, 5),
}


def main(name: str, side: str, amount: str) -> None:
    """Do one piece of work and print its figures."""
    import keras
    import tensorflow

    from skkeras_tune.training.programs.store import open_program_store

    work = WORK[name]
    assert side in (OURS, work.rival)
    assert keras.backend.backend() == "tensorflow"
    if side == searches.BY_HAND:
        import jax  # as the two above, whose import nobody is charged for

        jax.numpy.zeros(1)  # starts its runtime
    open_program_store()
    tensorflow.constant(0)  # starts the runtime, which neither side is charged for
    np.random.seed(0)  # noqa: NPY002  scikeras draws from it
    limit = threadpool_limits(1 if work.rival == "scikit-learn" else None)
    start = time.perf_counter()
    with limit:
        figures = work.do(side, int(amount))
    figures.setdefault("seconds", time.perf_counter() - start)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
