"""What the estimators learn and predict: tasks, targets, weights, data formats."""

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import make_multilabel_classification, make_regression
from sklearn.metrics import roc_auc_score
from sklearn.utils.class_weight import compute_sample_weight

from skkeras_tune import KerasClassifier, KerasRegressor, build_mlp
from tests.conftest import ENGINE

QUICK = {"epochs": 2, "early_stopping": False, "random_state": 0}
STEADY = {"epochs": 15, "learning_rate": 0.02, "early_stopping": False}


def fit_classifier(X, y, **params):
    return KerasClassifier(**{**STEADY, "random_state": 0, **params}).fit(X, y)


def test_scikit_learn_knows_the_kind():
    """The classifier is a classifier to scikit-learn, and the regressor a regressor."""
    assert is_classifier(KerasClassifier())
    assert not is_regressor(KerasClassifier())
    assert is_regressor(KerasRegressor())
    assert not is_classifier(KerasRegressor())


def test_these_tests_run_on_the_engine_asked_for(iris, programs):
    """`SKKERAS_TUNE_TEST_ENGINE` says what "auto" means; otherwise NumPy runs them."""
    expected = "keras" if ENGINE == "keras" else "compiled"
    assert KerasClassifier(**QUICK).fit(*iris).engine_ == expected
    assert bool(list(programs)) == (ENGINE == "compiled")


# --- tasks


def test_binary(cancer):
    """Two classes end in one sigmoid unit and binary cross-entropy."""
    model = fit_classifier(*cancer)
    assert model.score(*cancer) > 0.97
    assert model.model_.output_shape == (None, 1)
    assert model.model_.loss == "binary_crossentropy"
    probabilities = model.predict_proba(cancer[0])
    assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert roc_auc_score(cancer[1], probabilities[:, 1]) > 0.99


def test_multiclass(iris):
    """Three classes end in three softmax units and sparse cross-entropy."""
    model = fit_classifier(*iris)
    assert model.score(*iris) > 0.93
    assert model.model_.output_shape == (None, 3)
    assert model.model_.loss == "sparse_categorical_crossentropy"
    assert model.n_classes_ == 3


def test_multilabel():
    """Indicators end in one sigmoid unit a label, and are predicted as indicators."""
    X, y = make_multilabel_classification(200, n_classes=4, random_state=0)
    model = fit_classifier(X, y, epochs=40)
    assert model.predict(X).shape == y.shape
    assert set(np.unique(model.predict(X))) <= {0, 1}
    assert (model.predict(X) == y).mean() > 0.85
    assert model.predict_proba(X).shape == y.shape
    assert model.model_.loss == "binary_crossentropy"


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_regression(n_outputs):
    """Predictions have the shape of y, for one output or several."""
    X, y = make_regression(150, 6, n_targets=n_outputs, random_state=0)
    y = y / y.std(axis=0)
    model = KerasRegressor(**STEADY, random_state=0).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.score(X, y) > 0.9


def test_a_column_vector_is_a_single_output(diabetes):
    """A target of one column is predicted as one column by the regressor."""
    X, y = diabetes
    assert KerasRegressor(**QUICK).fit(X, y[:, None]).predict(X).shape == (442, 1)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes", "perhaps"]),
        np.array(["no", "yes", "perhaps"], dtype=object),
        np.array([-7, 3, 1000]),
        np.array([1.0, 2.0, 5.0]),
        np.array([False, True]),
        pd.Categorical(["low", "mid", "high"]),
    ],
    ids=["str", "object", "int", "float", "bool", "categorical"],
)
def test_labels_of_any_type(iris, labels):
    """Labels of any type come back as they were, and `classes_` holds them sorted."""
    X, codes = iris
    y = labels[codes % len(labels)]
    rows = np.isin(codes, range(len(labels)))
    X, y = X[rows], y[rows]
    model = fit_classifier(X, y)
    assert_array_equal(model.classes_, np.unique(y))
    assert np.mean(np.asarray(model.predict(X)) == np.asarray(y)) > 0.9


@pytest.mark.parametrize(
    ("loss", "units"),
    [
        ("binary_crossentropy", 1),
        ("sparse_categorical_crossentropy", 2),
        ("categorical_crossentropy", 2),
        ("mse", 1),
    ],
)
def test_the_loss_decides_the_head(cancer, loss, units):
    """A loss that is named decides the last layer and how labels are encoded."""
    model = fit_classifier(*cancer, loss=loss)
    assert model.model_.output_shape == (None, units)
    assert model.predict_proba(cancer[0]).shape == (569, 2)
    assert model.score(*cancer) > 0.95


