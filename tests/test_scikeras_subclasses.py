"""scikeras's pages on subclassing: estimators with a network or encoders inside."""

import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_digits, make_classification
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, StandardScaler

from skkeras_tune import KerasClassifier, KerasRegressor
from tests.scikeras_networks import build_compiled, stack


@pytest.fixture(scope="module")
def two_classes():
    """120 rows of 8 features in two classes."""
    return make_classification(120, 8, n_informative=5, random_state=0)


# --- MLPClassifier and MLPRegressor


@pytest.mark.parametrize("n_classes", [2, 3])
def test_function_compiles_by_target_type(iris, n_classes):
    """`meta` tells the type of target; `compile_kwargs` holds the optimizer."""
    X, y = iris[0][iris[1] < n_classes], iris[1][iris[1] < n_classes]
    classifier = KerasClassifier(
        model=build_compiled,
        hidden_layer_sizes=(20,),
        optimizer="adam",
        optimizer__learning_rate=0.05,
        epochs=10,
        verbose=0,
        random_state=0,
    ).fit(X, y)
    assert_allclose(classifier.model_.optimizer.learning_rate, 0.05)
    assert classifier.score(X, y) > 0.8


class MLPClassifier(KerasClassifier):
    """A classifier with its network inside, and defaults of its own."""

    def __init__(
        self,
        hidden_layer_sizes=(12,),
        optimizer="adam",
        optimizer__learning_rate=0.001,
        epochs=2,
        verbose=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden_layer_sizes = hidden_layer_sizes
        self.optimizer = optimizer
        self.epochs = epochs
        self.verbose = verbose

    def _keras_build_fn(self, compile_kwargs):
        meta = {
            "n_features_in_": self.n_features_in_,
            "n_classes_": self.n_classes_,
            "target_type_": self.target_type_,
        }
        return build_compiled(self.hidden_layer_sizes, meta, compile_kwargs)


class MLPRegressor(KerasRegressor):
    """A regressor with its network inside, which asks for its parameters."""

    def __init__(self, width=7, dropout=0.25, epochs=2, **kwargs):
        super().__init__(width=width, dropout=dropout, epochs=epochs, **kwargs)

    def _keras_build_fn(self, width, dropout, meta):
        return stack(meta, [width], 1, None, dropout)


def test_subclass_reads_its_own_attributes(two_classes):
    """`_keras_build_fn` may read parameters and fitted attributes from `self`."""
    X, y = two_classes
    classifier = MLPClassifier(epochs=1)
    assert clone(classifier).get_params() == classifier.get_params()
    assert classifier.fit(X, y).model_.layers[0].units == 12
    assert classifier.n_epochs_ == 1
    again = pickle.loads(pickle.dumps(classifier))
    assert_array_equal(again.predict(X), classifier.predict(X))


def test_subclass_is_searched(two_classes):
    """A subclass's own parameters, and routed ones, are tuned like any other."""
    grid = {"hidden_layer_sizes": [(4,)], "optimizer__learning_rate": [0.1]}
    search = GridSearchCV(MLPClassifier(), grid, cv=ShuffleSplit(1, random_state=0))
    model = search.fit(*two_classes).best_estimator_.model_
    assert model.layers[0].units == 4
    assert_allclose(model.optimizer.learning_rate, 0.1)


@pytest.mark.parametrize("options", [{}, {"width": 3, "dropout": 0.5}])
def test_subclass_asks_for_its_parameters(diabetes, options):
    """`_keras_build_fn` gets the parameters it names, defaults of `__init__` too."""
    model = MLPRegressor(**options).initialize(*diabetes).model_
    assert model.layers[0].units == options.get("width", 7)
    assert model.layers[1].rate == options.get("dropout", 0.25)


class PlainSubclass(KerasClassifier):
    """A classifier with its network inside, and no constructor of its own."""

    def _keras_build_fn(self, hidden_dim, meta):
        return stack(meta, [hidden_dim], 1, "sigmoid")


@pytest.mark.parametrize("name", ["hidden_dim", "model__hidden_dim"])
def test_subclass_without_constructor(two_classes, name):
    """Parameters of `_keras_build_fn` go into the constructor, routed or not."""
    classifier = PlainSubclass(model=None, **{name: 4})
    assert classifier.initialize(*two_classes).model_.layers[0].units == 4


# --- Data transformers


class TwoTargets(TransformerMixin, BaseEstimator):
    """Two columns of labels to a list of two targets, and back."""

    def fit(self, y):
        self.encoders_ = [LabelEncoder().fit(column) for column in y.T]
        return self

    def transform(self, y):
        columns = zip(self.encoders_, y.T, strict=True)
        return [encoder.transform(column) for encoder, column in columns]

    def inverse_transform(self, y, return_proba=False):
        if return_proba:
            return np.hstack(y)
        codes = (y[0] > 0.5).astype(int).reshape(-1), np.argmax(y[1], axis=1)
        columns = zip(self.encoders_, codes, strict=True)
        return np.column_stack([e.inverse_transform(code) for e, code in columns])

    def get_metadata(self):
        sizes = [len(encoder.classes_) for encoder in self.encoders_]
        return {"n_classes_": sizes, "n_outputs_expected_": 2}


class TwoTargetClassifier(KerasClassifier):
    """A classifier of two targets at once, scored by their mean accuracy."""

    @property
    def target_encoder(self):
        return TwoTargets()

    @staticmethod
    def scorer(y_true, y_pred, **kwargs):
        return np.mean([accuracy_score(y_true[:, i], y_pred[:, i]) for i in (0, 1)])


class LogRegressor(KerasRegressor):
    """A regressor of the logarithm."""

    @property
    def target_encoder(self):
        return FunctionTransformer(np.log1p, np.expm1)


class PlainRegressor(KerasRegressor):
    """A regressor that leaves its targets as they are."""

    @property
    def target_encoder(self):
        return FunctionTransformer()


def build_line():
    """Build a compiled linear regression."""
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), loss="mse")
    return model


