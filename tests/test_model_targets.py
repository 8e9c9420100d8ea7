"""Targets take the form that a model needs, or are refused with both widths."""

import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest

from skkeras_tune import KerasClassifier, KerasRegressor, build_mlp
from tests.plans import DATA, Y, of_function, train

ENGINES = ["auto", "keras"]


@pytest.mark.parametrize(
    ("units", "y", "wanted"),
    [
        (2, Y, "1 columns"),
        (1, np.hstack([Y, Y]), "2 columns"),
        (2, np.arange(len(Y)) % 3, "3 classes"),
        (1, np.arange(len(Y)) % 3, "3 classes"),
    ],
)
def test_outputs_must_fit_the_targets(units, y, wanted):
    """An output layer of the wrong width is refused, with both widths."""
    message = rf"output layer of {units} unit\(s\), but y has {wanted}.*meta\["
    with pytest.raises(ValueError, match=message):
        train(of_function(lambda: build_mlp(3, units)), replace(DATA, y=y))


def build_classifier(units, loss):
    """Return an eager classifier."""
    model = build_mlp(3, units, "sigmoid" if units == 1 else "softmax", n_hidden=0)
    model.compile(optimizer="sgd", loss=loss, run_eagerly=True)
    return model


LABELS = (Y[:, 0] > 0).astype(np.int32)


@pytest.mark.parametrize(
    ("units", "loss"),
    [
        (1, "binary_crossentropy"),
        (2, "categorical_crossentropy"),
        (2, "sparse_categorical_crossentropy"),
        (2, "mse"),
        (3, "sparse_categorical_crossentropy"),  # a class that these rows lack
    ],
)
def test_class_numbers_take_the_form_of_the_loss(units, loss):
    """Class numbers train with every loss that fits, in the form that it needs."""
    plan = of_function(lambda: build_classifier(units, loss), epochs=2)
    losses = train(plan, replace(DATA, y=LABELS)).history["loss"]
    assert losses[-1] < losses[0]


