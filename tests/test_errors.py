"""Bad input gets an error that names the parameter or the data, and shows the value."""

import keras
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skkeras_tune import KerasClassifier, KerasRegressor

QUICK = {"epochs": 2, "early_stopping": False}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dropout": 1.5}, r"'dropout' .*\[0.0, 1.0\).* Got 1.5"),
        ({"dropout": "lots"}, "'dropout' .* Got 'lots'"),
        ({"units": 0}, r"'units' .*\[1, inf\).* Got 0"),
        ({"units": 2.5}, "'units' .* Got 2.5"),
        ({"n_hidden": -1}, "'n_hidden' .* Got -1"),
        ({"hidden_layer_sizes": (3, 0)}, r"'hidden_layer_sizes' .* Got \(3, 0\)"),
        ({"hidden_layer_sizes": (3, "x")}, "'hidden_layer_sizes' .* Got"),
        ({"hidden_layer_sizes": [[3]]}, "'hidden_layer_sizes' .* Got"),
        ({"activation": "rel"}, "'activation' .* Got 'rel'"),
        ({"normalization": "group"}, "'normalization' .* Got 'group'"),
        ({"l1": -0.1}, "'l1' .* Got -0.1"),
        ({"l2": np.nan}, "'l2' .* Got nan"),
        ({"wide": "no"}, "'wide' .* Got 'no'"),
        ({"kernel_initializer": "he"}, "'kernel_initializer' .* Got 'he'"),
        ({"optimizer": "adamant"}, "'optimizer' .* Got 'adamant'"),
        ({"optimizer": 3}, "'optimizer' .* Got 3"),
        ({"learning_rate": 0}, "'learning_rate' .* Got 0"),
        ({"learning_rate": -1e-3}, "'learning_rate' .* Got -0.001"),
        ({"batch_size": 0}, "'batch_size' .* Got 0"),
        ({"batch_size": 1.5}, "'batch_size' .* Got 1.5"),
        ({"epochs": 0}, "'epochs' .* Got 0"),
        ({"loss": "crossentropi"}, "'loss' .* Got 'crossentropi'"),
        ({"metrics": 3}, "'metrics' .* Got 3"),
        ({"metrics": ["accurate_"]}, "'metrics' .* Got 'accurate_'"),
        ({"class_weight": "even"}, "'class_weight' .* Got 'even'"),
        ({"early_stopping": "yes"}, "'early_stopping' .* Got 'yes'"),
        ({"validation_split": 1.0}, "'validation_split' .* Got 1.0"),
        ({"patience": -1}, "'patience' .* Got -1"),
        ({"min_delta": -1}, "'min_delta' .* Got -1"),
        ({"monitor": 3}, "'monitor' .* Got 3"),
        ({"restore_best_weights": None}, "'restore_best_weights' .* Got None"),
        ({"refit_full": -1.2}, "'refit_full' .* Got -1.2"),
        ({"callbacks": 3}, "'callbacks' .* Got 3"),
        ({"random_state": "zero"}, "'random_state' .* Got 'zero'"),
        ({"warm_start": "yes"}, "'warm_start' .* Got 'yes'"),
        ({"memory": 3}, "'memory' .* Got 3"),
        ({"model": 3}, "'model' .* Got 3"),
        ({"fit__epochs": -2}, "'epochs' .* Got -2"),
    ],
)
def test_parameters_out_of_range(iris, params, message):
    """A parameter of the wrong type or range is named, with its value."""
    with pytest.raises(ValueError, match=message):
        KerasClassifier(**{**QUICK, **params}).fit(*iris)


def test_arguments_of_fit_are_checked(iris):
    """Arguments of `fit` are held to the same rules as the parameters."""
    with pytest.raises(ValueError, match=r"'epochs' .* Got 0"):
        KerasClassifier().fit(*iris, epochs=0)
    with pytest.raises(TypeError, match=r"unexpected argument 'epoch'.*'epochs'"):
        KerasClassifier().fit(*iris, epoch=3)


