"""Scores of `tune` beside scikit-learn's models: `python -m tests.benchmarks.tables`.

Each table goes as it is into one line of `tune`. Beside it stand scikit-learn's network
with default settings, behind a preparation written by hand, and its boosted trees, all
on the same test rows. Small tables are split several times, and scores are means.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
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
    "white wine": Work(load_white_wine, n_splits=2),
    "Titanic": Work(load_titanic, n_splits=5),
    "Pima": Work(load_pima, n_splits=5),
    "breast cancer": Work(load_from(load_breast_cancer), n_splits=5),
    "digits": Work(load_from(load_digits), n_splits=2),
    "wine": Work(load_from(load_wine), n_splits=5),
    "diabetes": Work(load_from(load_diabetes), n_splits=5, is_regression=True),
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
    """Yield training and test rows, a quarter of them for the test."""
    kind = ShuffleSplit if work.is_regression else StratifiedShuffleSplit
    splitter = kind(work.n_splits, test_size=0.25, random_state=0)
    yield from splitter.split(X, y)


def compare(
    work: Work, options: dict[str, Any]
) -> dict[str, list[tuple[float, float]]]:
    """Return score and seconds of each model on each split."""
    X, y = work.load()
    makers = {
        "network": lambda X, y: build_network(X, is_regression=work.is_regression).fit(
            X, y
        ),
        "trees": lambda X, y: build_trees(X, is_regression=work.is_regression).fit(
            X, y
        ),
        "tune": lambda X, y: tune(X, y, random_state=0, **options),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in makers}
    for train, test in list_splits(work, X, y):
        for name, make in makers.items():
            start = time.perf_counter()
            with warnings.catch_warnings():
                # tune has to do without.
                warnings.simplefilter("error" if name == "tune" else "default")
                warnings.simplefilter("ignore", DeprecationWarning)
                warnings.simplefilter("ignore", ConvergenceWarning)
                model = make(X.iloc[train], y.iloc[train])
            seconds = time.perf_counter() - start
            found[name].append((model.score(X.iloc[test], y.iloc[test]), seconds))
    return found


def print_table(only: str = "", **options: Any) -> None:
    """Print a line for each table, in Markdown.

    Parameters
    ----------
    only : str, default=""
        Tables whose name holds this.
    **options
        Arguments of `tune`.
    """
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    print(f"\ntune(X, y, {given}) beside scikit-learn, on the same test rows:")
    print("| table | score | network as it comes | boosted trees | tune | seconds |")
    print("|---|---|---|---|---|---|")
    for name, work in WORK.items():
        if only not in name:
            continue
        means = {
            side: np.mean(runs, axis=0) for side, runs in compare(work, options).items()
        }
        scores = " | ".join(f"{score:.3f}" for score, _ in means.values())
        seconds = ", ".join(f"{seconds:.1f}" for _, seconds in means.values())
        kind = "R2" if work.is_regression else "accuracy"
        print(f"| {name} | {kind} | {scores} | {seconds} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="tables whose name holds this")
    parser.add_argument("--seconds", type=float, default=60, help="budget of each call")
    parser.add_argument("--space", default="default", help="level of the space")
    parser.add_argument("--n-iter", type=int, default=50, help="candidates")
    parser.add_argument("--cv", type=int, default=5, help="folds")
    parser.add_argument("--ensemble", type=int, help="members of an ensemble")
    options = vars(parser.parse_args())
    ensemble = {"ensemble": options["ensemble"]} if options["ensemble"] else {}
    print_table(
        options["only"],
        time_budget=options["seconds"],
        space=options["space"],
        n_iter=options["n_iter"],
        cv=options["cv"],
        **ensemble,
    )


if __name__ == "__main__":
    main()
