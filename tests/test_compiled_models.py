"""A model of the user's, trained in one program, ends as in Keras's own loop."""

import gc
import pickle
import re
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ttest_ind
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skkeras_tune import KerasClassifier, KerasRegressor, fused
from skkeras_tune.estimators.model_function import ModelFunction
from skkeras_tune.frozen import Arguments, freeze
from skkeras_tune.training import Compilation, StoppingRule
from skkeras_tune.training.engine import train
from skkeras_tune.training.groups.slots import programs
from skkeras_tune.training.members.model_design import resolve_model_design
from skkeras_tune.training.models.model import start_model
from tests.plans import ADAM, DATA, HELD, PLAN, TRAIN
from tests.test_parity import OPTIMIZERS

layers, regularizers = keras.layers, keras.regularizers
Dense = layers.Dense

SHIFTED = np.random.default_rng(0).normal(3, 2, size=(50, 3)).astype("float32")
WEIGHTED = replace(DATA, weight=np.linspace(0.5, 1.5, len(DATA.x), dtype="float32"))


def chain(*parts, outputs=1):
    """Return a function that builds a model of these layers and a last one."""

    def build():
        made = [part() for part in parts]
        return keras.Sequential([keras.Input((3,)), *made, Dense(outputs)])

    return build


def build_skipping():
    """Return a functional model whose inputs go around its hidden layers too."""
    inputs = keras.Input((3,))
    hidden = Dense(5, "relu")(Dense(5, "relu")(inputs))
    joined = layers.Concatenate()([inputs, hidden + 1.0])
    return keras.Model(inputs, Dense(1)(joined))


def build_nested():
    """Return a model with a model inside, one layer of which is used twice."""
    inputs, shared = keras.Input((3,)), Dense(3, "tanh")
    inner = keras.Sequential([keras.Input((3,)), Dense(3, "relu")])
    return keras.Model(inputs, Dense(1)(shared(inner(shared(inputs)))))


def build_normalizing(rows=SHIFTED):
    """Return a model with statistics of some rows."""
    normalization = layers.Normalization()
    normalization.adapt(rows)
    return keras.Sequential([keras.Input((3,)), normalization, Dense(4), Dense(1)])


MODELS = {
    "dense": chain(lambda: Dense(5, "tanh"), lambda: Dense(4, "gelu")),
    "skipping": build_skipping,
    "nested": build_nested,
    "normalizing": build_normalizing,
    "batch": chain(lambda: Dense(6), layers.BatchNormalization, layers.ReLU),
    "layer": chain(lambda: Dense(6), layers.LayerNormalization),
    "convolution": chain(
        lambda: layers.Reshape((3, 1)),
        lambda: layers.Conv1D(4, 2, activation="relu"),
        lambda: layers.MaxPooling1D(2),
        layers.Flatten,
    ),
    "recurrent": chain(lambda: layers.Reshape((3, 1)), lambda: layers.GRU(4)),
    "penalties": chain(
        lambda: Dense(
            5,
            "relu",
            kernel_regularizer=regularizers.L1L2(0.01, 0.02),
            bias_regularizer="l2",
            activity_regularizer=regularizers.L2(0.05),
        )
    ),
    "constrained": chain(
        lambda: Dense(5, "relu", kernel_constraint=keras.constraints.MaxNorm(0.4))
    ),
    "frozen": chain(lambda: Dense(5, "relu", trainable=False), lambda: Dense(3)),
}


def plan_for(build, compilation=ADAM, **changes):
    """Return a plan that trains what a function builds."""
    network = ModelFunction(build, Arguments({}))
    return replace(
        PLAN, network=network, compilation=compilation, **{"epochs": 3, **changes}
    )


def assert_same(here, there, tolerance=2e-5):
    """Two results are the same to float32's tolerance."""
    assert (here.engine, there.engine) == ("compiled", "keras")
    assert list(here.history) == list(there.history)
    for name, values in there.history.items():
        assert_allclose(here.history[name], values, rtol=tolerance, err_msg=name)
    assert here.best_epoch == there.best_epoch
    for part in ("weights", "optimizer_state"):
        pairs = zip(getattr(here.state, part), getattr(there.state, part), strict=True)
        for one, two in pairs:
            assert_allclose(one, two, rtol=50 * tolerance, atol=1e-5, err_msg=part)


