"""Optimizers, losses and metrics are made of names, classes and instances."""

import json
from functools import partial

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score, f1_score

from skkeras_tune import KerasClassifier
from skkeras_tune.estimators.compilation import (
    build_losses,
    find_optimizer_class,
    resolve_compilation,
)
from skkeras_tune.frozen import thaw
from skkeras_tune.losses import loss_name

NAMES = ("adam", "rmsprop", "adagrad", "adamax", "nadam", "adamw", "lion", "ftrl")
DEFAULTS = {
    "optimizer": "adam",
    "learning_rate": 0.01,
    "metrics": None,
    "callbacks": None,
}


def own_metric(y_true, y_pred):
    """A function, of which nothing is known."""
    return keras.ops.mean(y_pred)


def compile_with(*given, **params):
    """Return how these parameters compile a model; `given` are set by the user."""
    return resolve_compilation({**DEFAULTS, **params}, frozenset(given), "mse")


def build_optimizer(*given, **params):
    """Return the optimizer that these parameters give."""
    return thaw(compile_with(*given, **params).optimizer)


def build_metrics(metrics, **params):
    """Return the metrics that these parameters give."""
    return thaw(compile_with(metrics=metrics, **params).metrics)


@pytest.mark.parametrize("optimizer", ["sgd", "SGD", keras.optimizers.SGD])
def test_optimizers_take_the_learning_rate_and_options(optimizer):
    """An optimizer by name or class has the learning rate and the routed options."""
    built = build_optimizer(optimizer=optimizer, optimizer__momentum=0.9)
    assert type(built) is keras.optimizers.SGD
    assert float(built.learning_rate) == pytest.approx(0.01)
    assert built.momentum == 0.9


@pytest.mark.parametrize("name", NAMES)
def test_a_name_gives_the_class_that_keras_gives(name):
    """No optimizer is made to find it, and one that a user registers is found too."""
    for spelling in (name, name.upper()):
        assert find_optimizer_class(spelling) is type(keras.optimizers.get(spelling))
    with pytest.raises((ValueError, TypeError)):
        find_optimizer_class("optimizer")
    mine = type("Mine", (keras.optimizers.SGD,), {})
    with keras.saving.custom_object_scope({"mine": mine}):
        assert find_optimizer_class("mine") is mine


@pytest.mark.parametrize("name", NAMES)
def test_every_named_optimizer_has_the_learning_rate(name):
    """Keras's optimizers are found by name and take the learning rate."""
    assert float(build_optimizer(optimizer=name).learning_rate) == pytest.approx(0.01)


def test_the_routed_learning_rate_wins():
    """``optimizer__learning_rate`` is used in place of `learning_rate`."""
    for optimizer in ("sgd", keras.optimizers.SGD(0.3)):
        built = build_optimizer(
            "learning_rate", optimizer=optimizer, optimizer__learning_rate=0.5
        )
        assert float(built.learning_rate) == pytest.approx(0.5)


def test_an_instance_keeps_its_learning_rate():
    """An optimizer object keeps its own rate unless the user sets `learning_rate`."""
    optimizer = keras.optimizers.SGD(0.3, momentum=0.5)
    built = build_optimizer(optimizer=optimizer)
    assert float(built.learning_rate) == pytest.approx(0.3)
    built = build_optimizer("learning_rate", optimizer=optimizer)
    assert float(built.learning_rate) == pytest.approx(0.01)
    assert built.momentum == 0.5


def test_an_instance_is_copied_without_state():
    """One object serves any number of fits, and is not changed by them."""
    optimizer = keras.optimizers.Adam(0.3)
    optimizer.apply([np.ones(2)], [keras.Variable(np.ones(2))])
    for params in ({}, {"optimizer__beta_1": 0.5}):
        built = build_optimizer(optimizer=optimizer, **params)
        assert built is not optimizer
        assert int(built.iterations) == 0
    assert optimizer.beta_1 == 0.9


@pytest.mark.parametrize("value", [0, np.int64(1), 0.5])
def test_options_may_be_integers(value):
    """Where an optimizer takes floats, an integer of a grid is one."""
    built = build_optimizer(optimizer="sgd", optimizer__momentum=value)
    assert built.momentum == value


