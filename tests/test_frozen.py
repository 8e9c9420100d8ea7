"""Keras objects become values, and values become new, equal objects."""

import pickle
import time

import keras
import numpy as np
import pytest

from skkeras_tune.frozen import Arguments, freeze, thaw


class Doubling(keras.layers.Layer):
    """A custom layer with a parameter and a weight."""

    def __init__(self, start=2.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(), initializer="ones")
        self.factor.assign(self.start)

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return {**super().get_config(), "start": self.start}


class Halving(keras.optimizers.schedules.LearningRateSchedule):
    """A custom schedule."""

    def __init__(self, first):
        self.first = first

    def __call__(self, step):
        return self.first * 0.5**step

    def get_config(self):
        return {"first": self.first}


class CubicError(keras.losses.Loss):
    """A custom loss."""

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)


class LargestError(keras.metrics.Metric):
    """A custom metric."""

    def __init__(self, name="largest_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.value = self.add_weight(name="value", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        error = keras.ops.max(keras.ops.abs(y_true - y_pred))
        self.value.assign(keras.ops.maximum(self.value, error))

    def result(self):
        return self.value


class Sevens(keras.initializers.Initializer):
    """A custom initializer."""

    def __call__(self, shape, dtype=None, **kwargs):
        return keras.ops.full(shape, 7.0, dtype)


class PlainCell(keras.layers.SimpleRNNCell):
    """A custom part of a layer, which is no layer of the model itself."""


class Subclassed(keras.Model):
    """A model written as a class, which is built by its first call."""

    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = keras.layers.Dense(units)

    def call(self, inputs):
        return self.dense(inputs)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def square(x):
    """Return the square: a custom activation."""
    return x * x


def cubic_error(y_true, y_pred):
    """Return the mean cube: a custom loss function."""
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)


OBJECTS = {
    "optimizer": keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "scheduled optimizer": keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    ),
    "custom schedule in an optimizer": keras.optimizers.Adam(Halving(0.5)),
    "loss": keras.losses.BinaryCrossentropy(label_smoothing=0.1),
    "custom loss": CubicError(reduction="sum"),
    "metric": keras.metrics.AUC(num_thresholds=20, curve="PR"),
    "custom metric": LargestError(name="worst"),
    "schedule": keras.optimizers.schedules.CosineDecay(0.1, 5),
    "custom schedule": Halving(0.5),
    "initializer": keras.initializers.RandomNormal(stddev=0.2, seed=3),
    "custom initializer": Sevens(),
    "regularizer": keras.regularizers.L1L2(0.1, 0.2),
    "constraint": keras.constraints.MaxNorm(3.0),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_thaw_equal(name):
    """A thawed object has the class and the configuration of the frozen one."""
    original = OBJECTS[name]
    thawed = thaw(freeze(original))
    assert type(thawed) is type(original)
    assert thawed.get_config() == original.get_config()


ARGUMENTATIVE = {
    "huber": keras.losses.Huber(delta=2.0),
    "huber of numpy": keras.losses.Huber(delta=np.float32(2.0)),
    "cosine": keras.losses.CosineSimilarity(axis=0),
    "smoothed": keras.losses.BinaryCrossentropy(label_smoothing=0.2),
    "logits": keras.losses.CategoricalCrossentropy(from_logits=True),
    "focal": keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, alpha=0.4, gamma=3.0
    ),
    "tversky": keras.losses.Tversky(alpha=0.2, beta=0.9),
    "reduction": keras.losses.MeanSquaredError(reduction="sum"),
    "metric": keras.metrics.CosineSimilarity(axis=0),
    "threshold": keras.metrics.BinaryAccuracy(threshold=0.7),
}


@pytest.mark.parametrize("name", ARGUMENTATIVE)
def test_every_argument_is_kept(name):
    """A thawed loss or metric compares with the arguments of the frozen one."""
    original = ARGUMENTATIVE[name]
    truth = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    outputs = np.array([[0.6, 0.3], [0.9, -4.0]], np.float32)
    expected = float(original(truth, outputs))
    assert float(thaw(freeze(original))(truth, outputs)) == pytest.approx(expected)


@pytest.mark.parametrize("name", OBJECTS)
def test_each_thaw_is_new(name):
    """Every thaw gives another object, so that no state passes between fits."""
    frozen = freeze(OBJECTS[name])
    first, second = thaw(frozen), thaw(frozen)
    assert first is not second
    assert first is not OBJECTS[name]


