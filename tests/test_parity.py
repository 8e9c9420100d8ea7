"""Compiled training gives the losses and the weights of Keras's own `fit`."""

import keras
import numpy as np
import pytest

from skkeras_tune import KerasClassifier, KerasRegressor

EPOCHS = 3
BASE = {"epochs": EPOCHS, "hidden_layer_sizes": (7, 5), "random_state": 3}


def fit_both(make, X, y, tolerance=2e-4, sample_weight=None, **params):
    """Fit with each engine and compare everything they end with.

    On "auto" these short trainings are not compiled, but run by NumPy or TensorFlow.
    """
    interpreted, compiled, loop = (
        make(engine=engine, **{**BASE, **params}).fit(X, y, sample_weight)
        for engine in ("auto", "compiled", "keras")
    )
    assert (compiled.engine_, loop.engine_) == ("compiled", "keras")
    assert_alike(interpreted, loop, X, tolerance)
    assert_alike(compiled, loop, X, tolerance)
    return compiled, loop


def assert_alike(compiled, loop, X, tolerance):
    """Fail unless two models have ended alike."""
    assert set(compiled.history_) == set(loop.history_)
    for name, values in loop.history_.items():
        np.testing.assert_allclose(
            compiled.history_[name], values, rtol=tolerance, atol=1e-6, err_msg=name
        )
    for here, there in zip(compiled.weights_, loop.weights_, strict=True):
        np.testing.assert_allclose(here, there, rtol=20 * tolerance, atol=1e-5)
    assert compiled.best_epoch_ == loop.best_epoch_
    np.testing.assert_allclose(
        compiled.predict(X[:50]), loop.predict(X[:50]), rtol=1e-3, atol=1e-4
    )


OPTIMIZERS = {
    "sgd": ("sgd", {}),
    "momentum": ("sgd", {"momentum": 0.9}),
    "nesterov": ("sgd", {"momentum": 0.9, "nesterov": True}),
    "rmsprop": ("rmsprop", {}),
    "centered": ("rmsprop", {"momentum": 0.5, "centered": True, "rho": 0.8}),
    "adagrad": ("adagrad", {"initial_accumulator_value": 0.3}),
    "adadelta": ("adadelta", {"rho": 0.9}),
    "adam": ("adam", {}),
    "betas": ("adam", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4}),
    "amsgrad": ("adam", {"amsgrad": True, "beta_2": 0.7}),
    "adamw": ("adamw", {"weight_decay": 0.1}),
    "decay": ("sgd", {"weight_decay": 0.1}),
    "adamax": ("adamax", {}),
    "nadam": ("nadam", {}),
    "lion": ("lion", {}),
    "clipnorm": ("sgd", {"clipnorm": 0.2}),
    "global_clipnorm": ("adam", {"global_clipnorm": 0.1}),
    "clipvalue": ("sgd", {"clipvalue": 0.02}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(diabetes, name):
    """Each optimizer takes Keras's steps, with its own arguments."""
    optimizer, options = OPTIMIZERS[name]
    params = {f"optimizer__{key}": value for key, value in options.items()}
    compiled, loop = fit_both(
        KerasRegressor, *diabetes, optimizer=optimizer, learning_rate=0.02, **params
    )
    states = [m._members[0].trained.state.optimizer_state for m in (compiled, loop)]
    for here, there in zip(*states, strict=True):
        np.testing.assert_allclose(here, there, rtol=5e-3, atol=1e-5)


SCHEDULES = {
    "exponential": keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.8),
    "cosine": keras.optimizers.schedules.CosineDecay(
        0.01, 20, warmup_target=0.05, warmup_steps=5
    ),
    "piecewise": keras.optimizers.schedules.PiecewiseConstantDecay(
        [10, 20], [0.05, 0.02, 0.01]
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule(diabetes, name):
    """A learning rate follows Keras's schedule step by step."""
    fit_both(KerasRegressor, *diabetes, learning_rate=SCHEDULES[name])


REGRESSION_LOSSES = (
    "mse",
    "mae",
    "huber",
    keras.losses.Huber(delta=0.3),
    "log_cosh",
    "mean_squared_logarithmic_error",
    "mean_absolute_percentage_error",
    "cosine_similarity",
)


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_every_regression_loss(diabetes, loss):
    """Each loss on numbers is Keras's."""
    X, y = diabetes
    fit_both(KerasRegressor, X, np.column_stack([y, -y]) + 3, loss=loss)


def test_poisson(diabetes):
    """Poisson regression ends in an exponential, in both engines."""
    X, y = diabetes
    fit_both(KerasRegressor, X, np.round(np.abs(3 * y)), loss="poisson")


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("auto", {}),
        ("auto", {"loss__label_smoothing": 0.2}),
        ("categorical_crossentropy", {}),
        ("sparse_categorical_crossentropy", {}),
        ("kl_divergence", {}),
        ("categorical_focal_crossentropy", {}),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), {}),
    ],
)
@pytest.mark.parametrize("metrics", [["accuracy"], None])
def test_every_loss_of_several_classes(iris, loss, options, metrics):
    """Each loss on several classes is Keras's, smoothed or not."""
    fit_both(KerasClassifier, *iris, loss=loss, metrics=metrics, **options)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("auto", {}),
        ("auto", {"loss__label_smoothing": 0.1}),
        ("auto", {"loss__from_logits": True}),
        ("binary_focal_crossentropy", {}),
        ("sparse_categorical_crossentropy", {}),
        ("mse", {}),
    ],
)
@pytest.mark.parametrize("metrics", [["accuracy"], None])
def test_every_loss_of_two_classes(cancer, loss, options, metrics):
    """Each loss on two classes is Keras's, smoothed or not."""
    fit_both(KerasClassifier, *cancer, loss=loss, metrics=metrics, **options)