def test_unknown_options_of_an_optimizer_are_refused():
    """An option that the optimizer does not have is refused by name."""
    with pytest.raises(ValueError, match=r"'beta': 0\.5"):
        build_optimizer(optimizer__beta=0.5)


def test_schedules_are_learning_rates():
    """A schedule may be the learning rate, and is not shared between fits."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    built = build_optimizer(learning_rate=schedule)
    assert float(built.learning_rate) == pytest.approx(0.1)
    assert built.get_config()["learning_rate"]["class_name"] == "ExponentialDecay"


@pytest.mark.parametrize(
    ("metrics", "params"),
    [
        (["AUC"], {"metrics__0__num_thresholds": 20}),
        ([keras.metrics.AUC], {"metrics__0__num_thresholds": 20}),
        ("AUC", {"metrics__num_thresholds": 20}),
        ({"out": "AUC"}, {"metrics__out__num_thresholds": 20}),
        ([keras.metrics.AUC(num_thresholds=20)], {}),
    ],
)
def test_metrics_take_routed_options(metrics, params):
    """A metric by name or class, alone or in a list or dict, takes options."""
    metric = keras.tree.flatten(build_metrics(metrics, **params))[0]
    assert isinstance(metric, keras.metrics.AUC)
    assert metric.num_thresholds == 20


@pytest.mark.parametrize("metrics", ["AUC", keras.metrics.AUC])
def test_metrics_have_their_plain_names(metrics):
    """A metric is called the same in every fit, as the first in a process would be."""
    for _ in range(2):
        (metric,) = build_metrics([metrics], metrics__0__num_thresholds=20)
        assert metric.name == "auc"


@pytest.mark.parametrize("name", ["accuracy", "acc"])
def test_names_that_keras_resolves_by_the_output_stay_names(name):
    """Options for one metric leave the names that Keras resolves later alone."""
    metrics = build_metrics([name, "AUC"], metrics__1__num_thresholds=20)
    assert metrics[0] == name
    assert build_metrics([name]) == [name]


def test_compilations_are_values():
    """Equal parameters give equal compilations, with equal hashes."""
    params = {
        "optimizer": "adam",
        "optimizer__beta_1": 0.8,
        "metrics": ["AUC", keras.metrics.Precision],
        "metrics__0__num_thresholds": 20,
        "jit_compile": False,
    }
    first, second = compile_with(**params), compile_with(**params)
    assert first == second
    assert hash(first) == hash(second)
    assert first != compile_with(**{**params, "optimizer__beta_1": 0.7})
    assert first != compile_with(**{**params, "jit_compile": True})


def test_compile_options_come_by_route_or_by_name():
    """Arguments of `compile` may be routed, or given by their plain names."""
    compilation = compile_with(jit_compile=False, compile__steps_per_execution=2)
    assert thaw(compilation.options) == {"jit_compile": False, "steps_per_execution": 2}
    assert compile_with().options is None


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("huber", {"delta": 3.0}),
        (keras.losses.Huber, {"delta": 3.0}),
        (["mse", "huber"], {"1__delta": 3.0}),
        ({"a": "mse", "b": keras.losses.Huber}, {"b__delta": 3.0}),
        ({"a": "mse", "b": "huber"}, {"b__delta": 3.0}),
    ],
)
def test_losses_take_routed_options(loss, options):
    """A loss by name or class, alone or in a list or dict, takes options."""
    built = keras.tree.flatten(build_losses(loss, options))[-1]
    assert loss_name(built) == "huber"
    expected = float(keras.losses.Huber(delta=3.0)([[9.0]], [[0.0]]))
    assert float(built([[9.0]], [[0.0]])) == expected


@pytest.mark.parametrize("loss", ["mse", ["mse", "mae"], {"a": "mse"}, None])
def test_losses_without_options_are_kept(loss):
    """Without options losses are passed through as they are."""
    assert build_losses(loss, {}) is loss


def resolve_adam(**params):
    params = {"optimizer": "adam", "learning_rate": 0.01, "metrics": None, **params}
    return resolve_compilation(params, frozenset(params), "mse").optimizer


def test_equal_settings_share_one_frozen_optimizer():
    assert resolve_adam() is resolve_adam(optimizer=keras.optimizers.Adam)
    assert resolve_adam() != resolve_adam(learning_rate=0.02)
    assert resolve_adam() != resolve_adam(optimizer__beta_1=0.5)
    assert resolve_adam(learning_rate=1).thaw().learning_rate.numpy() == 1


@pytest.mark.parametrize("rate", [1e-3, 0.5, 0.1234567891, 1e-50, 1e50])
@pytest.mark.parametrize("kind", ["Adam", "SGD", "Adagrad", "Lion", "Ftrl", "Nadam"])
def test_a_rate_is_frozen_as_keras_reads_it(kind, rate):
    """The rate in the config is the one that an optimizer of Keras's says it has."""
    made = getattr(keras.optimizers, kind)(learning_rate=rate, name=kind.lower())
    config = json.loads(resolve_adam(optimizer=kind, learning_rate=rate).config)
    assert config["config"] | {"name": kind.lower()} == made.get_config()