@pytest.mark.parametrize("loss", ["mae", "huber", "log_cosh"])
def test_regression_losses(diabetes, loss):
    """The regressor takes Keras's losses for numbers."""
    X, y = diabetes
    model = KerasRegressor(loss=loss, **STEADY, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.4


def test_poisson_predicts_positive_counts():
    """Poisson regression predicts positive means."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = rng.poisson(np.exp(X[:, 0]))
    model = KerasRegressor(loss="poisson", **STEADY, random_state=0).fit(X, y)
    assert (model.predict(X) > 0).all()
    assert model.score(X, y) > 0.4


def test_logits_become_probabilities(iris):
    """With a loss on logits, `predict_proba` still gives probabilities."""
    params = {"loss": "sparse_categorical_crossentropy", "loss__from_logits": True}
    model = fit_classifier(*iris, **params)
    assert_allclose(model.predict_proba(iris[0]).sum(axis=1), 1, rtol=1e-5)
    assert model.score(*iris) > 0.93


def test_accuracy_of_logits(cancer):
    """An accuracy in the history is right for binary logits too."""
    params = {"loss": "binary_crossentropy", "loss__from_logits": True, "epochs": 1}
    model = KerasClassifier(metrics="accuracy", random_state=0, **params)
    model.fit(*cancer, X_val=cancer[0], y_val=cancer[1])
    assert_allclose(model.history_["val_accuracy"][0], model.score(*cancer), rtol=1e-6)


def test_label_smoothing(iris):
    """Options are routed to a loss that is named by a string, "auto" included."""
    plain = fit_classifier(*iris)
    smooth = fit_classifier(*iris, loss__label_smoothing=0.3)
    assert smooth.model_.loss.label_smoothing == 0.3
    assert smooth.predict_proba(iris[0]).max() < plain.predict_proba(iris[0]).max()


def test_images():
    """Inputs of more than two axes are taken, and flattened by the built-in network."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 4, 5))
    y = (images.mean(axis=(1, 2)) > 0).astype(int)
    model = fit_classifier(images, y)
    assert model.model_.input_shape == (None, 4, 5)
    assert model.score(images, y) > 0.9


# --- hyper-parameters


def test_hidden_layers_follow_the_parameters(iris):
    """`hidden_layer_sizes` wins over `n_hidden` and `units`."""

    def widths(**params):
        model = KerasClassifier(**QUICK, **params).fit(*iris)
        return [w.shape[1] for w in model.weights_ if w.ndim == 2]

    assert widths() == [100, 3]
    assert widths(n_hidden=2, units=7) == [7, 7, 3]
    assert widths(hidden_layer_sizes=(5, 4), n_hidden=9) == [5, 4, 3]
    assert widths(hidden_layer_sizes=6) == [6, 3]
    assert widths(n_hidden=0) == [3]


@pytest.mark.parametrize(
    "optimizer", ["sgd", "rmsprop", "adagrad", "adam", "adamw", "nadam", "lion"]
)
def test_optimizers_take_their_options(iris, optimizer):
    """Any of Keras's optimizers is taken by name, with its routed options."""
    params = {"optimizer": optimizer, "optimizer__clipnorm": 1.5}
    model = KerasClassifier(**QUICK, learning_rate=0.03, **params).fit(*iris)
    assert type(model.model_.optimizer).__name__.lower() == optimizer
    assert model.model_.optimizer.clipnorm == 1.5
    assert_allclose(float(model.model_.optimizer.learning_rate.numpy()), 0.03)


@pytest.mark.parametrize("engine", ["auto", "keras"])
@pytest.mark.parametrize("n_members", [1, 2])
def test_the_model_keeps_what_is_traced_for_its_user(iris, engine, n_members):
    """Whoever predicts with `model_` again and again pays for one trace."""
    X, y = iris
    model = KerasClassifier(engine=engine, n_members=n_members, **QUICK).fit(X, y)
    model.model_.predict(X, verbose=0)
    traced = model.model_.predict_function
    assert traced is not None
    assert model.model_.predict_function is traced
    assert model.partial_fit(X, y).model_.predict_function is None


def test_shuffling_and_batches_change_the_training(iris):
    """Shuffling and the batch size change the weights; all rows are one batch at -1."""
    weights = [
        KerasClassifier(**QUICK, **params).fit(*iris).weights_[0]
        for params in ({}, {"fit__shuffle": False}, {"batch_size": -1})
    ]
    assert not np.allclose(weights[0], weights[1])
    assert not np.allclose(weights[0], weights[2])
    whole = KerasClassifier(**QUICK, batch_size=150).fit(*iris).weights_[0]
    assert_array_equal(weights[2], whole)


# --- weights


def test_a_weight_of_two_is_a_row_twice(diabetes):
    """Weighting a row is the same as repeating it."""
    X, y = diabetes
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    params = {**QUICK, "batch_size": -1, "optimizer": "sgd"}
    weighted = KerasRegressor(**params).fit(X, y, sample_weight=weight)
    repeated = KerasRegressor(**params).fit(np.repeat(X, weight, 0), y.repeat(weight))
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-4, atol=1e-5)


