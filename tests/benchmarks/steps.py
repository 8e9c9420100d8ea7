"""What a step of fused networks takes, and a prediction.

Run as ``python -m tests.benchmarks.steps``.
"""

import time
from typing import Any
from unittest.mock import patch

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from skkeras_tune import KerasRegressor, fused
from skkeras_tune.estimators import trained_model
from tests.benchmarks.sides import load_california

EPOCHS, N_ROWS, BATCH, N_REPEATS = 10, 13_622, 32, 3
#: Hidden layers, how many networks are trained side by side, and what else they have.
GROUPS: list[tuple[tuple[int, ...], int, dict[str, Any]]] = [
    ((30,), 12, {}),
    ((30,), 128, {}),
    ((64,), 40, {}),
    ((32,), 112, {"l2": 1e-4}),
    ((32, 32), 96, {"l2": 1e-4}),
    ((64, 64), 40, {}),
    ((64, 64), 48, {"l2": 1e-4}),
    ((81, 81, 81), 10, {}),
    ((81, 81, 81), 10, {"optimizer": "rmsprop"}),
    ((100, 100), 1, {}),
]
PREDICTED = [(30,), (64, 64), (81, 81, 81)]
N_PREDICTED = 6811


def train(layers: tuple[int, ...], n_fits: int, settings: dict[str, Any]) -> float:
    """Return the microseconds of a core that a network takes for a step."""
    X, y = (array[:N_ROWS] for array in load_california())

    def fit(seed: int) -> None:
        model = KerasRegressor(
            hidden_layer_sizes=layers,
            epochs=EPOCHS,
            batch_size=BATCH,
            random_state=seed,
            engine="compiled",
            **settings,
        )
        model.fit(X, y)

    with fused() as fusion:
        Parallel(n_jobs=-1)(delayed(fit)(seed) for seed in range(n_fits))
    seconds = sum(group.train_seconds for group in fusion.report().groups)
    return 1e6 * seconds / n_fits / (EPOCHS * (0.9 * N_ROWS // BATCH + 1))


def predict(model: KerasRegressor, X: NDArray[Any]) -> float:
    """Return the milliseconds of a prediction, the least of ten."""
    times = []
    for _ in range(10):
        start = time.perf_counter()
        model.predict(X)
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def main() -> None:
    """Print the least of three for each group, programs compiled before."""
    print(f"\nFused networks on {N_ROWS:,} rows, batch {BATCH}:\n")
    print("| layers | networks | settings | us of a core for a network and step |")
    print("|---|---|---|---|")
    for layers, n_fits, settings in GROUPS:
        took = [train(layers, n_fits, settings) for _ in range(N_REPEATS + 1)]
        name = "-".join(map(str, layers))
        print(f"| {name} | {n_fits} | {settings or ''} | {min(took[1:]):.1f} |")

    print(f"\nPredictions of {N_PREDICTED:,} rows, in milliseconds:\n")
    print("| layers | by NumPy, one thread | by TensorFlow, all cores |")
    print("|---|---|---|")
    X, y = (np.asarray(array) for array in load_california())
    for layers in PREDICTED:
        took = []
        for few in (np.inf, 0):
            model = KerasRegressor(hidden_layer_sizes=layers, epochs=1, random_state=0)
            with patch.object(trained_model, "_FEW_WEIGHTS", few):
                took.append(predict(model.fit(X, y), X[:N_PREDICTED]))
        print(f"| {'-'.join(map(str, layers))} | {took[0]:.2f} | {took[1]:.2f} |")


if __name__ == "__main__":
    main()
