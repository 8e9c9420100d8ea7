"""scikeras's documented examples, written anew on small data, with our import.

One section for each page. Subclasses are in `test_scikeras_subclasses`, the page
"Advanced usage" is in `test_scikeras_routing`.
"""

import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import TransformerMixin, clone
from sklearn.datasets import load_digits, make_classification, make_moons
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skkeras_tune import KerasClassifier, KerasRegressor
from tests.scikeras_networks import build_compiled, build_softmax, stack

ONE_SPLIT = ShuffleSplit(n_splits=1, random_state=0)


def build_sigmoid(meta, hidden_layer_sizes, dropout):
    """Build a network for two classes, with one output."""
    return stack(meta, hidden_layer_sizes, 1, "sigmoid", dropout)


def build_linear(meta, hidden_layer_sizes, dropout):
    """Build a network for one number."""
    return stack(meta, hidden_layer_sizes, 1, None, dropout)


@pytest.fixture(scope="module")
def two_classes():
    """120 rows of 8 features in two classes."""
    return make_classification(120, 8, n_informative=5, random_state=0)


@pytest.fixture
def classifier():
    """Return the classifier of "Basic usage"."""
    return KerasClassifier(
        model=build_sigmoid,
        loss="binary_crossentropy",
        hidden_layer_sizes=(10,),
        dropout=0.5,
        epochs=2,
        random_state=0,
    )


@pytest.fixture
def regressor():
    """Return the regressor of "Basic usage"."""
    return KerasRegressor(
        model=build_linear,
        loss="mse",
        hidden_layer_sizes=(10,),
        dropout=0.5,
        epochs=2,
        random_state=0,
    )


# --- Basic usage


def test_function_with_meta_makes_a_classifier(classifier, two_classes):
    """The function gets `meta` and its own parameters; the rest compiles the model."""
    X, y = two_classes
    classifier.fit(X, y)
    assert classifier.model_.layers[0].units == 10
    assert classifier.model_.layers[1].rate == 0.5
    assert classifier.model_.loss == "binary_crossentropy"
    assert set(classifier.predict(X[:5])) <= {0, 1}
    probabilities = classifier.predict_proba(X[:5])
    assert probabilities.shape == (5, 2)
    assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_function_with_meta_makes_a_regressor(regressor, diabetes):
    """Predictions of a single target have one axis, as in scikit-learn."""
    X, y = diabetes
    assert regressor.fit(X, y).predict(X[:5]).shape == (5,)


def test_pickle_keeps_the_training(regressor, diabetes):
    """A fitted estimator predicts the same after pickling."""
    X, y = diabetes
    regressor.fit(X, y)
    again = pickle.loads(pickle.dumps(regressor))
    assert_array_equal(again.predict(X), regressor.predict(X))


def test_saved_model_predicts_after_initialize(regressor, diabetes, tmp_path):
    """`initialize` puts a model that was loaded into an estimator, untrained."""
    X, y = diabetes
    expected = regressor.fit(X, y).predict(X)
    regressor.model_.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    again = KerasRegressor(loaded).initialize(X, y)
    assert again.initialized_
    assert again.current_epoch == 0
    assert_allclose(again.predict(X), expected, rtol=1e-5)


def test_saved_model_goes_on_training(regressor, diabetes, tmp_path):
    """A model that was loaded is trained from its weights, which it keeps itself."""
    X, y = diabetes
    regressor.fit(X, y).model_.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    before = [np.array(w) for w in loaded.get_weights()]
    again = KerasRegressor(loaded, loss="mse", epochs=1).fit(X, y)
    for ours, given, kept in zip(
        again.weights_, before, loaded.get_weights(), strict=True
    ):
        assert_array_equal(kept, given)
        assert 0 < np.abs(ours - given).max() < 0.1


