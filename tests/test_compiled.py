"""Compiled training: what it takes, what it shares, and what it leaves to Keras."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.stats import ttest_ind
from sklearn.base import clone

from skkeras_tune import KerasClassifier, KerasRegressor
from skkeras_tune.training.groups.slots import programs
from skkeras_tune.training.members import compiled_plan
from skkeras_tune.training.members.compiled_plan import resolve_design
from skkeras_tune.training.models.model import build_model
from skkeras_tune.training.plan import NotCompilable, StoppingRule
from skkeras_tune.training.programs.design import pad_size
from tests.plans import DATA, PLAN

QUICK = {"epochs": 2, "units": 6, "random_state": 0}


def squared(y_true, y_pred):
    """A loss of a user's."""
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def cube(x):
    """An activation of a user's."""
    return x**3


class Unweighted(keras.metrics.Metric):
    """A metric of a user's that counts all rows alike."""

    def __init__(self, name="unweighted", **options):
        super().__init__(name=name, **options)
        self.rows = self.add_variable((), "zeros", name="rows")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.rows.assign(self.rows + keras.ops.shape(y_true)[0])

    def result(self):
        return self.rows.value


class OwnError(keras.metrics.MeanAbsoluteError):
    """A metric of a user's, made of one of Keras's."""


# --- which engine trains


def test_the_built_in_network_is_compiled(iris):
    """By default the built-in network trains in a compiled program, and says so."""
    model = KerasClassifier(**QUICK).fit(*iris)
    assert (model.engine_, model.engine_reason_) == ("compiled", None)


