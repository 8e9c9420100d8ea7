"""What the parts of a fit with plain Keras cost: `python -m tests.benchmarks.parts`."""

import statistics
import time
from collections.abc import Callable

import keras
import numpy as np

N_FEATURES, UNITS, BATCH = 8, 30, 32


def build_model() -> keras.Model:
    """Build and compile a network of one hidden layer."""
    model = keras.Sequential(
        [
            keras.Input((N_FEATURES,)),
            keras.layers.Dense(UNITS, "relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    return model


def measure(n_repeats: int = 5) -> dict[str, float]:
    """Return the milliseconds of each part, medians of several models."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(200 * BATCH, N_FEATURES)).astype("float32")
    y = X.sum(axis=1)
    times: dict[str, list[float]] = {}

    def timed(part: str, work: Callable[[], object], share: float = 1.0) -> None:
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        times.setdefault(part, []).append(1e3 * seconds / share)

    def fit(model: keras.Model, n_batches: int, epochs: int) -> None:
        rows = slice(n_batches * BATCH)
        model.fit(X[rows], y[rows], batch_size=BATCH, epochs=epochs, verbose=0)

    build_model().fit(X[:BATCH], y[:BATCH], verbose=0)  # starts TensorFlow
    for _ in range(n_repeats):
        model = build_model()
        timed("building a small model", build_model)
        timed("its first training step", lambda m=model: fit(m, 1, 1))
        timed("an epoch of one step", lambda m=model: fit(m, 1, 20), share=20)
        timed("a step in a long epoch", lambda m=model: fit(m, 200, 3), share=600)
        timed("its first predict", lambda m=model: m.predict(X[:BATCH], verbose=0))
    return {part: statistics.median(values) for part, values in times.items()}


if __name__ == "__main__":
    for name, milliseconds in measure().items():
        print(f"{name:28}{milliseconds:8.1f} ms")
