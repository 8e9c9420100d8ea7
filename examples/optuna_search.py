"""Search with Optuna on the Pima Indians diabetes data.

Optuna's `OptunaSearchCV` takes a network as it takes any estimator of scikit-learn. It
proposes one setting at a time, so what trains together under `fused` are the folds of
that setting. The search's results are read as any search's: as a table, as a plot, and
as the settings of an ensemble.

The script prints the best settings tried and the accuracy of the best on test data, and
saves a plot of the scores over two parameters. It needs

    pip install ".[optuna]"

Run it with

    python examples/optuna_search.py
"""

import argparse
import warnings

import _quiet  # noqa: F401  keeps TensorFlow's start-up messages off the screen
import optuna
from datasets import load_pima
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna_integration import OptunaSearchCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import KerasClassifier, SearchDisplay, fused, results_frame

PICTURE = "optuna_search.png"


def main() -> None:
    """Search, print the best settings, and test the best."""
    options = read_options()
    X, y = load_pima()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, stratify=y, random_state=0
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # OptunaSearchCV uses a part of Optuna that Optuna 4.9 deprecates.
    warnings.filterwarnings("ignore", "`optuna.terminator`", FutureWarning)
    search = build_search(options.n_trials, options.epochs)
    with fused():
        search.fit(X_train, y_train)

    columns = ["network__learning_rate", "network__dropout", "mean_score"]
    print(results_frame(search)[columns].head().round(4).to_string())
    display = SearchDisplay.from_search(
        search, kind="parameters", parameters=columns[:2]
    )
    display.figure_.savefig(PICTURE)
    print(f"\nThe scores over two parameters: {PICTURE}")
    print(f"Test accuracy of the best: {search.score(X_test, y_test):.3f}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Search with Optuna.")
    parser.add_argument("--n-trials", type=int, default=20, help="settings to try")
    parser.add_argument(
        "--epochs", type=int, default=50, help="passes over the data, at most"
    )
    return parser.parse_args()


def build_search(n_trials: int, epochs: int) -> OptunaSearchCV:
    """Return a search over scaled networks."""
    network = KerasClassifier(epochs=epochs, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return OptunaSearchCV(
            Pipeline([("scale", StandardScaler()), ("network", network)]),
            {
                "network__activation": CategoricalDistribution(["relu", "tanh"]),
                "network__dropout": FloatDistribution(0.0, 0.5),
                "network__learning_rate": FloatDistribution(1e-3, 1e-1, log=True),
            },
            cv=5,
            n_trials=n_trials,
            random_state=0,
        )


if __name__ == "__main__":
    main()
