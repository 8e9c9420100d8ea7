"""How a fused search grows, with its fits and its rows: see `print_curves`.

Run as ``python -m tests.benchmarks.curves N_FITS N_ROWS``, it searches once and prints
one line of JSON; without arguments it prints the curves.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV, ShuffleSplit

from skkeras_tune import KerasRegressor, fused
from tests.benchmarks.sides import peak_megabytes

ROOT = Path(__file__).parents[2]
EPOCHS, N_FEATURES = 5, 8
FITS = (1, 3, 10, 30, 100, 300, 1000)
ROWS = (1000, 10_000, 100_000, 1_000_000)


def search(n_fits: int, n_rows: int) -> dict[str, float]:
    """Fit 8-30-1 with so many seeds, on two thirds of so many rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, N_FEATURES)).astype("float32")
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + rng.normal(scale=0.1, size=n_rows)
    model = KerasRegressor(
        hidden_layer_sizes=(30,), epochs=EPOCHS, early_stopping=False
    )
    fold = ShuffleSplit(1, train_size=2 / 3, random_state=0)
    grid = {"random_state": list(range(n_fits))}
    before = peak_megabytes()
    start = time.perf_counter()
    with fused():
        GridSearchCV(model, grid, cv=fold, refit=False, error_score="raise").fit(X, y)
    return {
        "seconds": time.perf_counter() - start,
        "megabytes": peak_megabytes() - before,
    }


def measure(n_fits: int, n_rows: int) -> dict[str, float]:
    """Search in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.curves"]
    command += [str(n_fits), str(n_rows)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def print_curves() -> None:
    """Print seconds and megabytes for more and more fits, and for more and more rows.

    Each is one process, programs compiled anew unless they are on disk.
    """
    print(f"\nFused fits of 8-30-1, {EPOCHS} epochs, batch 32:\n")
    print("| fits | rows | seconds | ms a fit | us a fit and step | MB above start |")
    print("|---|---|---|---|---|---|")
    for n_fits, n_rows in [*((n, 20_000) for n in FITS), *((12, n) for n in ROWS)]:
        figures = measure(n_fits, n_rows)
        steps = EPOCHS * -(-(2 * n_rows // 3) // 32)
        a_fit = figures["seconds"] / n_fits
        print(
            f"| {n_fits:,} | {n_rows:,} | {figures['seconds']:.2f} | "
            f"{1e3 * a_fit:.1f} | {1e6 * a_fit / steps:.1f} | "
            f"{figures['megabytes']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(search(*map(int, sys.argv[1:]))))
    else:
        print_curves()
