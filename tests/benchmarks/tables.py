"""Scores of `tune` beside scikit-learn's models: `python -m tests.benchmarks.tables`.

Each table goes as it is into one line of `tune`. Beside it stand scikit-learn's network
with default settings, behind a preparation written by hand, and its boosted trees, all
on the same test rows. Small tables are split several times, and scores are means.
Gains over the network come with their standard error, by which to tell them from luck.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
)
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from examples.datasets import find_file, load_pima, load_titanic
from skkeras_tune import tune

Table = tuple[pd.DataFrame, Any]

#: Candidates, and the other arguments of `tune`.
N_ITER = 16
OPTIONS = {"space": "small", "cv": 3, "ensemble": 8}

#: Of the rows of a table, those that are for the test.
TEST_SHARE = 0.25

#: A chance below this counts as this, the same for all models.
LEAST_CHANCE = 1e-7

#: Columns of text with more values are left out of what is written by hand.
MOST_CATEGORIES = 50


class Work(NamedTuple):
    """A table: how to load it, how often to split it, and whether y holds numbers."""

    load: Callable[[], Table]
    n_splits: int = 1
    is_regression: bool = False


def load_adult() -> Table:
    """Return 48,842 people, eight of whose columns are text, and their income."""
    parts = [
        pd.read_csv(find_file(f"adult_{part}.csv.gz"), header=None)
        for part in ("train", "test")
    ]
    table = pd.concat(parts, ignore_index=True).rename(columns=str)
    target = table.pop("14").str.strip().str.removesuffix(".")
    return table, target


def load_districts() -> Table:
    """Return California's 20,640 districts, with missing values and a category."""
    table = pd.read_csv(find_file("california_housing.csv.gz"))
    return table, table.pop("median_house_value")


def load_white_wine() -> Table:
    """Return 4,898 white wines, and their marks from 3 to 9."""
    table = pd.read_csv(find_file("winequality_white.csv"), header=None)
    table = table.rename(columns=str)
    return table, table.pop("11")


def load_from(load: Callable[..., Any]) -> Callable[[], Table]:
    """Return a loader of one of scikit-learn's own tables."""
    return lambda: load(return_X_y=True, as_frame=True)


WORK = {
    "adult": Work(load_adult),
    "California housing": Work(load_districts, is_regression=True),
    "white wine": Work(load_white_wine, n_splits=3),
    "Titanic": Work(load_titanic, n_splits=10),
    "Pima": Work(load_pima, n_splits=10),
    "breast cancer": Work(load_from(load_breast_cancer), n_splits=10),
    "digits": Work(load_from(load_digits), n_splits=3),
    "wine": Work(load_from(load_wine), n_splits=10),
    "diabetes": Work(load_from(load_diabetes), n_splits=10, is_regression=True),
}


def list_few(X: pd.DataFrame) -> list[str]:
    """Return the columns of text with few values."""
    text = X.select_dtypes(exclude="number")
    return [name for name in text if text[name].nunique() <= MOST_CATEGORIES]


def build_network(X: pd.DataFrame, *, is_regression: bool) -> Any:
    """Return scikit-learn's network as it comes, behind a preparation by hand."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = ColumnTransformer(
        [
            ("numbers", numbers, list(X.select_dtypes("number"))),
            ("categories", categories, list_few(X)),
        ]
    )
    if not is_regression:
        return make_pipeline(prepare, MLPClassifier(random_state=0))
    network = TransformedTargetRegressor(
        MLPRegressor(random_state=0), transformer=StandardScaler()
    )
    return make_pipeline(prepare, network)


def build_trees(X: pd.DataFrame, *, is_regression: bool) -> Any:
    """Return scikit-learn's boosted trees as they come."""
    few = list_few(X)
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
    )
    prepare = ColumnTransformer(
        [
            ("categories", codes, few),
            ("numbers", "passthrough", list(X.select_dtypes("number"))),
        ]
    )
    kind = (
        HistGradientBoostingRegressor
        if is_regression
        else HistGradientBoostingClassifier
    )
    return make_pipeline(
        prepare, kind(categorical_features=range(len(few)), random_state=0)
    )


def list_splits(work: Work, X: Any, y: Any) -> Iterator[tuple[Any, Any]]:
    """Yield training and test rows."""
    kind = ShuffleSplit if work.is_regression else StratifiedShuffleSplit
    splitter = kind(work.n_splits, test_size=TEST_SHARE, random_state=0)
    yield from splitter.split(X, y)


def fit_strictly(make: Callable[[], Any]) -> tuple[Any, float]:
    """Return what `tune` gives, and its seconds; a warning would end it."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)
        model = make()
    return model, time.perf_counter() - start


class Run(NamedTuple):
    """What a model gives for the test rows, and the seconds of its fit.

    `merits` are a number a row whose mean is the score: whether a label is right, or
    one minus the squared error in variances of the target. `log_losses` are those of
    each row, none of numbers.
    """

    merits: NDArray[np.float64]
    seconds: float
    log_losses: NDArray[np.float64] | None


def judge(model: Any, X: Any, y: Any, *, is_regression: bool) -> NDArray[np.float64]:
    """Return a model's merits, row by row."""
    predicted = model.predict(X)
    if is_regression:
        return np.asarray(1 - (predicted - y) ** 2 / np.var(y), np.float64)
    return np.asarray(predicted == y, np.float64)


