"""Ensemble the best networks of a search, on the Pima Indians diabetes data.

A search of 768 women ranks settings by a score that is mostly luck: another split of
the rows has another winner. The ensemble averages the best of them, with weights chosen
by what each predicts for rows that it was not trained on. The search trains these
networks anyway, so this costs no training.

The script prints each member beside their plain mean and the weighted average, and the
log loss of the search's winner and of the ensemble on test data. Run it with

    python examples/pima_ensemble.py
"""

import argparse

import _quiet  # noqa: F401  keeps TensorFlow's start-up messages off the screen
from datasets import load_pima
from scipy.stats import loguniform
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    RandomizedSearchCV,
    StratifiedKFold,
    train_test_split,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import EnsembleClassifier, KerasClassifier


def main() -> None:
    """Search, ensemble the best, and test both the winner and the ensemble."""
    options = read_options()
    X, y = load_pima()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, stratify=y, random_state=0
    )
    search = build_search(options.n_iter, options.epochs)
    ensemble = EnsembleClassifier(search, n_best=5, random_state=0)
    ensemble.fit(X_train, y_train)
    print(ensemble.report().round(3).to_string())

    winner = ensemble.search_.best_estimator_
    print()
    for name, model in (("winner", winner), ("ensemble", ensemble)):
        loss = log_loss(y_test, model.predict_proba(X_test))
        print(f"Test log loss of the {name}: {loss:.3f}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Ensemble the best of a search.")
    parser.add_argument("--n-iter", type=int, default=10, help="settings to try")
    parser.add_argument(
        "--epochs", type=int, default=30, help="passes over the data, at most"
    )
    return parser.parse_args()


def build_search(n_iter: int, epochs: int) -> RandomizedSearchCV:
    """Return a random search over scaled networks."""
    network = KerasClassifier(epochs=epochs, random_state=0)
    return RandomizedSearchCV(
        Pipeline([("scale", StandardScaler()), ("network", network)]),
        {
            "network__activation": ["relu", "tanh"],
            "network__dropout": [0.0, 0.2, 0.4],
            "network__learning_rate": loguniform(1e-3, 3e-2),
        },
        n_iter=n_iter,
        scoring="neg_log_loss",
        cv=StratifiedKFold(5, shuffle=True, random_state=0),
        random_state=0,
    )


if __name__ == "__main__":
    main()