def test_class_weight_equals_sample_weight(cancer):
    """`class_weight` is a sample weight by class, and "balanced" by frequency."""
    X, y = cancer
    for class_weight in ("balanced", {0: 5.0, 1: 1.0}):
        by_class = fit_classifier(X, y, class_weight=class_weight)
        weight = compute_sample_weight(class_weight, y)
        by_row = KerasClassifier(**STEADY, random_state=0).fit(X, y, weight)
        assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X), rtol=1e-5)


def test_class_weight_of_one_hot_labels(iris):
    """One-hot labels are weighted as the same labels in one column."""
    X, y = iris[0][:80], iris[1][:80]  # 50 of one class and 30 of another
    y = np.where(np.arange(80) > 70, 2, y)
    params = {"loss": "categorical_crossentropy", "class_weight": "balanced"}
    column = fit_classifier(X, y, **params)
    one_hot = fit_classifier(X, np.eye(3)[y], **params)
    assert_allclose(one_hot.predict_proba(X), column.predict_proba(X), rtol=1e-4)


def test_class_weight_of_a_validation_set(cancer):
    """A validation set is weighted by the weights of the training rows."""
    X, y = cancer
    few = np.flatnonzero((y == 1) | (np.arange(len(y)) % 5 == 0))
    model = KerasClassifier(epochs=1, class_weight="balanced", random_state=0)
    model.fit(X[few], y[few], X_val=X, y_val=y)
    weight = len(few) / (2 * np.bincount(y[few]))
    loss = -np.log(model.predict_proba(X)[np.arange(len(y)), y])
    expected = np.average(loss, weights=weight[y])
    assert_allclose(model.history_["val_loss"][0], expected, rtol=1e-4)


def test_class_weight_of_a_validation_set_of_several_labels():
    """A validation set of several labels is weighted by the training rows, too."""
    X, y = make_multilabel_classification(200, 6, n_classes=3, random_state=0)
    model = KerasClassifier(epochs=1, class_weight="balanced", random_state=0)
    model.fit(X, y, X_val=X, y_val=y)
    p = model.predict_proba(X)
    loss = -np.log(np.where(y == 1, p, 1 - p)).mean(axis=1)
    expected = np.average(loss, weights=compute_sample_weight("balanced", y))
    assert_allclose(model.history_["val_loss"][0], expected, rtol=1e-4)


LOGITS = {"from_logits": True}


@pytest.mark.parametrize(
    ("n_classes", "units", "loss"),
    [
        (2, 1, keras.losses.BinaryCrossentropy(**LOGITS)),
        (3, 3, keras.losses.CategoricalCrossentropy(**LOGITS)),
        (3, 3, keras.losses.SparseCategoricalCrossentropy(**LOGITS)),
    ],
)
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"out": x}])
def test_a_loss_in_a_list_or_dict(iris, n_classes, units, loss, n_members, wrap):
    """The loss of a model's one output gives the same from within a list or dict."""
    X, y = iris[0][iris[1] < n_classes], iris[1][iris[1] < n_classes]

    def build(wrapped):
        inputs = keras.Input((4,))
        outputs = keras.layers.Dense(units, name="out")(inputs)
        model = keras.Model(inputs, outputs)
        model.compile("adam", loss=wrap(loss) if wrapped else loss)
        return model

    params = {**QUICK, "n_members": n_members}
    plain, within = (
        KerasClassifier(build, wrapped=wrapped, **params).fit(X, y).predict_proba(X)
        for wrapped in (False, True)
    )
    assert_allclose(within, plain, rtol=1e-4)


