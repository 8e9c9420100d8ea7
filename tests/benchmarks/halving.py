"""What Hyperband saves and loses with other numbers of epochs, factors and candidates.

`python -m tests.benchmarks.halving` prints a table of numbers of epochs and factors;
with ``--seeds 8`` one of eight draws of candidates, for 81 epochs and a factor of 3.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from skkeras_tune.search.brackets import list_brackets
from skkeras_tune.training.programs.store import VARIABLE
from tests.benchmarks.searches import IN_FULL, OURS, search_hyperband

ROOT = Path(__file__).parents[2]
#: Epochs at most, and factors; the first is that of the draws.
SETTINGS = ((81, 3), (64, 4), (125, 5), (81, 9))

Figures = dict[str, float]


def search(side: str, max_epochs: int, factor: int, seed: int) -> Figures:
    """Search once, on California housing."""
    start = time.perf_counter()
    figures = search_hyperband(side, max_epochs, factor, seed)
    return {**figures, "seconds": time.perf_counter() - start}


def measure(max_epochs: int, factor: int, seed: int = 0) -> list[Figures]:
    """Search on both sides, each in a process of its own with no program on disk."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", VARIABLE: "off"}
    sides: list[Figures] = []
    for side in (OURS, IN_FULL):
        command = [sys.executable, "-m", "tests.benchmarks.halving", "--search", side]
        command += map(str, (max_epochs, factor, seed))
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        sides.append(json.loads(done.stdout.splitlines()[-1]))
    return sides


def print_head(names: Sequence[str]) -> None:
    """Print the head of a table whose first columns have these names."""
    cells = [*names, "Hyperband", "in full", "times faster", "score", "score in full"]
    print(f"| {' | '.join(cells)} |")
    print("|---" * len(cells) + "|")


def print_line(names: Sequence[object], sides: Sequence[Figures]) -> None:
    """Print what both sides took and found."""
    ours, full = (figures["seconds"] for figures in sides)
    cells = [*map(str, names), f"{ours:.1f} s", f"{full:.1f} s", f"{full / ours:.1f}"]
    cells += [f"{f['score']:.4f} ± {f['standard_error']:.4f}" for f in sides]
    print(f"| {' | '.join(cells)} |", flush=True)


def print_settings() -> None:
    """Print Hyperband, and all of its candidates trained to the end."""
    print_head(["epochs", "factor", "candidates"])
    for max_epochs, factor in SETTINGS:
        n_candidates = sum(b.size for b in list_brackets(max_epochs, factor))
        print_line([max_epochs, factor, n_candidates], measure(max_epochs, factor))


def print_draws(n_seeds: int) -> None:
    """Print the same for several draws, and the mean difference of the scores."""
    print_head(["seed"])
    losses = []
    for seed in range(n_seeds):
        sides = measure(*SETTINGS[0], seed)
        print_line([seed], sides)
        losses.append(sides[0]["score"] - sides[1]["score"])
    error = statistics.stdev(losses) / len(losses) ** 0.5
    print(f"\nHyperband's score less that in full: {statistics.mean(losses):+.4f}")
    print(f"on average, with a standard error of {error:.4f}")


def main() -> None:
    """Print a table, or search once for one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, help="draws of the candidates")
    parser.add_argument("--search", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.search:
        side, *numbers = given.search
        print(json.dumps(search(side, *map(int, numbers))))
    elif given.seeds:
        print_draws(given.seeds)
    else:
        print_settings()


if __name__ == "__main__":
    main()
