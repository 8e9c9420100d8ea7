"""Keras's callbacks do in compiled training what they do in Keras's loop."""

import copy
import re
from dataclasses import replace

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkeras_tune import KerasClassifier, KerasRegressor
from skkeras_tune.training import StoppingRule, train
from skkeras_tune.training.groups.slots import programs
from skkeras_tune.training.members.compiled_plan import resolve_design
from skkeras_tune.training.plan import NotCompilable
from tests.plans import DATA, PLAN
from tests.test_parity import BASE, fit_both

EarlyStopping = keras.callbacks.EarlyStopping
History = keras.callbacks.History
Plateau = keras.callbacks.ReduceLROnPlateau
Scheduler = keras.callbacks.LearningRateScheduler
TerminateOnNaN = keras.callbacks.TerminateOnNaN

SGD = {"optimizer": "sgd", "learning_rate": 0.05}
FAST = {"epochs": 12, **SGD}


def assert_same_state(here, there):
    """Compare all that callbacks know after a training."""
    assert [type(c) for c in here] == [type(c) for c in there]
    for one, two in zip(map(vars, here), map(vars, there), strict=True):
        assert one.keys() == two.keys()
        for name in one:
            if name == "monitor_op":
                assert_array_equal(one[name](1.0, 2.0), two[name](1.0, 2.0))
            elif name in ("best_weights", "history") and one[name] is not None:
                keras.tree.map_structure(assert_close, one[name], two[name])
            elif isinstance(one[name], float):
                assert_close(one[name], two[name])
            else:
                assert one[name] == two[name], name


def assert_close(here, there):
    """Compare numbers to what steps in another order may differ by."""
    assert_allclose(here, there, rtol=2e-3, atol=1e-5)


def train_both(make, X, y, *callbacks, **params):
    """Fit with callbacks in each engine and compare everything they end with."""
    params = {**FAST, "tolerance": 1e-3, **params}
    models = fit_both(make, X, y, callbacks=list(callbacks), **params)
    compiled, loop = models
    assert_same_state(compiled.callbacks_, loop.callbacks_)
    states = [m._members[0].trained.state.optimizer_state for m in models]
    for here, there in zip(*states, strict=True):
        assert_allclose(here, there, rtol=5e-3, atol=1e-5)
    return compiled


# --- each callback alone

STOPPING = {
    "plain": {"patience": 1},
    "restored": {"patience": 2, "restore_best_weights": True},
    "training": {"monitor": "loss", "min_delta": 0.02},
    "highest": {"monitor": "val_accuracy", "patience": 2, "mode": "max"},
    "highest restored": {"monitor": "accuracy", "restore_best_weights": True},
    "wrong way": {"mode": "max", "patience": 3, "restore_best_weights": True},
    "negative": {"min_delta": -0.03, "patience": 1},
    "baseline": {"baseline": 0.15, "patience": 4, "restore_best_weights": True},
    "never beaten": {"baseline": 0.0, "patience": 3, "restore_best_weights": True},
    "accurate": {"monitor": "val_accuracy", "baseline": 0.99, "patience": 5},
    "late": {"start_from_epoch": 6, "restore_best_weights": True},
    "too late": {"start_from_epoch": 99, "restore_best_weights": True},
    "to the end": {"patience": 50, "restore_best_weights": True},
    "broken": {"patience": 1.5},
}


@pytest.mark.parametrize("name", STOPPING)
def test_early_stopping(cancer, name):
    """Training stops after the same epoch, with the same weights."""
    stopping = EarlyStopping(**STOPPING[name])
    train_both(KerasClassifier, *cancer, stopping, metrics=["accuracy"])


PLATEAUS = {
    "plain": {"patience": 1, "min_delta": 0.02, "factor": 0.5},
    "at once": {"patience": 0, "min_delta": 0.05, "factor": 0.8},
    "cooldown": {"patience": 1, "min_delta": 0.05, "cooldown": 3, "factor": 0.5},
    "floor": {"patience": 1, "min_delta": 1.0, "factor": 0.3, "min_lr": 0.01},
    "training": {"monitor": "loss", "patience": 2, "min_delta": 0.02, "factor": 0.6},
    "accuracy": {"monitor": "val_accuracy", "patience": 2, "factor": 0.5},
    "area": {"monitor": "AUC", "patience": 2, "factor": 0.7},
    "min": {"monitor": "accuracy", "mode": "min", "patience": 2, "factor": 0.5},
    "max": {"mode": "max", "patience": 3, "factor": 0.9},
}


