"""What the parts of a fit cost, in time and memory.

`python -m tests.benchmarks.parts` prints both.
"""

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from skkeras_tune import KerasRegressor
from skkeras_tune.initial_weights import draw_dense

N_FEATURES, UNITS, BATCH = 8, 30, 32
#: Steps up to which "auto" does not compile.
FEW = 64

Times = dict[str, list[float]]


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


def measure(n_repeats: int = 5) -> dict[str, dict[str, float]]:
    """Return the milliseconds of each part, medians of several networks."""
    build_model().fit(*draw_rows(1), verbose=0)  # starts TensorFlow
    found: dict[str, dict[str, float]] = {}
    for name, run in (("plain Keras", time_keras), ("skkeras_tune", time_own)):
        times: Times = {}
        for i in range(n_repeats):
            run(times, i)
        medians = {part: statistics.median(values) for part, values in times.items()}
        found[name] = medians
    return found


def draw_rows(n_batches: int) -> Any:
    """Return rows and targets for so many batches."""
    shape = (n_batches * BATCH, N_FEATURES)
    X = np.random.default_rng(0).normal(size=shape).astype("float32")
    return X, X.sum(axis=1)


def timed(
    times: Times, part: str, work: Callable[[], object], share: float = 1.0
) -> None:
    """Do some work, and add the milliseconds of its share."""
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    times.setdefault(part, []).append(1e3 * seconds / share)


def time_keras(times: Times, i: int) -> None:
    """Time the parts of a fit with a new Keras model."""
    model = build_model()

    def fit(n_batches: int, epochs: int) -> None:
        model.fit(*draw_rows(n_batches), batch_size=BATCH, epochs=epochs, verbose=0)

    X, _ = draw_rows(1)
    draw = keras.initializers.HeNormal(seed=i)
    timed(times, "the initial weights of a layer", lambda: draw((N_FEATURES, UNITS)))
    timed(times, "building a small model", build_model)
    timed(times, "its first training step", lambda: fit(1, 1))
    timed(times, "an epoch of one step", lambda: fit(1, 20), share=20)
    timed(times, "a step in a long epoch", lambda: fit(200, 3), share=600)
    timed(times, "its first predict", lambda: model.predict(X, verbose=0))


def time_own(times: Times, i: int) -> None:
    """Time first and second fits of a new shape, compiled and not."""
    timed(
        times,
        "the initial weights of a layer",
        lambda: draw_dense("he_normal", (N_FEATURES, UNITS), seed=i, layer=0),
    )
    X, y = draw_rows(FEW)
    for engine, words in (("compiled", "compiled"), ("auto", "run by NumPy")):
        model = KerasRegressor(
            units=UNITS + 1 + i, epochs=1, early_stopping=False, engine=engine
        )
        for turn in ("first", "second"):
            part = f"{turn} fit of {FEW} steps, {words}"
            timed(times, part, lambda m=model: m.fit(X, y))
    for normalization in (None, "batch"):
        model = KerasRegressor(
            units=UNITS + 1 + i,
            n_hidden=4,
            normalization=normalization,
            epochs=1,
            early_stopping=False,
            engine="compiled",
        )
        part = f"first fit of {FEW} steps, four layers, normalization={normalization!r}"
        timed(times, part, lambda m=model: m.fit(X, y))
    X, y = draw_rows(200)
    model = KerasRegressor(units=UNITS, epochs=3, early_stopping=False)
    timed(times, "a step run by NumPy", lambda: model.fit(X, y), share=600)


def build_wide(units: int) -> keras.Model:
    """Build a network of one hidden layer of so many units."""
    layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((N_FEATURES,)), *layers])


def read_megabytes() -> float:
    """Return the memory that this process has now, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure_program(model: Any, n_widths: int = 10) -> float:
    """Return the megabytes that each new width of a network leaves behind."""
    X, y = draw_rows(FEW)
    widths = range(2 * UNITS, 2 * UNITS + 4 + n_widths)  # the first ones warm up
    used = []
    for units in widths:
        KerasRegressor(
            model, units=units, epochs=1, early_stopping=False, engine="compiled"
        ).fit(X, y)
        used.append(read_megabytes())
    return (used[-1] - used[3]) / n_widths


def print_parts() -> None:
    """Print what the parts cost."""
    print("Megabytes for each new width, compiled:")
    for name, network in (("built in", None), ("of a model function", build_wide)):
        print(f"  {name}: {measure_program(network):.2g}")
    for name, parts in measure().items():
        print(f"\nThe parts of a fit with {name}, in milliseconds:")
        for part, milliseconds in parts.items():
            print(f"  {part}: {milliseconds:.3g}")


if __name__ == "__main__":
    print_parts()
