"""What Hyperband saves and loses with other numbers of epochs, and other factors.

Run as ``python -m tests.benchmarks.halving SIDE MAX_EPOCHS FACTOR``, it searches once
and prints one line of JSON; without arguments it prints the table.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from skkeras_tune.search.brackets import list_brackets
from skkeras_tune.training.programs.store import VARIABLE
from tests.benchmarks.searches import IN_FULL, OURS, search_hyperband

ROOT = Path(__file__).parents[2]
#: Epochs at most, and factors.
SETTINGS = ((81, 3), (64, 4), (125, 5), (81, 9))


def search(side: str, max_epochs: int, factor: int) -> dict[str, float]:
    """Search once, on California housing."""
    start = time.perf_counter()
    figures = search_hyperband(side, max_epochs, factor)
    return {**figures, "seconds": time.perf_counter() - start}


def measure(side: str, max_epochs: int, factor: int) -> dict[str, float]:
    """Search in a process of its own, with no program on disk."""
    command = [sys.executable, "-m", "tests.benchmarks.halving"]
    command += [side, str(max_epochs), str(factor)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", VARIABLE: "off"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Print the table: Hyperband, and all of its candidates trained to the end."""
    names = ["epochs", "factor", "candidates", "Hyperband", "in full", "times faster"]
    print(f"| {' | '.join([*names, 'score', 'score in full'])} |")
    print("|---" * (len(names) + 2) + "|")
    for max_epochs, factor in SETTINGS:
        brackets = list_brackets(max_epochs, factor)
        n_candidates = sum(bracket.size for bracket in brackets)
        sides = [measure(side, max_epochs, factor) for side in (OURS, IN_FULL)]
        seconds = [figures["seconds"] for figures in sides]
        cells = [str(max_epochs), str(factor), str(n_candidates)]
        cells += [f"{each:.1f} s" for each in seconds]
        cells += [f"{seconds[1] / seconds[0]:.1f}"]
        cells += [f"{f['score']:.4f} ± {f['standard_error']:.4f}" for f in sides]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(search(sys.argv[1], *map(int, sys.argv[2:]))))
    else:
        main()