@pytest.mark.parametrize("name", OBJECTS)
def test_frozen_objects_are_values(name):
    """Frozen objects are hashable, picklable, and equal when made of equal ones."""
    frozen = freeze(OBJECTS[name])
    copy = pickle.loads(pickle.dumps(frozen))
    assert freeze(OBJECTS[name]) == frozen == copy
    assert hash(freeze(OBJECTS[name])) == hash(frozen) == hash(copy)
    assert thaw(copy).get_config() == OBJECTS[name].get_config()


def test_other_configurations_are_other_values():
    """Objects that differ in a setting are frozen into different values."""
    rates = {freeze(keras.optimizers.SGD(rate, name="sgd")) for rate in (0.1, 0.2)}
    assert len(rates) == 2
    assert freeze(keras.losses.Huber()) != freeze(keras.losses.LogCosh())


def test_local_classes_thaw():
    """A class that no module holds is kept with the value."""

    class Local(Halving):
        pass

    assert type(thaw(freeze(Local(0.3)))) is Local


def test_state_is_not_frozen():
    """An optimizer and a metric are frozen without what they gathered."""
    optimizer, metric = keras.optimizers.Adam(), keras.metrics.Mean()
    variable = keras.Variable(np.ones(3))
    optimizer.apply([np.ones(3)], [variable])
    metric.update_state([1.0, 2.0])
    assert int(thaw(freeze(optimizer)).iterations) == 0
    assert float(thaw(freeze(metric)).result()) == 0.0


def test_changes_after_freezing_do_not_show():
    """A value stays what it was when its object is changed."""
    optimizer = keras.optimizers.SGD(0.1)
    frozen = freeze(optimizer)
    optimizer.learning_rate = 0.5
    assert float(thaw(frozen).learning_rate) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "value", [None, True, 3, 0.5, "relu", keras.optimizers.Adam, square]
)
def test_plain_values_pass_through(value):
    """What is immutable already is its own frozen value."""
    assert freeze(value) is value
    assert thaw(value) is value


def test_lists_are_frozen_with_their_items():
    """Lists and tuples become values, and lists again."""
    frozen = freeze(["mse", (OBJECTS["loss"], None)])
    assert hash(frozen) == hash(freeze(["mse", (OBJECTS["loss"], None)]))
    name, (loss, nothing) = thaw(pickle.loads(pickle.dumps(frozen)))
    assert (name, nothing) == ("mse", None)
    assert loss.get_config() == OBJECTS["loss"].get_config()


def test_mappings_are_frozen_with_their_items():
    """Dicts become values, and dicts again."""
    frozen = freeze({"a": OBJECTS["loss"], "b": ["mae"]})
    assert hash(frozen) == hash(freeze({"a": OBJECTS["loss"], "b": ["mae"]}))
    thawed = thaw(pickle.loads(pickle.dumps(frozen)))
    assert list(thawed) == ["a", "b"]
    assert thawed["a"].get_config() == OBJECTS["loss"].get_config()
    assert thawed["b"] == ["mae"]


def test_the_order_of_a_mapping_does_not_matter():
    """Dicts that are equal are frozen into equal values."""
    assert freeze({"a": 1, "b": 2}) == freeze({"b": 2, "a": 1})


def build_model(layer=None, **compilation):
    """Return a model with a layer of interest, compiled if asked."""
    layers = [keras.Input((3,)), *([layer] if layer else []), keras.layers.Dense(2)]
    model = keras.Sequential(layers)
    if compilation:
        model.compile(**compilation)
    return model


def build_subclassed():
    """Return a model of a class, built."""
    model = Subclassed(units=3)
    model(np.zeros((1, 3)))
    return model


MODELS = {
    "subclassed": build_subclassed,
    "plain": build_model,
    "custom layer": lambda: build_model(Doubling(3.0)),
    "nested custom layer": lambda: build_model(
        keras.Sequential([keras.Input((3,)), Doubling(3.0)])
    ),
    "custom activation": lambda: build_model(keras.layers.Dense(3, activation=square)),
    "custom initializer": lambda: build_model(
        keras.layers.Dense(3, kernel_initializer=Sevens())
    ),
    "wrapped custom layer": lambda: keras.Sequential(
        [keras.Input((2, 3)), keras.layers.TimeDistributed(Doubling(3.0))]
    ),
    "custom cell": lambda: keras.Sequential(
        [keras.Input((2, 3)), keras.layers.RNN(PlainCell(2))]
    ),
    "compiled": lambda: build_model(loss="mse", optimizer="sgd", metrics=["mae"]),
    "compiled with a stateful optimizer": lambda: build_model(
        loss="mse", optimizer="adam"
    ),
    "compiled with a custom loss": lambda: build_model(
        loss=CubicError(), optimizer="sgd"
    ),
    "compiled with custom losses": lambda: build_model(
        loss=[cubic_error], optimizer="sgd"
    ),
    "compiled with an argument": lambda: build_model(
        loss=keras.losses.Huber(delta=2.0), optimizer="sgd"
    ),
    "compiled with a custom metric": lambda: build_model(
        loss="mse", optimizer="sgd", metrics=[LargestError()]
    ),
    "compiled with a custom schedule": lambda: build_model(
        loss="mse", optimizer=keras.optimizers.SGD(Halving(0.5))
    ),
}