def compare(plan, data=DATA, engines=("auto", "compiled"), callbacks=list, **tolerance):
    """Train in Keras's loop and by each engine; return the last results of both."""
    there = train(plan, data, engine="keras", callbacks=callbacks())
    for engine in engines:
        here = train(plan, data, engine=engine, callbacks=callbacks())
        assert_same(here, there, **tolerance)
    return here, there


# --- the same answer


@pytest.mark.parametrize("name", MODELS)
def test_models_of_many_kinds(name):
    """Losses, metrics, weights and the optimizer's state are those of Keras's loop."""
    here, there = compare(plan_for(MODELS[name]))
    x = DATA.x[:5]
    assert_allclose(here.state.model(x), there.state.model(x), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["dense", "batch"])
@pytest.mark.parametrize("engine", ["auto", "compiled"])
def test_sample_weights(name, engine):
    """Rows weigh in training and in validation as in Keras's loop."""
    compare(plan_for(MODELS[name]), WEIGHTED, [engine])


SIZES = {
    "even": {"batch_size": 5},
    "one batch": {"batch_size": 20},
    "more than the rows": {"batch_size": 64},
    "held-out batches": {"validation_batch_size": 3},
    "one row left": {"batch_size": 19},
    "in order": {"shuffle": False},
    "later": {"first_epoch": 7},
}


@pytest.mark.parametrize("name", SIZES)
def test_batches_of_all_sizes(name):
    """Batch normalisation sees the batches that it sees in Keras's loop."""
    build = chain(layers.BatchNormalization, lambda: Dense(4, "relu"))
    compare(plan_for(build, **SIZES[name]), engines=["auto"])
    plan = plan_for(MODELS["dense"], **SIZES[name])
    compare(plan, engines=["compiled"])


@pytest.mark.parametrize("name", ["nesterov", "betas", "decay", "nadam", "clipnorm"])
def test_optimizers(name):
    """The optimizer of a compiled model is read with its arguments."""
    kind, options = OPTIMIZERS[name]

    def build():
        model = MODELS["dense"]()
        optimizer = type(keras.optimizers.get(kind))(learning_rate=0.03, **options)
        model.compile(optimizer, keras.losses.Huber(delta=0.3), metrics=["mae"])
        return model

    compare(plan_for(build), engines=["compiled"])


def test_schedules():
    """A learning rate may follow the steps."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.8)
    compilation = replace(ADAM, optimizer=freeze(keras.optimizers.SGD(schedule)))
    compare(plan_for(MODELS["dense"], compilation), engines=["auto"])


def test_early_stopping():
    """The plan's own rule ends training and restores the best weights."""
    stopping = StoppingRule("val_loss", 1, 0.0, True)
    adam = replace(ADAM, optimizer=freeze(keras.optimizers.Adam(0.5)))
    plan = plan_for(MODELS["batch"], adam, epochs=30, stopping=stopping)
    here, _ = compare(plan, engines=["auto"])
    assert here.best_epoch < len(here.history["loss"]) < 30


CALLBACKS = {
    "stopping": lambda: [
        keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    ],
    "plateau": lambda: [keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience=1)],
    "schedule": lambda: [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate)
    ],
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks(name):
    """Callbacks that programs know take part."""
    adam = replace(ADAM, optimizer=freeze(keras.optimizers.Adam(0.5)))
    plan = plan_for(MODELS["dense"], adam, epochs=6)
    compare(plan, engines=["auto"], callbacks=CALLBACKS[name])


def test_dropout_draws_the_same_numbers():
    """What TensorFlow runs of a model drops what Keras's loop drops, on and on."""
    build = chain(lambda: Dense(20, "relu"), lambda: layers.Dropout(0.5))
    plan = plan_for(build)
    here, there = compare(plan, engines=["auto"])
    more = replace(plan, first_epoch=3)
    assert_same(
        train(more, DATA, start=here.state),
        train(more, DATA, start=there.state, engine="keras"),
    )


def test_dropout_compiled_by_xla_has_the_same_distribution():
    """XLA draws other numbers, and the losses over seeds are alike."""
    build = chain(lambda: Dense(20, "relu"), lambda: layers.Dropout(0.5))
    plan = plan_for(build, epochs=5)
    losses = [
        [
            train(replace(plan, seed=seed), DATA, engine=engine).history["loss"][-1]
            for seed in range(25)
        ]
        for engine in ("compiled", "auto")
    ]
    assert ttest_ind(*losses).pvalue > 0.01
    assert not np.allclose(*losses)