def test_numbers_of_another_precision_are_read_anew():
    resolve_adam()
    keras.config.set_floatx("float64")
    try:
        assert '"learning_rate": 0.01,' in resolve_adam().config
    finally:
        keras.config.set_floatx("float32")
    assert '"learning_rate": 0.01,' not in resolve_adam().config


# --- metrics and the target


@pytest.mark.parametrize("name", ["acc", "ACC", "Accuracy"])
def test_accuracy_in_any_spelling(name, iris, cancer):
    """Keras chooses the accuracy that fits, and judges logits at zero."""
    logits = keras.losses.BinaryCrossentropy(from_logits=True)
    for (X, y), loss in ((iris, "auto"), (cancer, logits)):
        model = KerasClassifier(loss=loss, metrics=[name], epochs=1, random_state=0)
        model.set_params(validation_split=0.0, early_stopping=False, batch_size=-1)
        twin = clone(model).set_params(metrics=["accuracy"]).fit(X, y)
        history = model.fit(X, y).history_
        assert history[name] == twin.history_["accuracy"]


@pytest.mark.parametrize(
    ("metric", "score"),
    [
        ("categorical_accuracy", accuracy_score),
        ("Precision", None),
        (keras.metrics.F1Score(average="macro"), partial(f1_score, average="macro")),
        (keras.metrics.AUC, None),
        (keras.metrics.OneHotMeanIoU(num_classes=3, dtype="float32"), None),
    ],
)
@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_metrics_of_each_class_have_targets_of_each_class(metric, score, engine, iris):
    """Where no loss is named, a metric decides how several classes are encoded."""
    X, y = iris
    model = KerasClassifier(metrics=[metric], epochs=5, engine=engine, random_state=0)
    model.fit(X, y, X_val=X, y_val=y)
    (name,) = (
        set(model.history_)
        - {"loss", "val_loss"}
        - {n for n in model.history_ if n.startswith("val_")}
    )
    last = model.history_[f"val_{name}"][model.best_epoch_ - 1]
    assert 0 < last < 1
    if score is not None:
        assert last == pytest.approx(score(y, model.predict(X)), abs=1e-5)


@pytest.mark.parametrize(
    "metrics", ["sparse_categorical_accuracy", ["accuracy"], None, [own_metric]]
)
def test_metrics_of_class_numbers_keep_them(metrics, iris):
    """Without a metric of each class, the loss is that of class numbers."""
    model = KerasClassifier(metrics=metrics, epochs=1).fit(*iris)
    assert loss_name(model.model_.loss) == "sparse_categorical_crossentropy"


@pytest.mark.parametrize(
    "metric",
    [
        "f1_score",
        keras.metrics.FBetaScore,
        keras.metrics.R2Score(class_aggregation=None),
    ],
)
def test_metrics_of_several_numbers_are_refused(metric, iris):
    """A metric with a number for each class says how to have one of them."""
    with pytest.raises(ValueError, match=r"number for each class.*average='macro'"):
        KerasClassifier(metrics=[metric]).fit(*iris)
