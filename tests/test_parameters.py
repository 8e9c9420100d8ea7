"""Parameters are checked, merged, and sent where they belong."""

import keras
import numpy as np
import pytest

from skkeras_tune.frozen import thaw
from skkeras_tune.losses import loss_name
from skkeras_tune.parameters import (
    CONSTRAINTS,
    ROUTES,
    build_losses,
    is_routed,
    loss_options,
    model_options,
    resolve_batch_size,
    resolve_compilation,
    resolve_fit_options,
    resolve_predict_options,
    score_options,
    validate_names,
)

DEFAULTS = {
    "optimizer": "adam",
    "learning_rate": 0.01,
    "metrics": None,
    "callbacks": None,
}


def compile_with(*given, **params):
    """Return how these parameters compile a model; `given` are set by the user."""
    return resolve_compilation({**DEFAULTS, **params}, frozenset(given), "mse")


def build_optimizer(*given, **params):
    """Return the optimizer that these parameters give."""
    return thaw(compile_with(*given, **params).optimizer)


def build_metrics(metrics, **params):
    """Return the metrics that these parameters give."""
    return thaw(compile_with(metrics=metrics, **params).metrics)


def build_callbacks(given=None, **params):
    """Return the callbacks that these parameters, and `fit`'s, give."""
    return resolve_fit_options(params, {"callbacks": given}, "Caller")["callbacks"]


# --- names


@pytest.mark.parametrize("route", ROUTES)
def test_routes_are_recognised(route):
    """A parameter is routed when its name begins with a route and two underscores."""
    assert is_routed(f"{route}__x")
    assert is_routed(f"{route}__x__y")
    assert not is_routed(route)
    assert not is_routed(f"{route}_x")


@pytest.mark.parametrize("name", ["other__x", "__x", "x", "hidden_layer_sizes"])
def test_other_names_are_not_routed(name):
    """Other names are not routed."""
    assert not is_routed(name)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("activation", "sigmoidal"),
        ("kernel_initializer", "hee_normal"),
        ("optimizer", "adamm"),
        ("loss", "mze"),
        ("metrics", "acuracy"),
    ],
)
def test_unknown_names_are_refused(parameter, value):
    """A name that Keras does not know is refused, with the parameter and the value."""
    message = (
        f"The '{parameter}' parameter of Caller must be a name that Keras knows. "
        f"Got '{value}' instead"
    )
    with pytest.raises(ValueError, match=message):
        validate_names({parameter: value}, "Caller")


@pytest.mark.parametrize("metrics", [["mae", "acuracy"], {"out": ["acuracy"]}])
def test_unknown_metrics_are_found_in_lists(metrics):
    """Every name in a list or dict of metrics is checked."""
    with pytest.raises(ValueError, match=r"'metrics' parameter .* Got 'acuracy'"):
        validate_names({"metrics": metrics}, "Caller")


@pytest.mark.parametrize(
    "params",
    [
        {"activation": "relu", "kernel_initializer": "auto", "optimizer": "sgd"},
        {"loss": "auto", "metrics": ["accuracy", "acc", "ce", "crossentropy", "AUC"]},
        {"activation": keras.activations.relu, "optimizer": keras.optimizers.SGD},
        {"metrics": {"out": ["mae", keras.metrics.AUC()]}, "loss": ["mse"]},
        {"activation": None, "loss": None, "metrics": None},
        {},
    ],
)
def test_known_names_pass(params):
    """Keras's names, our own, and what is no name at all pass."""
    validate_names(params, "Caller")


@pytest.mark.parametrize(
    "sizes", [None, (), [], [3], (64, 32), np.array([3, 4]), [np.int64(3)], 8]
)
def test_widths_pass(sizes):
    """Hidden layers may be given as any sequence of positive integers."""
    validate_names({"hidden_layer_sizes": sizes}, "Caller")


@pytest.mark.parametrize(
    "sizes", [[0], [3, -1], [2.0], [True], ["3"], "33", [[3], [4]], [None], 0]
)
def test_other_widths_are_refused(sizes):
    """Anything else is refused, and shown."""
    message = "'hidden_layer_sizes' parameter of Caller must be a sequence of ints"
    with pytest.raises(ValueError, match=f"{message}.*Got .* instead"):
        validate_names({"hidden_layer_sizes": sizes}, "Caller")


# --- fit's options


def test_later_sources_win():
    """`fit`'s arguments win over routed parameters, and these over plain ones."""
    params = {"epochs": 1, "batch_size": 1, "verbose": 1, "fit__epochs": 2}
    options = resolve_fit_options(
        {**params, "fit__batch_size": 2}, {"batch_size": 3}, "Caller"
    )
    chosen = {n: options[n] for n in ("epochs", "batch_size", "verbose")}
    assert chosen == {"epochs": 2, "batch_size": 3, "verbose": 1}


def test_none_is_not_given():
    """An argument of `fit` that is None leaves the parameter as it is."""
    options = resolve_fit_options({"epochs": 5}, {"epochs": None}, "Caller")
    assert options["epochs"] == 5


def test_zero_is_given():
    """An argument of `fit` that is zero or False is used."""
    params = {"verbose": 1, "shuffle": True}
    options = resolve_fit_options(params, {"verbose": 0, "shuffle": False}, "Caller")
    assert options["verbose"] == 0
    assert options["shuffle"] is False


