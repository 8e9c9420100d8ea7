"""Tune a model of your own: Hands-On Machine Learning's search on California housing.

The tenth chapter of Aurélien Géron's book tunes the depth, the width and the learning
rate of a Keras network by random search. Here is the same search with `KerasRegressor`:
a function builds and compiles the model, its parameters become parameters of the
estimator, and the epochs, the validation set and the callbacks go to the search's
`fit`, which hands them on.

The script prints the best settings and their errors on test data. Run it with

    python examples/california_random_search.py

which takes a sample of the districts and few epochs, to be done within a minute. The
whole search, with the book's 100 epochs, takes about a quarter of an hour:

    python examples/california_random_search.py --full
"""

import argparse
from typing import Any

import _quiet  # noqa: F401  keeps TensorFlow's start-up messages off the screen
import keras
from datasets import load_california_housing
from scipy.stats import loguniform
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler

from skkeras_tune import KerasRegressor

DISTRIBUTIONS = {
    "n_hidden": [0, 1, 2, 3],
    "n_neurons": list(range(1, 100)),
    "learning_rate": loguniform(3e-4, 3e-2),
}


def build_model(
    n_hidden: int = 1, n_neurons: int = 30, learning_rate: float = 3e-3
) -> keras.Model:
    """Return a compiled network; its input shape follows from the data."""
    model = keras.Sequential()
    for _ in range(n_hidden):
        model.add(keras.layers.Dense(n_neurons, activation="relu"))
    model.add(keras.layers.Dense(1))
    model.compile(
        loss="mean_squared_error",
        optimizer=keras.optimizers.SGD(learning_rate=learning_rate),
    )
    return model


def main() -> None:
    """Search, and test the best model."""
    options = read_options()
    X_train, X_valid, X_test, y_train, y_valid, y_test = split_data(options.rows)
    search = RandomizedSearchCV(
        KerasRegressor(build_model, random_state=0),
        DISTRIBUTIONS,
        n_iter=options.n_iter,
        cv=3,
        random_state=0,
    )
    search.fit(
        X_train,
        y_train,
        epochs=options.epochs,
        validation_data=(X_valid, y_valid),
        callbacks=[keras.callbacks.EarlyStopping(patience=10)],
    )
    print(f"Trained on {len(X_train)} districts, for {options.epochs} epochs at most")
    for name, value in search.best_params_.items():
        print(f"Best {name}: {value:.4g}")
    print(f"Cross-validated R2: {search.best_score_:.3f}")

    error = mean_squared_error(y_test, search.predict(X_test))
    print(f"\nTest MSE: {error:.3f}")
    print(f"Test R2: {search.score(X_test, y_test):.3f}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Tune a model of your own.")
    parser.add_argument(
        "--rows", type=int, default=1500, help="districts to train on, 0 for all"
    )
    parser.add_argument(
        "--epochs", type=int, default=15, help="passes over the data, at most"
    )
    parser.add_argument("--n-iter", type=int, default=10, help="settings to try")
    parser.add_argument(
        "--full", action="store_true", help="all rows and 100 epochs, as in the book"
    )
    options = parser.parse_args()
    if options.full:
        options.rows, options.epochs = 0, 100
    return options


def split_data(n_rows: int) -> list[Any]:
    """Return scaled training, validation and test sets; n_rows for training, or all."""
    X, y = load_california_housing()
    X_rest, X_test, y_rest, y_test = train_test_split(X, y, random_state=0)
    X_train, X_valid, y_train, y_valid = train_test_split(
        X_rest, y_rest, random_state=0
    )
    if n_rows:
        X_train, y_train = X_train[:n_rows], y_train[:n_rows]
    scaler = StandardScaler().fit(X_train)
    features = [scaler.transform(part) for part in (X_train, X_valid, X_test)]
    return [*features, y_train, y_valid, y_test]


if __name__ == "__main__":
    main()
