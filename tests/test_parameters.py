"""Parameters are checked, and merged where they come from several places."""

import keras
import numpy as np
import pytest

from skkeras_tune.estimators.parameters import (
    CONSTRAINTS,
    resolve_batch_size,
    resolve_fit_options,
    resolve_predict_options,
    validate_names,
)


def build_callbacks(given=None, **params):
    """Return the callbacks that these parameters, and `fit`'s, give."""
    return resolve_fit_options(params, {"callbacks": given}, "Caller")["callbacks"]


# --- names


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("activation", "sigmoidal"),
        ("kernel_initializer", "hee_normal"),
        ("optimizer", "adamm"),
        ("loss", "mze"),
        ("metrics", "accurate_"),
        ("metrics", "meansquarederror"),
        ("metrics", "OneHotMeanIoU"),  # which no name makes, without num_classes
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


@pytest.mark.parametrize("metrics", [["mae", "accurate_"], {"out": ["accurate_"]}])
def test_unknown_metrics_are_found_in_lists(metrics):
    """Every name in a list or dict of metrics is checked."""
    with pytest.raises(ValueError, match=r"'metrics' parameter .* Got 'accurate_'"):
        validate_names({"metrics": metrics}, "Caller")


@pytest.mark.parametrize(
    "params",
    [
        {"activation": "relu", "kernel_initializer": "auto", "optimizer": "sgd"},
        {"loss": "auto", "metrics": ["accuracy", "acc", "AUC"]},
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


# --- predict, batches


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


@pytest.mark.parametrize(
    ("batch_size", "n_rows", "expected"),
    [(None, 100, 32), (8, 100, 8), (-1, 100, 100), (32, 10, 10), (np.int64(8), 9, 8)],
)
def test_batch_sizes(batch_size, n_rows, expected):
    """None is Keras's default, -1 is all rows, and no batch has more than these."""
    size = resolve_batch_size(batch_size, n_rows)
    assert size == expected
    assert type(size) is int


def test_every_constraint_is_of_a_parameter():
    """The constraints name no routed parameter, and each allows something."""
    assert not [name for name in CONSTRAINTS if "__" in name]
    assert all(CONSTRAINTS.values())
