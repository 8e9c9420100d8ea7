"""The estimators and the data of the benchmarks, in the hands of each library."""

import resource
from typing import Any

from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from examples.datasets import load_california_housing

Figures = dict[str, float]
Data = tuple[NDArray[Any], NDArray[Any]]

#: The library whose ratio is printed; each piece of work names its rival.
OURS = "skkeras_tune"


def peak_megabytes() -> float:
    """Return the most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def load_california() -> Data:
    """Return 20,433 standardised rows of 8 features, and a standardised target."""
    X, y = load_california_housing()
    y = y.to_numpy()
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


def build_estimator(
    side: str, kind: str, widths: tuple[int, ...], **params: Any
) -> Any:
    """Return a "Classifier" or "Regressor" that trains for all its epochs."""
    if side == "scikit-learn":
        from sklearn import neural_network

        return getattr(neural_network, f"MLP{kind}")(
            hidden_layer_sizes=widths,
            max_iter=params["epochs"],
            batch_size=params["batch_size"],
            alpha=0.0,
            n_iter_no_change=params["epochs"],
        )
    if side == OURS:
        import skkeras_tune

        make = getattr(skkeras_tune, f"Keras{kind}")
        return make(hidden_layer_sizes=widths, early_stopping=False, **params)
    from scikeras import wrappers

    regression = kind == "Regressor"
    return getattr(wrappers, f"Keras{kind}")(
        build_mlp_function,
        model__widths=widths,
        optimizer="adam",
        optimizer__learning_rate=params.pop("learning_rate", 1e-3),
        loss="mse" if regression else "sparse_categorical_crossentropy",
        verbose=0,
        **params,
    )


def build_mlp_function(meta: dict[str, Any], widths: tuple[int, ...] = (30,)) -> Any:
    """Build the network that libraries are given as ``model=``."""
    import keras

    is_classifier = meta.get("n_classes_", 0) > 1
    n_outputs = meta["n_classes_"] if is_classifier else 1
    hidden = [
        keras.layers.Dense(units, "relu", kernel_initializer="he_normal")
        for units in widths
    ]
    last = keras.layers.Dense(n_outputs, "softmax" if is_classifier else None)
    return keras.Sequential([keras.Input((meta["n_features_in_"],)), *hidden, last])