@pytest.mark.parametrize("metrics", [["binary_accuracy", "AUC", "Recall"], None])
def test_several_labels(iris, metrics):
    """A head of several labels trains as Keras's, with metrics of each kind."""
    X, y = iris
    labels = np.column_stack([y > 0, y == 1, X[:, 0] > 0]).astype(int)
    fit_both(KerasClassifier, X, labels, metrics=metrics)


@pytest.mark.parametrize(
    "metrics", [["mae"], ["mse", "R2Score"], [keras.metrics.RootMeanSquaredError()]]
)
def test_metrics_of_numbers(diabetes, metrics):
    """Metrics by name and as objects stand in the history under Keras's names."""
    fit_both(KerasRegressor, *diabetes, metrics=metrics, batch_size=100)


ACTIVATIONS = (
    "celu",
    "elu",
    "exponential",
    "gelu",
    "glu",
    "hard_sigmoid",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
    None,
)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(diabetes, activation):
    """Each of Keras's activations computes the same."""
    sizes = {"glu": (), "exponential": (4,)}.get(activation, (8, 6))
    fit_both(KerasRegressor, *diabetes, activation=activation, hidden_layer_sizes=sizes)


NETWORKS = {
    "linear": {"hidden_layer_sizes": ()},
    "wide": {"wide": True},
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "l1": {"l1": 0.01},
    "l2": {"l2": 0.05},
    "both": {"l1": 0.01, "l2": 0.05, "normalization": "batch", "wide": True},
    "deep": {"n_hidden": 4, "units": 6, "hidden_layer_sizes": None},
    "one batch": {"batch_size": -1, "normalization": "batch"},
    "ragged": {"batch_size": 7, "normalization": "batch"},
    "unshuffled": {"shuffle": False},
    "no validation": {"early_stopping": False},
    "selu": {"activation": "selu", "kernel_initializer": "auto"},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_part_of_the_network(diabetes, name):
    """Width, depth, normalisation, penalties and batches are Keras's."""
    params = NETWORKS[name]
    if params.get("normalization") == "batch":
        # The bias before it has a gradient of zero, whose noise Adam would magnify.
        params = {**params, "optimizer": "sgd", "learning_rate": 0.01}
    fit_both(KerasRegressor, *diabetes, **params)


@pytest.mark.parametrize("metrics", [["accuracy"], None])
@pytest.mark.parametrize("normalization", [None, "batch"])
def test_weights_of_rows_and_classes(cancer, normalization, metrics):
    """Sample weights and class weights count as in Keras, validation included."""
    X, y = cancer
    weight = np.linspace(0.2, 3, len(y))
    fit_both(
        KerasClassifier,
        X,
        y,
        sample_weight=weight,
        class_weight="balanced",
        metrics=metrics,
        normalization=normalization,
        optimizer="sgd",
        learning_rate=0.01,
    )


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy", "loss"])
@pytest.mark.parametrize("restore_best_weights", [True, False])
def test_stopping(cancer, monitor, restore_best_weights):
    """Both engines stop after the same epoch and keep the weights of the same one."""
    compiled, _ = fit_both(
        KerasClassifier,
        *cancer,
        epochs=40,
        patience=2,
        min_delta=0.01,
        monitor=monitor,
        metrics=["accuracy"] if "acc" in monitor else None,
        restore_best_weights=restore_best_weights,
        learning_rate=0.01,
        tolerance=2e-3,
    )
    assert compiled.n_epochs_ < 40


def test_refit_on_all_rows(diabetes):
    """The second training, on all rows, is the same too."""
    fit_both(
        KerasRegressor, *diabetes, refit_full=1.2, epochs=8, patience=1, tolerance=1e-3
    )


@pytest.mark.parametrize("first", ["compiled", "keras"])
@pytest.mark.parametrize("optimizer", ["adam", "nadam", "sgd"])
def test_going_on_in_the_other_engine(diabetes, first, optimizer):
    """Training goes on with the optimizer's state, whichever engine it came from."""
    X, y = diabetes
    second = {"compiled": "keras", "keras": "compiled"}[first]
    params = {**BASE, "optimizer": optimizer, "early_stopping": False}
    ends = []
    for engines in ((first, first), (first, second)):
        model = KerasRegressor(engine=engines[0], warm_start=True, **params).fit(X, y)
        model.set_params(engine=engines[1]).fit(X, y)
        assert model.engine_ == engines[1]
        ends.append(model)
    np.testing.assert_allclose(
        ends[0].history_["loss"], ends[1].history_["loss"], rtol=1e-4
    )


def test_partial_fit_is_the_same(iris):
    """One epoch after the other gives the same history in both engines."""
    X, y = iris
    histories = []
    for engine in ("compiled", "keras"):
        model = KerasClassifier(engine=engine, **BASE)
        for _ in range(3):
            model.partial_fit(X, y)
        assert model.engine_ == engine
        histories.append(model.history_["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-4)


def test_double_precision(diabetes):
    """With Keras's floatx at float64 both engines agree to many digits."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        fit_both(KerasRegressor, *diabetes, tolerance=1e-9)
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(before)
