"""Training is a function of plan and data, and equals Keras's own."""

import itertools
import pickle
import random
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.sparse import csr_array

from skkeras_tune.frozen import freeze
from skkeras_tune.randomness import epoch_order
from skkeras_tune.training import (
    Compilation,
    ModelState,
    StoppingRule,
    TrainingData,
    TrainingPlan,
)
from skkeras_tune.training.callbacks import FiniteLoss, ValidatedStopping
from skkeras_tune.training.models.model import build_model, read_state
from tests.plans import (
    ADAM,
    ALL,
    ARCHITECTURE,
    BATCH,
    DATA,
    DROPPING,
    EAGER,
    HELD,
    MOMENTUM,
    N_TRAIN,
    PLAN,
    ROWS,
    TRAIN,
    X,
    Y,
    assert_same_result,
    assert_same_weights,
    build_linear,
    of_function,
    train,
)
from tests.seeding import seed_everything


class Watcher(keras.callbacks.Callback):
    """Notes the epochs that it sees; any callback keeps a plan out of the pool."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)


def evaluate(weights, rows):
    """Return the mean squared error of these weights, with the penalty."""
    hidden, bias, kernel, last_bias = weights
    outputs = np.tanh(X[rows] @ hidden + bias) @ kernel + last_bias
    penalty = 0.01 * (np.square(hidden).sum() + np.square(kernel).sum())
    return np.square(outputs - Y[rows]).mean() + penalty


# --- a pure function


def test_plan_and_data_are_left_alone():
    """Training changes neither plan nor data (the arrays here are read-only)."""
    weight = np.ones(len(X), np.float32)
    rows = [TRAIN.copy(), HELD.copy()]
    for array in (weight, *rows):
        array.flags.writeable = False
    data, plan = TrainingData(X, Y, weight, *rows), replace(PLAN)
    train(plan, data)
    assert plan == PLAN
    assert data.x is X
    assert data.y is Y


@pytest.mark.parametrize("plan", [PLAN, DROPPING], ids=["plain", "dropping"])
def test_the_same_plan_gives_the_same_result(plan):
    """The result is a function of plan and data, to the last bit."""
    first = train(plan, DATA)
    train(replace(plan, seed=2), DATA)
    assert_same_result(train(plan, DATA), first)


def test_other_seeds_give_other_results():
    """Weights and losses depend on the seed."""
    first, second = train(PLAN, DATA), train(replace(PLAN, seed=2), DATA)
    assert first.history["loss"] != second.history["loss"]


def test_plans_are_values():
    """Plans are hashable, picklable, and equal when made of equal parts."""
    again = TrainingPlan(
        replace(ARCHITECTURE),
        Compilation(
            freeze(keras.optimizers.SGD(0.05, momentum=0.9, name="sgd")), "mse"
        ),
        seed=1,
        epochs=3,
        batch_size=BATCH,
        stopping=StoppingRule("loss", 1, 0.0, True),
    )
    copy = pickle.loads(pickle.dumps(again))
    assert copy == again == replace(again)
    assert hash(copy) == hash(again)
    assert replace(again, seed=2) != again
    assert replace(again, stopping=None) != again


def test_a_pickled_plan_trains_the_same():
    """A plan and data that were sent elsewhere give the same result there."""
    plan, data = pickle.loads(pickle.dumps((PLAN, DATA)))
    assert_same_result(train(plan, data), train(PLAN, DATA))


def test_results_are_plain():
    """A result holds floats and arrays, and survives pickling."""
    result = train(PLAN, DATA)
    assert set(result.history) == {"loss", "val_loss"}
    for values in result.history.values():
        assert len(values) == 3
        assert all(type(value) is float for value in values)
    assert result.state.model is None
    assert all(type(w) is np.ndarray for w in result.state.weights)
    assert_same_result(pickle.loads(pickle.dumps(result)), result)


def test_results_do_not_share_memory():
    """Changing one result leaves those that come after alone."""
    first = train(PLAN, DATA)
    expected = [w.copy() for w in first.state.weights]
    for weight in first.state.weights + first.state.optimizer_state:
        weight *= 0
    assert_same_weights(train(PLAN, DATA).state.weights, expected)


def test_global_randomness_is_left_alone():
    """Training with dropout changes no generator of the process."""

    def draw():
        return [
            random.random(),
            np.random.random(),  # noqa: NPY002
            float(keras.random.uniform([])),
            float(tf.random.uniform([])),
        ]

    seed_everything(0)
    expected = draw()
    seed_everything(0)
    train(DROPPING, DATA, callbacks=[Watcher()])
    assert draw() == expected
    tf.random.set_seed(None)


# --- the same as Keras


@pytest.mark.parametrize(
    ("compilation", "weighted"),
    [(MOMENTUM, False), (ADAM, True)],
    ids=["momentum", "adam, weighted"],
)
def test_training_equals_keras_fit(compilation, weighted):
    """Losses, metrics, validation and weights are those of Keras's own `fit`."""
    weight = np.linspace(0.5, 1.5, len(X), dtype=np.float32) if weighted else None
    plan = replace(PLAN, compilation=compilation, shuffle=False)
    result = train(plan, replace(DATA, weight=weight))

    model = build_model(plan.network, compilation, plan.seed)
    held = (X[HELD], Y[HELD]) + ((weight[HELD],) if weighted else ())
    history = model.fit(
        X[TRAIN],
        Y[TRAIN],
        sample_weight=weight[TRAIN] if weighted else None,
        validation_data=held,
        batch_size=BATCH,
        epochs=3,
        shuffle=False,
        verbose=0,
    ).history
    assert set(result.history) == set(history)
    for name, values in history.items():
        np.testing.assert_allclose(result.history[name], values, rtol=1e-5)
    assert_same_weights(result.state.weights, model.get_weights(), rtol=1e-4, atol=1e-6)