@pytest.mark.parametrize("keeps_model", [True, False])
def test_training_goes_on(keeps_model):
    """A second training continues with weights and optimizer, here or elsewhere."""
    plan = plan_for(MODELS["batch"])
    states = [train(plan, DATA, engine=e).state for e in ("auto", "keras")]
    if not keeps_model:
        states = pickle.loads(pickle.dumps(states))
    more = replace(plan, first_epoch=3)
    here, there = (
        train(more, DATA, start=state, engine=engine)
        for state, engine in zip(states, ("auto", "keras"), strict=True)
    )
    assert_same(here, there)


def test_statistics_are_each_models_own():
    """Models that were adapted to other rows share a program, and stay usable."""

    def build_scaled(scale):
        return build_normalizing(scale * SHIFTED)

    n_built = None
    for scale in (1.0, 5.0):
        network = ModelFunction(build_scaled, Arguments({"scale": scale}))
        here, _ = compare(replace(plan_for(build_scaled), network=network), DATA)
        assert_allclose(
            here.state.model.layers[0].mean, scale * SHIFTED.mean(axis=0)[None], 1e-5
        )
        assert n_built in (None, programs.n_built)
        n_built = programs.n_built


# --- through the estimators


def build_classifier(meta, width=6, rate=0.01):
    """Return a compiled classifier, sized by its data."""
    model = keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            Dense(width, "relu"),
            Dense(meta["n_classes_"], "softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


QUICK = {"epochs": 3, "random_state": 0}


def test_estimators(iris):
    """Meta, hyper-parameters, class weights and predictions are as in Keras's loop."""
    params = {**QUICK, "model": build_classifier, "class_weight": "balanced"}
    here, there = (
        KerasClassifier(**params, width=7, engine=engine).fit(*iris)
        for engine in ("auto", "keras")
    )
    assert (here.engine_, here.engine_reason_) == ("compiled", None)
    assert (there.engine_, there.engine_reason_) == ("keras", "engine='keras'")
    assert here.model_.layers[0].units == 7
    for name, values in there.history_.items():
        assert_allclose(here.history_[name], values, rtol=1e-5, err_msg=name)
    assert_allclose(
        here.predict_proba(iris[0]), there.predict_proba(iris[0]), rtol=1e-4
    )
    again = pickle.loads(pickle.dumps(here))
    assert_array_equal(again.predict_proba(iris[0]), here.predict_proba(iris[0]))


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_partial_fit_and_warm_start(iris, engine):
    """Five epochs in three fits are five epochs."""
    X, y = iris
    params = {"model": build_classifier, "early_stopping": False, "random_state": 0}
    model = KerasClassifier(**params, epochs=2, warm_start=True, engine=engine)
    model.fit(X, y).fit(X, y).partial_fit(X, y)
    whole = KerasClassifier(**params, epochs=5).fit(X, y)
    for here, there in zip(model.weights_, whole.weights_, strict=True):
        assert_allclose(here, there, rtol=1e-4, atol=1e-6)


def test_images(iris):
    """Rows may have any shape that the model takes."""
    X, y = iris
    pictures = np.stack([X, X[:, ::-1]], axis=-1)

    def build(meta):
        return keras.Sequential(
            [
                keras.Input(meta["X_shape_"][1:]),
                layers.Conv1D(4, 2, activation="relu"),
                layers.GlobalAveragePooling1D(),
                Dense(3, "softmax"),
            ]
        )

    loss = "sparse_categorical_crossentropy"
    model = KerasClassifier(build, loss=loss, **QUICK).fit(pictures, y)
    there = clone(model).set_params(engine="keras").fit(pictures, y)
    assert model.engine_ == "compiled"
    assert_allclose(model.history_["val_loss"], there.history_["val_loss"], rtol=1e-5)


# --- programs


@pytest.mark.parametrize("engine", ["auto", "compiled"])
def test_one_program_serves_every_fit_of_a_model(iris, engine):
    """Other seeds and rates, other rows: nothing is traced anew."""
    X, y = iris
    params = {**QUICK, "model": build_classifier, "width": 11, "engine": engine}
    model = KerasClassifier(**params).fit(X, y)
    before = programs.n_built
    for changes in ({"rate": 0.5}, {"random_state": 9, "epochs": 4}, {"patience": 1}):
        clone(model).set_params(**changes).fit(X[::-1], y[::-1])
    assert programs.n_built == before
    clone(model).set_params(width=12).fit(X, y)
    assert programs.n_built == before + 1


@pytest.mark.parametrize("name", ["kernel_regularizer", "kernel_constraint"])
def test_what_is_set_on_a_built_layer_has_no_effect(name):
    """A weight keeps what it was made with, whatever the config says afterwards."""
    rule = {
        "kernel_regularizer": regularizers.L2(0.3),
        "kernel_constraint": keras.constraints.MaxNorm(0.1),
    }[name]

    def build_late():
        model = chain(lambda: Dense(15, "tanh"))()
        setattr(model.layers[0], name, rule)
        return model

    compare(plan_for(chain(lambda: Dense(15, "tanh", **{name: rule}))))
    compare(plan_for(build_late))


def test_folds_share_a_program(iris):
    """Where XLA is left out, a row less needs no other program."""
    X, y = iris
    model = KerasClassifier(build_classifier, width=13, **QUICK).fit(X, y)
    before = programs.n_built
    clone(model).fit(X[1:], y[1:])
    assert programs.n_built == before


def test_a_metric_without_a_name_needs_no_other_program(iris):
    """The metric of the second model is called as that of the first."""

    def build():
        model = chain(lambda: Dense(14))()
        model.compile("adam", "mse", metrics=[keras.metrics.RootMeanSquaredError(None)])
        return model

    X, y = iris
    model = KerasRegressor(build, **QUICK).fit(X[:, :3], y)
    before = programs.n_built
    assert list(clone(model).fit(X[:, :3], y).history_) == list(model.history_)
    assert programs.n_built == before


@pytest.mark.parametrize(
    ("name", "may_interpret", "epochs", "interpreted"),
    [
        ("dense", True, 512, True),
        ("dense", True, 513, False),
        ("dense", False, 1, False),
        ("convolution", False, 1, True),
        ("convolution", True, 513, True),
    ],
)
def test_xla_is_left_out_where_it_does_not_pay(
    name, may_interpret, epochs, interpreted
):
    """For up to 2,048 steps on "auto", and for what XLA is slow at."""
    plan = plan_for(MODELS[name], epochs=epochs, batch_size=5)  # four steps an epoch
    model = start_model(plan, None)
    found = resolve_model_design(model, plan, DATA, may_interpret=may_interpret)
    assert found.design.machine == ("tensorflow" if interpreted else "xla")


def test_a_program_keeps_no_model():
    """The model that a program was traced with can be freed."""
    build = chain(lambda: Dense(17))
    result = train(plan_for(build), DATA)
    model = weakref.ref(result.state.model)
    del result
    gc.collect()
    assert model() is None
    before = programs.n_built
    assert train(plan_for(build), DATA).engine == "compiled"
    assert programs.n_built == before


def test_a_program_keeps_no_model_that_it_refuses():
    """Nor is one kept that cannot be traced, though its reason is."""
    build = chain(lambda: layers.SpectralNormalization(Dense(11)))
    results = [train(plan_for(build, epochs=1), DATA) for _ in range(2)]
    assert results[0].engine == "keras"
    assert results[0].reason == results[1].reason
    seen = [weakref.ref(result.state.model) for result in results]
    del results
    gc.collect()
    assert [model() for model in seen] == [None, None]


def test_threads(iris):
    """Threads that fit at once give the results of one after the other."""
    models = [
        KerasClassifier(build_classifier, width=5 + i % 2, epochs=2, random_state=i)
        for i in range(6)
    ]
    alone = [clone(model).fit(*iris) for model in models]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda model: clone(model).fit(*iris), models))
    for here, there in zip(together, alone, strict=True):
        assert_allclose(here.history_["loss"], there.history_["loss"], rtol=1e-5)