def list_warnings(model):
    """Return what a fit warns its user of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        model.fit(DATA.x, LABELS)
    return [str(each.message) for each in caught if each.category is UserWarning]


@pytest.mark.parametrize(
    ("units", "activation", "loss", "warns"),
    [
        (1, None, "binary_crossentropy", True),
        (2, None, keras.losses.SparseCategoricalCrossentropy(), True),
        (2, "softmax", "sparse_categorical_crossentropy", False),
        (1, None, keras.losses.BinaryCrossentropy(from_logits=True), False),
        (2, None, "mse", False),
    ],
)
def test_outputs_of_any_size_are_no_probabilities(units, activation, loss, warns):
    """A last layer without an activation, before a loss of chances, is warned of."""
    network = build_mlp(3, units, activation)
    said = list_warnings(KerasClassifier(network, loss=loss, epochs=1))
    assert any("last layer has no activation" in each for each in said) == warns


@pytest.mark.parametrize(
    ("units", "activation", "loss", "warns"),
    [
        (1, None, "hinge", True),
        (1, "tanh", keras.losses.SquaredHinge(), True),
        (3, None, "categorical_hinge", True),
        (1, "sigmoid", "hinge", False),
        (3, "softmax", "categorical_hinge", False),
    ],
)
def test_margins_are_no_probabilities(units, activation, loss, warns):
    """Outputs around zero, which a hinge trains, are warned of in a classifier."""
    network = build_mlp(3, units, activation)
    said = list_warnings(KerasClassifier(network, loss=loss, epochs=1))
    assert any("comes out are margins" in each for each in said) == warns


def test_a_regressor_gives_margins():
    """Whoever asks for numbers may train margins."""
    KerasRegressor(build_mlp(3, 1), loss="hinge", epochs=1).fit(DATA.x, np.sign(Y))


def test_a_softmax_is_no_sigmoid():
    """A binary crossentropy of a softmax is warned of.

    Keras trains the sigmoid of what the softmax takes.
    """
    network = build_mlp(3, 2, "softmax")
    said = list_warnings(KerasClassifier(network, loss="binary_crossentropy", epochs=1))
    assert any("ends in a softmax, but for its loss 'binary" in each for each in said)


@pytest.mark.parametrize("engine", ["auto", "keras"])
@pytest.mark.parametrize("options", [{}, {"loss__label_smoothing": 0.1}])
def test_a_softmax_of_two_labels_trains_its_chances(engine, options):
    """Where no loss is named, that of a softmax is minimised, not of two sigmoids."""
    model = KerasClassifier(
        build_mlp(3, 2, "softmax"), epochs=1, batch_size=-1, engine=engine, **options
    ).set_params(early_stopping=False)
    chances = model.initialize(DATA.x, LABELS).predict_proba(DATA.x)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1 * bool(options))
    expected = float(loss(np.eye(2)[LABELS], chances))
    assert np.isclose(model.fit(DATA.x, LABELS).history_["loss"][0], expected)


def test_a_softmax_of_one_unit_is_refused():
    """It is 1 for every row."""
    with pytest.raises(ValueError, match="softmax of one unit, which is always 1"):
        KerasClassifier(build_mlp(3, 1, "softmax"), epochs=1).fit(DATA.x, LABELS)


@pytest.mark.parametrize("activate", [keras.ops.softmax, keras.activations.softmax])
def test_a_function_after_the_last_layer_is_an_activation(activate):
    """Keras does not list functions among the layers of a model."""
    inputs = keras.Input((3,))
    network = keras.Model(inputs, activate(keras.layers.Dense(2)(inputs)))
    model = KerasClassifier(network, loss="sparse_categorical_crossentropy", epochs=1)
    model.fit(DATA.x, LABELS)  # warnings are errors


def build_heads(as_dict=False):
    """Return a network with the outputs "a" and "b", in a list or by other keys."""
    inputs = keras.Input((3,))
    a, b = (keras.layers.Dense(1, name=name)(inputs) for name in "ab")
    return keras.Model(inputs, {"p": a, "q": b} if as_dict else [a, b])


class Heads(keras.Model):
    """A model with two outputs, of which nothing is known before it is called."""

    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(1)

    def build(self, shape):
        self.head.build(shape)

    def call(self, inputs):
        return [self.head(inputs), -self.head(inputs)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("network", "loss", "message"),
    [
        (build_mlp(3, 1), {"z": "mse"}, r"\['z'\], .* Give its one loss by itself"),
        (
            keras.Sequential([keras.layers.Dense(1, name="a")]),
            {"a": "mse"},
            r"\['a'\], .* have no names. Give its one loss by itself",
        ),
        (build_heads(), {"a": "mse"}, r"\['a'\], .* are \['a', 'b'\]. Name these"),
        (build_heads(), {"a": "mse", "z": "mse"}, r"\['a', 'z'\], .* \['a', 'b'\]"),
        (build_heads(True), {"a": "mse"}, r"\['a'\], .* are \['p', 'q'\]"),
        (Heads, {"a": "mse", "b": "mse"}, r"\['a', 'b'\], .* have no names"),
    ],
)
def test_losses_go_by_the_names_of_the_outputs(network, loss, message, engine):
    """A dict of losses for other outputs than the model has is refused."""
    model = KerasRegressor(network, loss=loss, epochs=1, engine=engine)
    with pytest.raises(ValueError, match=f"^The 'loss' parameter is .*{message}"):
        model.fit(DATA.x, Y)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("network", [build_heads(), build_heads(True), Heads])
@pytest.mark.parametrize("y", [Y, np.hstack([Y, Y])])
def test_several_outputs_need_several_targets(network, y, engine):
    """One array for several outputs is refused, with what gives one for each."""
    message = rf"has 2 outputs, but y is one array, of shape \({len(y)}, {y.shape[1]}\)"
    with pytest.raises(ValueError, match=rf"{message}.*Override target_encoder"):
        KerasRegressor(network, loss="mse", epochs=1, engine=engine).fit(DATA.x, y)


class Summed(Heads):
    """A model whose outputs are summed before they are compared."""

    def compute_loss(self, x, y, y_pred, *weight, **options):
        return keras.ops.mean((y - sum(y_pred)) ** 2)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("network", "loss"),
    [
        (build_heads(True), {"p": "mse"}),
        (build_heads(), ["mse", None]),
        (Summed, "mse"),
    ],
)
def test_one_target_for_several_outputs(network, loss, engine):
    """Where one output alone has a loss, or the model has its own, one array does."""
    model = KerasRegressor(network, loss=loss, epochs=1, engine=engine)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gradients do not exist")
        model.fit(DATA.x, Y)


def build_three(loss, metrics):
    """Return a compiled classifier of three classes."""
    model = build_mlp(3, 3, "softmax")
    model.compile("sgd", loss, metrics=metrics)
    return model


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("place", ["builtin", "own", "compiled"])
@pytest.mark.parametrize(
    "metric", ["CategoricalAccuracy", "AUC", keras.metrics.F1Score(average="macro")]
)
def test_a_named_loss_of_class_numbers(metric, place, engine):
    """A metric of each class beside it is refused, with what to change."""
    params = {"loss": "sparse_categorical_crossentropy", "metrics": [metric]}
    own = {"model": build_mlp(3, 3, "softmax"), **params}
    each = {"builtin": params, "own": own, "compiled": {"model": build_three(**params)}}
    model = KerasClassifier(**each[place], epochs=1, engine=engine)
    labels = np.arange(len(Y)) % 3
    message = "metric .* class by class, .* 'sparse_categorical_crossentropy' takes"
    with pytest.raises(ValueError, match=message):
        model.fit(DATA.x, labels)
    if place != "compiled":
        model.set_params(loss="categorical_crossentropy").fit(DATA.x, labels)


def test_metrics_of_functions_take_what_the_loss_takes():
    """What a function of the user's compares is not known, in a metric of it either."""

    def own(y_true, y_pred):
        return keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "float32")

    metric = keras.metrics.MeanMetricWrapper(own, name="mean_class")
    model = KerasClassifier(metrics=[metric], epochs=1).fit(
        DATA.x, np.arange(len(Y)) % 3
    )
    assert model.history_["mean_class"][0] > 0