def test_epochs_have_the_orders_of_the_seed():
    """Training visits the rows of each epoch in `epoch_order`."""
    result = train(PLAN, DATA)
    model = build_model(PLAN.network, PLAN.compilation, PLAN.seed)
    for epoch in range(3):
        order = TRAIN[epoch_order(PLAN.seed, epoch, N_TRAIN)]
        for start in range(0, N_TRAIN, BATCH):
            rows = order[start : start + BATCH]
            model.train_on_batch(X[rows], Y[rows])
    assert_same_weights(result.state.weights, model.get_weights(), rtol=1e-4, atol=1e-6)


def test_steps_per_execution_change_nothing():
    """Taking several steps at a time leaves epochs, batches and results as they are."""
    options = freeze({"steps_per_execution": 3})  # of the epoch's four
    plan = replace(PLAN, compilation=replace(MOMENTUM, options=options))
    expected, result = train(PLAN, DATA), train(plan, DATA)
    assert_same_weights(
        result.state.weights, expected.state.weights, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        result.history["val_loss"], expected.history["val_loss"], rtol=1e-5
    )


def test_sparse_rows_train_as_dense_ones():
    """Sparse features give the same result as the same features in an array."""
    sparse = replace(DATA, x=csr_array(X))
    assert_same_result(train(PLAN, sparse), train(PLAN, DATA))


def test_a_weight_of_two_is_a_row_twice():
    """Weighting rows is the same as repeating them, when they are in one batch."""
    times = np.arange(len(X)) % 3 + 1
    weight = (times / times.mean()).astype("float32")
    repeated = np.repeat(ROWS, times)
    plan = replace(PLAN, batch_size=len(repeated), shuffle=False)
    data = TrainingData(
        X[repeated], Y[repeated], None, np.arange(len(repeated)), ROWS[:0]
    )
    weighted = train(plan, replace(ALL, weight=weight))
    expected = train(plan, data)
    np.testing.assert_allclose(
        weighted.history["loss"], expected.history["loss"], rtol=1e-5
    )
    assert_same_weights(
        weighted.state.weights, expected.state.weights, rtol=1e-4, atol=1e-6
    )


