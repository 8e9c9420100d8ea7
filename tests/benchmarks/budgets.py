"""How well `tune` keeps its budget of time: ``python -m tests.benchmarks.budgets``."""

import time

from sklearn.datasets import load_diabetes

from skkeras_tune import tune

SECONDS = (10, 30, 60)
KINDS = ("bayes", "random", "grid", "ensemble")


def measure(kind: str, seconds: float) -> tuple[float, int]:
    """Return the seconds that a call takes, and how many candidates it tries."""
    X, y = load_diabetes(return_X_y=True)
    ensemble = 8 if kind == "ensemble" else None
    start = time.monotonic()
    found = tune(
        X,
        y,
        space="large",
        search="bayes" if ensemble else kind,
        n_iter=10_000,
        ensemble=ensemble,
        time_budget=seconds,
        random_state=0,
    )
    search = found.search_ if ensemble else found
    return time.monotonic() - start, len(search.cv_results_["params"])


def main() -> None:
    """Print what each kind of search takes of each budget."""
    print("| search | budget, s | taken, s | share | candidates |")
    print("|---|---|---|---|---|")
    for kind in KINDS:
        for budget in SECONDS:
            seconds, n_candidates = measure(kind, budget)
            cells = (kind, budget, f"{seconds:.1f}", f"{seconds / budget:.0%}")
            print(f"| {' | '.join(map(str, (*cells, n_candidates)))} |", flush=True)


if __name__ == "__main__":
    main()