def test_a_class_weight_for_a_class_that_a_part_lacks(iris):
    """`partial_fit` takes a dict that names a class which these rows lack."""
    X, y = iris
    model = KerasClassifier(class_weight={2: 5.0}, random_state=0)
    model.partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    assert model.n_epochs_ == 1


def test_a_class_without_weight_stays_a_class(iris):
    """Rows of weight zero are not trained on, and their class keeps its column."""
    X, y = iris
    model = fit_classifier(X, y, epochs=30)
    model.fit(X, y, sample_weight=(y != 2).astype(float))
    assert_array_equal(model.classes_, [0, 1, 2])
    assert (model.predict(X) != 2).all()


def test_class_weight_moves_the_predictions(cancer):
    """A class that weighs more is predicted more often."""
    X, y = cancer
    labels = np.where(y == 1, "benign", "malignant")
    shares = [
        np.mean(
            fit_classifier(X, labels, class_weight=weight, n_hidden=0).predict(X)
            == "malignant"
        )
        for weight in (None, {"malignant": 50.0, "benign": 1.0})
    ]
    assert shares[1] > shares[0]


def test_weights_are_not_written_into(cancer):
    """The caller's arrays are as they were, and integer weights are taken."""
    X, y = cancer
    weight = np.ones(len(y), dtype=int)
    before = X.copy(), y.copy(), weight.copy()
    KerasClassifier(**QUICK, class_weight={0: 3, 1: 1}).fit(X, y, weight)
    for kept, now in zip(before, (X, y, weight), strict=True):
        assert_array_equal(kept, now)


def test_score_takes_weights(cancer):
    """`score` weighs the rows it is told to."""
    X, y = cancer
    model = fit_classifier(X, y)
    right = model.predict(X) == y
    assert model.score(X, y, sample_weight=right.astype(float)) == 1.0


# --- data formats


def test_data_frames_and_their_names(iris):
    """Column names are learnt and compared, as everywhere in scikit-learn."""
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = KerasClassifier(**QUICK).fit(frame, pd.Series(y))
    assert list(model.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match=r"feature names should match"):
        model.predict(frame[list("badc")])


def test_number_of_features_is_checked(iris):
    """Rows of another width are refused, with both numbers."""
    X, y = iris
    model = KerasClassifier(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match=r"X has 3 features, but KerasClassifier is"):
        model.predict(X[:, :3])


@pytest.mark.parametrize("container", [csr_array, csr_matrix])
def test_sparse_equals_dense(cancer, container):
    """Sparse rows train and predict as dense ones do."""
    X, y = cancer
    X = np.where(np.abs(X) > 1, X, 0)
    dense = KerasClassifier(**QUICK).fit(X, y)
    sparse = KerasClassifier(**QUICK).fit(container(X), y)
    expected = dense.predict_proba(X)
    assert_allclose(sparse.predict_proba(container(X)), expected, rtol=1e-4)
    assert_allclose(sparse.predict_proba(X), expected, rtol=1e-4)


def test_number_types_mix(iris):
    """Float32, float64, integers and lists mix between fit and predict."""
    X, y = iris
    X = X.round()
    model = KerasClassifier(**QUICK).fit(X.astype(np.float32), y)
    expected = model.predict_proba(X)
    for same in (X.astype(np.float32), X.astype(int), X.tolist()):
        assert_array_equal(model.predict_proba(same), expected)
    assert_array_equal(
        KerasClassifier(**QUICK).fit(X.astype(int), y).predict_proba(X), expected
    )


def test_predictions_do_not_depend_on_the_batch(cancer):
    """A row's prediction is the same alone, in a batch, and among all rows."""
    X, y = cancer
    model = KerasClassifier(**QUICK).fit(X, y)
    everything = model.predict_proba(X)
    assert_allclose(model.predict_proba(X[:1]), everything[:1], atol=1e-6)
    assert_allclose(model.predict_proba(X, batch_size=7), everything, atol=1e-6)


# --- parameters