def test_fused_searches(iris):
    """Within `fused` models of the user's train one at a time, with the same scores."""
    rates = {"rate": [0.001, 0.1]}
    search = GridSearchCV(KerasClassifier(build_classifier, **QUICK), rates, cv=2)
    alone = clone(search).fit(*iris)
    with fused() as fusion:
        search.fit(*iris)
    scores = [s.cv_results_["mean_test_score"] for s in (alone, search)]
    assert_allclose(*scores)
    assert search.best_estimator_.engine_ == "compiled"
    assert dict(fusion.report().apart) == {"a model of one's own": 4}


# --- what is left to Keras


class Subclass(keras.Model):
    """A model that is no graph of layers."""

    def __init__(self):
        super().__init__()
        self.dense = Dense(1)

    def call(self, inputs):
        return self.dense(inputs)


class Stepping(keras.Model):
    """A graph with a training step of its own."""

    def train_step(self, data):
        return super().train_step(data)


def build_stepping():
    """Return a functional model of a class of the user's."""
    inputs = keras.Input((3,))
    return Stepping(inputs, Dense(1)(inputs))


class Doubling(layers.Layer):
    """A layer that nobody has registered."""

    def call(self, x):
        return 2 * x


def build_scripted():
    """Return a model with a layer that a script has defined."""
    kind = type("Scripted", (Doubling,), {"__module__": "__main__"})
    return chain(kind)()


