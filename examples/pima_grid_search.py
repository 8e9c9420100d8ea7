"""Choose the batch size by grid search, on the Pima Indians diabetes data.

Small batches mean many noisy steps in each epoch, large batches few and steady ones.
The grid search tries five sizes, each in 5-fold cross-validation, with the scaler
fitted within each fold and early stopping on a tenth of its rows.

The script prints the accuracy and the training time with each batch size, and the
accuracy of the best one on test data. Run it with

    python examples/pima_grid_search.py
"""

import argparse

import _quiet  # noqa: F401  keeps TensorFlow's start-up messages off the screen
import pandas as pd
from datasets import load_pima
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import KerasClassifier

BATCH_SIZES = [8, 16, 32, 64, 128]


def main() -> None:
    """Search over the batch sizes, and test the best."""
    options = read_options()
    X, y = load_pima()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, stratify=y, random_state=0
    )
    search = build_search(options.epochs)
    search.fit(X_train, y_train)
    print(tabulate_results(search).to_string(index=False))

    print(f"\nBest batch size: {search.best_params_['network__batch_size']}")
    print(f"Test accuracy: {search.score(X_test, y_test):.3f}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Choose the batch size.")
    parser.add_argument(
        "--epochs", type=int, default=20, help="passes over the data, at most"
    )
    return parser.parse_args()


def build_search(epochs: int) -> GridSearchCV:
    """Return a grid search over the batch sizes of a scaled network."""
    network = KerasClassifier(
        hidden_layer_sizes=(32,),
        learning_rate=3e-3,
        epochs=epochs,
        patience=3,
        random_state=0,
    )
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)])
    return GridSearchCV(pipeline, {"network__batch_size": BATCH_SIZES}, cv=5)


def tabulate_results(search: GridSearchCV) -> pd.DataFrame:
    """Return a row for each batch size."""
    results = pd.DataFrame(search.cv_results_)
    return pd.DataFrame(
        {
            "batch size": results["param_network__batch_size"],
            "accuracy": results["mean_test_score"].round(3),
            "std": results["std_test_score"].round(3),
            "seconds per fit": results["mean_fit_time"].round(2),
        }
    )


if __name__ == "__main__":
    main()