@pytest.mark.parametrize(
    ("params", "option"),
    [
        ({"optimizer__momentun": 0.9}, "'adam' .* optimizer__momentun=0.9"),
        ({"loss": "mse", "loss__smoothing": 0.9}, "'mse' .* loss__smoothing=0.9"),
        (
            {"metrics": [keras.metrics.AUC], "metrics__0__bins": 3},
            "metrics .* metrics__0__bins=3",
        ),
        (
            {"callbacks": keras.callbacks.EarlyStopping, "callbacks__patient": 3},
            "callbacks .* callbacks__patient=3",
        ),
    ],
)
def test_misspelt_routed_options(diabetes, params, option):
    """An option that an optimizer or loss does not take is named in the error."""
    with pytest.raises(ValueError, match=option):
        KerasRegressor(**QUICK, **params).fit(*diabetes)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_must_be_finite(iris, bad):
    """NaN and infinity in X are refused, in fit and in predict."""
    X, y = iris
    broken = X.copy()
    broken[3, 1] = bad
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        KerasClassifier(**QUICK).fit(broken, y)
    model = KerasClassifier(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        model.predict(broken)


def test_features_must_fit_into_the_networks_precision(iris):
    """A value that overflows float32 is refused as infinite, in words."""
    X, y = iris
    broken = X.copy()
    broken[3, 1] = 1e60
    with pytest.raises(ValueError, match=r"infinity or a value too large"):
        KerasClassifier(**QUICK).fit(broken, y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_targets_must_be_finite(diabetes, bad):
    """NaN and infinity in y are refused."""
    X, y = diabetes
    y = y.copy()
    y[5] = bad
    with pytest.raises(ValueError, match=r"Input y contains (NaN|infinity)"):
        KerasRegressor(**QUICK).fit(X, y)


def test_targets_must_fit_into_the_networks_precision(diabetes):
    """A target that overflows float32 is refused, with a remedy."""
    X, y = diabetes
    with pytest.raises(ValueError, match=r"too large for the network's float32.*Scale"):
        KerasRegressor(**QUICK).fit(X, y * 1e60)


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("binary_crossentropy", "multiclass"),
        ("hinge", "multiclass"),
        ("categorical_hinge", "multiclass"),
    ],
)
def test_a_loss_that_does_not_fit_the_labels(iris, loss, kind):
    """A loss for another kind of target is refused, naming both and the right one."""
    message = f"loss='{loss}' does not fit a {kind} target.*loss='auto'"
    with pytest.raises(ValueError, match=message):
        KerasClassifier(**QUICK, loss=loss).fit(*iris)


def test_a_loss_that_does_not_fit_numbers(diabetes):
    """A classification loss is refused by the regressor."""
    with pytest.raises(ValueError, match=r"'binary_crossentropy' does not fit a regr"):
        KerasRegressor(**QUICK, loss="binary_crossentropy").fit(*diabetes)


def test_continuous_labels(diabetes):
    """Numbers with fractions are not labels."""
    with pytest.raises(ValueError, match=r"Unknown label type: continuous"):
        KerasClassifier(**QUICK).fit(*diabetes)


def test_one_class_only(iris):
    """A single class is refused, with its label."""
    X, _ = iris
    with pytest.raises(ValueError, match=r"y has 1 class .*\['a'\] in 150 rows"):
        KerasClassifier(**QUICK).fit(X, ["a"] * 150)


def test_one_class_left_by_the_weights(iris):
    """Rows of weight zero do not count as a class."""
    X, y = iris
    with pytest.raises(ValueError, match=r"1 class"):
        KerasClassifier(**QUICK).fit(X, y, sample_weight=(y == 1).astype(float))


def test_zero_weights(iris):
    """Weights that are all zero, or negative, are refused."""
    X, y = iris
    with pytest.raises(ValueError, match=r"weights.* (zero|non-zero)"):
        KerasClassifier(**QUICK).fit(X, y, sample_weight=np.zeros(150))
    class_weight = dict.fromkeys(range(3), 0)
    with pytest.raises(ValueError, match=r"All sample weights are zero"):
        KerasClassifier(**QUICK, class_weight=class_weight).fit(X, y)
    with pytest.raises(ValueError, match=r"Negative values .*sample_weight"):
        KerasClassifier(**QUICK).fit(X, y, sample_weight=-np.ones(150))


