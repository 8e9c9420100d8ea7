"""Tune a network on the Titanic's passengers in one line, with nothing prepared.

The table holds numbers, categories, names, tickets and cabins, and has missing values.
`tune` looks at each column, builds what prepares it, searches for good settings within
a number of seconds, and fits the best on all rows.

The script prints what was done with each column, the best settings, and the share of
test passengers whose fate is predicted rightly. Run it with

    python examples/titanic_tune.py
"""

import argparse

import _quiet  # noqa: F401  keeps TensorFlow's start-up messages off the screen
from datasets import load_titanic
from sklearn.model_selection import train_test_split

from skkeras_tune import describe_space, mlp_space, tune


def main() -> None:
    """Tune, and test the winner."""
    options = read_options()
    X, y = load_titanic()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, stratify=y, random_state=0
    )
    print("What is searched:")
    print(describe_space(mlp_space("small", X_train, y_train)))

    search = tune(
        X_train,
        y_train,
        space="small",
        n_iter=options.n_iter,
        time_budget=options.seconds,
        random_state=0,
    )
    print("\nWhat was done with each column:")
    print(search.column_report_[["kind", "treatment"]].to_string())
    print(f"\nThe best of {len(search.cv_results_['params'])} candidates:")
    for name, value in search.best_params_.items():
        print(f"  {name.removeprefix('network__')}: {value}")
    print(f"Accuracy in cross-validation: {search.best_score_:.3f}")
    print(f"Test accuracy: {search.score(X_test, y_test):.3f}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Tune a network on the Titanic.")
    parser.add_argument("--n-iter", type=int, default=30, help="settings to try")
    parser.add_argument("--seconds", type=float, default=40, help="time to take")
    return parser.parse_args()


if __name__ == "__main__":
    main()