@keras.saving.register_keras_serializable("tests")
class Tripling(layers.Layer):
    """A layer that is registered."""

    def call(self, x):
        return 3 * x


@keras.saving.register_keras_serializable("tests")
class Counting(layers.Layer):
    """A layer with a number that is no weight."""

    def __init__(self, **options):
        super().__init__(**options)
        self.count = tf.Variable(0.0, trainable=False)

    def call(self, x):
        return x + self.count


@keras.saving.register_keras_serializable("tests")
class Reporting(layers.Layer):
    """A layer with a metric of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.mean = keras.metrics.Mean("mean")

    def call(self, x):
        self.mean.update_state(x)
        return x


@keras.saving.register_keras_serializable("tests")
class Straight(layers.Layer):
    """A layer that refuses to run in a loop of TensorFlow's."""

    def call(self, x):
        if "while" in tf.compat.v1.get_default_graph().name:
            raise TypeError("no loops here")
        return x


@keras.saving.register_keras_serializable("tests")
class Shrinking(layers.Layer):
    """A layer that changes a trained weight whenever it is called."""

    def build(self, shape):
        self.scale = self.add_weight(shape[-1:], "ones", name="scale")

    def call(self, x):
        self.scale.assign(self.scale * 0.9)
        return x * self.scale


@keras.saving.register_keras_serializable("tests")
def halve(x):
    """An activation that is registered."""
    return x / 2


def cube(x):
    """An activation that is not."""
    return x**3


def build_sequence():
    """Return a model whose outputs are as long as its inputs."""
    return keras.Sequential([keras.Input((None, 1)), Dense(1)])


def compiled_with(**options):
    """Return a function that builds a linear model compiled with these options."""

    def build():
        model = chain()()
        model.compile(**{"optimizer": "sgd", "loss": "mse", **options})
        return model

    return build


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.mean_squared_error,
        keras.losses.MeanSquaredError,
        [keras.losses.log_cosh],
        [keras.losses.Huber],
    ],
)
def test_losses_of_kerass_as_functions_and_classes(loss):
    """However a loss of Keras's is spelt, a program trains by it."""
    plan = plan_for(compiled_with(loss=loss), epochs=2)
    here, there = (train(plan, DATA, engine=e) for e in ("compiled", "keras"))
    assert here.engine == "compiled"
    assert_allclose(here.history["loss"], there.history["loss"], rtol=1e-5)


def far_off(y_true, y_pred):
    """Return a loss of the user's."""
    return keras.losses.mean_squared_error(y_true, y_pred + 1)


@pytest.mark.parametrize("name", ["far_off", "mean_squared_error"])
def test_a_loss_function_of_the_users(name, monkeypatch):
    """It is trained by Keras, though it be called as one of Keras's own."""
    monkeypatch.setattr(far_off, "__name__", name)
    result = train(plan_for(compiled_with(loss=far_off), epochs=1), DATA, engine="auto")
    assert "the loss <function" in result.reason