def test_lengths_must_agree(iris):
    """X, y, weights and groups of different lengths are refused, with the lengths."""
    X, y = iris
    model = KerasClassifier(**QUICK)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples"):
        model.fit(X, y[:100])
    with pytest.raises(ValueError, match=r"sample_weight"):
        model.fit(X, y, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples"):
        model.fit(X, y, groups=np.ones(3))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score"])
def test_an_unfitted_estimator(iris, method):
    """An estimator that was not fitted says so."""
    data = iris if method == "score" else iris[:1]
    with pytest.raises(NotFittedError, match=r"This KerasClassifier .* not fitted yet"):
        getattr(KerasClassifier(), method)(*data)


@pytest.mark.parametrize("attribute", ["model_", "weights_"])
def test_an_unfitted_model(attribute):
    """The model of an estimator that was not fitted is missing, in words."""
    with pytest.raises(NotFittedError, match=r"not fitted yet"):
        getattr(KerasClassifier(), attribute)


def test_errors_of_the_validation_set_say_so(iris):
    """An error in the validation set is told from one in the training rows."""
    X, y = iris
    broken = X.copy()
    broken[3, 1] = np.nan
    model = KerasClassifier(**QUICK)
    with pytest.raises(
        ValueError, match=r"In the validation set: Input X contains NaN"
    ):
        model.fit(X, y, X_val=broken, y_val=y)
    with pytest.raises(ValueError, match=r"In the validation set: .* 3 features"):
        model.fit(X, y, X_val=X[:, :3], y_val=y)


def test_images_of_another_shape():
    """Images of another shape than in `fit` are refused, with both shapes."""
    images = np.zeros((20, 4, 5))
    model = KerasClassifier(**QUICK).fit(images, [0, 1] * 10)
    with pytest.raises(ValueError, match=r"shape \(4, 3\), but .* shape \(4, 5\)"):
        model.predict(np.zeros((2, 4, 3)))


def test_groups_of_two_columns(iris):
    """Groups are one column."""
    with pytest.raises(ValueError, match=r"1d array"):
        KerasClassifier().fit(*iris, groups=np.zeros((150, 2)))


@pytest.mark.parametrize(
    "option",
    [{"shuffle": "no"}, {"validation_freq": 0}, {"validation_batch_size": -5}],
)
def test_options_of_keras_fit_out_of_range(iris, option):
    """Keras's own options of `fit` are checked like parameters."""
    name, value = next(iter(option.items()))
    with pytest.raises(ValueError, match=rf"'{name}' .* Got {value!r}"):
        KerasClassifier().fit(*iris, **option)


def test_class_weight_is_for_classes(diabetes):
    """The regressor's `fit` refuses `class_weight`, and does not say it takes it."""
    message = r"'class_weight' with the value 'balanced'. It takes (?!.*class_weight)"
    with pytest.raises(TypeError, match=message):
        KerasRegressor(**QUICK).fit(*diabetes, class_weight="balanced")


def test_a_layer_is_no_activation(iris):
    """One layer object cannot serve all hidden layers."""
    with pytest.raises(ValueError, match=r"'activation' .* not a layer. Got <PReLU"):
        KerasClassifier(activation=keras.layers.PReLU(), **QUICK).fit(*iris)


def test_an_option_for_a_model_function_that_is_not_there(iris):
    """`model__units` without `model=` is refused: the parameter is `units`."""
    with pytest.raises(TypeError, match=r"takes: {'model__units': 5}"):
        KerasClassifier(model__units=5, **QUICK).fit(*iris)


class Scaled(keras.losses.Loss):
    """A loss that keeps its argument from Keras."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale

    def call(self, y_true, y_pred):
        return self.scale * keras.ops.mean((y_true - y_pred) ** 2, axis=-1)


def test_objects_that_would_lose_their_arguments(diabetes):
    """An object whose get_config is incomplete is refused, with what is missing."""
    with pytest.raises(
        ValueError, match=r"Scaled.get_config\(\) leaves out \['scale'\]"
    ):
        KerasRegressor(loss=Scaled(3.0), **QUICK).fit(*diabetes)


# --- model functions


def test_a_model_function_that_returns_no_model(iris):
    """A function that returns something else is named with what it returned."""
    with pytest.raises(TypeError, match=r"must return a keras.Model. Got None"):
        KerasClassifier(lambda: None, **QUICK).fit(*iris)


def test_a_model_function_with_the_wrong_last_layer(iris):
    """A last layer of the wrong width is refused, with both widths."""

    def build():
        return keras.Sequential([keras.layers.Dense(2, activation="softmax")])

    with pytest.raises(ValueError, match=r"output layer of 2 unit.*y has 3 classes"):
        KerasClassifier(build, **QUICK).fit(*iris)


def test_a_model_without_a_loss(iris):
    """A model that nobody gave a loss is refused, with the remedy."""

    class Bare(KerasRegressor):
        @property
        def target_encoder(self):
            from sklearn.preprocessing import FunctionTransformer

            return FunctionTransformer()

    def build():
        return keras.Sequential([keras.layers.Dense(1)])

    with pytest.raises(ValueError, match=r"The model has no loss"):
        Bare(build, **QUICK).fit(iris[0], iris[0][:, :1])


def test_two_losses_that_disagree(iris):
    """A model compiled with another loss than the one named is refused."""

    def build():
        model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    with pytest.raises(ValueError, match=r"'mse', but the model was compiled with"):
        KerasClassifier(build, loss="mse", **QUICK).fit(*iris)


def test_a_parameter_that_the_function_would_not_see(iris):
    """A parameter of the built-in network is refused beside a model of one's own."""

    def build(n_hidden=1):
        return keras.Sequential([keras.layers.Dense(3, activation="softmax")])

    KerasClassifier(build, n_hidden=2, **QUICK).fit(*iris)
    with pytest.raises(TypeError, match=r"nor its model function takes: {'units': 5}"):
        KerasClassifier(build, units=5, **QUICK).fit(*iris)


def build_softmax(width=5):
    """Build a network of one's own, not compiled."""
    layers = [keras.layers.Dense(width), keras.layers.Dense(3, activation="softmax")]
    return keras.Sequential(layers)


@pytest.mark.parametrize("name", ["model__widht", "model__width__of", "model__meta"])
def test_a_misspelt_option_of_a_model_function(iris, name):
    """An option that the function does not take is refused, with those that it does."""
    message = rf"neither it nor .*: {{'{name}': 3}}. The function takes \['width'\]"
    with pytest.raises(TypeError, match=message):
        KerasClassifier(build_softmax, **{name: 3}, **QUICK).fit(*iris)


def test_a_model_that_is_built_takes_no_options(iris):
    """An option for a function is refused beside a model, which ignores it."""
    model = keras.Sequential([keras.Input((4,)), *build_softmax().layers])
    with pytest.raises(TypeError, match=r"function takes: {'model__width': 3}"):
        KerasClassifier(model, model__width=3, **QUICK).fit(*iris)


@pytest.mark.parametrize("model", [None, build_softmax])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("optimizer", "compile__optimizer='sgd' is not .* give optimizer='sgd'"),
        ("loss", "compile__loss='sgd' is not taken, .* give loss='sgd'"),
        ("metrics", "compile__metrics='sgd' is not taken, .* give metrics='sgd'"),
        ("weights", r"compile__weights='sgd' is no option of compile.*'loss_weights'"),
    ],
)
def test_options_that_compile_does_not_take(iris, model, name, message):
    """What the estimator has a parameter for, or compile does not know, is refused."""
    with pytest.raises(ValueError, match=f"^{message}"):
        KerasClassifier(model, **{f"compile__{name}": "sgd"}, **QUICK).fit(*iris)


