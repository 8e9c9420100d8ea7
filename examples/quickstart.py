"""Tune a Keras network with a Bayesian and a random search, and test the better one.

The data set is scikit-learn's breast cancer: thirty measurements of cell nuclei, from
which the network tells malignant tumours from benign ones. Both searches try the same
number of settings of the same pipeline, each in 5-fold cross-validation; within each
fold, training stops early on a fifth of the rows, held out by the classifier.

The script prints the best settings of both searches and the accuracy on test data that
neither saw, and saves the learning curve of the better network as quickstart.png. Run
it with `make demo`, or

    python examples/quickstart.py
"""

import argparse
from typing import Any

import _quiet  # noqa: F401  keeps TensorFlow's start-up messages off the screen
import matplotlib.pyplot as plt
import pandas as pd
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import BayesSearchCV, KerasClassifier

HIDDEN_LAYER_SIZES = [(16,), (64,), (32, 16), (64, 32)]
PICTURE = "quickstart.png"


def main() -> None:
    """Search twice, compare the winners, and test the better one."""
    options = read_options()
    data = load_breast_cancer(as_frame=True)
    labels = pd.Series(data.target_names[data.target])
    X_train, X_test, y_train, y_test = train_test_split(
        data.data, labels, stratify=labels, random_state=1
    )
    searches = build_searches(options.n_iter)
    for search in searches.values():
        search.fit(X_train, y_train)
    print(tabulate_best(searches).to_string())

    name, best = max(searches.items(), key=lambda item: item[1].best_score_)
    save_learning_curve(best.best_estimator_["network"])
    print(f"\nLearning curve saved as {PICTURE}")
    print(f"Test accuracy of the {name} search: {best.score(X_test, y_test):.3f}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Tune a Keras network in two ways.")
    parser.add_argument(
        "--n-iter", type=int, default=5, help="settings that each search tries"
    )
    return parser.parse_args()


def build_searches(n_iter: int) -> dict[str, Any]:
    """Return two searches over the same pipeline and the same space."""
    network = KerasClassifier(
        epochs=15, patience=3, validation_split=0.2, random_state=0
    )
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)])
    space = {
        "network__hidden_layer_sizes": HIDDEN_LAYER_SIZES,
        "network__learning_rate": (1e-3, 1e-2, "log-uniform"),
        "network__dropout": (0.0, 0.5),
    }
    distributions = {
        "network__hidden_layer_sizes": HIDDEN_LAYER_SIZES,
        "network__learning_rate": loguniform(1e-3, 1e-2),
        "network__dropout": uniform(0.0, 0.5),
    }
    common = {"n_iter": n_iter, "cv": 5, "random_state": 0}
    # The Bayesian search draws its first points at random: three of them here, not ten.
    surrogate = {"n_initial_points": 3}
    return {
        "Bayesian": BayesSearchCV(
            pipeline, space, optimizer_kwargs=surrogate, **common
        ),
        "random": RandomizedSearchCV(pipeline, distributions, **common),
    }


def tabulate_best(searches: dict[str, Any]) -> pd.DataFrame:
    """Return a column for each search: its best settings and their accuracy."""
    columns = {
        name: {
            **{p.removeprefix("network__"): v for p, v in search.best_params_.items()},
            "accuracy (5 folds)": round(search.best_score_, 4),
        }
        for name, search in searches.items()
    }
    return pd.DataFrame(columns)


def save_learning_curve(network: KerasClassifier) -> None:
    """Draw the loss after each epoch, and mark the epoch whose weights were kept."""
    history = pd.DataFrame(network.history_)
    history.index += 1
    history = history.rename(columns={"loss": "training rows", "val_loss": "held out"})
    axes = history.plot(xlabel="epoch", ylabel="cross-entropy")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.axvline(network.best_epoch_, color="grey", linestyle=":", label="best epoch")
    axes.legend()
    plt.savefig(PICTURE)


if __name__ == "__main__":
    main()