def test_held_out_rows_are_not_trained_on():
    """What the held-out rows say changes the validation loss, and no weight."""
    y = Y.copy()
    y[HELD] = 100
    result, expected = train(PLAN, replace(DATA, y=y)), train(PLAN, DATA)
    assert_same_weights(result.state.weights, expected.state.weights)
    assert result.history["loss"] == expected.history["loss"]
    assert result.history["val_loss"] != expected.history["val_loss"]


def test_the_validation_loss_is_of_the_held_out_rows():
    """The last validation loss is that of the final weights on the held-out rows."""
    result = train(PLAN, DATA)
    assert result.history["val_loss"][-1] == pytest.approx(
        evaluate(result.state.weights, HELD), rel=1e-5
    )


def test_the_validation_batch_size_does_not_matter():
    """Validation in small batches gives the same loss as in one."""
    small = train(replace(PLAN, validation_batch_size=3), DATA)
    expected = train(PLAN, DATA)
    np.testing.assert_allclose(
        small.history["val_loss"], expected.history["val_loss"], rtol=1e-5
    )


# --- the pool


PLANS = {
    "plain": PLAN,
    "dropping": DROPPING,
    "stopping": replace(
        PLAN, compilation=ADAM, stopping=StoppingRule("val_loss", 1, 0.0, True)
    ),
}


@pytest.mark.parametrize("name", ["dropping", "stopping"])
def test_pooled_training_equals_training_alone(name):
    """A model that was used before trains as a new one does."""
    plan = PLANS[name]
    train(replace(plan, seed=7), DATA)
    pooled, alone = train(plan, DATA), train(plan, DATA, callbacks=[Watcher()])
    assert_same_result(pooled, alone)


def test_a_pooled_model_takes_the_plans_learning_rate():
    """A model that was trained at one rate trains at another as a new one does."""
    optimizer = freeze(keras.optimizers.SGD(0.01, momentum=0.9, name="sgd"))
    plan = replace(PLAN, compilation=replace(MOMENTUM, optimizer=optimizer))
    expected = train(PLAN, ALL)
    pooled, alone = train(plan, ALL), train(plan, ALL, callbacks=[Watcher()])
    assert_same_result(pooled, alone)
    assert pooled.history != expected.history
    assert_same_result(train(PLAN, ALL), expected)


SCALE = 1.0


def scaled(y_true, y_pred):
    """A loss that reads a number of its module's."""
    return SCALE * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def test_a_pooled_model_reads_what_a_loss_reads(monkeypatch):
    """A function whose globals have changed is another function."""
    plan = replace(PLAN, compilation=replace(MOMENTUM, loss=scaled))
    first = train(plan, ALL)
    assert_same_result(train(plan, ALL), first)
    monkeypatch.setattr(f"{__name__}.SCALE", 0.5)
    pooled, alone = train(plan, ALL), train(plan, ALL, callbacks=[Watcher()])
    assert_same_result(pooled, alone)
    assert pooled.history["loss"][0] < 0.7 * first.history["loss"][0]


def test_a_function_without_a_fingerprint_is_not_pooled():
    """What another training could not recognise is traced each time."""
    generator = iter([1.0] * 100)  # which says nothing of what it will give

    def drawn(y_true, y_pred):
        return next(generator) * keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)

    plan = replace(PLAN, compilation=replace(MOMENTUM, loss=drawn))
    assert_same_result(train(plan, ALL), train(plan, ALL, callbacks=[Watcher()]))


OPTIMIZERS = {
    "schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.5)
    ),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.05)
    ),
    "average": lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.5),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_starts_afresh_in_the_pool(name):
    """No state of the last training is left in a pooled model's optimizer."""
    compilation = Compilation(freeze(OPTIMIZERS[name]()), "mse")
    plan = replace(PLAN, compilation=compilation, epochs=1)
    assert_same_result(train(plan, ALL), train(plan, ALL))


