"""How many more settings a Bayesian search tries when it proposes eight at a time.

Run as ``python -m tests.benchmarks.bayes``.
"""

import statistics
import time

import numpy as np
from sklearn.model_selection import KFold

from skkeras_tune import BayesSearchCV, KerasRegressor, fused
from tests.benchmarks.sides import load_california

N_ITER, N_POINTS, SEEDS = 40, 8, range(5)
SPACE = {
    "learning_rate": (3e-4, 1e-1, "log-uniform"),
    "units": (4, 128, "log-uniform"),
    "n_hidden": (1, 3),
    "dropout": (0.0, 0.5),
    "l2": (1e-6, 1e-1, "log-uniform"),
}


def search(n_iter: int, n_points: int, seed: int) -> tuple[list[float], float]:
    """Return the best score after each setting, and the seconds."""
    X, y = load_california()
    rows = np.random.default_rng(0).permutation(len(X))[:4000]
    model = KerasRegressor(epochs=20, batch_size=128, random_state=0)
    folds = KFold(3, shuffle=True, random_state=0)
    found = BayesSearchCV(
        model,
        SPACE,
        n_iter=n_iter,
        n_points=n_points,
        cv=folds,
        refit=False,
        random_state=seed,
    )
    start = time.perf_counter()
    with fused():
        found.fit(X[rows], y[rows])
    seconds = time.perf_counter() - start
    return list(np.maximum.accumulate(found.cv_results_["mean_test_score"])), seconds


def main() -> None:
    """Print, for each seed, the settings needed for the score of 40 one by one."""
    print(f"| seed | best of {N_ITER} | one by one | {N_POINTS} at a time | seconds |")
    print("|---|---|---|---|---|")
    ratios = []
    for seed in SEEDS:
        one, seconds = search(N_ITER, 1, seed)
        eight, seconds_eight = search(2 * N_ITER, N_POINTS, seed)
        needed = 1 + int(np.searchsorted(one, one[-1]))
        reached = int(np.searchsorted(eight, one[-1]))
        shown = str(reached + 1) if reached < len(eight) else f"> {len(eight)}"
        ratios.append((reached + 1) / N_ITER)
        print(
            f"| {seed} | {one[-1]:.4f} | {needed} of {N_ITER} | {shown} of "
            f"{len(eight)} | {seconds:.1f}, {seconds_eight:.1f} |",
            flush=True,
        )
    print(f"\nMedian: {statistics.median(ratios):.2f} times {N_ITER} settings.")


if __name__ == "__main__":
    main()