@pytest.mark.parametrize("kind", [LogRegressor, PlainRegressor])
@pytest.mark.parametrize("dtype", [float, int])
def test_a_regressors_encoder_may_be_any_transformer(kind, dtype):
    """Targets of a regressor are numbers, of any type and without a second axis."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    y = np.round(np.exp(X[:, 0] / 2 + 1)).astype(dtype)
    model = kind(build_line, epochs=40, early_stopping=False, random_state=0)
    predictions = model.fit(X, y).predict(X)
    assert predictions.shape == y.shape
    assert model.score(X, y) > 0.6
    assert kind(build_line).initialize(X, y).predict(X).shape == y.shape


def test_a_regressors_encoded_numbers_may_be_all_the_same():
    """Whole numbers of a regressor are not classes, of which there must be two."""
    X, y = np.random.default_rng(0).normal(size=(50, 2)), np.full(50, 3)
    assert PlainRegressor(build_line, epochs=1).fit(X, y).n_epochs_ == 1


def build_two_heads(meta):
    """Build a network that ends in a binary and in a multiclass head."""
    inputs = keras.Input((meta["n_features_in_"],))
    hidden = keras.layers.Dense(30, activation="relu")(inputs)
    binary = keras.layers.Dense(1, activation="sigmoid")(hidden)
    several = keras.layers.Dense(meta["n_classes_"][1], activation="softmax")(hidden)
    model = keras.Model(inputs, [binary, several])
    losses = ["binary_crossentropy", "sparse_categorical_crossentropy"]
    model.compile("adam", loss=losses)
    return model


@pytest.fixture(scope="module")
def two_targets():
    """100 rows whose features are their two labels."""
    generator = np.random.default_rng(0)
    y = np.column_stack(
        [generator.choice([1, 2], 100), generator.choice([10, 20, 30], 100)]
    )
    return StandardScaler().fit_transform(y), y


def test_target_encoder_for_two_outputs(two_targets):
    """A target encoder of the user's splits y for Keras and joins the predictions."""
    X, y = two_targets
    classifier = TwoTargetClassifier(
        model=build_two_heads, epochs=40, verbose=0, random_state=0
    ).fit(X, y)
    assert classifier.n_classes_ == [2, 3]
    assert "val_loss" in classifier.history_
    assert classifier.score(X, y) > 0.8
    assert_array_equal(np.unique(classifier.predict(X)), [1, 2, 10, 20, 30])
    assert classifier.predict_proba(X).shape == (100, 4)


def split_columns(X):
    """Return one array for each column."""
    return [X[:, 0], X[:, 1]]


class TwoInputRegressor(KerasRegressor):
    """A regressor that feeds each column to an input of its own."""

    @property
    def feature_encoder(self):
        return FunctionTransformer(func=split_columns)


def build_two_inputs():
    """Build a network with two inputs."""
    inputs = [keras.Input((1,)), keras.Input((1,))]
    hidden = [keras.layers.Dense(10)(part) for part in inputs]
    output = keras.layers.Dense(1)(keras.layers.Concatenate()(hidden))
    model = keras.Model(inputs, output)
    model.compile(keras.optimizers.Adam(0.05), loss="mse")
    return model


def test_feature_encoder_for_two_inputs():
    """A feature encoder of the user's splits X for Keras, in `predict` too."""
    X = np.random.default_rng(0).random((100, 2))
    y = X.sum(axis=1)
    regressor = TwoInputRegressor(
        model=build_two_inputs, epochs=20, verbose=0, random_state=0
    )
    assert regressor.fit(X, y).score(X, y) > 0.8
    again = pickle.loads(pickle.dumps(regressor))
    assert_array_equal(again.predict(X), regressor.predict(X))


def build_convolution():
    """Build a small convolutional network, compiled, for 8 x 8 digits."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
    return model


def to_images(X):
    """Return rows of pixels as images."""
    return X.reshape(len(X), 8, 8, 1)


class ImageClassifier(KerasClassifier):
    """A classifier of images that come as rows of pixels."""

    @property
    def feature_encoder(self):
        return FunctionTransformer(func=to_images)


@pytest.mark.parametrize(
    ("estimator", "reshape"),
    [(ImageClassifier, lambda X: X), (KerasClassifier, to_images)],
    ids=["rows", "images"],
)
def test_images(estimator, reshape):
    """Images come as rows with a feature encoder, or with their axes as they are."""
    X, y = load_digits(return_X_y=True)
    X, y = reshape(X[:200] / 16), y[:200]
    classifier = estimator(
        model=build_convolution,
        epochs=2,
        batch_size=64,
        validation_split=0.1,
        random_state=0,
    ).fit(X, y)
    assert classifier.predict_proba(X[:3]).shape == (3, 10)
    assert len(classifier.history_["val_loss"]) == 2
