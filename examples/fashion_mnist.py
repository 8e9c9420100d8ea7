"""Compare optimizers on Fashion-MNIST, and save and load the best network.

The network has two hidden layers with dropout, and stops early on a tenth of the
training pictures. Six optimizers train it from the same initial weights. The one with
the best held-out accuracy then trains with a checkpoint, which writes the model to a
file whenever the held-out loss improves; the file is read back into an estimator,
which predicts the same. So does a pickled estimator.

The script prints the optimizers' accuracies and whether the copies agree. Run it with

    python examples/fashion_mnist.py

which takes a sample of the pictures, to be done within a minute. For all 60,000:

    python examples/fashion_mnist.py --full
"""

import argparse
import pickle
import time
from typing import Any

import _quiet  # noqa: F401  keeps TensorFlow's start-up messages off the screen
import keras
import numpy as np
import pandas as pd
from datasets import load_fashion_mnist
from numpy.typing import NDArray
from sklearn.base import clone

from skkeras_tune import KerasClassifier

CHECKPOINT = "fashion_mnist.keras"

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"optimizer": "sgd", "learning_rate": 0.1},
    "momentum": {
        "optimizer": "sgd",
        "learning_rate": 0.03,
        "optimizer__momentum": 0.9,
    },
    "Nesterov": {
        "optimizer": "sgd",
        "learning_rate": 0.03,
        "optimizer__momentum": 0.9,
        "optimizer__nesterov": True,
    },
    "RMSprop": {"optimizer": "rmsprop", "learning_rate": 0.001},
    "Adagrad": {"optimizer": "adagrad", "learning_rate": 0.03},
    "Adam": {"optimizer": "adam", "learning_rate": 0.001},
}


def main() -> None:
    """Compare the optimizers, and take the best one to a file and back."""
    options = read_options()
    X_train, y_train, X_test, y_test = load_fashion_mnist()
    if options.rows:
        X_train, y_train = X_train[: options.rows], y_train[: options.rows]

    base = KerasClassifier(
        hidden_layer_sizes=(128, 64),
        dropout=0.2,
        batch_size=256,
        epochs=options.epochs,
        patience=3,
        metrics=["accuracy"],
        random_state=0,
    )
    table = compare_optimizers(base, X_train, y_train, X_test, y_test)
    print(table.round(3).to_string())

    best = table["held-out accuracy"].idxmax()
    network = clone(base).set_params(
        **OPTIMIZERS[best],
        callbacks=[keras.callbacks.ModelCheckpoint(CHECKPOINT, save_best_only=True)],
    )
    network.fit(X_train, y_train)
    probabilities = network.predict_proba(X_test)

    loaded = load_network(CHECKPOINT, X_train, y_train)
    unpickled = pickle.loads(pickle.dumps(network))
    print(f"\n{best} trained again, and saved as {CHECKPOINT}")
    for name, copy in {"loaded": loaded, "unpickled": unpickled}.items():
        # Not to the last bit: what Keras loads adds up in another order.
        same = np.allclose(copy.predict_proba(X_test), probabilities, atol=1e-5)
        print(f"Predictions of the {name} network are the same: {same}")
    print(f"Test accuracy of the loaded network: {loaded.score(X_test, y_test):.3f}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compare optimizers.")
    parser.add_argument(
        "--rows", type=int, default=15_000, help="pictures to train on, 0 for all"
    )
    parser.add_argument(
        "--epochs", type=int, default=10, help="passes over the data, at most"
    )
    parser.add_argument(
        "--full", action="store_true", help="all pictures and 50 epochs"
    )
    options = parser.parse_args()
    if options.full:
        options.rows, options.epochs = 0, 50
    return options


def compare_optimizers(
    base: KerasClassifier,
    X_train: NDArray[Any],
    y_train: NDArray[Any],
    X_test: NDArray[Any],
    y_test: NDArray[Any],
) -> pd.DataFrame:
    """Train the network with each optimizer, and return a row of figures for each."""
    rows = {}
    for name, settings in OPTIMIZERS.items():
        start = time.perf_counter()
        network = clone(base).set_params(**settings).fit(X_train, y_train)
        seconds = time.perf_counter() - start
        rows[name] = {
            "best epoch": network.best_epoch_,
            "held-out accuracy": network.history_["val_accuracy"][
                network.best_epoch_ - 1
            ],
            "test accuracy": network.score(X_test, y_test),
            "seconds": seconds,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def load_network(path: str, X: NDArray[Any], y: NDArray[Any]) -> KerasClassifier:
    """Read a saved Keras model into an estimator, which learns the labels from y."""
    return KerasClassifier(model=keras.models.load_model(path)).initialize(X, y)


if __name__ == "__main__":
    main()