def find_log_losses(model: Any, X: Any, y: Any) -> NDArray[np.float64]:
    """Return minus the logarithm of the chance that a model gave each row's label."""
    chances = np.asarray(model.predict_proba(X), np.float64)
    own = chances[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return -np.log(np.clip(own, LEAST_CHANCE, 1))


def compare_on(
    work: Work, X: Any, y: Any, rows: tuple[Any, Any], options: dict[str, Any]
) -> dict[str, Run]:
    """Return what each model gives, for training and test rows."""
    train, test = rows
    X_train, y_train = X.iloc[train], y.iloc[train]
    X_test, y_test = X.iloc[test], y.iloc[test].to_numpy()
    kind = {"is_regression": work.is_regression}
    found = {}

    def keep(name: str, model: Any, seconds: float) -> None:
        losses = None
        if not work.is_regression:
            losses = find_log_losses(model, X_test, y_test)
        found[name] = Run(judge(model, X_test, y_test, **kind), seconds, losses)

    for name, build in (("network", build_network), ("trees", build_trees)):
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = build(X_train, **kind).fit(X_train, y_train)
        keep(name, model, time.perf_counter() - start)
    model, seconds = fit_strictly(
        lambda: tune(X_train, y_train, random_state=0, **options)
    )
    winner = getattr(model, "search_", model)
    keep("tune", winner, seconds)
    if winner is not model:
        keep("ensemble", model, seconds)
    return found


def estimate_gain(
    gains: Sequence[NDArray[np.float64]], test_share: float = TEST_SHARE
) -> tuple[float, float]:
    """Return the mean gain of one model over another, and its standard error.

    Parameters
    ----------
    gains : sequence of ndarray
        Of each split, the differences of the test rows' merits.
    test_share : float
        The share of the rows that each split tests.

    Notes
    -----
    Of one split, the error is that of its test rows. Splits share training rows, so
    that the error of several is greater than if they were independent (Nadeau and
    Bengio, "Inference for the generalization error", 2003).
    """
    means = [gain.mean() for gain in gains]
    if len(means) == 1:
        return means[0], float(np.std(gains[0], ddof=1) / np.sqrt(len(gains[0])))
    shared = test_share / (1 - test_share)
    error = np.std(means, ddof=1) * np.sqrt(1 / len(means) + shared)
    return float(np.mean(means)), float(error)


def print_table(only: str = "", most: int | None = None, **options: Any) -> None:
    """Print a line for each table, in Markdown.

    Parameters
    ----------
    only : str, default=""
        Tables whose name holds this.
    most : int, default=None
        At most so many splits of each.
    **options
        Arguments of `tune`. With `ensemble`, the search's winner stands beside it.
    """
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    cells = ["table", "splits", "score", "network as it comes", "boosted trees"]
    for side in ["winner of tune", "ensemble"][: 2 if options.get("ensemble") else 1]:
        cells += [side, "its gain over the network"]
    cells += ["log losses", "less than the network's", "seconds"]
    print(f"\ntune(X, y, {given}) beside scikit-learn, on the same test rows:")
    print(f"| {' | '.join(cells)} |")
    print("|---" * len(cells) + "|")
    for name, work in WORK.items():
        if only in name:
            n_splits = min(work.n_splits, most or work.n_splits)
            line = format_line(name, work._replace(n_splits=n_splits), options)
            print(line, flush=True)


def format_line(name: str, work: Work, options: dict[str, Any]) -> str:
    """Return the line of a table."""
    X, y = work.load()
    runs = [compare_on(work, X, y, rows, options) for rows in list_splits(work, X, y)]
    kind = "R2" if work.is_regression else "accuracy"
    cells = [name, str(len(runs)), kind]
    for side in runs[0]:
        cells.append(f"{np.mean([run[side].merits.mean() for run in runs]):.3f}")
        if side in ("tune", "ensemble"):
            gains = [run[side].merits - run["network"].merits for run in runs]
            cells.append("{:+.3f} ± {:.3f}".format(*estimate_gain(gains)))
    cells += describe_log_losses(runs)
    times = [
        f"{np.mean([run[side].seconds for run in runs]):.1f}"
        for side in ("network", "trees", "tune")
    ]
    return f"| {' | '.join([*cells, ', '.join(times)])} |"


def describe_log_losses(runs: Sequence[dict[str, Run]]) -> list[str]:
    """Return the mean log loss of each model, and what the last saves the network."""
    losses = {
        side: [run[side].log_losses for run in runs if run[side].log_losses is not None]
        for side in runs[0]
    }
    if not losses["network"]:
        return ["", ""]
    means = [f"{np.mean([loss.mean() for loss in of]):.3f}" for of in losses.values()]
    pairs = zip(losses["network"], list(losses.values())[-1], strict=True)
    saved = estimate_gain([network - ours for network, ours in pairs])
    return [", ".join(means), "{:+.3f} ± {:.3f}".format(*saved)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="tables whose name holds this")
    parser.add_argument("--splits", type=int, help="of each table, at most")
    parser.add_argument("--seconds", type=float, help="budget of each call")
    parser.add_argument("--space", default=OPTIONS["space"], help="level of the space")
    parser.add_argument("--n-iter", type=int, default=N_ITER, help="candidates")
    parser.add_argument("--cv", type=int, default=OPTIONS["cv"], help="folds")
    given = parser.parse_args()
    options = {
        "space": given.space,
        "n_iter": given.n_iter,
        "cv": given.cv,
        "time_budget": given.seconds,
        "ensemble": OPTIONS["ensemble"],
    }
    given_options = {n: v for n, v in options.items() if v is not None}
    print_table(given.only, given.splits, **given_options)


if __name__ == "__main__":
    main()
