"""What a step of fused networks takes, and a prediction.

Run as ``python -m tests.benchmarks.steps``.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from skkeras_tune import KerasRegressor, fused
from skkeras_tune.estimators import trained_model
from skkeras_tune.training.groups import group
from skkeras_tune.training.programs.costs import estimate_step
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
#: Hidden layers that are trained in so many slots each.
SLOTTED: list[tuple[int, ...]] = [
    (),
    (10,),
    (30,),
    (80,),
    (10, 10, 10),
    (37, 37),
    (64, 64),
    (81, 81, 81),
]
SLOTS = (1, 3, 8)
PREDICTED = [(30,), (64, 64), (81, 81, 81)]
N_PREDICTED = 6811


def train(
    layers: tuple[int, ...],
    n_fits: int,
    settings: dict[str, Any],
    n_jobs: int | None = None,
) -> float:
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

    with fused(n_jobs=n_jobs) as fusion:
        Parallel(n_jobs=-1)(delayed(fit)(seed) for seed in range(n_fits))
    seconds = sum(group.train_seconds for group in fusion.report().groups)
    return 1e6 * seconds / n_fits / (EPOCHS * (0.9 * N_ROWS // BATCH + 1))


def train_in_slots(layers: tuple[int, ...], n_slots: int) -> float:
    """Return the same for so many slots, the least of three."""

    def choose(join: Callable[[int], Any], *arguments: Any, **options: Any) -> Any:
        return join(n_slots)

    def keep(own: Any, *arguments: Any) -> Any:
        return own

    with (
        patch.object(group, "choose_design", choose),
        patch.object(group, "find_room", keep),
    ):
        return min(train(layers, 2 * n_slots, {}, 1) for _ in range(N_REPEATS + 1))


def estimate(layers: tuple[int, ...], n_slots: int) -> float:
    """Return the same as the choice of slots has it."""
    sizes = [8, *layers, 1]
    shapes = [shape for n, m in itertools.pairwise(sizes) for shape in ((n, m), (m,))]
    return 1e6 * estimate_step(n_slots, shapes, BATCH) / n_slots


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

    print("\nThe same in slots, in one lane; in brackets what they are chosen by:\n")
    print(f"| layers | {' | '.join(map(str, SLOTS))} |")
    print("|---|" + "---|" * len(SLOTS))
    for layers in SLOTTED:
        cells = [
            f"{train_in_slots(layers, n):.1f} ({estimate(layers, n):.1f})"
            for n in SLOTS
        ]
        print(f"| {'-'.join(map(str, layers)) or 'none'} | {' | '.join(cells)} |")

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