def build_excluding():
    """Return a model whose biases do not decay."""
    optimizer = keras.optimizers.AdamW(0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return compiled_with(optimizer=optimizer)()


REFUSED = {
    "subclass": (Subclass, "the model is of a class of its own, Subclass"),
    "own step": (build_stepping, "the model is of a class of its own, Stepping"),
    "layer": (chain(Doubling), "Doubling is not registered"),
    "layer of a script": (build_scripted, "Scripted is not registered"),
    "activation": (chain(lambda: Dense(2, cube)), "cube is not registered"),
    "lambda": (chain(lambda: layers.Lambda(cube)), "Lambda is more than its weights"),
    "number": (chain(Counting), "Counting keeps numbers that are no weights"),
    "reporting": (chain(Reporting), "the layer Reporting reports a metric"),
    "precision": (
        chain(lambda: Dense(2, dtype="mixed_bfloat16")),
        "the precision of Dense is mixed_bfloat16",
    ),
    "masked": (chain(layers.Masking), "the model's outputs are masked"),
    "assigning": (chain(Shrinking), "the model assigns to its trained weight scale"),
    "spectral": (
        chain(lambda: layers.SpectralNormalization(Dense(2))),
        "the model assigns to its trained weight kernel",
    ),
    "loops": (chain(Straight), "TensorFlow makes no program .*no loops here"),
    "eager": (compiled_with(run_eagerly=True), "compiled with run_eagerly"),
    "metric": (compiled_with(metrics=[keras.losses.log_cosh]), "the metric"),
    "decay": (build_excluding, "keeps some weights from decaying"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_rest_goes_to_keras_with_a_reason(name):
    """What no program can express is trained by Keras, from the same weights."""
    build, reason = REFUSED[name]
    plan = plan_for(build, epochs=1)
    if name in ("subclass", "own step"):
        example = Arguments({"x": DATA.x[:1]})
        plan = replace(plan, network=replace(plan.network, example=example))
    here, there = (train(plan, DATA, engine=engine) for engine in ("auto", "keras"))
    assert (here.engine, there.reason) == ("keras", "engine='keras'")
    assert_allclose(here.history["loss"], there.history["loss"], rtol=1e-5)
    assert re.search(reason, here.reason)
    with pytest.raises(ValueError, match=f"cannot train this: .*{reason}"):
        train(plan, DATA, engine="compiled")


UNFIT = {
    "sequence": (build_sequence, r"the model has outputs of shape \(None, None, 1\)"),
    "nothing": (chain(outputs=1), "no trained weights"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_models_of_other_forms_are_refused(name):
    """Sequences of any length, and models without weights."""
    build, reason = UNFIT[name]

    def build_unfit():
        model = build()
        model.trainable = name != "nothing"
        return model

    with pytest.raises(ValueError, match=reason):
        train(plan_for(build_unfit), DATA, engine="compiled")


def test_words_are_left_to_keras():
    """Features that are no numbers need Keras's loop."""
    data = replace(DATA, x=DATA.x.astype(str))
    with pytest.raises(ValueError, match="the features are of type <U"):
        train(plan_for(chain()), data, engine="compiled")


def test_registered_parts_are_compiled():
    """What is registered is a function of its config; another class is another."""
    build = chain(Tripling, lambda: Dense(4, halve))
    compare(plan_for(build), engines=["auto"])
    before = programs.n_built

    @keras.saving.register_keras_serializable("tests", "Tripling")
    class Other(layers.Layer):
        def call(self, x):
            return 5 * x

    try:
        changed = plan_for(chain(Other, lambda: Dense(4, halve)))
        compare(changed, engines=["auto"])
        assert programs.n_built == before + 1
    finally:
        keras.saving.register_keras_serializable("tests")(Tripling)


def test_estimators_say_why(diabetes):
    """The reason stands in the estimator."""
    model = KerasRegressor(Subclass, loss="mse", epochs=1).fit(*diabetes)
    assert model.engine_ == "keras"
    assert model.engine_reason_ == "the model is of a class of its own, Subclass"


@pytest.mark.parametrize("engine", ["auto", "compiled"])
def test_diverging_leaves_the_model_as_it_was(engine):
    """A loss that is not finite is an error, and what was trained before stays."""
    compilation = Compilation(freeze(keras.optimizers.SGD(1e18)), "mse")
    first = train(plan_for(MODELS["dense"]), DATA)
    before = first.state.model.get_weights()
    first.state.model.compile(keras.optimizers.SGD(1e18), "mse")
    plan = plan_for(MODELS["dense"], compilation, first_epoch=3)
    with pytest.raises(ValueError, match="became"):
        train(plan, DATA, start=first.state, engine=engine)
    for here, there in zip(first.state.model.get_weights(), before, strict=True):
        assert_array_equal(here, there)


def test_roles_do_not_overlap():
    """The rows of these tests are held out or trained on, with a smaller last batch."""
    assert not set(HELD) & set(TRAIN)
    assert len(TRAIN) % PLAN.batch_size
