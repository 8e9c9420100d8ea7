"""Going on with training: `partial_fit`, `warm_start`, and models that were loaded."""

import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkeras_tune import KerasClassifier, KerasRegressor
from skkeras_tune.estimators import fitting
from skkeras_tune.training.deadline import Deadline, train_until

PLAIN = {"early_stopping": False, "random_state": 0}


def test_partial_fit_trains_one_epoch_more(diabetes):
    """Each call trains one epoch, and the history grows by it."""
    model = KerasRegressor(**PLAIN)
    losses = [model.partial_fit(*diabetes).history_["loss"][-1] for _ in range(4)]
    assert losses == model.history_["loss"]
    assert model.n_epochs_ == 4
    assert losses[-1] < losses[0]


def test_partial_fit_equals_fit(diabetes):
    """Three calls of `partial_fit` are three epochs of `fit`, with Adam's state."""
    whole = KerasRegressor(**PLAIN, epochs=3).fit(*diabetes)
    parts = KerasRegressor(**PLAIN)
    for _ in range(3):
        parts.partial_fit(*diabetes)
    assert_allclose(parts.history_["loss"], whole.history_["loss"], rtol=1e-5)
    for weight, expected in zip(parts.weights_, whole.weights_, strict=True):
        assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)


def test_partial_fit_learns_classes_first(iris):
    """`classes` names labels that the first rows lack."""
    X, y = iris
    model = KerasClassifier(**PLAIN).partial_fit(X[:60], y[:60], classes=[0, 1, 2])
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.predict_proba(X).shape == (150, 3)
    model.partial_fit(X[60:], y[60:])
    assert model.n_epochs_ == 2


def test_partial_fit_refuses_a_new_label(iris):
    """A label that was not announced is named in the error."""
    X, y = iris
    model = KerasClassifier(**PLAIN).partial_fit(X[:100], y[:100])
    with pytest.raises(ValueError, match=r"does not know: \[2\].*classes are \[0, 1\]"):
        model.partial_fit(X, y)


def test_partial_fit_refuses_balanced_weights(iris):
    """Class frequencies are not known from a part of the rows."""
    with pytest.raises(ValueError, match=r"class_weight='balanced' needs all rows"):
        KerasClassifier(class_weight="balanced").partial_fit(*iris)


def test_partial_fit_takes_weights(diabetes):
    """Weights count in `partial_fit` as they do in `fit`."""
    X, y = diabetes
    weight = (np.arange(len(y)) % 2).astype(float)
    weighted = KerasRegressor(**PLAIN, batch_size=-1).partial_fit(X, y, weight)
    half = KerasRegressor(**PLAIN, batch_size=-1).partial_fit(X[1::2], y[1::2])
    assert_allclose(weighted.predict(X), half.predict(X), rtol=1e-4, atol=1e-5)


def test_weights_of_pieces_compare(diabetes):
    """A piece whose rows weigh a tenth moves the weights a tenth as far."""
    X, y = diabetes
    params = {**PLAIN, "optimizer": "sgd", "learning_rate": 1e-6, "batch_size": -1}
    fresh = KerasRegressor(**params).initialize(X, y).weights_[0]
    steps = [
        KerasRegressor(**params).partial_fit(X, y, weight).weights_[0] - fresh
        for weight in (None, np.full(len(y), 0.1))
    ]
    assert_allclose(10 * steps[1], steps[0], rtol=0.05, atol=1e-6)


def test_warm_start_goes_on(diabetes):
    """With `warm_start`, two fits of two epochs are one of four."""
    whole = KerasRegressor(**PLAIN, epochs=4).fit(*diabetes)
    parts = KerasRegressor(**PLAIN, epochs=2, warm_start=True)
    parts.fit(*diabetes).fit(*diabetes)
    assert_allclose(parts.history_["loss"], whole.history_["loss"][2:], rtol=1e-5)
    assert_allclose(parts.predict(diabetes[0]), whole.predict(diabetes[0]), rtol=1e-3)


def test_warm_start_takes_new_settings(diabetes):
    """A learning rate that was changed between fits is used."""
    model = KerasRegressor(**PLAIN, epochs=2, warm_start=True).fit(*diabetes)
    weights = model.weights_[0]
    model.set_params(learning_rate=1e-9).fit(*diabetes)
    assert_allclose(model.weights_[0], weights, atol=1e-6)


def test_a_second_fit_starts_afresh(diabetes):
    """Without `warm_start`, a second fit gives what the first gave."""
    model = KerasRegressor(**PLAIN, epochs=2).fit(*diabetes)
    first = model.predict(diabetes[0])
    assert_array_equal(model.fit(*diabetes).predict(diabetes[0]), first)


def test_a_second_fit_takes_other_data(iris, cancer):
    """Without `warm_start`, a second fit learns other features and labels."""
    model = KerasClassifier(**PLAIN, epochs=1).fit(*iris).fit(*cancer)
    assert model.n_features_in_ == 30
    assert_array_equal(model.classes_, [0, 1])
    assert model.predict_proba(cancer[0]).shape == (569, 2)


def test_warm_start_with_a_model_function(diabetes):
    """A model function's model is trained on, not built again."""

    def build():
        return keras.Sequential([keras.layers.Dense(1)])

    model = KerasRegressor(build, loss="mse", epochs=2, warm_start=True, **PLAIN)
    first = model.fit(*diabetes).model_
    loss = model.history_["loss"][-1]
    assert model.fit(*diabetes).model_ is first
    assert model.history_["loss"][0] < loss