@pytest.mark.parametrize("name", ["plain", "dropping"])
def test_continued_pooled_training_equals_training_alone(name):
    """Going on gives the same result in a used model as in a new one."""
    start = train(PLANS[name], DATA).state
    plan = replace(PLANS[name], first_epoch=3)
    pooled = train(plan, DATA, start=start)
    alone = train(plan, DATA, start=start, callbacks=[Watcher()])
    assert_same_result(pooled, alone)


class Traces:
    """Counts, and looks the same to whoever compares what a function reads."""

    def __init__(self):
        self._counter = itertools.count()

    def __next__(self):
        return next(self._counter)

    def __reduce__(self):
        return "Traces"


def test_the_second_training_traces_nothing():
    """Other rows, seeds and learning rates take the program that is there."""
    traces = Traces()

    def squared_error(y_true, y_pred):
        next(traces)  # runs in Python, once for each trace
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    plan = replace(PLAN, compilation=replace(MOMENTUM, loss=squared_error))
    train(plan, DATA)
    before = next(traces)
    train(replace(plan, seed=5, epochs=2, batch_size=5), ALL)
    slower = freeze(keras.optimizers.SGD(0.01, momentum=0.9, name="sgd"))
    train(replace(plan, compilation=replace(plan.compilation, optimizer=slower)), DATA)
    assert next(traces) == before + 1


def test_a_failed_training_leaves_no_trace():
    """A model whose loss became NaN trains the next data as a new one does."""
    broken = replace(DATA, y=Y * np.float32(1e30))
    expected = train(PLAN, DATA)
    with pytest.raises(ValueError, match="training loss became"):
        train(PLAN, broken)
    assert_same_result(train(PLAN, DATA), expected)


# --- going on


@pytest.mark.parametrize(
    ("compilation", "callbacks"),
    [(MOMENTUM, False), (ADAM, False), (ADAM, True)],
    ids=["momentum, pooled", "adam, pooled", "adam, alone"],
)
def test_two_and_two_epochs_are_four(compilation, callbacks):
    """Going on takes weights, the optimizer's state and the next orders."""
    plan = replace(PLAN, compilation=compilation, epochs=2)
    first = train(plan, ALL)
    given = [Watcher()] if callbacks else []
    rest = train(replace(plan, first_epoch=2), ALL, start=first.state, callbacks=given)
    whole = train(replace(plan, epochs=4), ALL)
    assert_same_weights(rest.state.weights, whole.state.weights)
    assert_same_weights(rest.state.optimizer_state, whole.state.optimizer_state)
    for name, values in whole.history.items():
        assert first.history[name] + rest.history[name] == values


def test_two_and_two_epochs_of_a_function_are_four():
    """A model of the user's goes on in the same way, also from a pickled state."""
    whole = train(of_function(build_linear, epochs=4), DATA)
    plan = of_function(build_linear, epochs=2)
    first = train(plan, DATA)
    sent = pickle.loads(pickle.dumps(first.state))
    assert sent.model is None
    for start in (sent, first.state):
        rest = train(replace(plan, first_epoch=2), DATA, start=start)
        assert_same_weights(rest.state.weights, whole.state.weights)


@pytest.mark.parametrize("plan", [PLAN, of_function(build_linear)])
def test_a_start_may_be_used_again(plan):
    """Going on from one state twice gives the same result twice."""
    start = train(plan, DATA).state
    weights = [w.copy() for w in start.weights]
    later = replace(plan, first_epoch=plan.epochs)
    first = train(later, DATA, start=start)
    assert_same_result(train(later, DATA, start=start), first)
    assert_same_weights(start.weights, weights)


