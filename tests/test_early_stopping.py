"""Early stopping on a held-out split, validation sets, and training again on all."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss

from skkeras_tune import KerasClassifier, KerasRegressor
from skkeras_tune.training.holdout import hold_out

FAST = {"learning_rate": 0.05, "random_state": 0}


@pytest.fixture(scope="module")
def stopped(cancer):
    """A classifier that stopped early."""
    return KerasClassifier(**FAST, patience=3).fit(*cancer)


def test_training_stops_when_patience_runs_out(stopped):
    """Training ends `patience` epochs after the best one."""
    assert stopped.n_epochs_ == stopped.best_epoch_ + 3 < 100
    assert len(stopped.history_["val_loss"]) == stopped.n_epochs_


def test_the_best_epoch_is_the_one_of_least_validation_loss(stopped):
    """`best_epoch_` counts from 1 and points to the least monitored value."""
    assert stopped.best_epoch_ == np.argmin(stopped.history_["val_loss"]) + 1


def test_weights_are_those_of_the_best_epoch(cancer, stopped):
    """Training for just the best number of epochs gives the same weights."""
    shorter = KerasClassifier(**FAST, epochs=stopped.best_epoch_).fit(*cancer)
    for weight, expected in zip(shorter.weights_, stopped.weights_, strict=True):
        assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


def test_best_weights_are_restored_when_epochs_run_out(diabetes):
    """The best epoch's weights are kept, too, when training was not stopped early."""
    params = {**FAST, "learning_rate": 0.1, "patience": 50}
    model = KerasRegressor(**params, epochs=20).fit(*diabetes)
    assert model.best_epoch_ < model.n_epochs_ == 20
    best = KerasRegressor(**params, epochs=model.best_epoch_).fit(*diabetes)
    assert_allclose(model.predict(diabetes[0]), best.predict(diabetes[0]), rtol=1e-4)


def test_last_weights_are_kept_on_request(diabetes):
    """`restore_best_weights=False` keeps the last epoch's weights."""
    params = {**FAST, "learning_rate": 0.1, "patience": 5}
    best = KerasRegressor(**params).fit(*diabetes)
    last = KerasRegressor(**params, restore_best_weights=False).fit(*diabetes)
    assert best.history_ == last.history_
    assert best.best_epoch_ == last.best_epoch_
    assert not np.allclose(best.weights_[0], last.weights_[0])


def test_min_delta_decides_what_is_an_improvement(cancer):
    """With a large `min_delta` nothing improves, and training ends at once."""
    model = KerasClassifier(**FAST, patience=2, min_delta=10.0).fit(*cancer)
    assert model.n_epochs_ <= 4


def test_any_metric_can_be_monitored(cancer):
    """A monitored accuracy is best where it is highest."""
    params = {"metrics": ["accuracy"], "monitor": "val_accuracy", "patience": 4}
    model = KerasClassifier(**FAST, **params).fit(*cancer)
    assert model.best_epoch_ == np.argmax(model.history_["val_accuracy"]) + 1


def test_a_monitor_that_does_not_exist_is_refused(cancer):
    """A misspelt monitor ends the fit with an error that lists the right ones."""
    with pytest.raises(
        ValueError, match=r"monitor='val_acc' is not among .*'val_loss'"
    ):
        KerasClassifier(**FAST, monitor="val_acc").fit(*cancer)


def test_without_early_stopping_all_rows_are_trained_on(cancer):
    """Without early stopping nothing is held out, and all epochs are trained."""
    model = KerasClassifier(**FAST, early_stopping=False, epochs=3).fit(*cancer)
    assert set(model.history_) == {"loss"}
    assert model.n_epochs_ == model.best_epoch_ == 3


@pytest.mark.parametrize("given", ["constructor", "route", "fit"])
def test_a_split_that_was_asked_for_is_held_out(cancer, given):
    """Without early stopping, rows are held out when `validation_split` was set."""
    params = {"constructor": {"validation_split": 0.2}}
    params["route"] = {"fit__validation_split": 0.2}
    model = KerasClassifier(
        **FAST, early_stopping=False, epochs=2, **params.get(given, {})
    )
    model.fit(*cancer, **({"validation_split": 0.2} if given == "fit" else {}))
    assert len(model.history_["val_loss"]) == 2


