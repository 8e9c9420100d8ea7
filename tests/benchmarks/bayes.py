"""What a Bayesian search reaches that proposes eight settings at a time, or one.

Run as ``python -m tests.benchmarks.bayes``, or with the name of an acquisition function
such as ``gp_hedge``, by which scikit-optimize then proposes the eight.
"""

import sys
import time

import numpy as np
from numpy.typing import NDArray
from scipy.stats import sem
from sklearn.model_selection import KFold

from skkeras_tune import BayesSearchCV, KerasRegressor, fused
from tests.benchmarks.sides import load_california

N_ITER, N_POINTS, SEEDS = 40, 8, range(16)
SPACE = {
    "learning_rate": (3e-4, 1e-1, "log-uniform"),
    "units": (4, 128, "log-uniform"),
    "n_hidden": (1, 3),
    "dropout": (0.0, 0.5),
    "l2": (1e-6, 1e-1, "log-uniform"),
}


def search(
    n_iter: int, n_points: int, seed: int, acq_func: str = ""
) -> tuple[NDArray[np.float64], float]:
    """Return the best score after each setting, and the seconds."""
    options = {"acq_func": acq_func, "n_initial_points": 10} if acq_func else None
    X, y = load_california()
    rows = np.random.default_rng(0).permutation(len(X))[:4000]
    model = KerasRegressor(epochs=20, batch_size=128, random_state=0)
    folds = KFold(3, shuffle=True, random_state=0)
    found = BayesSearchCV(
        model,
        SPACE,
        n_iter=n_iter,
        n_points=n_points,
        optimizer_kwargs=options,
        cv=folds,
        refit=False,
        random_state=seed,
    )
    start = time.perf_counter()
    with fused():
        found.fit(X[rows], y[rows])
    seconds = time.perf_counter() - start
    return np.maximum.accumulate(found.cv_results_["mean_test_score"]), seconds


def main(acq_func: str = "") -> None:
    """Print what each seed reaches, and the means with their standard errors."""
    after = [N_ITER, 3 * N_ITER // 2, 2 * N_ITER]
    names = [f"one by one, {N_ITER}", *(f"{N_POINTS} at a time, {n}" for n in after)]
    print("| seed |", " | ".join(names), "| seconds |")
    print("|---" * (len(names) + 2) + "|")
    reached, curves = [], []
    for seed in SEEDS:
        one, seconds = search(N_ITER, 1, seed)
        several, seconds_several = search(max(after), N_POINTS, seed, acq_func)
        curves.append(several)
        reached.append([one[-1], *several[np.array(after) - 1]])
        scores = " | ".join(f"{score:.4f}" for score in reached[-1])
        print(
            f"| {seed} | {scores} | {seconds:.1f}, {seconds_several:.1f} |", flush=True
        )
    means, errors = np.mean(reached, axis=0), sem(reached, axis=0)
    pairs = zip(means, errors, strict=True)
    scores = " | ".join(f"{mean:.4f} ± {error:.4f}" for mean, error in pairs)
    print(f"| mean | {scores} | |")
    needed = 1 + int(np.searchsorted(np.mean(curves, axis=0), means[0]))
    print(
        f"\nThe mean of {N_POINTS} at a time reaches that of {N_ITER} one by one after "
        f"{needed if needed <= max(after) else f'more than {max(after)}'} settings."
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
