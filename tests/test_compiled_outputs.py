"""Models with several inputs and outputs, trained in one program, end as in Keras."""

import pickle
from dataclasses import replace

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.preprocessing import FunctionTransformer

from skkeras_tune import KerasRegressor
from skkeras_tune.training import StoppingRule
from skkeras_tune.training.engine import train
from skkeras_tune.training.groups.slots import programs
from tests.plans import DATA, X, Y
from tests.test_compiled_models import CALLBACKS, SIZES, compare, plan_for
from tests.test_parity import OPTIMIZERS

layers = keras.layers
Dense = layers.Dense

CLASSES = (2 * np.abs(Y[:, 0])).astype(int) % 3
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
WEIGHT = np.linspace(0.5, 1.5, len(X), dtype="float32")
LEFT, RIGHT = X[:, :2], X[:, 2:]
BOTH = replace(DATA, y=[Y, ONE_HOT])
ENDS = ["mse", "categorical_crossentropy"]
SPARSE = "sparse_categorical_crossentropy"


def build_heads(*hidden, join=list, rate=0.03, **compiling):
    """Return a compiled model of two outputs, "a" and "b", as `join` orders them."""
    inputs = keras.Input((3,))
    rows = Dense(6, "tanh")(inputs)
    for part in hidden:
        rows = part(rows)
    heads = [Dense(1, name="a")(rows), Dense(3, "softmax", name="b")(rows)]
    model = keras.Model(inputs, join(heads))
    model.compile(keras.optimizers.Adam(rate), **{"loss": ENDS, **compiling})
    return model


def build_parts(sizes):
    """Return a model whose inputs have these sizes, nested, named p, q, ..."""
    names = iter("pqr")
    inputs = keras.tree.map_structure(
        lambda size: keras.Input((size,), name=next(names)), sizes
    )
    parts = [Dense(3, "relu")(part) for part in keras.tree.flatten(inputs)]
    return keras.Model(inputs, Dense(1)(layers.Concatenate()(parts)))


def compare_models(build, data, **options):
    """Train what a function builds by each engine and in Keras's loop."""
    return compare(plan_for(build), data, **options)


# --- several inputs

FEATURES = {
    "list": ([2, 1], [LEFT, RIGHT]),
    "tuple": ([2, 1], (LEFT, RIGHT)),
    "dict": ({"p": 2, "q": 1}, {"q": RIGHT, "p": LEFT}),
    "nested": ([[2, 1], 3], [[LEFT, RIGHT], X]),
    "one column": ([2, 1], [LEFT, X[:, 2]]),
    "types": ([2, 1], [csr_array(LEFT), np.round(9 * RIGHT).astype(int)]),
}


@pytest.mark.parametrize("name", FEATURES)
def test_several_inputs(name):
    """Features may be lists, tuples and dicts of arrays, sparse ones among them."""
    sizes, x = FEATURES[name]
    compare_models(lambda: build_parts(sizes), replace(DATA, x=x))