@pytest.mark.parametrize("name", ["callbacks__patience", "metrics__name"])
def test_options_of_what_is_not_there(iris, name):
    """An option of callbacks or metrics is refused where there are none."""
    route, _, _ = name.partition("__")
    with pytest.raises(ValueError, match=rf"^{name}=3 is for {route}=, which is None"):
        KerasClassifier(**{name: 3}, **QUICK).fit(*iris)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"learning_rate": 0.1, "metrics": ["accuracy"]}, "learning_rate, metrics"),
        ({"loss__from_logits": True}, "loss__from_logits"),
        ({"loss": keras.losses.SparseCategoricalCrossentropy()}, "loss"),
        ({"run_eagerly": True, "compile__loss_weights": [2.0]}, "compile__loss_weig"),
    ],
)
def test_parameters_that_a_compiled_model_does_not_see(iris, settings, named):
    """Settings of compilation beside a model that comes compiled are warned of."""

    def build():
        model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    model = KerasClassifier(build, **settings, **QUICK)
    with pytest.warns(UserWarning, match=rf"^{named}.* had no effect"):
        model.fit(*iris)


def test_nothing_is_asked_of_a_compiled_model(iris):
    """A parameter that is given as None has nothing that it could not have."""
    model = build_softmax()
    model.compile("adam", "sparse_categorical_crossentropy")
    nothing = {"metrics": None, "loss": None}
    KerasClassifier(model, **nothing, **QUICK).fit(*iris)  # warnings are errors