def test_a_start_takes_the_plans_learning_rate():
    """Going on with another learning rate uses it, alone and in the pool."""
    start = train(PLAN, DATA).state
    frozen = Compilation(freeze(keras.optimizers.SGD(1e-9, momentum=0.9)), "mse")
    still = ModelState(start.weights, [v * 0 for v in start.optimizer_state])
    plan = replace(PLAN, compilation=frozen, first_epoch=3, epochs=1)
    for callbacks in ([], [Watcher()]):
        result = train(plan, ALL, start=still, callbacks=callbacks)
        assert_same_weights(result.state.weights, start.weights, atol=1e-5)


# --- stopping


def rule(monitor="val_loss", patience=2, *, min_delta=0.0, restore=True):
    """Return a stopping rule."""
    return StoppingRule(monitor, patience, min_delta, restore)


# A learning rate so large that the validation loss goes up and down.
WAVERING = replace(
    PLAN,
    compilation=Compilation(freeze(keras.optimizers.SGD(0.1, momentum=0.95)), "mse"),
    epochs=15,
)


def test_weights_are_restored_to_the_best_epoch():
    """When training stopped, the weights are those of the best epoch."""
    result = train(replace(WAVERING, stopping=rule()), DATA)
    losses = result.history["val_loss"]
    assert len(losses) < 15
    assert result.best_epoch == np.argmin(losses) + 1 == len(losses) - 2
    assert evaluate(result.state.weights, HELD) == pytest.approx(min(losses), rel=1e-4)


def test_weights_are_restored_without_a_stop():
    """When patience never ran out, the weights are those of the best epoch too."""
    result = train(replace(WAVERING, stopping=rule(patience=100)), DATA)
    losses = result.history["val_loss"]
    assert len(losses) == 15
    assert losses[-1] > min(losses)
    assert result.best_epoch == np.argmin(losses) + 1
    assert evaluate(result.state.weights, HELD) == pytest.approx(min(losses), rel=1e-4)


def test_the_last_weights_may_be_kept():
    """Without restoring, the weights are those of the last epoch."""
    result = train(replace(WAVERING, stopping=rule(restore=False)), DATA)
    losses = result.history["val_loss"]
    assert losses[-1] > min(losses)
    assert result.best_epoch == np.argmin(losses) + 1
    assert evaluate(result.state.weights, HELD) == pytest.approx(losses[-1], rel=1e-4)


def test_stopping_changes_nothing_before_it():
    """Up to the stop, training is what it is without one."""
    free = train(WAVERING, DATA)
    stopped = train(replace(WAVERING, stopping=rule()), DATA)
    n_epochs = len(stopped.history["loss"])
    assert stopped.history["loss"] == free.history["loss"][:n_epochs]
    assert free.best_epoch == 15


def test_small_improvements_do_not_count():
    """An improvement below `min_delta` does not keep training going."""
    result = train(replace(WAVERING, stopping=rule(min_delta=1e6)), DATA)
    assert result.best_epoch == 1
    assert len(result.history["loss"]) == 3


def test_the_training_loss_may_be_monitored():
    """Without held-out rows training may stop on its own loss."""
    result = train(replace(WAVERING, stopping=rule("loss", patience=1)), ALL)
    assert result.best_epoch == np.argmin(result.history["loss"]) + 1
    assert set(result.history) == {"loss"}


def test_the_best_epoch_is_counted_within_the_history():
    """After going on, the best epoch is still a place in the history given."""
    start = train(WAVERING, DATA).state
    plan = replace(WAVERING, first_epoch=15, stopping=rule(patience=100))
    result = train(plan, DATA, start=start)
    assert result.best_epoch == np.argmin(result.history["val_loss"]) + 1


def test_rare_validation_stops_too():
    """Epochs without validation neither stop training nor warn."""
    plan = replace(WAVERING, validation_freq=3, stopping=rule(patience=1))
    losses = train(plan, DATA).history["val_loss"]
    assert 2 <= len(losses) <= 5
    assert losses[-1] > losses[-2] or len(losses) == 5