MERGES = ("Average", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")


@pytest.mark.parametrize("name", MERGES)
def test_layers_that_join_inputs(name):
    """Layers that take several inputs are Keras's."""

    def build():
        inputs = [keras.Input((3,)), keras.Input((3,))]
        options = {"axes": 1} if name == "Dot" else {}
        rows = getattr(layers, name)(**options)([Dense(4)(part) for part in inputs])
        return keras.Model(inputs, Dense(1)(rows))

    data = replace(DATA, x=[X, X[:, ::-1]])
    compare_models(build, data, engines=["compiled"])


WORDS = np.abs(9 * LEFT).astype(int) % 5


def build_embedding(name):
    """Return a model of numbers and words, with one of the known optimizers."""
    kind, options = OPTIMIZERS[name]
    inputs = [keras.Input((3,)), keras.Input((2,), dtype="int32")]
    words = layers.Flatten()(layers.Embedding(5, 3)(inputs[1]))
    model = keras.Model(inputs, Dense(1)(layers.Concatenate()([inputs[0], words])))
    model.compile(type(keras.optimizers.get(kind))(0.03, **options), "mse")
    return model


SPARSE_TAKEN = ("momentum", "centered", "adagrad", "amsgrad", "adamw", "nadam", "lion")


@pytest.mark.parametrize("name", SPARSE_TAKEN)
def test_words_that_a_batch_repeats(name):
    """Keras squares the gradients of a word one by one, and adds the squares up."""
    data = replace(DATA, x=[X, WORDS])
    compare_models(lambda: build_embedding(name), data, engines=["compiled"])


@pytest.mark.parametrize("name", ["adamax", "adadelta", "clipnorm"])
def test_other_ways_with_words_are_left_to_keras(name):
    """Optimizers that do more with sparse gradients run in Keras's loop."""
    plan = plan_for(lambda: build_embedding(name), epochs=1)
    result = train(plan, replace(DATA, x=[X, WORDS]))
    assert result.engine == "keras"
    assert result.reason == "the optimizer has its own way with sparse gradients"


# --- several outputs


OUTPUTS = {
    "one loss": ({"loss": "mse"}, [Y, ONE_HOT]),
    "list": ({"loss": ["mae", SPARSE]}, [Y, CLASSES]),
    "dict": ({"loss": {"b": SPARSE, "a": "mae"}}, (Y, CLASSES)),
    "dicts": ({"loss": {"b": SPARSE, "a": "mae"}}, {"b": CLASSES, "a": Y}),
    "dicts of outputs": (
        {
            "loss": {"b": SPARSE, "a": "mae"},
            "join": lambda heads: {"b": heads[1], "a": heads[0]},
            "metrics": {"a": "mse"},
        },
        {"a": Y, "b": CLASSES},
    ),
    "other names": (
        {
            "loss": {"u": SPARSE, "v": "mae"},
            "join": lambda heads: {"v": heads[0], "u": heads[1]},
        },
        {"u": CLASSES, "v": Y},
    ),
    "nested": (
        {"loss": "mse", "join": lambda heads: {"v": heads, "u": heads[0]}},
        {"v": [Y, ONE_HOT], "u": Y},
    ),
    "metrics": ({"metrics": ["mae", "accuracy"]}, [Y, ONE_HOT]),
    "lists of metrics": (
        {"loss": ["mse", SPARSE], "metrics": [["mae", "mse"], ["accuracy"]]},
        [Y, CLASSES],
    ),
    "dict of metrics": ({"metrics": {"b": ["AUC", "accuracy"]}}, [Y, ONE_HOT]),
    "loss weights": ({"loss_weights": [0.3, 2]}, [Y, ONE_HOT]),
    "dict of loss weights": (
        {"loss": {"a": "mse", "b": SPARSE}, "loss_weights": {"b": 0.3, "a": 2}},
        [Y, CLASSES],
    ),
    "weighted metrics": (
        {"metrics": ["mae", None], "weighted_metrics": [["mae"], ["accuracy"]]},
        [Y, ONE_HOT],
    ),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_several_outputs(name):
    """Losses, metrics and weights belong to the outputs that Keras finds for them."""
    options, y = OUTPUTS[name]
    # Keras finds no weights for targets in a dict and outputs in a list.
    weight = None if name == "dicts" else WEIGHT
    compare_models(lambda: build_heads(**options), replace(DATA, y=y, weight=weight))


def test_names_of_values():
    """The history has Keras's names, in its order."""
    here, _ = compare_models(lambda: build_heads(metrics=[["mae"], None]), BOTH)
    names = ["a_loss", "a_mae", "b_loss", "loss"]
    assert list(here.history) == [*names, *(f"val_{name}" for name in names)]


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("y", [[Y, ONE_HOT], Y], ids=["both", "one"])
def test_outputs_without_a_loss(y):
    """A weight without a gradient stays as it is, and does not even decay."""

    def build():
        optimizer = keras.optimizers.AdamW(0.03, weight_decay=0.1)
        model = build_heads()
        model.compile(optimizer, ["mse", None])
        return model

    data = replace(DATA, y=y)
    here, _ = compare_models(build, data)
    assert list(here.history) == ["loss", "val_loss"]


def test_losses_of_all_kinds():
    """A loss need be no mean over rows: batches are the same as in Keras's loop."""

    def build():
        huber = keras.losses.Huber(delta=0.3, reduction="sum")
        return build_heads(loss=[huber, keras.losses.Dice()])

    compare_models(build, replace(BOTH, weight=WEIGHT))


def test_smoothing_of_labels():
    """Each loss has options of its own."""

    def build():
        smooth = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
        return build_heads(loss=["mse", smooth])

    compare_models(build, BOTH)


PARTS = {
    "loss weight": {"loss": "mse", "loss_weights": [0.5]},
    "list": {"loss": ["mse"], "metrics": ["mae"]},
    "dict": {"loss": {"end": "mse"}, "weighted_metrics": ["mae"]},
}


@pytest.mark.parametrize("name", PARTS)
def test_one_output_may_be_compiled_as_one_of_several(name):
    """A model of one output takes lists, dicts and weights too."""

    def build():
        inputs = keras.Input((3,))
        model = keras.Model(inputs, Dense(1, name="end")(inputs))
        model.compile("sgd", **PARTS[name])
        return model

    compare_models(build, replace(DATA, weight=WEIGHT))


def test_sequences():
    """Outputs may be sequences."""

    def build():
        inputs = keras.Input((3,))
        rows = layers.Reshape((3, 1))(inputs)
        outputs = [Dense(2, name="a")(rows), Dense(1, name="b")(inputs)]
        model = keras.Model(inputs, outputs)
        model.compile("sgd", "mse", metrics=[["mae"], None])
        return model

    y = [np.stack([X, -X], axis=-1), Y]
    compare_models(build, replace(DATA, y=y))


# --- how it trains


@pytest.mark.parametrize("name", ["one row left", "held-out batches", "later"])
def test_batches_of_all_sizes(name):
    """The last batch, which is smaller, counts in each loss as in Keras's loop."""

    def build():
        return build_heads(layers.BatchNormalization(), metrics=["mae", "accuracy"])

    compare(plan_for(build, **SIZES[name]), BOTH, engines=["auto"])
    plan = plan_for(build_heads, **SIZES[name])
    compare(plan, BOTH, engines=["compiled"])


def test_early_stopping():
    """The plan's own rule ends training and restores the best weights."""
    stopping = StoppingRule("val_loss", 1, 0.0, True)
    plan = plan_for(lambda: build_heads(rate=0.5), epochs=30, stopping=stopping)
    here, _ = compare(plan, BOTH)
    assert here.best_epoch < len(here.history["loss"]) < 30


@pytest.mark.parametrize("name", [*CALLBACKS, "one loss"])
def test_callbacks(name):
    """Callbacks may watch the whole, or the loss of one output."""
    known = {
        **CALLBACKS,
        "one loss": lambda: [keras.callbacks.EarlyStopping("val_b_loss", mode="min")],
    }
    plan = plan_for(lambda: build_heads(rate=0.5), epochs=6)
    compare(plan, BOTH, engines=["auto"], callbacks=known[name])


def test_dropout():
    """TensorFlow drops what Keras's loop drops."""
    compare_models(lambda: build_heads(layers.Dropout(0.5)), BOTH, engines=["auto"])


@pytest.mark.parametrize("engine", ["auto", "compiled"])
def test_a_pause_changes_nothing(engine):
    """Two epochs and then three are five, here and in Keras's loop."""
    plan = plan_for(lambda: build_heads(layers.BatchNormalization()), epochs=5)
    first = train(replace(plan, epochs=2), BOTH, engine=engine, pauses=True)
    paused = pickle.loads(pickle.dumps(first.paused))
    whole = train(plan, BOTH, engine="keras")
    both = train(plan, BOTH, engine=engine, paused=paused)
    for name, values in whole.history.items():
        assert_allclose(both.history[name], values, rtol=2e-5, err_msg=name)


# --- through the estimators


class TwoTargets(TransformerMixin, BaseEstimator):
    """A column of numbers and one of classes to two targets, and back."""

    def fit(self, y):
        return self

    def transform(self, y):
        return [y[:, :1].astype("float32"), y[:, 1].astype(int)]

    def inverse_transform(self, outputs):
        numbers, probabilities = outputs
        return np.column_stack([numbers[:, 0], probabilities.argmax(axis=1)])


class TwoTargetRegressor(KerasRegressor):
    """A regressor with nested features and targets."""

    @property
    def target_encoder(self):
        return TwoTargets()

    @property
    def feature_encoder(self):
        return FunctionTransformer(split_columns)


def split_columns(rows):
    """Return the last column apart from the others."""
    return {"left": rows[:, :-1], "right": rows[:, -1:]}


def build_network(meta, width=6, rate=0.03):
    """Return a compiled network of two inputs and two outputs."""
    inputs = {
        "left": keras.Input((meta["n_features_in_"] - 1,), name="left"),
        "right": keras.Input((1,), name="right"),
    }
    rows = layers.Concatenate()(list(inputs.values()))
    rows = Dense(width, "relu")(rows)
    outputs = [Dense(1, name="a")(rows), Dense(3, "softmax", name="b")(rows)]
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(rate),
        loss={"a": "mse", "b": SPARSE},
        metrics={"a": "mae"},
    )
    return model


QUICK = {"model": build_network, "epochs": 3, "random_state": 0}
TARGETS = np.column_stack([Y, CLASSES])


def test_estimators():
    """Predictions and history are those of Keras's loop."""
    here, there = (
        TwoTargetRegressor(**QUICK, engine=engine).fit(X, TARGETS, sample_weight=WEIGHT)
        for engine in ("compiled", "keras")
    )
    assert (here.engine_, there.engine_) == ("compiled", "keras")
    assert list(here.history_) == list(there.history_)
    for name, values in there.history_.items():
        assert_allclose(here.history_[name], values, rtol=1e-5, err_msg=name)
    assert_allclose(here.predict(X), there.predict(X), rtol=1e-4, atol=1e-6)
    again = pickle.loads(pickle.dumps(here))
    assert_array_equal(again.predict(X), here.predict(X))


def test_trainings_are_remembered(tmp_path):
    """With `memory` a training is not repeated."""
    model = TwoTargetRegressor(**QUICK, memory=tmp_path, width=4).fit(X, TARGETS)
    before = programs.n_built
    again = clone(model).fit(X, TARGETS)
    assert again.history_ == model.history_
    assert programs.n_built == before


def test_going_on():
    """Two fits and one epoch more are five epochs."""
    params = {**QUICK, "early_stopping": False}
    model = TwoTargetRegressor(**{**params, "epochs": 2}, warm_start=True)
    model.fit(X, TARGETS).fit(X, TARGETS).partial_fit(X, TARGETS)
    whole = TwoTargetRegressor(**{**params, "epochs": 5}).fit(X, TARGETS)
    for here, there in zip(model.weights_, whole.weights_, strict=True):
        assert_allclose(here, there, rtol=1e-4, atol=1e-6)


def test_one_program_serves_every_fit():
    """Other seeds, rates and rows: nothing is traced anew."""
    model = TwoTargetRegressor(**QUICK, width=7).fit(X, TARGETS)
    before = programs.n_built
    for changes in ({"rate": 0.5}, {"random_state": 9}):
        clone(model).set_params(**changes).fit(X[::-1], TARGETS[::-1])
    assert programs.n_built == before


def test_outputs_without_names_share_a_program():
    """Keras numbers layers without a name, in each model with other numbers."""

    def build():
        inputs = keras.Input((3,))
        model = keras.Model(inputs, [Dense(1)(inputs), Dense(3)(inputs)])
        model.compile("sgd", "mse", metrics=[["mae"], None])
        return model

    results = [train(plan_for(build), BOTH)]
    before = programs.n_built
    results += [train(plan_for(build), BOTH, engine=e) for e in ("auto", "keras")]
    assert programs.n_built == before
    values = []
    for result in results:
        a, b = result.state.model.output_names
        names = [f"{a}_loss", f"{a}_mae", f"{b}_loss", "loss"]
        assert list(result.history)[:4] == sorted(names)
        names += [f"val_{name}" for name in names]
        values.append([result.history[name] for name in names])
    assert values[0] == values[1]
    assert_allclose(values[0], values[2], rtol=2e-5)


# --- what is left to Keras


def far_off(y_true, y_pred):
    """Return a loss of the user's."""
    return keras.losses.categorical_crossentropy(y_true, y_pred + 1)


REFUSED = {
    "function": (
        {"loss": ["mse", far_off]},
        "the loss <function far_off .* has no compiled form",
    ),
    "metric": (
        {"metrics": [None, keras.losses.log_cosh]},
        "the metric <function log_cosh .* has no compiled form",
    ),
    "eager": ({"run_eagerly": True}, "the model is compiled with run_eagerly"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_rest_goes_to_keras_with_a_reason(name):
    """What no program can express is trained by Keras, and the result says why."""
    options, reason = REFUSED[name]
    plan = plan_for(lambda: build_heads(**options), epochs=1)
    result = train(plan, BOTH)
    assert result.engine == "keras"
    with pytest.raises(ValueError, match=f"cannot train this: {reason}"):
        train(plan, BOTH, engine="compiled")


UNFIT = {
    "words": ({"x": [LEFT.astype(str), RIGHT]}, "the features are of type <U"),
    "word targets": ({"y": [Y, ONE_HOT.astype(str)]}, "the targets are of type <U"),
    "numbers": ({"x": [LEFT, 3]}, "the features are no arrays"),
    "lengths": ({"y": [Y[1:], ONE_HOT]}, "are of different lengths"),
    "structures": ({"y": [Y, ONE_HOT, Y]}, "Keras cannot judge the outputs by"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_rows_of_other_forms_are_refused(name):
    """The message says what is wrong with features or targets."""
    changes, reason = UNFIT[name]
    with pytest.raises(ValueError, match=f"cannot train this: .*{reason}"):
        train(plan_for(build_heads), replace(BOTH, **changes), engine="compiled")


def test_a_value_without_a_direction_is_left_to_keras():
    """Keras does not know which way the loss of one output is better."""
    callbacks = [keras.callbacks.EarlyStopping("val_b_loss")]
    with pytest.raises(ValueError, match="monitors 'val_b_loss', not a value with"):
        train(plan_for(build_heads), BOTH, engine="compiled", callbacks=callbacks)