@pytest.mark.parametrize(
    ("params", "given", "name"),
    [
        ({"fit__epoch": 3}, {}, "epoch"),
        ({}, {"epoch": 3}, "epoch"),
        ({"fit__callback": []}, {}, "callback"),
        ({"fit__callbacksx": []}, {}, "callbacksx"),
    ],
)
def test_unknown_options_are_refused(params, given, name):
    """An option that Keras's `fit` does not take is refused, with those it takes."""
    message = f"Caller.fit got an unexpected argument '{name}'.*'epochs'"
    with pytest.raises(TypeError, match=message):
        resolve_fit_options(params, given, "Caller")


def test_the_callers_parameters_are_left_alone():
    """Merging changes neither the parameters nor the arguments."""
    params = {"epochs": 1, "fit__epochs": 2, "callbacks": [keras.callbacks.History]}
    before, given = dict(params), {"epochs": 3}
    resolve_fit_options(params, given, "Caller")
    assert params == before
    assert given == {"epochs": 3}


# --- callbacks


def test_callbacks_add_up():
    """Callbacks of the constructor, of a route and of `fit` are all used, in turn."""
    built = build_callbacks(
        keras.callbacks.History(),
        callbacks=keras.callbacks.EarlyStopping,
        fit__callbacks=[keras.callbacks.TerminateOnNaN()],
    )
    kinds = [type(callback).__name__ for callback in built]
    assert kinds == ["EarlyStopping", "TerminateOnNaN", "History"]


@pytest.mark.parametrize(
    "params",
    [
        {"callbacks": keras.callbacks.EarlyStopping, "callbacks__patience": 3},
        {"callbacks": [keras.callbacks.EarlyStopping], "callbacks__0__patience": 3},
        {
            "callbacks": {"stop": keras.callbacks.EarlyStopping},
            "callbacks__stop__patience": 3,
        },
        {
            "callbacks": [[keras.callbacks.EarlyStopping]],
            "callbacks__0__0__patience": 3,
        },
        {
            "fit__callbacks": keras.callbacks.EarlyStopping,
            "fit__callbacks__patience": 3,
        },
    ],
)
def test_callbacks_take_routed_options(params):
    """A callback given as a class, alone or in a list or dict, takes options."""
    (callback,) = build_callbacks(**params)
    assert isinstance(callback, keras.callbacks.EarlyStopping)
    assert callback.patience == 3


def test_callbacks_are_copied():
    """Each fit has its own callbacks, and what it does to them stays with it."""
    original = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    original.seen = []
    first, second = (build_callbacks(callbacks=[original])[0] for _ in range(2))
    first.seen.append(1)
    assert first is not second
    assert original.seen == second.seen == []


def test_callbacks_of_fit_are_copied():
    """Callbacks given to `fit` are copied too."""
    original = keras.callbacks.History()
    (built,) = build_callbacks([original])
    assert built is not original


@pytest.mark.parametrize("callbacks", [3, [keras.callbacks.History(), "History"], len])
def test_other_callbacks_are_refused(callbacks):
    """What is no callback is refused, and shown."""
    message = "'callbacks' parameter must be a keras.callbacks.Callback.* instead"
    with pytest.raises(TypeError, match=message):
        build_callbacks(callbacks=callbacks)
    with pytest.raises(TypeError, match=message):
        build_callbacks(callbacks)


# --- predict, model, loss, score


def test_predict_options_are_merged():
    """`predict`'s arguments win over routed parameters; callbacks are built."""
    params = {
        "predict__batch_size": 5,
        "predict__verbose": 1,
        "predict__callbacks": keras.callbacks.Callback,
        "batch_size": 7,
    }
    options = resolve_predict_options(params, {"batch_size": 6})
    (callback,) = options.pop("callbacks")
    assert type(callback) is keras.callbacks.Callback
    assert options == {"batch_size": 6, "verbose": 1}


def test_nothing_routed_is_nothing_to_predict_with():
    """Without options there are none, not even callbacks."""
    assert resolve_predict_options({"batch_size": 7, "callbacks": [1]}, {}) == {}


def test_routes_find_their_parameters():
    """Each route takes its own parameters, without the prefix."""
    params = {
        "loss__delta": 2.0,
        "model__units": 3,
        "model__inner__units": 4,
        "score__normalize": False,
        "units": 5,
    }
    assert loss_options(params) == {"delta": 2.0}
    assert model_options(params) == {"units": 3}
    assert score_options(params) == {"normalize": False}


@pytest.mark.parametrize(
    ("batch_size", "n_rows", "expected"),
    [(None, 100, 32), (8, 100, 8), (-1, 100, 100), (32, 10, 10), (np.int64(8), 9, 8)],
)
def test_batch_sizes(batch_size, n_rows, expected):
    """None is Keras's default, -1 is all rows, and no batch has more than these."""
    size = resolve_batch_size(batch_size, n_rows)
    assert size == expected
    assert type(size) is int


# --- compilation


@pytest.mark.parametrize("optimizer", ["sgd", "SGD", keras.optimizers.SGD])
def test_optimizers_take_the_learning_rate_and_options(optimizer):
    """An optimizer by name or class has the learning rate and the routed options."""
    built = build_optimizer(optimizer=optimizer, optimizer__momentum=0.9)
    assert type(built) is keras.optimizers.SGD
    assert float(built.learning_rate) == pytest.approx(0.01)
    assert built.momentum == 0.9


@pytest.mark.parametrize(
    "name", ["adam", "rmsprop", "adagrad", "adamax", "nadam", "adamw", "lion", "ftrl"]
)
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


@pytest.mark.parametrize("name", ["accuracy", "acc", "ce", "crossentropy"])
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


def test_every_constraint_is_of_a_parameter():
    """The constraints name no routed parameter, and each allows something."""
    assert not [name for name in CONSTRAINTS if "__" in name]
    assert all(CONSTRAINTS.values())
