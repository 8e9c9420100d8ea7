"""Times skkeras_tune beside its rivals on the same work: ``make bench``.

Each figure is the median of several processes, the sides in turn, and the table shows
ratios, which hold on other machines better than seconds do.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from skkeras_tune.training.programs.store import VARIABLE
from tests.benchmarks import curves, parts, tables
from tests.benchmarks.work import OURS, WORK, measure_matmul

ROOT = Path(__file__).parents[2]


def measure(name: str, side: str, amount: int, cache: str) -> dict[str, float]:
    """Do one piece of work in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.work", name, side, str(amount)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", VARIABLE: cache}
    if WORK[name].rival == "scikit-learn":
        environment["TF_NUM_INTRAOP_THREADS"] = "1"
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compare(name: str, amount: int, repeats: int) -> dict[str, dict[str, float]]:
    """Return each side's median figures."""
    sides = (OURS, WORK[name].rival)
    amounts = (amount, max(1, round(amount * WORK[name].share)))
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        cache = folder if WORK[name].on_disk else "off"
        if WORK[name].on_disk:
            measure(name, OURS, amount, cache)  # puts the program there
        for _ in range(repeats):
            for side, part in zip(sides, amounts, strict=True):
                figures = measure(name, side, part, cache)
                figures["seconds"] *= amount / part
                runs[side].append(figures)
    return {
        side: {key: statistics.median(run[key] for run in done) for key in done[0]}
        for side, done in runs.items()
    }


HEADER = (
    "work", "amount", "rival", "ours", "rival's", "times faster", "also", "of peak"
)  # fmt: skip


def list_cells(
    name: str, amount: int, result: dict[str, dict[str, float]], peak: float
) -> list[str]:
    """Return the cells of a line of the table."""
    ours, rival = result[OURS], result[WORK[name].rival]
    part = f" (scaled from {WORK[name].share:.0%})" if WORK[name].share < 1 else ""
    cells = [name, str(amount), WORK[name].rival + part]
    cells += [f"{side['seconds']:.3g} s" for side in (ours, rival)]
    cells.append(f"{rival['seconds'] / ours['seconds']:.2f}")
    if "score" in ours:
        cells.append(f"score {ours['score']:.3f}, {rival['score']:.3f}")
    else:
        key = "megabytes_per_fit"
        cells.append(f"{ours[key]:.2f}, {rival[key]:.2f} MB a fit")
    return [*cells, f"{ours['gflops'] / peak:.0%}" if "gflops" in ours else ""]


def print_line(cells: Sequence[str]) -> None:
    """Print a line of a table in Markdown."""
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Run all benchmarks, print the table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="a part of the names to run")
    parser.add_argument("--quick", action="store_true", help="small amounts of work")
    parser.add_argument(
        "--json",
        type=Path,
        default=Path("benchmarks.json"),
        help="where to write the figures",
    )
    parser.add_argument("--csv", type=Path, help="where to write the table")
    options = parser.parse_args()
    peak = measure_matmul()
    print(f"One core multiplies matrices at {peak:.0f} billion operations a second.")
    print_line(HEADER)
    print_line(["---"] * len(HEADER))
    results, table = {}, [list(HEADER)]
    for name, work in WORK.items():
        if options.only not in name:
            continue
        amount = work.quick if options.quick else work.full
        results[name] = compare(name, amount, options.repeats)
        table.append(list_cells(name, amount, results[name], peak))
        print_line(table[-1])
        options.json.write_text(json.dumps(results, indent=1))
    if not options.only:
        parts.print_parts()
        curves.print_curves()
    n_iter = 2 if options.quick else tables.N_ITER
    tables.print_table(options.only, **{**tables.OPTIONS, "n_iter": n_iter})
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file).writerows(table)


if __name__ == "__main__":
    main()
