"""Search with a genetic algorithm on the Pima Indians diabetes data.

The `GASearchCV` of sklearn-genetic-opt takes a network as it takes any estimator of
scikit-learn. A generation crosses and mutates the best settings of the one before; what
trains together under `fused` are the folds of a setting, since settings are judged one
after the other.

The script prints the best settings tried and the accuracy of the best on test data, and
saves a plot of the search's progress. It needs

    pip install ".[genetic]"

Run it with

    python examples/genetic_search.py
"""

import argparse
import random

import _quiet  # noqa: F401  keeps TensorFlow's start-up messages off the screen
from datasets import load_pima
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn_genetic import GASearchCV
from sklearn_genetic.space import Categorical, Continuous

from skkeras_tune import KerasClassifier, SearchDisplay, fused, results_frame

PICTURE = "genetic_search.png"


def main() -> None:
    """Search, print the best settings, and test the best."""
    options = read_options()
    X, y = load_pima()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, stratify=y, random_state=0
    )
    random.seed(0)  # which crosses and mutates
    search = build_search(options.population, options.generations, options.epochs)
    with fused():
        search.fit(X_train, y_train)

    columns = ["network__dropout", "network__learning_rate", "mean_score"]
    print(results_frame(search)[columns].head().round(4).to_string())
    display = SearchDisplay.from_search(search)
    display.figure_.savefig(PICTURE)
    print(f"\nThe progress of the search: {PICTURE}")
    print(f"Test accuracy of the best: {search.score(X_test, y_test):.3f}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Search with a genetic algorithm.")
    parser.add_argument("--population", type=int, default=4, help="settings at first")
    parser.add_argument("--generations", type=int, default=2, help="generations after")
    parser.add_argument(
        "--epochs", type=int, default=30, help="passes over the data, at most"
    )
    return parser.parse_args()


def build_search(population: int, generations: int, epochs: int) -> GASearchCV:
    """Return a search over scaled networks."""
    network = KerasClassifier(epochs=epochs, random_state=0)
    return GASearchCV(
        Pipeline([("scale", StandardScaler()), ("network", network)]),
        param_grid={
            "network__activation": Categorical(["relu", "tanh"], random_state=1),
            "network__dropout": Continuous(0.0, 0.5, random_state=2),
            "network__learning_rate": Continuous(
                1e-3, 1e-1, distribution="log-uniform", random_state=3
            ),
        },
        cv=StratifiedKFold(5, shuffle=True, random_state=0),
        population_size=population,
        generations=generations,
        verbose=False,
    )


if __name__ == "__main__":
    main()