def test_held_out_rows_are_the_documented_split(cancer):
    """The validation loss is that of the rows `hold_out` draws for the seed."""
    X, y = cancer
    model = KerasClassifier(**FAST, epochs=1).fit(X, y)
    train, held = hold_out(len(y), 0.1, model.seed_, labels=y)
    assert_allclose(
        model.history_["val_loss"][0],
        log_loss(y[held], model.predict_proba(X[held])),
        rtol=1e-4,
    )
    outside = KerasClassifier(**FAST, epochs=1)
    outside.fit(X, y, X_val=X[train], y_val=y[train])
    assert outside.history_["val_loss"] != model.history_["val_loss"]


def test_sorted_labels_are_held_out_of_every_class(iris):
    """Iris is sorted by class; the held-out rows still hold all classes."""
    X, y = iris
    model = KerasClassifier(**FAST, epochs=1).fit(X, y)
    _, held = hold_out(len(y), 0.1, model.seed_, labels=y)
    assert_array_equal(np.bincount(y[held]), [5, 5, 5])


def test_one_hot_labels_are_stratified(iris):
    """One-hot labels are held out of every class in proportion."""
    X, y = iris
    params = {**FAST, "epochs": 1, "loss": "categorical_crossentropy"}
    column = KerasClassifier(**params).fit(X, y)
    one_hot = KerasClassifier(**params).fit(X, np.eye(3)[y])
    assert_allclose(one_hot.history_["val_loss"], column.history_["val_loss"])


def test_the_split_follows_the_random_state(cancer):
    """The same `random_state` holds out the same rows, another one others."""
    histories = [
        KerasClassifier(epochs=1, random_state=seed).fit(*cancer).history_
        for seed in (1, 1, 2)
    ]
    assert histories[0] == histories[1] != histories[2]


def test_seed_repeats_a_fit(cancer):
    """A fit without `random_state` can be repeated from its `seed_`."""
    first = KerasClassifier(epochs=1).fit(*cancer)
    again = KerasClassifier(epochs=1, random_state=first.seed_).fit(*cancer)
    assert again.history_ == first.history_
    assert again.seed_ == first.seed_


def test_groups_are_held_out_whole(cancer):
    """With `groups`, no group is both trained on and held out."""
    X, y = cancer
    groups = np.arange(len(y)) // 10
    model = KerasClassifier(**FAST, epochs=1).fit(X, y, groups=groups)
    train, held = hold_out(len(y), 0.1, model.seed_, labels=y, groups=groups)
    assert not set(groups[train]) & set(groups[held])
    expected = log_loss(y[held], model.predict_proba(X[held]))
    assert_allclose(model.history_["val_loss"][0], expected, rtol=1e-4)


# --- validation sets


def test_a_validation_set_is_used_instead(cancer):
    """`X_val` and `y_val` are validated on, and every row of X is trained on."""
    X, y = cancer
    fit = {"X_val": X[400:], "y_val": y[400:]}
    model = KerasClassifier(**FAST, epochs=1).fit(X[:400], y[:400], **fit)
    expected = log_loss(y[400:], model.predict_proba(X[400:]))
    assert_allclose(model.history_["val_loss"][0], expected, rtol=1e-4)
    alone = KerasClassifier(**FAST, epochs=1, early_stopping=False)
    alone.fit(X[:400], y[:400])
    assert_allclose(alone.weights_[0], model.weights_[0], rtol=1e-5, atol=1e-7)


def test_keras_spelling_of_a_validation_set(cancer):
    """`validation_data` is the same as `X_val` and `y_val`, weights included."""
    X, y = cancer
    weight = np.linspace(0.5, 1.5, 169)
    ours = KerasClassifier(**FAST, epochs=2).fit(
        X[:400], y[:400], X_val=X[400:], y_val=y[400:], sample_weight_val=weight
    )
    keras_way = KerasClassifier(**FAST, epochs=2).fit(
        X[:400], y[:400], validation_data=(X[400:], y[400:], weight)
    )
    assert ours.history_ == keras_way.history_


def test_validation_labels_are_encoded_as_the_training_labels(cancer):
    """String labels, and numbers other than 0 and 1, give the same validation loss."""
    X, y = cancer
    losses = []
    for labels in (np.array([0, 1]), np.array([1, 2]), np.array(["a", "b"])):
        model = KerasClassifier(**FAST, epochs=1)
        names = labels[y]
        model.fit(X[:400], names[:400], validation_data=(X[400:], names[400:]))
        losses.append(model.history_["val_loss"][0])
    assert losses[0] == losses[1] == losses[2]


def test_an_unknown_validation_label_is_refused(iris):
    """A label that the training rows lack is named in the error."""
    X, y = iris
    with pytest.raises(
        ValueError, match=r"labels that the classifier does not know.*2"
    ):
        KerasClassifier(**FAST).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])


