"""Plans and data to train, members and results, for the tests of training."""

from dataclasses import replace

import keras
import numpy as np

from skkeras_tune.estimators.model_function import ModelFunction
from skkeras_tune.frozen import Arguments, freeze
from skkeras_tune.network import MLPArchitecture
from skkeras_tune.training import (
    Compilation,
    Training,
    TrainingData,
    TrainingPlan,
    keras_loop,
    recall,
)
from skkeras_tune.training.members.member import Member

N_TRAIN, N_HELD, BATCH = 20, 8, 6


def train(plan, data, **options):
    """Train through Keras's own loop."""
    return keras_loop.train(Training(plan, data, **options))


def build_rows():
    """Return noisy rows of a linear function, which nothing may write to."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(N_TRAIN + N_HELD, 3)).astype("float32")
    noise = generator.normal(size=len(x))
    y = (x @ [1, -2, 3] + noise).astype("float32")[:, np.newaxis]
    x.flags.writeable = y.flags.writeable = False
    return x, y


X, Y = build_rows()
ROWS = np.arange(len(X))
# Every third row or so is held out, so that roles and places differ.
HELD = ROWS[1::3][:N_HELD]
TRAIN = np.setdiff1d(ROWS, HELD)
DATA = TrainingData(X, Y, None, TRAIN, HELD)
ALL = TrainingData(X, Y, None, ROWS, ROWS[:0])

ARCHITECTURE = MLPArchitecture(
    input_shape=(3,),
    hidden_units=(4,),
    activation="tanh",
    dropout=0.0,
    normalization=None,
    l1=0.0,
    l2=0.01,
    wide=False,
    kernel_initializer="auto",
    output_units=1,
    output_activation=None,
)
MOMENTUM = Compilation(
    freeze(keras.optimizers.SGD(0.05, momentum=0.9, name="sgd")), "mse"
)
ADAM = Compilation(freeze(keras.optimizers.Adam(0.05)), "mse", freeze(["mae"]))
EAGER = Compilation(MOMENTUM.optimizer, "mse", options=freeze({"run_eagerly": True}))
PLAN = TrainingPlan(ARCHITECTURE, MOMENTUM, seed=1, epochs=3, batch_size=BATCH)
DROPPING = replace(
    PLAN, network=replace(ARCHITECTURE, dropout=0.5, normalization="batch")
)


def of_function(function, *, compilation=EAGER, epochs=1, **changes):
    """Return a plan for a model function, which is never pooled."""
    network = ModelFunction(function, Arguments({}))
    return replace(
        PLAN, network=network, compilation=compilation, epochs=epochs, **changes
    )


def build_linear():
    """Return an uncompiled model."""
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


def assert_same_weights(first, second, **tolerance):
    """Fail unless two lists of weights are equal, exactly without a tolerance."""
    for here, there in zip(first, second, strict=True):
        if tolerance:
            np.testing.assert_allclose(here, there, **tolerance)
        else:
            np.testing.assert_array_equal(here, there)


def assert_same_result(first, second):
    """Fail unless two results are the same to the last bit."""
    assert first.history == second.history
    assert first.best_epoch == second.best_epoch
    assert_same_weights(first.state.weights, second.state.weights)
    assert_same_weights(first.state.optimizer_state, second.state.optimizer_state)


def enrol(*training, may_interpret=False, **options):
    """Return a member that trains a plan on data; the arguments are a `Training`'s."""
    return Member(Training(*training, **options), may_interpret=may_interpret)


def note_trainings(monkeypatch, read):
    """Return a list that gets what `read` says of each training and its result."""
    noted = []
    train_all = recall.train_all

    def note(trainings, **options):
        results = train_all(trainings, **options)
        noted.extend(map(read, trainings, results))
        return results

    monkeypatch.setattr(recall, "train_all", note)
    return noted


def count_begun(training):
    """Return how many epochs a training had before it went on."""
    return training.paused.n_epochs if training.paused else 0