def test_initialize_checks_the_outputs(iris):
    """`initialize` refuses a model whose outputs are not as many as the classes."""
    two = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, activation="softmax")]
    )
    with pytest.raises(ValueError, match=r"output layer of 2 unit.*y has 3 classes"):
        KerasClassifier(two).initialize(*iris)


def test_a_failed_initialize_leaves_a_fitted_estimator(iris):
    """An `initialize` that fails forgets nothing of the fit before."""
    X, y = iris
    model = KerasClassifier(**QUICK).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"Unknown label type: continuous"):
        model.initialize(X[:, :3], X[:, 3] + 0.05)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_the_old_name_of_a_model_function(iris):
    """`build_fn`, scikeras's and Keras's older name, is pointed to `model`."""
    with pytest.raises(TypeError, match="Pass build_fn as model"):
        KerasClassifier(build_fn=keras.Sequential).fit(*iris)


# --- training that fails


@pytest.mark.parametrize("engine", ["builtin", "function"])
def test_a_loss_that_becomes_nan_stops_the_fit(diabetes, engine):
    """A loss that is not finite ends the fit, with the rate and what to change."""
    X, y = diabetes

    def build(n_hidden):
        return keras.Sequential([keras.layers.Dense(1)])

    model = KerasRegressor(
        None if engine == "builtin" else build,
        n_hidden=0,
        optimizer="sgd",
        learning_rate=1e6,
        loss="mse",
        epochs=50,
        random_state=0,
    )
    message = r"loss became (nan|inf) in epoch \d+.*learning rate \(now 1e\+06\)"
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def test_a_last_step_that_goes_astray(iris):
    """What the last step breaks is found in the validation loss, or in predicting."""
    params = {"epochs": 1, "batch_size": -1, "learning_rate": 1e38}
    with pytest.raises(ValueError, match=r"validation loss became nan in epoch 1"):
        KerasClassifier(**params).fit(*iris)
    model = KerasClassifier(early_stopping=False, **params).fit(*iris)
    with pytest.raises(ValueError, match=r"KerasClassifier predicts NaN"):
        model.predict(iris[0])


def test_weights_that_are_not_numbers(iris):
    """Weights that are not finite after the last step end the fit."""
    params = {"epochs": 1, "batch_size": -1, "early_stopping": False}
    model = KerasClassifier(optimizer="sgd", learning_rate=3e38, **params)
    with pytest.raises(ValueError, match=r"weights became not finite in epoch 1"):
        model.fit(1e3 * iris[0], iris[1])


def test_a_model_of_ones_own_comes_back_from_weights_that_are_not_numbers(diabetes):
    """Going on with a user's model, a last step that breaks it is undone."""
    X, y = diabetes

    def build():
        return keras.Sequential([keras.layers.Dense(1)])

    params = {"epochs": 1, "batch_size": -1, "early_stopping": False}
    model = KerasRegressor(build, loss="mse", optimizer="sgd", warm_start=True)
    model.set_params(**params).fit(X, y)
    before = model.predict(X)
    model.model_.optimizer.learning_rate = 3e38
    with pytest.raises(ValueError, match=r"weights became not finite in epoch 1"):
        model.fit(1e3 * X, y)
    np.testing.assert_array_equal(model.predict(X), before)


def test_a_failed_fit_leaves_the_labels(iris):
    """After a failed fit with other labels, the old ones are predicted as before."""
    X, y = iris
    model = KerasClassifier(**QUICK).fit(X, np.array(list("abc"))[y])
    model.set_params(learning_rate=1e38)
    with pytest.raises(ValueError, match="became"):
        model.fit(X, np.array(list("xyz"))[y])
    assert set(model.predict(X)) <= set("abc")


def test_nothing_is_lost_when_a_second_fit_fails(iris):
    """After a `fit` that was refused, the estimator predicts as before."""
    X, y = iris
    model = KerasClassifier(**QUICK).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"'epochs'"):
        model.fit(X, y, epochs=0)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_broken_training_leaves_a_continued_model_as_it_was(diabetes):
    """A warm start whose loss explodes leaves the weights of the fit before."""
    X, y = diabetes
    model = KerasRegressor(**QUICK, warm_start=True, optimizer="sgd").fit(X, y)
    before = model.predict(X)
    model.set_params(learning_rate=1e9, epochs=50)
    with pytest.raises(ValueError, match=r"loss became"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict(X), before)