def test_pipeline_pickles_with_its_network(classifier, two_classes):
    """A pipeline with a network predicts the same after pickling."""
    X, y = two_classes
    pipeline = make_pipeline(StandardScaler(), classifier).fit(X, y)
    again = pickle.loads(pickle.dumps(pipeline))
    assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))


class Threshold(keras.callbacks.Callback):
    """Stops once a metric is large enough; does not call Keras's own constructor."""

    def __init__(self, monitor, threshold):
        self.monitor = monitor
        self.threshold = threshold

    def on_epoch_end(self, epoch, logs=None):
        if logs[self.monitor] >= self.threshold:
            self.model.stop_training = True


def test_callback_on_a_validation_metric_stops_training(classifier):
    """A callback reads metrics of the rows that `fit__validation_split` holds out."""
    X, y = make_moons(100, noise=0.2, random_state=0)
    classifier.set_params(
        metrics=["binary_accuracy"], fit__validation_split=0.2, epochs=4, verbose=False
    )
    assert len(clone(classifier).fit(X, y).history_["val_binary_accuracy"]) == 4
    stopping = Threshold("val_binary_accuracy", threshold=0.0)
    classifier.set_params(callbacks=[stopping]).fit(X, y)
    assert len(classifier.history_["loss"]) == 1


def test_grid_search_over_routed_parameters(two_classes):
    """Parameters of model and optimizer are searched by their routes."""
    X, y = two_classes
    classifier = KerasClassifier(
        model=build_sigmoid,
        loss="binary_crossentropy",
        optimizer="adam",
        optimizer__learning_rate=0.1,
        model__hidden_layer_sizes=(5,),
        model__dropout=0.5,
        epochs=1,
        verbose=False,
    )
    grid = {
        "optimizer__learning_rate": [0.05],
        "model__hidden_layer_sizes": [(3, 3)],
        "model__dropout": [0],
    }
    search = GridSearchCV(classifier, grid, scoring="accuracy", cv=ONE_SPLIT)
    best = search.fit(X, y).best_estimator_.model_
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert [layer.units for layer in best.layers[::2]] == [3, 3, 1]
    assert_allclose(best.optimizer.learning_rate, 0.05)


# --- Quickstart


@pytest.mark.parametrize("loss", [None, "sparse_categorical_crossentropy"])
def test_one_output_for_each_of_two_classes(two_classes, loss):
    """Two classes may have two outputs, and the loss may be left to us."""
    X, y = two_classes
    options = {} if loss is None else {"loss": loss}
    classifier = KerasClassifier(
        build_softmax, hidden_layer_dim=30, epochs=30, random_state=0, **options
    )
    classifier.fit(X.astype(np.float32), y.astype(np.int64))
    assert classifier.predict_proba(X).shape == (120, 2)
    assert classifier.score(X, y) > 0.7
    assert classifier.model_.loss == "sparse_categorical_crossentropy"


def test_grid_search_over_losses_and_optimizers(two_classes):
    """Parameters of `compile` are searched by their names, those of ours as well."""
    X, y = two_classes
    grid = {
        "hidden_layer_dim": [3],
        "loss": ["sparse_categorical_crossentropy"],
        "optimizer": ["adam", "sgd"],
        "optimizer__learning_rate": [0.1],
    }
    classifier = KerasClassifier(build_softmax, hidden_layer_dim=5, epochs=1)
    search = GridSearchCV(
        classifier, grid, refit=False, cv=ONE_SPLIT, scoring="accuracy"
    )
    assert 0 < search.fit(X, y).best_score_ <= 1


# --- Sparse inputs


@pytest.mark.parametrize("dtype", [np.float64, np.uint8])
def test_sparse_features_train_like_dense_ones(dtype):
    """One-hot columns give the same network sparse and dense, of any type."""
    generator = np.random.default_rng(0)
    X, y = generator.integers(0, 30, (90, 1)), generator.random(90)
    regressor = KerasRegressor(
        build_linear,
        hidden_layer_sizes=(5,),
        model__dropout=0.0,
        loss="mse",
        epochs=2,
        verbose=False,
        random_state=0,
    )
    predictions = [
        make_pipeline(OneHotEncoder(sparse_output=sparse, dtype=dtype), regressor)
        .fit(X, y)
        .predict(X)
        for sparse in (True, False)
    ]
    assert_allclose(*predictions, rtol=1e-5)


