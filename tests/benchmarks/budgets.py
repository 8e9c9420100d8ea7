"""How well `tune` keeps its budget of time: ``python -m tests.benchmarks.budgets``."""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.datasets import load_diabetes

from skkeras_tune import tune
from tests.benchmarks.tables import load_districts

SECONDS = (10, 30, 60)

#: What each call is given beside the budget. The last tunes the largest networks of
#: the large space on 20,640 rows, of which an epoch takes seconds.
CALLS: dict[str, dict[str, Any]] = {
    "bayes": {"search": "bayes", "space": "large"},
    "random": {"search": "random", "space": "large"},
    "grid": {"search": "grid", "space": "large"},
    "ensemble of 8": {"search": "bayes", "space": "large", "ensemble": 8},
    "many rows": {
        "space": {
            "n_hidden": [4],
            "units": [512],
            "learning_rate": (3e-4, 1e-2, "log-uniform"),
        }
    },
}


def measure(name: str, seconds: float) -> tuple[float, int]:
    """Return the seconds that a call takes, and how many candidates it tries."""
    if name == "many rows":
        X, y = load_districts()
    else:
        X, y = load_diabetes(return_X_y=True)
    options = {"n_iter": 10_000, "random_state": 0, **CALLS[name]}
    start = time.monotonic()
    found = tune(X, y, time_budget=seconds, **options)
    search = getattr(found, "search_", found)
    return time.monotonic() - start, len(search.cv_results_["params"])


@contextmanager
def share_machine(n_busy: int) -> Iterator[None]:
    """Let so many other processes compute all the while."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(n_busy)]
    try:
        yield
    finally:
        for other in others:
            other.terminate()
            other.wait()


def main() -> None:
    """Print what each kind of search takes of each budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--busy", type=int, default=0, help="other processes")
    parser.add_argument("--only", default="", help="calls whose name holds this")
    given = parser.parse_args()
    print("| search | budget, s | taken, s | share | candidates |")
    print("|---|---|---|---|---|")
    with share_machine(given.busy):
        for name in filter(lambda name: given.only in name, CALLS):
            for budget in SECONDS:
                seconds, n_candidates = measure(name, budget)
                cells = (name, budget, f"{seconds:.1f}", f"{seconds / budget:.0%}")
                print(f"| {' | '.join(map(str, (*cells, n_candidates)))} |", flush=True)


if __name__ == "__main__":
    main()
