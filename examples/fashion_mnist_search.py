"""Search as KerasTuner does on Fashion-MNIST, and end with models, not with numbers.

KerasTuner's guide searches the width of the hidden layer (16 to 64 by 16) and the
optimizer (RMSprop or Adam), trains each setting twice in batches of 128 with a patience
of 5, and leaves it to the reader to train the best settings once more: for the best
number of epochs, times 1.2, since there are more rows now.

Here the search writes down the best epoch of each training (`best_epoch`), from which
`best_params` says how long to train: 1.2 times the median. The best settings are then
trained on all rows, tested, and averaged. All trainings of the search run together, and
so do those of the ensemble.

The script prints the settings, each one's test accuracy, and that of their mean. Run
it with

    python examples/fashion_mnist_search.py

which takes a sample of the pictures, to be done within a minute. For all 60,000:

    python examples/fashion_mnist_search.py --full
"""

import argparse

import _quiet  # noqa: F401  keeps TensorFlow's start-up messages off the screen
import pandas as pd
from datasets import load_fashion_mnist
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit

from skkeras_tune import (
    EnsembleClassifier,
    KerasClassifier,
    best_epoch,
    best_params,
    fused,
)

GRID = {"units": range(16, 65, 16), "optimizer": ["rmsprop", "adam"]}


def main() -> None:
    """Search, train the best settings on all rows, test them and their mean."""
    options = read_options()
    X_train, y_train, X_test, y_test = load_fashion_mnist()
    X_train, X_test = (X.reshape(len(X), -1) for X in (X_train, X_test))
    X_train, y_train = X_train[: options.rows], y_train[: options.rows]

    network = KerasClassifier(
        batch_size=128, epochs=options.epochs, patience=5, random_state=0
    )
    search = build_search(network)
    with fused():
        search.fit(X_train, y_train)
    settings = best_params(search, options.n_best, refit_full=1.2)

    members = [
        (f"best {place}", clone(network).set_params(**params))
        for place, params in enumerate(settings, start=1)
    ]
    ensemble = EnsembleClassifier(members, weighting="mean", cv=2)
    with fused():
        ensemble.fit(X_train, y_train)

    table = pd.DataFrame(settings, index=[name for name, _ in members])
    table["test accuracy"] = [
        member.score(X_test, y_test) for member in ensemble.estimators_
    ]
    columns = ["units", "optimizer", "epochs", "test accuracy"]
    print(table[columns].round(3).to_string())
    print(f"\nTest accuracy of their mean: {ensemble.score(X_test, y_test):.3f}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Search, and train the best again.")
    parser.add_argument(
        "--rows", type=int, default=6_000, help="pictures to train on, at most"
    )
    parser.add_argument(
        "--epochs", type=int, default=30, help="passes over the data, at most"
    )
    parser.add_argument("--n-best", type=int, default=3, help="settings to train again")
    parser.add_argument(
        "--full", action="store_true", help="all pictures and 100 epochs"
    )
    options = parser.parse_args()
    if options.full:
        options.rows, options.epochs = 60_000, 100
    return options


def build_search(network: KerasClassifier) -> GridSearchCV:
    """Return a search that trains each setting twice, on other pictures."""
    return GridSearchCV(
        network,
        GRID,
        scoring={"accuracy": "accuracy", "best_epoch": best_epoch},
        refit=False,
        cv=StratifiedShuffleSplit(n_splits=2, test_size=0.2, random_state=0),
    )


if __name__ == "__main__":
    main()