def test_unknown_monitors_are_refused():
    """A monitored name that is not among the values is refused, with these."""
    message = r"monitor='val_lost' is not among .*These are \['loss', 'val_loss'\]"
    with pytest.raises(ValueError, match=message):
        train(replace(PLAN, stopping=rule("val_lost")), DATA)
    with pytest.raises(ValueError, match=r"monitor='lost' is not among"):
        train(replace(PLAN, stopping=rule("lost")), ALL)


def test_the_users_own_stopping_has_a_best_epoch():
    """An EarlyStopping of the user's that restores weights tells the best epoch."""
    stopping = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    result = train(WAVERING, DATA, callbacks=[stopping])
    assert result.best_epoch == np.argmin(result.history["val_loss"]) + 1
    assert_same_result(result, train(replace(WAVERING, stopping=rule()), DATA))


def test_stopping_directions_follow_the_metric():
    """An accuracy is better when larger, a loss when smaller."""
    model = build_linear()
    model.compile("sgd", "mse", metrics=["accuracy"], run_eagerly=True)
    model.train_on_batch(X, Y)
    for monitor, values in {"accuracy": [0.5, 0.9, 0.7], "loss": [5, 1, 3]}.items():
        stopping = ValidatedStopping(monitor=monitor, patience=5)
        stopping.set_model(model)
        stopping.on_train_begin()
        for epoch, value in enumerate(values):
            stopping.on_epoch_end(epoch, {monitor: value})
        assert stopping.best_epoch == 1


# --- NaN


@pytest.mark.parametrize("callbacks", [False, True], ids=["pooled", "alone"])
def test_a_loss_that_is_not_finite_ends_training(callbacks):
    """A loss of NaN or infinity is an error that says what to change."""
    compilation = Compilation(freeze(keras.optimizers.SGD(1e20)), "mse")
    plan = replace(PLAN, compilation=compilation)
    message = (
        r"The training loss became (nan|inf) in epoch 1\. Lower the learning rate "
        r"\(now 1e\+20\), scale X and y, or clip the gradients"
    )
    with pytest.raises(ValueError, match=message):
        train(plan, DATA, callbacks=[Watcher()] if callbacks else [])


@pytest.mark.parametrize(
    "logs",
    [
        {"loss": np.nan},
        {"loss": np.inf},
        {"loss": -np.inf},
        {"loss": 1.0, "val_loss": np.nan},
    ],
)
def test_the_epoch_and_the_rate_are_shown(logs):
    """The error counts epochs from one, and knows the rate of a schedule."""
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([5], [0.25, 0.1])
    model = build_linear()
    model.compile(keras.optimizers.SGD(schedule), "mse")
    callback = FiniteLoss()
    callback.set_model(model)
    with pytest.raises(ValueError, match=r"in epoch 4\..*now 0\.25"):
        callback.on_epoch_end(3, logs)


@pytest.mark.parametrize("logs", [{"loss": 1.0}, {"loss": 1.0, "val_loss": np.inf}, {}])
def test_finite_losses_pass(logs):
    """The training loss must be finite, and the validation loss a number."""
    FiniteLoss().on_epoch_end(0, logs)


def test_a_failed_model_goes_back():
    """When going on fails, the user's model has its weights and state again."""
    plan = of_function(build_linear)
    start = train(plan, DATA).state
    before = read_state(start.model)
    with pytest.raises(ValueError, match="training loss became"):
        train(plan, replace(DATA, y=Y * np.float32(1e30)), start=start)
    after = read_state(start.model)
    assert_same_weights(after.weights, before.weights)
    assert_same_weights(after.optimizer_state, before.optimizer_state)


# --- callbacks


def test_callbacks_see_each_epoch():
    """Callbacks are called with the epochs over all trainings, and given back."""
    watcher = Watcher()
    plan = of_function(build_linear, first_epoch=3, epochs=2)
    result = train(plan, DATA, callbacks=[watcher])
    assert watcher.epochs == [3, 4]
    assert result.callbacks == [watcher]


