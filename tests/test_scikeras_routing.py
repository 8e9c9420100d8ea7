"""What scikeras's page "Advanced usage" says of routed parameters."""

import inspect

import keras
import numpy as np
import pytest
from keras.callbacks import EarlyStopping, LearningRateScheduler
from keras.losses import BinaryCrossentropy, CategoricalCrossentropy
from keras.optimizers import SGD
from numpy.testing import assert_allclose
from packaging.version import Version
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import make_classification
from sklearn.metrics import accuracy_score, r2_score

from skkeras_tune import KerasClassifier, KerasRegressor
from tests.scikeras_networks import build_sigmoid, compile_sigmoid, fit_sigmoid


@pytest.fixture(scope="module")
def two_classes():
    """60 rows of 4 features in two classes."""
    return make_classification(60, 4, random_state=0)


# --- Optimizers and losses


@pytest.mark.parametrize("optimizer", ["SGD", SGD])
def test_optimizer_gets_its_options(two_classes, optimizer):
    """Options of an optimizer are routed to its name or its class."""
    options = {"optimizer__learning_rate": 0.15, "optimizer__momentum": 0.5}
    classifier = compile_sigmoid(two_classes, optimizer=optimizer, **options)
    assert_allclose(classifier.model_.optimizer.learning_rate, 0.15)
    assert classifier.model_.optimizer.momentum == 0.5


@pytest.mark.parametrize(
    "loss",
    [
        BinaryCrossentropy,
        "BinaryCrossentropy",
        "binary_crossentropy",
    ],
)
def test_loss_gets_its_options(two_classes, loss):
    """Options of a loss are routed to its class or to either of its names."""
    classifier = compile_sigmoid(two_classes, loss=loss, loss__label_smoothing=0.1)
    assert classifier.model_.loss.label_smoothing == 0.1


class Nested:
    """A loss that is no Keras loss, made of parts that take options."""

    def __init__(self, part, scale=1.0):
        self.part, self.scale = part, scale
        self.__name__ = "nested"

    def __call__(self, y_true, y_pred):
        return self.scale * self.part(y_true, y_pred)


def test_options_of_parts_of_a_loss(two_classes):
    """Routes go on into the arguments of a class."""
    trained = fit_sigmoid(
        two_classes,
        loss=Nested,
        loss__scale=2.0,
        loss__part=BinaryCrossentropy,
        loss__part__label_smoothing=0.2,
    )
    assert trained.model_.loss.scale == 2.0
    assert trained.model_.loss.part.label_smoothing == 0.2


class TwoHeads(TransformerMixin, BaseEstimator):
    """Two classes to two targets: a number and an indicator for each class."""

    def fit(self, y):
        self.fitted_ = True
        return self

    def transform(self, y):
        return [y.astype(np.float32), np.eye(2, dtype=np.float32)[y]]

    def inverse_transform(self, y, return_proba=False):
        return y[1] if return_proba else np.argmax(y[1], axis=1)


class TwoHeadClassifier(KerasClassifier):
    """A classifier with two outputs for the same target."""

    @property
    def target_encoder(self):
        return TwoHeads()


def build_two_heads(meta):
    """Build a network with a binary head and a categorical one, not compiled."""
    inputs = keras.Input((meta["n_features_in_"],))
    outputs = [
        keras.layers.Dense(1, name="binary_output")(inputs),
        keras.layers.Dense(2, name="categorical_output")(inputs),
    ]
    return keras.Model(inputs, outputs)


def fit_two_heads(data, loss, **options):
    """Fit the network above for one epoch."""
    classifier = TwoHeadClassifier(build_two_heads, loss=loss, epochs=1, **options)
    return classifier.fit(*data)


@pytest.mark.parametrize(
    "losses",
    [
        [BinaryCrossentropy, CategoricalCrossentropy],
        ["BinaryCrossentropy", "CategoricalCrossentropy"],
        ["binary_crossentropy", "categorical_crossentropy"],
    ],
    ids=["classes", "names", "functions"],
)
def test_list_of_losses(two_classes, losses):
    """Options go to all losses of a list, and by position to one of them."""
    trained = fit_two_heads(
        two_classes,
        losses,
        loss__from_logits=True,
        loss__label_smoothing=0.1,
        loss__1__label_smoothing=0.5,
    )
    first, second = trained.model_.loss
    assert isinstance(first, BinaryCrossentropy)
    assert isinstance(second, CategoricalCrossentropy)
    assert (first.from_logits, second.from_logits) == (True, True)
    assert (first.label_smoothing, second.label_smoothing) == (0.1, 0.5)


def test_dict_of_losses(two_classes):
    """Options go to one loss of a dict by the name of its output."""
    trained = fit_two_heads(
        two_classes,
        {"binary_output": BinaryCrossentropy, "categorical_output": "mse"},
        loss__binary_output__from_logits=True,
    )
    assert trained.model_.loss["binary_output"].from_logits


# --- Metrics


def test_metrics_get_their_options(two_classes):
    """Options go to all metrics of a list, and by position to one of them."""
    trained = fit_sigmoid(
        two_classes,
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC, "BinaryAccuracy"],
        metrics__name="second",
        metrics__0__name="first",
    )
    assert {"first", "second"} <= set(trained.history_)