def test_clone_keeps_every_parameter():
    """A clone has the same parameters, and a generator of its own."""
    model = KerasClassifier(
        hidden_layer_sizes=(3, 4),
        optimizer__beta_1=0.8,
        callbacks__patience=3,
        random_state=np.random.RandomState(0),
    )
    copy = clone(model)
    params, copied = model.get_params(), copy.get_params()
    assert params.pop("random_state") is not copied.pop("random_state")
    assert copied == params


def test_a_copy_by_get_params_is_a_clone(cancer):
    """An estimator made of another's `get_params` trains as that one does."""
    model = KerasClassifier(**QUICK, units=7)
    copy = KerasClassifier(**model.get_params())
    assert copy.get_params() == model.get_params()
    assert copy.fit(*cancer).history_ == model.fit(*cancer).history_


def test_setting_all_parameters_again_changes_nothing(iris):
    """`set_params` of an estimator's own `get_params` leaves it as it is."""

    def build(meta):
        return build_mlp(4, meta["n_classes_"], "softmax")

    model = KerasClassifier(build, loss="sparse_categorical_crossentropy", **QUICK)
    copy = clone(model).set_params(**model.get_params())
    assert copy.fit(*iris).history_ == model.fit(*iris).history_


@pytest.mark.parametrize("rate", [1, np.float32(0.1), np.int64(1)])
def test_numbers_of_any_kind_are_learning_rates(iris, rate):
    """Integers and NumPy's numbers are learning rates, and options of optimizers."""
    params = {"learning_rate": rate, "optimizer__clipnorm": np.float32(1.0)}
    model = KerasClassifier(optimizer="sgd", **params, **QUICK).fit(*iris)
    assert_allclose(float(model.model_.optimizer.learning_rate.numpy()), rate)


def test_mixed_precision_ends_in_single_precision(cancer):
    """Under a mixed policy the output layer and the probabilities are not half."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = KerasClassifier(**QUICK).fit(*cancer)
    finally:
        keras.config.set_dtype_policy("float32")
    probabilities = model.predict_proba(cancer[0])
    assert probabilities.dtype == np.float32
    assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_global_output_settings_do_not_matter(iris):
    """scikit-learn set to data frames everywhere changes nothing inside a fit."""
    with config_context(transform_output="pandas"):
        model = KerasClassifier(**QUICK).fit(*iris)
    assert model.score(*iris) > 0


def test_fit_leaves_the_parameters_alone(iris):
    """`fit` changes no parameter, whatever its arguments."""
    model = KerasClassifier(**QUICK, metrics=["accuracy"])
    before = model.get_params()
    model.fit(*iris, epochs=3, batch_size=64)
    assert model.get_params() == before
    assert model.n_epochs_ == 3


def test_repr_shows_what_was_changed():
    """The representation names the parameters that differ from their defaults."""
    assert repr(KerasClassifier(units=7)) == "KerasClassifier(units=7)"


def test_set_params_refuses_an_unknown_name():
    """A misspelt parameter is refused, with the valid ones."""
    with pytest.raises(ValueError, match=r"Invalid parameter 'unit' for estimator"):
        KerasClassifier().set_params(unit=3)


def test_fit_refuses_an_unknown_constructor_argument(iris):
    """A parameter that nothing would read is refused in `fit`, with its value."""
    with pytest.raises(TypeError, match=r"neither it nor its model.*'unit': 3"):
        KerasClassifier(unit=3).fit(*iris)
    with pytest.raises(TypeError, match=r"optimiser__momentum"):
        KerasClassifier(optimiser__momentum=0.9).fit(*iris)


def test_history_has_a_value_for_each_epoch(cancer):
    """`history_` holds the loss and each metric, for training and held-out rows."""
    model = KerasClassifier(epochs=3, metrics=["accuracy", "AUC"]).fit(*cancer)
    names = {"loss", "accuracy", "AUC"}
    assert set(model.history_) == names | {f"val_{name}" for name in names}
    assert {len(values) for values in model.history_.values()} == {3}


def test_metric_names_do_not_count_up(cancer):
    """The tenth fit names its metrics as the first did, so that monitors find them."""
    model = KerasClassifier(epochs=1, metrics=[keras.metrics.AUC])
    names = [sorted(model.fit(*cancer).history_) for _ in range(2)]
    assert names[0] == names[1] == ["auc", "loss", "val_auc", "val_loss"]