REFUSED = {
    "loss": ({"loss": squared}, "the loss .* has no compiled form"),
    "activation": ({"activation": cube}, "the activation .* is not Keras's own"),
    "optimizer": ({"optimizer": "ftrl"}, "the optimizer Ftrl has no compiled form"),
    "average": ({"optimizer__use_ema": True}, "the optimizer uses use_ema"),
    "callbacks": ({"callbacks": keras.callbacks.Callback()}, "the callbacks Callback"),
    "frequency": ({"validation_freq": 2}, "validation_freq is not 1"),
    "options": ({"run_eagerly": True}, "the model is compiled with run_eagerly"),
    "metric": ({"metrics": [squared]}, "the metric .* has no compiled form"),
    "own metric": ({"metrics": [Unweighted]}, "rows that only fill a batch"),
    "own error": ({"metrics": [OwnError()]}, "rows that only fill a batch"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_rest_goes_to_keras_with_a_reason(diabetes, name):
    """What has no compiled form is trained by Keras, and the estimator says why."""
    params, reason = REFUSED[name]
    X, y = diabetes
    X = X[:, :3]
    base = {"epochs": 1, "random_state": 0}
    model = KerasRegressor(**base, **params).fit(X, y)
    assert model.engine_ == "keras"
    assert re.search(reason, model.engine_reason_)
    with pytest.raises(ValueError, match=f"engine='compiled' cannot train .*{reason}"):
        KerasRegressor(**base, **params, engine="compiled").fit(X, y)


@pytest.mark.parametrize(
    "options", [{"ignore_class": -1}, {"ignore_class": 0, "from_logits": True}]
)
def test_a_loss_that_ignores_a_class_is_left_to_keras(iris, options):
    """Ignored rows leave the mean of a batch, which a program counts by its rows."""
    loss = keras.losses.SparseCategoricalCrossentropy(**options)
    here, there = (
        KerasClassifier(loss=loss, engine=engine, **QUICK).fit(*iris)
        for engine in ("auto", "keras")
    )
    assert "SparseCategoricalCrossentropy" in here.engine_reason_
    assert here.history_ == there.history_
    with pytest.raises(ValueError, match=r"cannot train this: the loss .* no compiled"):
        KerasClassifier(loss=loss, engine="compiled", **QUICK).fit(*iris)


@pytest.mark.parametrize(
    "metric",
    [
        keras.metrics.MeanMetricWrapper(keras.metrics.mean_squared_error),
        keras.metrics.CosineSimilarity(axis=0),
        keras.metrics.R2Score(num_regressors=2),
    ],
)
def test_keras_metrics_that_count_rows_are_not_compiled(diabetes, metric):
    """A mean of any function, what looks across rows, and an adjusted R squared."""
    model = KerasRegressor(metrics=[metric], engine="compiled", **QUICK)
    with pytest.raises(ValueError, match="may count rows that only fill a batch"):
        model.fit(*diabetes)


@pytest.mark.parametrize("name", ["ce", "crossentropy"])
@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_crossentropy_is_no_metrics_name(iris, name, engine):
    """Keras chooses a loss by these names, but no metric."""
    with pytest.raises(ValueError, match=f"'metrics' parameter .* Got '{name}'"):
        KerasClassifier(metrics=[name], engine=engine, **QUICK).fit(*iris)


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_the_history_is_sorted_by_name(diabetes, engine):
    """Keras sorts the values of an epoch by name, and puts those held out last."""
    model = KerasRegressor(metrics=["mse", "mae"], engine=engine, **QUICK)
    names = ["loss", "mae", "mse"]
    assert list(model.fit(*diabetes).history_) == [*names, *(f"val_{n}" for n in names)]


def test_a_capital_accuracy_is_chosen_by_the_targets(iris):
    """Keras reads "Accuracy" as it reads "accuracy", not as the class of that name."""
    here, there = (
        KerasClassifier(metrics=["Accuracy"], engine=engine, **QUICK).fit(*iris)
        for engine in ("compiled", "keras")
    )
    assert list(here.history_) == list(there.history_)
    scores = here.history_["Accuracy"], there.history_["Accuracy"]
    assert_allclose(*scores, rtol=1e-5)


def test_keras_can_be_asked_for(iris):
    """`engine="keras"` trains in Keras's loop."""
    assert KerasClassifier(**QUICK, engine="keras").fit(*iris).engine_ == "keras"


def test_an_unknown_engine_is_refused(iris):
    """The error names the parameter and the value."""
    with pytest.raises(ValueError, match=r"'engine' parameter .* Got 'xla' instead"):
        KerasClassifier(engine="xla").fit(*iris)


def test_half_precision_goes_to_keras(iris):
    """A mixed policy is left to Keras."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = KerasClassifier(**QUICK).fit(*iris)
    finally:
        keras.config.set_dtype_policy(policy)
    assert "mixed_bfloat16" in model.engine_reason_


def test_large_sparse_features_go_to_keras(monkeypatch):
    """Sparse rows are made dense only where that is small."""
    sparse = replace(DATA, x=csr_array(DATA.x))
    assert resolve_design(PLAN, sparse) is not None
    monkeypatch.setattr(compiled_plan, "_MAX_DENSE_BYTES", 100)
    with pytest.raises(NotCompilable, match="too large to be made dense"):
        resolve_design(PLAN, sparse)


def test_a_monitor_without_a_direction_goes_to_keras():
    """Where Keras must decide which way is better, Keras does."""
    plan = replace(PLAN, stopping=StoppingRule("val_nothing", 1, 0.0, True))
    with pytest.raises(NotCompilable, match="val_nothing"):
        resolve_design(plan, DATA)


def test_sparse_features_train_the_same(iris):
    """Sparse features give the same network as the same ones in an array."""
    X, y = iris
    dense, sparse = (KerasClassifier(**QUICK).fit(x, y) for x in (X, csr_array(X)))
    assert sparse.engine_ == "compiled"
    for here, there in zip(dense.weights_, sparse.weights_, strict=True):
        assert_array_equal(here, there)


# --- what programs share


@pytest.mark.parametrize("engine", ["compiled", "auto"])
def test_one_program_serves_every_fit_of_a_shape(iris, engine):
    """Other rows, a row less, other rates, seeds, penalties: nothing is traced anew."""
    X, y = iris
    params = {**QUICK, "units": 11, "engine": engine}
    model = KerasClassifier(**params, dropout=0.1, l2=0.01).fit(X, y)
    before = programs.n_built
    for params in (
        {"learning_rate": 0.5},
        {"random_state": 9, "epochs": 3},
        {"dropout": 0.3, "l2": 0.5, "patience": 1, "min_delta": 0.1},
        {"optimizer__beta_1": 0.5},
        {"kernel_initializer": "zeros"},
    ):
        clone(model).set_params(**params).fit(X[1:], y[1:])
    assert programs.n_built == before


@pytest.mark.parametrize(("epochs", "compiles"), [(12, False), (13, True)])
def test_few_steps_are_not_worth_compiling(iris, epochs, compiles):
    """On "auto" TensorFlow runs up to 64 steps, which still count as compiled."""
    X, y = iris  # in five batches
    params = {"units": 40 + epochs, "early_stopping": False, "random_state": 0}
    model = KerasClassifier(epochs=epochs, metrics=["accuracy"], **params)
    before = set(programs)
    assert model.fit(X, y).engine_ == "compiled"
    (design,) = set(programs) - before
    assert design.machine == ("xla" if compiles else "tensorflow")


@pytest.mark.parametrize(("epochs", "compiles"), [(100, False), (10_000, True)])
def test_numpy_runs_what_it_ends_before_a_program_is_compiled(iris, epochs, compiles):
    """On "auto" nothing is traced for a few hundred steps of a common network."""
    X, y = iris
    model = KerasClassifier(epochs=epochs, units=17, early_stopping=False)
    before = programs.n_built
    assert model.fit(X, y).engine_ == "compiled"
    assert programs.n_built == before + compiles


VARIETY = {
    "metrics": {"patience": 2, "min_delta": 0.02, "metrics": ["accuracy", "AUC"]},
    "dropout": {"dropout": 0.3, "l1": 0.01, "l2": 0.01, "wide": True},
    "batch": {"normalization": "batch", "optimizer": "sgd", "optimizer__momentum": 0.9},
    "layer": {"normalization": "layer", "activation": "gelu", "n_hidden": 2},
    "weights": {"class_weight": "balanced", "optimizer__clipnorm": 0.1},
    "schedule": {"learning_rate": keras.optimizers.schedules.CosineDecay(0.01, 9)},
    "plateau": {"callbacks": keras.callbacks.ReduceLROnPlateau(patience=1)},
}


@pytest.mark.parametrize("name", VARIETY)
def test_a_program_computes_the_same_uncompiled(cancer, name):
    """What "auto" does not compile ends with the same losses and weights."""
    model = KerasClassifier(**{**QUICK, "epochs": 4}, **VARIETY[name])
    before = set(programs)
    here = clone(model).fit(*cancer)
    assert {design.machine for design in set(programs) - before} <= {"tensorflow"}
    there = clone(model).set_params(engine="compiled").fit(*cancer)
    assert here.history_.keys() == there.history_.keys()
    for key, values in there.history_.items():
        assert_allclose(here.history_[key], values, rtol=1e-4, err_msg=key)
    for one, two in zip(here.weights_, there.weights_, strict=True):
        assert_allclose(one, two, rtol=1e-3, atol=1e-6)


def test_another_shape_is_another_program(iris):
    """Another width, and another optimizer, are traced once each."""
    before = programs.n_built
    params = {**QUICK, "units": 13, "engine": "compiled"}
    for _ in range(2):
        KerasClassifier(**params).fit(*iris)
        KerasClassifier(**params, optimizer="nadam").fit(*iris)
    assert programs.n_built == before + 2


@pytest.mark.parametrize("size", [*range(1, 40), 100, 1000, 13_600, 10**6])
def test_sizes_are_padded_by_an_eighth(size):
    """Padding is an eighth of the rows at most, once there are more than a few."""
    assert size <= pad_size(size) <= max(size * 1.125, size + 7)


def test_no_rows_are_no_rows():
    """A set without held-out rows has no place for them."""
    assert pad_size(0) == 0


def test_neighbours_share_a_size():
    """Sizes that differ by one nearly always pad alike."""
    sizes = {pad_size(size) for size in range(1000, 2000)}
    assert len(sizes) < 20


@pytest.mark.parametrize("engine", ["compiled", "auto"])
def test_threads_give_the_results_of_one_after_the_other(iris, engine):
    """Eight threads that fit and predict at once do not disturb each other."""
    X, y = iris
    models = [
        KerasClassifier(
            epochs=2, units=5 + i % 3, dropout=0.2, engine=engine, random_state=i
        )
        for i in range(8)
    ]

    def fit(model):
        return clone(model).fit(X, y).predict_proba(X)

    expected = [fit(model) for model in models]
    with ThreadPoolExecutor(8) as pool:
        for here, there in zip(pool.map(fit, models), expected, strict=True):
            assert_array_equal(here, there)


# --- dropout


def test_dropout_equals_keras_in_distribution(diabetes):
    """Over seeds, final losses have the mean and spread that Keras's dropout gives."""
    X, y = diabetes
    ends = {}
    for engine in ("compiled", "keras"):
        ends[engine] = [
            KerasRegressor(
                engine=engine,
                units=20,
                dropout=0.5,
                epochs=5,
                learning_rate=0.01,
                early_stopping=False,
                random_state=seed,
            )
            .fit(X, y)
            .history_["loss"][-1]
            for seed in range(25)
        ]
    here, there = ends["compiled"], ends["keras"]
    assert ttest_ind(here, there).pvalue > 0.01
    assert 0.5 < np.std(here) / np.std(there) < 2


# --- progress, errors, and what is built


def test_verbose_prints_each_epoch(iris, capsys):
    """`verbose` prints epochs and their values as Keras does."""
    KerasClassifier(**QUICK, verbose=2).fit(*iris)
    printed = capsys.readouterr().out
    assert "Epoch 2/2" in printed
    assert "val_loss" in printed


def test_silent_by_default(iris, capsys):
    """Nothing is printed without `verbose`."""
    KerasClassifier(**QUICK).fit(*iris)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_a_diverged_training_raises(diabetes, engine):
    """A loss that is not finite is an error that names the epoch and the rate."""
    X, y = diabetes
    model = KerasRegressor(engine=engine, optimizer="sgd", learning_rate=1e18)
    with pytest.raises(ValueError, match=r"became .* in epoch 1.*now 1e\+18"):
        model.fit(X, y)
    assert not hasattr(model, "history_")


def test_predictions_need_no_keras_model(iris, monkeypatch):
    """Fits and predictions build no Keras model; `model_` builds one that agrees."""
    built = []

    def count(*args):
        built.append(args)
        return build_model(*args)

    monkeypatch.setattr("skkeras_tune.estimators.trained_model.build_model", count)
    X, y = iris
    model = KerasClassifier(**QUICK, normalization="batch").fit(X, y)
    probabilities = model.predict_proba(X)
    assert not built
    assert_allclose(
        model.model_.predict(X, verbose=0), probabilities, rtol=1e-4, atol=1e-6
    )
    assert len(built) == 1


def test_predictions_follow_a_change_of_the_model(iris):
    """Once there is a model, its weights are what predicts."""
    X, y = iris
    model = KerasClassifier(**QUICK).fit(X, y)
    model.model_.set_weights([np.zeros_like(w) for w in model.weights_])
    assert_allclose(model.predict_proba(X), 1 / 3, rtol=1e-6)


def test_programs_know_keras_epsilon(diabetes):
    """A program that was compiled with another epsilon is another program."""
    X, y = diabetes[0], np.rint(diabetes[1])
    network = KerasRegressor(loss="poisson", epochs=2, units=3, random_state=0)
    before = keras.config.epsilon()
    losses = {}
    try:
        for epsilon in (before, 0.3):
            keras.config.set_epsilon(epsilon)
            for engine in ("compiled", "keras"):
                network.set_params(engine=engine).fit(X, y)
                losses[epsilon, engine] = network.history_["loss"]
    finally:
        keras.config.set_epsilon(before)
    assert losses[0.3, "compiled"][0] != losses[before, "compiled"][0]
    assert_allclose(losses[0.3, "compiled"], losses[0.3, "keras"], rtol=1e-4)