class Inspector(keras.callbacks.Callback):
    """Looks at its model as soon as it gets one."""

    def set_model(self, model):
        super().set_model(model)
        self.n_layers = len(model.layers)


@pytest.mark.parametrize("kind", [Watcher, Inspector, keras.callbacks.History])
def test_callbacks_let_go_of_the_model(kind):
    """After training no callback holds the model."""
    callback = kind()
    train(of_function(build_linear), DATA, callbacks=[callback])
    assert callback.model is None


def test_an_error_in_a_callback_passes_through():
    """An error of a callback ends training, and the callback lets go of the model."""

    class Failing(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise KeyError("mine")

    callback = Failing()
    with pytest.raises(KeyError, match="mine"):
        train(of_function(build_linear), DATA, callbacks=[callback])
    assert callback.model is None


# --- the user's models


def compile_linear(**options):
    """Return a compiled model."""
    model = build_linear()
    model.compile(**options)
    return model


def test_a_compiled_model_keeps_its_compilation():
    """A model that comes compiled is trained as it was compiled."""
    plan = of_function(lambda: compile_linear(optimizer="rmsprop", loss="mae"))
    model = train(plan, DATA).state.model
    assert isinstance(model.optimizer, keras.optimizers.RMSprop)
    assert model.loss == "mae"


def test_a_model_of_the_users_is_kept():
    """The result holds the trained model, where it came from the user."""
    state = train(of_function(build_linear), DATA).state
    assert_same_weights(state.model.get_weights(), state.weights)


@pytest.mark.parametrize(
    ("compilation", "missing"),
    [
        (Compilation(MOMENTUM.optimizer, None), "loss"),
        (Compilation(None, "mse"), "optimizer"),
    ],
)
def test_models_must_be_compiled(compilation, missing):
    """A model without loss or optimizer is refused, with what is missing."""
    message = f"The model has no {missing}. Give {missing}= to the estimator, or comp"
    with pytest.raises(ValueError, match=message):
        train(of_function(build_linear, compilation=compilation), DATA)


def test_models_of_several_outputs_train():
    """Inputs and targets may be nested; they are handed over as they are."""

    def build():
        inputs = keras.Input((3,), name="a")
        outputs = {name: keras.layers.Dense(1)(inputs) for name in ("b", "c")}
        return keras.Model({"a": inputs}, outputs)

    compilation = replace(EAGER, loss=freeze({"b": "mse", "c": "mae"}))
    data = replace(DATA, x={"a": X}, y={"b": Y, "c": -Y})
    result = train(of_function(build, compilation=compilation), data)
    assert len(result.history["val_loss"]) == 1


def build_scored(units):
    """Return a model that comes compiled, with a score of each output."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])
    metric = keras.metrics.F1Score(threshold=0.5)
    model.compile("sgd", "mse", metrics=[metric], run_eagerly=True)
    return model


def test_a_metric_of_one_number_may_be_an_array():
    """A compiled model's score of each output is a number where there is one."""
    data = replace(DATA, y=(Y > 0).astype(np.float32))
    history = train(of_function(lambda: build_scored(1)), data).history
    assert all(isinstance(value, float) for value in history["f1_score"])


def test_a_metric_of_several_numbers_says_what_to_do():
    """Several numbers have no place in a history."""
    data = replace(DATA, y=(np.hstack([Y, -Y]) > 0).astype(np.float32))
    with pytest.raises(ValueError, match=r"'(val_)?f1_score' gives 2 num.*'macro'"):
        train(of_function(lambda: build_scored(2)), data)


def test_unpickled_states_have_no_model():
    """The Keras model stays out of pickles."""
    state = train(of_function(build_linear), DATA).state
    assert isinstance(state.model, keras.Model)
    copy = pickle.loads(pickle.dumps(state))
    assert copy.model is None
    assert_same_weights(copy.weights, state.weights)