def read_outputs(model):
    """Return a model's outputs for some fixed inputs."""
    shape = (4, *getattr(model, "input_shape", (None, 3))[1:])
    inputs = np.linspace(-1, 1, np.prod(shape)).reshape(shape)
    return np.array(model(inputs))


@pytest.mark.parametrize("name", MODELS)
def test_models_thaw_equal(name):
    """A thawed model is another one with the same weights and compilation."""
    model = MODELS[name]()
    thawed = thaw(freeze(model))
    assert thawed is not model
    assert type(thawed) is type(model)
    np.testing.assert_allclose(read_outputs(thawed), read_outputs(model), atol=1e-6)
    assert thawed.compiled == model.compiled
    if model.compiled:
        assert thawed.get_compile_config() == model.get_compile_config()
        truth = np.full((4, 2), 9.0, np.float32)
        expected = float(model.compute_loss(y=truth, y_pred=read_outputs(model)))
        loss = float(thawed.compute_loss(y=truth, y_pred=read_outputs(thawed)))
        assert loss == pytest.approx(expected)


@pytest.mark.parametrize("name", ["plain", "custom layer", "compiled"])
def test_frozen_models_are_values(name):
    """Frozen models are hashable, picklable and thaw after pickling."""
    model = MODELS[name]()
    frozen = freeze(model)
    copy = pickle.loads(pickle.dumps(frozen))
    assert copy == frozen
    assert hash(copy) == hash(frozen)
    np.testing.assert_allclose(read_outputs(thaw(copy)), read_outputs(model), atol=1e-6)


def test_equal_models_are_equal_values():
    """The same model gives the same value at any time."""
    model = build_model()
    first = freeze(model)
    time.sleep(2.1)  # files have dates, to two seconds
    assert freeze(model) == first


def test_other_weights_are_other_values():
    """Models that differ in a weight are frozen into different values."""
    model = build_model()
    first = freeze(model)
    model.layers[-1].bias.assign([1.0, 2.0])
    assert freeze(model) != first


def test_trained_optimizers_are_kept_in_a_model():
    """A model that was trained goes on with its optimizer's state."""
    model = build_model(optimizer="adam", loss="mse", run_eagerly=True)
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 2)))
    thawed = thaw(freeze(model))
    assert int(thawed.optimizer.iterations) == 1
    for kept, original in zip(
        thawed.optimizer.variables, model.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(kept, original)


def test_models_do_not_share_weights():
    """Changing a thawed model leaves the frozen value and its other copies alone."""
    frozen = freeze(build_model())
    first, second = thaw(frozen), thaw(frozen)
    before = second.get_weights()
    first.set_weights([np.zeros_like(w) for w in before])
    for now, then in zip(second.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


ARGUMENTS = {
    "plain": {"units": 3, "name": "a"},
    "array": {"x": np.arange(3), "nested": {"y": [np.ones(2)]}},
    "none": {},
    "module's function": {"f": square},
    "lambda": {"f": lambda x: x},
    "initializer": {"kernel_initializer": keras.initializers.HeNormal(seed=1)},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_equal_arguments_are_equal_values(name):
    """Arguments are compared and hashed by content."""
    first, second = Arguments(ARGUMENTS[name]), Arguments(dict(ARGUMENTS[name]))
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ({"a": np.arange(3)}, {"a": np.arange(3.0)}),
        ({"a": 1}, {"a": 1, "b": None}),
    ],
)
def test_other_arguments_are_other_values(first, second):
    """Arguments of other names, values or types are not equal."""
    assert Arguments(first) != Arguments(second)


def test_arguments_are_no_dicts():
    """Arguments equal no dict."""
    assert Arguments({"a": 1}) != {"a": 1}


def test_arguments_show_their_values():
    """The representation shows the arguments."""
    assert repr(Arguments({"units": 3})) == "Arguments({'units': 3})"


def test_arguments_are_picklable():
    """Arguments survive pickling."""
    arguments = Arguments({"x": np.arange(3)})
    assert pickle.loads(pickle.dumps(arguments)) == arguments


def test_arguments_keep_their_own_names():
    """A name added to the caller's dict does not become an argument."""
    values = {"a": 1}
    arguments = Arguments(values)
    values["b"] = 2
    assert arguments == Arguments({"a": 1})