# --- Meta-estimators


@pytest.mark.parametrize("ensemble", [AdaBoostClassifier, BaggingClassifier])
def test_ensembles_train_a_network_each(ensemble):
    """Boosting and bagging train members with weights of their own."""
    X, y = make_moons(100, random_state=0)
    classifier = KerasClassifier(
        model=build_compiled,
        hidden_layer_sizes=(20,),
        optimizer="adam",
        optimizer__learning_rate=0.05,
        epochs=5,
        verbose=0,
        random_state=0,
    )
    members = ensemble(estimator=classifier, n_estimators=2, random_state=0).fit(X, y)
    assert members.score(X, y) > 0.7
    first, second = (e.model_.get_weights()[0] for e in members.estimators_)
    assert not np.array_equal(first, second)


# --- Autoencoders


def test_base_wrapper_is_used_beside_ours():
    """A transformer built on scikeras's own base works after importing ours."""
    from scikeras.wrappers import BaseWrapper  # after ours, which undoes its patches

    class AutoEncoder(BaseWrapper, TransformerMixin):
        def _keras_build_fn(self, encoding_dim, meta):
            n_features = meta["n_features_in_"]
            inputs, codes = keras.Input((n_features,)), keras.Input((encoding_dim,))
            encode = keras.layers.Dense(encoding_dim, activation="relu")
            decode = keras.layers.Dense(n_features, activation="sigmoid")
            self.encoder_ = BaseWrapper(keras.Model(inputs, encode(inputs)), verbose=0)
            self.decoder_ = BaseWrapper(keras.Model(codes, decode(codes)), verbose=0)
            return keras.Model(inputs, decode(encode(inputs)))

        def fit(self, X, *, sample_weight=None):
            super().fit(X, X, sample_weight=sample_weight)
            self.decoder_.initialize(self.encoder_.initialize(X).predict(X))
            return self

        def transform(self, X):
            return self.encoder_.predict(self.feature_encoder_.transform(X))

        def inverse_transform(self, codes):
            return self.feature_encoder_.inverse_transform(self.decoder_.predict(codes))

    X = load_digits().data[:100] / 16
    autoencoder = AutoEncoder(
        loss="binary_crossentropy", optimizer="adam", encoding_dim=4, verbose=0
    )
    codes = autoencoder.fit(X).transform(X)
    assert codes.shape == (100, 4)
    assert_allclose(autoencoder.inverse_transform(codes), autoencoder.predict(X))


# --- Benchmarks


def test_training_equals_that_of_keras(diabetes):
    """From the same weights, in the same order of rows, the losses are Keras's."""
    X, y = diabetes
    model = stack({"n_features_in_": X.shape[1]}, [5], 1)
    regressor = KerasRegressor(
        model,
        optimizer="adam",
        loss="mse",
        epochs=3,
        batch_size=64,
        early_stopping=False,
        shuffle=False,
    ).fit(X, y)
    model.compile("adam", loss="mse")
    expected = model.fit(X, y, epochs=3, batch_size=64, shuffle=False, verbose=0)
    assert_allclose(regressor.history_["loss"], expected.history["loss"], rtol=1e-4)
    assert_allclose(regressor.predict(X), model.predict(X, verbose=0)[:, 0], rtol=1e-3)


def test_compiled_model_is_copied_without_a_warning(diabetes):
    """A compiled model that was never trained is copied for a fit in silence."""
    X, y = diabetes
    model = stack({"n_features_in_": X.shape[1]}, [5], 1)
    model.compile("adam", loss="mse")
    assert KerasRegressor(model, epochs=1).fit(X, y).n_epochs_ == 1