def build_line(units=1, bias=True):
    """Return a model that is a line, or a sum of lines."""
    layers = [keras.layers.Dense(units, use_bias=bias)] if units > 1 else []
    return keras.Sequential([*layers, keras.layers.Dense(1)])


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_model_function_takes_new_settings(diabetes, is_loaded):
    """What changed between fits holds for a user's model too, its weights kept."""
    model = KerasRegressor(build_line, epochs=2, warm_start=True, **PLAIN)
    model.fit(*diabetes)
    if is_loaded:
        model = pickle.loads(pickle.dumps(model))
    first, weights = model.model_, model.weights_[0]
    model.set_params(learning_rate=1e-9, loss="mae").fit(*diabetes)
    assert_allclose(model.weights_[0], weights, atol=1e-6)
    assert model.history_["loss"][0] == pytest.approx(model.history_["loss"][1], 1e-3)
    assert model.model_ is not first
    assert model.model_.loss != first.loss


def test_an_argument_of_the_function_that_changes_the_shapes(diabetes):
    """Another argument builds another model, whose weights cannot go on."""
    model = KerasRegressor(build_line, epochs=1, warm_start=True, units=3, **PLAIN)
    model.fit(*diabetes)
    with pytest.raises(ValueError, match=r"cannot go on.*\(10, 5\).*\(10, 3\)"):
        model.set_params(units=5).fit(*diabetes)
    assert model.weights_[0].shape == (10, 3)


def test_what_was_done_to_a_live_model_goes_on(diabetes):
    """A layer that the user froze stays frozen while no setting changes."""
    model = KerasRegressor(build_line, units=3, warm_start=True, epochs=1, **PLAIN)
    network = model.fit(*diabetes).model_
    network.layers[0].trainable = False
    network.compile(optimizer="sgd", loss="mse")
    before = model.weights_
    model.set_params(epochs=2).fit(*diabetes)
    assert_array_equal(model.weights_[0], before[0])
    assert np.abs(model.weights_[2] - before[2]).max() > 0


def test_early_stopping_counts_epochs_anew(cancer):
    """After a warm start, `best_epoch_` counts within the new history."""
    model = KerasClassifier(
        warm_start=True, epochs=3, learning_rate=0.01, random_state=0
    )
    model.fit(*cancer).fit(*cancer)
    assert model.best_epoch_ == np.argmin(model.history_["val_loss"]) + 1
    assert model.n_epochs_ == 3


def test_the_same_rows_stay_held_out(iris):
    """A warm start without `random_state` validates on the rows it held out before."""
    model = KerasClassifier(warm_start=True, epochs=1)
    seed = model.fit(*iris).seed_
    assert model.fit(*iris).seed_ == seed


def test_another_architecture_cannot_go_on(iris):
    """A warm start with other layers is refused, with both shapes."""
    model = KerasClassifier(warm_start=True, epochs=1, units=5, **PLAIN).fit(*iris)
    model.set_params(units=7)
    with pytest.raises(ValueError, match=r"cannot go on.*\(4, 7\).*\(4, 5\)"):
        model.fit(*iris)


def test_classes_cannot_change(iris):
    """`partial_fit` refuses other `classes` than those of its first call."""
    X, y = iris
    model = KerasClassifier(**PLAIN).partial_fit(X[:100], y[:100], classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes=\[0, 1, 2\] .* learnt: \[0, 1\]"):
        model.partial_fit(X, y, classes=[0, 1, 2])


def test_refit_full_goes_on_too(iris):
    """A warm start with `refit_full` keeps what was trained before."""
    model = KerasClassifier(warm_start=True, refit_full=True, epochs=2, random_state=0)
    losses = [model.fit(*iris).refit_history_["loss"][-1] for _ in range(4)]
    assert losses == sorted(losses, reverse=True)


# --- a live model of one's own goes on as a whole or not at all


def build_live(**params):
    """Return a regressor that goes on in the model that it has built."""

    def build():
        return keras.Sequential([keras.layers.Dense(1)])

    options = {"loss": "mse", "epochs": 4, "learning_rate": 0.01, "random_state": 0}
    return KerasRegressor(build, warm_start=True, **{**options, **params})


class Switch(Deadline):
    """A deadline that passes when it is told to."""

    @property
    def seconds_left(self):
        """Much, or nothing."""
        return self.at


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_a_cut_refit_leaves_what_the_fit_gave(diabetes, engine, monkeypatch):
    """A second training that is dropped leaves nothing in the live model."""
    deadline, list_refits = Switch(600.0), fitting.list_refits

    def run_out(*arguments):
        deadline.at = -1.0
        return list_refits(*arguments)

    monkeypatch.setattr(fitting, "list_refits", run_out)
    expected = build_live(engine=engine).fit(*diabetes).fit(*diabetes)
    model = build_live(engine=engine).fit(*diabetes).set_params(refit_full=True)
    with train_until(deadline):
        model.fit(*diabetes)
    assert deadline.at < 0
    assert not hasattr(model, "refit_history_")
    for weight, other in zip(model.weights_, expected.weights_, strict=True):
        assert_allclose(weight, other, rtol=1e-4, atol=1e-6)


BEGUN = []


class FailAt(keras.callbacks.Callback):
    """Fails at the beginning of one of several trainings."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def on_epoch_end(self, epoch, logs=None):
        """Fail at the end of the first epoch of that training."""
        BEGUN.extend([1] * (epoch % 4 == 0))
        if len(BEGUN) == self.number:
            raise RuntimeError("no more")


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_member_that_fails_undoes_the_others(diabetes, number):
    """Whichever training fails, all live models are as before the fit."""
    model = build_live(n_members=2, refit_full=True).fit(*diabetes)
    before = model.predict(diabetes[0])
    BEGUN.clear()
    model.set_params(callbacks=[FailAt(number)])
    with pytest.raises(RuntimeError, match="no more"):
        model.fit(*diabetes)
    assert len(BEGUN) == number
    assert_allclose(model.predict(diabetes[0]), before, rtol=1e-6)
