"""Model functions as scikeras's documentation writes them, which tests share."""

import keras

from skkeras_tune import KerasClassifier


def stack(meta, widths, units, activation=None, dropout=0.0):
    """Return a perceptron of the given shape, not compiled."""
    model = keras.Sequential([keras.Input((meta["n_features_in_"],))])
    for width in widths:
        model.add(keras.layers.Dense(width, activation="relu"))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(units, activation=activation))
    return model


def build_compiled(hidden_layer_sizes, meta, compile_kwargs):
    """Build a network whose head and loss follow from the type of target."""
    binary = meta["target_type_"] == "binary"
    units = 1 if binary else meta["n_classes_"]
    model = stack(meta, hidden_layer_sizes, units, "sigmoid" if binary else "softmax")
    model.compile(
        loss=f"{'binary' if binary else 'sparse_categorical'}_crossentropy",
        optimizer=compile_kwargs["optimizer"],
    )
    return model


def build_softmax(hidden_layer_dim, meta):
    """Build a network with one output for each class, two classes included."""
    model = keras.Sequential([keras.Input(meta["X_shape_"][1:])])
    model.add(keras.layers.Dense(hidden_layer_dim))
    model.add(keras.layers.Activation("relu"))
    model.add(keras.layers.Dense(meta["n_classes_"]))
    model.add(keras.layers.Activation("softmax"))
    return model


def build_sigmoid(meta, width=3, compiled_with=None):
    """Build a network for two classes, compiled on demand."""
    model = keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(width, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    if compiled_with is not None:
        model.compile(compiled_with, loss="binary_crossentropy")
    return model


def fit_sigmoid(data, **options):
    """Fit the network above for one epoch."""
    options = {"model": build_sigmoid, "epochs": 1, "random_state": 0} | options
    return KerasClassifier(**options).fit(*data)


def compile_sigmoid(data, **options):
    """Build and compile the network above, as for a fit."""
    return KerasClassifier(**{"model": build_sigmoid} | options).initialize(*data)