@pytest.mark.parametrize(
    ("name", "optimizer"), [*((name, "adam") for name in PLATEAUS), ("cooldown", "sgd")]
)
def test_reduce_on_plateau(cancer, name, optimizer):
    """The learning rate falls after the same epochs, beside the plan's own stopping."""
    model = train_both(
        KerasClassifier,
        *cancer,
        Plateau(**PLATEAUS[name]),
        metrics=["accuracy", "AUC"],
        optimizer=optimizer,
        learning_rate=0.05 if optimizer == "sgd" else 0.003,
        patience=8,
    )
    assert len(model.history_["learning_rate"]) == model.n_epochs_


SCHEDULES = {
    "epoch": lambda epoch: 0.1 / (epoch + 1),
    "rate": lambda epoch, rate: rate * 0.9,
    "both": lambda epoch, rate: rate if epoch < 4 else np.float32(rate / 2),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_scheduler(diabetes, name):
    """A function of the epoch, and of the rate so far, sets the rate of each epoch."""
    train_both(KerasRegressor, *diabetes, Scheduler(SCHEDULES[name]), epochs=8)


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_a_schedule_is_asked_for_epochs_that_are_trained(cancer, engine):
    """The function is called once for each epoch, and not for those after the stop."""
    asked = []
    schedule = Scheduler(lambda epoch: asked.append(epoch) or 0.1)
    stopping = EarlyStopping(patience=0, min_delta=0.01)
    model = KerasClassifier(**FAST, engine=engine, random_state=3)
    model.fit(*cancer, callbacks=[schedule, stopping])
    assert model.engine_ == engine
    assert asked == list(range(model.n_epochs_))
    assert model.n_epochs_ < FAST["epochs"]


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_a_broken_schedule_raises(cancer, engine):
    """What the function raises, or returns, is refused as Keras refuses it."""
    model = KerasClassifier(**FAST, engine=engine)
    with pytest.raises(ValueError, match="should be a float"):
        model.fit(*cancer, callbacks=[Scheduler(lambda epoch: "fast")])
    with pytest.raises(IndexError):
        model.fit(*cancer, callbacks=[Scheduler(lambda epoch: [0.1][epoch])])


def test_history_and_terminate_on_nan(diabetes):
    """These two let a training that goes well go on."""
    model = train_both(KerasRegressor, *diabetes, TerminateOnNaN(), History())
    assert model.callbacks_[1].history == model.history_
    assert model.callbacks_[1].epoch == list(range(model.n_epochs_))


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_terminate_on_nan_raises_as_always(diabetes, engine):
    """A loss that is not finite is our error, with this callback as without."""
    model = KerasRegressor(engine=engine, optimizer="sgd", learning_rate=1e18)
    with pytest.raises(ValueError, match=r"became .* in epoch 1.*now 1e\+18"):
        model.fit(*diabetes, callbacks=[TerminateOnNaN()])


# --- several at once

SLOW = {"patience": 1, "min_delta": 0.03, "factor": 0.6}
COMBINATIONS = {
    "stopping, plateau": [
        EarlyStopping(patience=6, restore_best_weights=True),
        Plateau(**SLOW),
    ],
    "plateau, stopping": [Plateau(**SLOW), EarlyStopping(min_delta=0.01)],
    "two plateaus": [Plateau(**SLOW), Plateau(monitor="loss", **SLOW)],
    "two stoppings": [
        EarlyStopping(patience=3, min_delta=0.02, restore_best_weights=True),
        EarlyStopping(monitor="loss", patience=2, restore_best_weights=True),
    ],
    "only the second restores": [
        EarlyStopping(patience=3),
        EarlyStopping(monitor="loss", patience=2, restore_best_weights=True),
    ],
    "scheduler, plateau": [Scheduler(lambda epoch, rate: rate * 0.95), Plateau(**SLOW)],
    "all": [
        TerminateOnNaN(),
        Plateau(**SLOW),
        Scheduler(lambda epoch, rate: rate * 0.95),
        History(),
        EarlyStopping(patience=4, restore_best_weights=True),
    ],
    "history first": [History(), Plateau(**SLOW)],
    "two histories": [History(), Plateau(**SLOW), History()],
}


@pytest.mark.parametrize("name", COMBINATIONS)
def test_combinations(cancer, name):
    """Several callbacks act in their order, each on what those before it left."""
    train_both(KerasClassifier, *cancer, *COMBINATIONS[name])


@pytest.mark.parametrize("restores", [True, False])
def test_the_plans_stopping_and_a_callbacks(restores):
    """A plan's own rule and a callback that stops too: whichever restores last wins."""
    plan = replace(PLAN, epochs=12, stopping=StoppingRule("val_loss", 4, 0.0, restores))
    ends = []
    for engine in ("compiled", "keras"):
        stopping = EarlyStopping("loss", patience=2, restore_best_weights=True)
        ends.append(train(plan, DATA, callbacks=[stopping, Plateau()], engine=engine))
        assert ends[-1].engine == engine
    here, there = ends
    assert here.best_epoch == there.best_epoch
    keras.tree.map_structure(assert_close, here.history, there.history)
    keras.tree.map_structure(assert_close, here.state.weights, there.state.weights)
    assert_same_state(here.callbacks, there.callbacks)


@pytest.mark.parametrize("rules", [SLOW, {"patience": 1}])
def test_going_on(diabetes, rules):
    """A second fit that goes on begins at the parameter's rate in both engines."""
    ends = {}
    for engine in ("compiled", "keras"):
        callbacks = [
            Plateau(**rules),
            EarlyStopping(start_from_epoch=7, restore_best_weights=True, patience=2),
            Scheduler(SCHEDULES["rate"]),
        ]
        model = KerasRegressor(
            **{**BASE, **SGD, "epochs": 5},
            engine=engine,
            warm_start=True,
            callbacks=callbacks,
        )
        ends[engine] = model.fit(*diabetes).fit(*diabetes)
        assert model.engine_ == engine
    compiled, loop = ends["compiled"], ends["keras"]
    for name, values in loop.history_.items():
        assert_allclose(compiled.history_[name], values, rtol=1e-3)
    assert compiled.best_epoch_ == loop.best_epoch_
    keras.tree.map_structure(assert_close, compiled.weights_, loop.weights_)
    assert_same_state(compiled.callbacks_, loop.callbacks_)


def test_partial_fit(diabetes):
    """Callbacks that watch the training loss take part in each call."""
    histories = []
    for engine in ("compiled", "keras"):
        plateau = Plateau(monitor="loss", patience=0, min_delta=-1.0)
        model = KerasRegressor(**BASE, **SGD, engine=engine, callbacks=plateau)
        for _ in range(3):
            model.partial_fit(*diabetes)
        assert model.engine_ == engine
        histories.append(model.history_)
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[1].items():
        assert_allclose(histories[0][name], values, rtol=1e-4)


def test_refit_on_all_rows(diabetes):
    """The callbacks that watch nothing take part in the second training."""
    schedule = Scheduler(lambda epoch: 0.1 / (epoch + 1))
    stopping = EarlyStopping(patience=2, restore_best_weights=True)
    model = train_both(KerasRegressor, *diabetes, schedule, stopping, refit_full=True)
    assert set(model.refit_history_) == {"loss", "learning_rate"}


def test_a_callback_of_an_earlier_training(cancer):
    """A callback that has trained before begins afresh, its direction known."""
    X, y = cancer
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    used = [
        EarlyStopping("accuracy", min_delta=0.01, restore_best_weights=True),
        Plateau(min_delta=0.05, patience=1, monitor="loss"),
        History(),
    ]
    model.fit(X, y, callbacks=used, epochs=3, verbose=0)
    for callback in used:
        callback.set_model(None)
    train_both(KerasClassifier, X, y, *used, metrics=["accuracy"])


def test_double_precision(diabetes):
    """With Keras's floatx at float64 the callbacks decide alike too."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        train_both(KerasRegressor, *diabetes, Plateau(**SLOW), tolerance=1e-9)
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(before)


# --- what is shared, and what is left to Keras


def test_one_program_serves_all_numbers(iris):
    """Other numbers of the same callbacks trace nothing anew."""
    params = {"epochs": 3, "units": 15, "engine": "compiled", "random_state": 0}

    def fit(stopping, plateau, factor):
        callbacks = [
            EarlyStopping(**stopping),
            Plateau(**plateau),
            Scheduler(lambda epoch, rate: rate * factor),
        ]
        model = KerasClassifier(**params).fit(*iris, callbacks=callbacks)
        assert model.engine_ == "compiled"

    fit({}, {}, 1.0)
    before = programs.n_built
    fit({"patience": 3, "min_delta": 0.1}, {"factor": 0.5, "cooldown": 2}, 0.5)
    fit({"baseline": 0.5, "start_from_epoch": 1}, {"min_lr": 0.1, "patience": 1}, 2.0)
    assert programs.n_built == before
    fit({"restore_best_weights": True}, {}, 1.0)
    assert programs.n_built == before + 1


def test_a_schedule_needs_no_program_of_its_own(iris):
    """Callbacks that only set the rate or keep values share the plain program."""
    model = KerasClassifier(epochs=2, units=17, random_state=0).fit(*iris)
    before = programs.n_built
    for callback in (Scheduler(lambda epoch: 0.1), History(), TerminateOnNaN()):
        assert model.fit(*iris, callbacks=[callback]).engine_ == "compiled"
    assert programs.n_built == before


class Subclass(EarlyStopping):
    """A callback of a user's, which might do anything."""


DECAY = keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.8)
REFUSED = {
    "subclass": (Subclass(), {}, "the callbacks Subclass run in Keras's loop"),
    "verbose": (EarlyStopping(verbose=1), {}, "EarlyStopping prints as it goes"),
    "schedule": (
        Plateau(),
        {"learning_rate": DECAY},
        "changes a learning rate that has a schedule",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_rest_goes_to_keras_with_a_reason(cancer, name):
    """What a program cannot express is left to Keras, and the reason is told."""
    callback, params, reason = REFUSED[name]
    params = {"epochs": 2, "random_state": 0, **params}
    model = KerasClassifier(**params).fit(*cancer, callbacks=[callback])
    assert model.engine_ == "keras"
    assert re.search(reason, model.engine_reason_)
    model.set_params(engine="compiled")
    with pytest.raises(ValueError, match=f"engine='compiled' cannot train .*{reason}"):
        model.fit(*cancer, callbacks=[callback])


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize("kind", [EarlyStopping, Plateau])
def test_a_monitor_that_does_not_exist_goes_to_keras(cancer, kind):
    """Keras warns of a monitor that no epoch has, and trains on."""
    callback = kind(monitor="val_nothing", mode="min")
    model = KerasClassifier(epochs=2)
    with pytest.warns(UserWarning, match="`val_nothing`.*which is not available"):
        model.fit(*cancer, callbacks=[callback])
    assert "monitors 'val_nothing'" in model.engine_reason_


IMPOSSIBLE = {
    "given twice": [History()] * 2,
    "is no number": [EarlyStopping(patience="one")],
    "monitors 'val_mae'": [EarlyStopping("val_mae", mode="min")],
    "monitors 'mae'": [Plateau("mae", mode="max")],
}
if "raise_error" in vars(TerminateOnNaN()):
    IMPOSSIBLE["raises an error at a batch"] = [TerminateOnNaN(raise_error=True)]


@pytest.mark.parametrize("reason", IMPOSSIBLE)
def test_what_no_program_can_express(reason):
    """These have no rule, for the reason told."""
    with pytest.raises(NotCompilable, match=reason):
        resolve_design(PLAN, DATA, IMPOSSIBLE[reason])


def test_verbose_prints_what_callbacks_add(cancer, capsys):
    """The progress that is printed has the learning rate in it, as in Keras."""
    KerasClassifier(epochs=2, verbose=2).fit(*cancer, callbacks=[Plateau()])
    assert "learning_rate: 0.0010" in capsys.readouterr().out


def test_callbacks_let_go_and_are_copied(cancer):
    """No callback keeps the stand-in for the model, after an error too."""

    def fail(epoch):
        raise RuntimeError("out of paper")

    stopping = EarlyStopping(patience=1)
    model = KerasClassifier(epochs=2, callbacks=stopping).fit(*cancer)
    assert model.engine_ == "compiled"
    assert model.callbacks_[0].model is None
    assert model.callbacks_[0] is not stopping
    before = copy.copy(vars(stopping))
    with pytest.raises(RuntimeError, match="out of paper"):
        model.fit(*cancer, callbacks=[Scheduler(fail)])
    assert vars(stopping) == before