@pytest.mark.parametrize(
    "metrics",
    [
        "accuracy",
        ["accuracy"],
        pytest.param(
            {"output": "accuracy"},
            marks=pytest.mark.skipif(
                Version(keras.__version__) < Version("3.15"),
                reason="before, Keras took dicts for models of several outputs only",
            ),
        ),
        keras.metrics.BinaryAccuracy,
    ],
    ids=["name", "list", "dict", "class"],
)
def test_forms_of_metrics(two_classes, metrics):
    """Metrics come as a name, a class, a list or a dict of outputs."""

    def build(meta):
        model = build_sigmoid(meta)
        model.layers[-1].name = "output"
        return model

    trained = fit_sigmoid(
        two_classes, model=build, loss="binary_crossentropy", metrics=metrics
    )
    assert any(name.endswith("accuracy") for name in trained.history_)


# --- Callbacks


class Halving:
    """A learning-rate schedule that takes options."""

    def __init__(self, factor=0.5):
        self.factor = factor

    def __call__(self, epoch, lr):
        return float(lr * self.factor)


@pytest.mark.parametrize(
    "options",
    [
        {
            "callbacks": LearningRateScheduler,
            "callbacks__0": Halving,
            "callbacks__0__factor": 0.1,
        },
        {
            "callbacks": [LearningRateScheduler, EarlyStopping],
            "callbacks__0__0": Halving,
            "callbacks__0__0__factor": 0.1,
            "callbacks__1__monitor": "loss",
        },
        {
            "callbacks": {"rate": LearningRateScheduler, "stop": EarlyStopping},
            "callbacks__rate__0": Halving,
            "callbacks__rate__0__factor": 0.1,
            "callbacks__stop__monitor": "loss",
        },
        {
            "fit__callbacks": [LearningRateScheduler],
            "fit__callbacks__0__0": Halving,
            "fit__callbacks__0__0__factor": 0.1,
        },
    ],
    ids=["class", "list", "dict", "fit"],
)
def test_callbacks_get_their_options(two_classes, options):
    """Options go to callbacks by position or name, and on into their arguments."""
    trained = fit_sigmoid(
        two_classes, optimizer=SGD(0.1), loss="binary_crossentropy", **options
    )
    assert_allclose(trained.model_.optimizer.learning_rate, 0.01, rtol=1e-5)
    for callback in trained.callbacks_:
        assert getattr(callback, "monitor", "loss") == "loss"


class CountPredictions(keras.callbacks.Callback):
    """Counts the batches predicted, over all its copies."""

    n_batches = 0

    def on_predict_batch_end(self, batch, logs=None):
        CountPredictions.n_batches += 1


def test_callbacks_of_predict(two_classes):
    """`predict__callbacks` run in `predict`, in batches of `predict__batch_size`."""
    trained = fit_sigmoid(
        two_classes, predict__callbacks=[CountPredictions], predict__batch_size=20
    )
    before = CountPredictions.n_batches
    trained.predict(two_classes[0])
    assert CountPredictions.n_batches - before == 3


# --- Scorers


class Thresholded(KerasClassifier):
    """A classifier whose score takes an option."""

    @staticmethod
    def scorer(y_true, y_pred, sample_weight=None, bonus=0.0):
        return np.average(y_true == y_pred, weights=sample_weight) + bonus


def test_scorer_gets_its_options(two_classes):
    """`score` calls `scorer` with the options that are routed to it."""
    classifier = Thresholded(build_sigmoid, epochs=1, score__bonus=10.0)
    assert 10 <= classifier.fit(*two_classes).score(*two_classes) <= 11


# --- Options that nothing takes


def build_subclass(meta):
    """Return a model whose `predict` takes an option more."""

    class Tempered(keras.Model):
        def predict(self, x, batch_size=None, verbose=0, temperature=1.0):
            return super().predict(x, batch_size, verbose) ** temperature

    inputs = keras.Input((meta["n_features_in_"],))
    return Tempered(inputs, keras.layers.Dense(1, "sigmoid")(inputs))


@pytest.mark.parametrize(
    ("route", "known"),
    [("predict", "'batch_size'.*'verbose'"), ("score", r"\['normalize'\]")],
)
@pytest.mark.parametrize("source", [None, build_sigmoid])
def test_options_that_nothing_takes_after_a_fit(two_classes, route, known, source):
    """They are named with their values and with what there is, before training."""
    name = f"{route}__typo"
    message = rf"KerasClassifier\.{route} got .* 'typo' with the value 3\. .*{known}"
    classifier = KerasClassifier(source, loss="binary_crossentropy", epochs=1)
    if source is None or route == "score":
        with pytest.raises(TypeError, match=message):
            clone(classifier).set_params(**{name: 3}).fit(*two_classes)
    classifier.fit(*two_classes).set_params(**{name: 3})
    with pytest.raises(TypeError, match=message):
        classifier.score(*two_classes)


def test_options_of_a_models_own_predict(two_classes):
    """What a subclass of Keras's model takes is taken, all else refused."""
    trained = fit_sigmoid(two_classes, model=build_subclass, predict__temperature=0.0)
    assert (trained.predict_proba(two_classes[0])[:, 1] == 1).all()
    with pytest.raises(TypeError, match="'typo' with the value 3"):
        trained.predict(two_classes[0], typo=3)


@pytest.mark.parametrize("kind", [KerasClassifier, KerasRegressor])
def test_scorers_have_the_names_of_scikit_learns_functions(kind):
    """An option that these gain should be taken too."""
    function = accuracy_score if kind is KerasClassifier else r2_score
    own, theirs = inspect.signature(kind.scorer), inspect.signature(function)
    assert own.parameters.keys() == theirs.parameters.keys()
    for name, parameter in theirs.parameters.items():
        assert own.parameters[name].default == parameter.default