def test_half_a_validation_set_is_refused(iris):
    """X_val without y_val is refused, and so are two validation sets."""
    X, y = iris
    with pytest.raises(ValueError, match=r"y_val is missing"):
        KerasClassifier().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match=r"Got both"):
        KerasClassifier().fit(X, y, X_val=X, y_val=y, validation_data=(X, y))
    with pytest.raises(ValueError, match=r"must be \(X, y\) or"):
        KerasClassifier().fit(X, y, validation_data=X)


# --- too few rows


@pytest.mark.parametrize("n_rows", [6, 12])
def test_tiny_data_falls_back_with_a_warning(iris, n_rows):
    """With too few rows for a split, all are trained on, with a warning."""
    X, y = iris[0][:: 150 // n_rows], iris[1][:: 150 // n_rows]
    model = KerasClassifier(**FAST, epochs=3)
    with pytest.warns(UserWarning, match=rf"{len(y)} rows .* are too few"):
        model.fit(X, y)
    assert set(model.history_) == {"loss"}
    assert model.n_epochs_ == 3


def test_the_warning_points_at_the_callers_line(iris):
    """The warning of too few rows points at the line that calls `fit`."""
    X, y = iris[0][::30], iris[1][::30]
    with pytest.warns(UserWarning, match="too few") as caught:
        KerasClassifier(**FAST, epochs=1).fit(X, y)
    assert caught[0].filename == __file__


def test_a_single_group_falls_back(iris):
    """A single group cannot be split, so all rows are trained on, with a warning."""
    with pytest.warns(UserWarning, match=r"groups"):
        KerasClassifier(**FAST, epochs=1).fit(*iris, groups=np.zeros(150))


def test_nothing_to_hold_out_is_an_error(iris):
    """Early stopping on no held-out rows is refused, with the remedies."""
    with pytest.raises(ValueError, match=r"validation_split=0 holds out no rows"):
        KerasClassifier(validation_split=0.0).fit(*iris)


# --- training again on all rows


def test_refit_full_trains_on_all_rows(cancer, stopped):
    """`refit_full` is a new training on all rows for factor times the best epoch."""
    model = KerasClassifier(**FAST, patience=3, refit_full=1.5).fit(*cancer)
    epochs = round(1.5 * stopped.best_epoch_)
    assert model.history_ == stopped.history_
    assert model.best_epoch_ == stopped.best_epoch_
    assert len(model.refit_history_["loss"]) == epochs
    whole = KerasClassifier(**FAST, early_stopping=False, epochs=epochs).fit(*cancer)
    assert_allclose(
        model.predict_proba(cancer[0]), whole.predict_proba(cancer[0]), rtol=1e-4
    )


def test_refit_full_without_early_stopping_changes_nothing(cancer):
    """Without early stopping there is no best epoch to train again for."""
    params = {**FAST, "epochs": 2, "early_stopping": False}
    model = KerasClassifier(**params, refit_full=True).fit(*cancer)
    assert not hasattr(model, "refit_history_")


def test_refit_full_with_a_callback_of_early_stopping(cancer):
    """The best epoch that an EarlyStopping callback finds counts too."""
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    model = KerasClassifier(**FAST, callbacks=stop, refit_full=True).fit(*cancer)
    assert len(model.refit_history_["loss"]) == model.best_epoch_
    model.set_params(refit_full=False).fit(*cancer)
    assert not hasattr(model, "refit_history_")


def test_refit_full_follows_the_schedule(cancer):
    """Callbacks that watch no value take part in the second training."""
    frozen = keras.callbacks.LearningRateScheduler(lambda epoch: 0.0)
    model = KerasClassifier(**FAST, epochs=2, callbacks=frozen, refit_full=True)
    model.fit(*cancer)
    assert set(model.refit_history_["learning_rate"]) == {0.0}


# --- the user's own EarlyStopping


@pytest.mark.parametrize("restores", [True, False])
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_a_callback_of_early_stopping_takes_over(cancer, engine, restores):
    """With an EarlyStopping of the user's, the built-in rule is not applied.

    The best epoch is that of the best value, whichever weights are kept.
    """
    callback = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=restores)
    params = {**FAST, "callbacks": callback, "patience": 50, "engine": engine}
    model = KerasClassifier(**params).fit(*cancer)
    assert model.n_epochs_ < 50
    assert model.best_epoch_ == np.argmin(model.history_["val_loss"]) + 1
