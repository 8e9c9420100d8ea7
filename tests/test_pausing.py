"""A training in stages is the training at once, and does nothing twice."""

import pickle
import threading

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skkeras_tune import KerasClassifier, KerasRegressor, fused
from skkeras_tune.training import Stages, pausing
from tests.plans import count_begun, note_trainings

SEEDED = {"learning_rate": 0.01, "random_state": 0}
FAST = {"learning_rate": 0.1, "random_state": 0}  # overfits, so that it stops early


def build(meta, rate=0.3):
    """A model function with dropout."""
    return keras.Sequential(
        [
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dropout(rate),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )


CUSTOM = {"model": build, "loss": "sparse_categorical_crossentropy"}


def falling(epoch, rate):
    return rate * (0.9 if epoch % 2 else 1.0)


class Counter(keras.callbacks.Callback):
    """Counts the batches of the whole training; its lock cannot be pickled."""

    def __init__(self):
        super().__init__()
        self.n_batches = 0
        self.lock = threading.Lock()

    def __deepcopy__(self, memo):
        return Counter()

    def on_train_batch_end(self, batch, logs=None):
        self.n_batches += 1


def train_in_stages(model, data, epochs, pickled=True, **fit_params):
    """Return the fits of each stage, each of another clone."""
    stages, fits = Stages(), []
    for n_epochs in epochs:
        staged = clone(model).set_params(epochs=n_epochs).set_stages(stages)
        fits.append(staged.fit(*data, **fit_params))
        if pickled:
            stages.last = pickle.loads(pickle.dumps(stages.last))
    return fits


def train_at_once(model, data, n_epochs, **fit_params):
    return clone(model).set_params(epochs=n_epochs).fit(*data, **fit_params)


def assert_same_training(staged, whole, X, rtol=1e-3):
    assert staged.n_epochs_ == whole.n_epochs_
    assert staged.best_epoch_ == whole.best_epoch_
    assert staged.history_.keys() == whole.history_.keys()
    for name, values in whole.history_.items():
        assert_allclose(staged.history_[name], values, rtol=rtol, atol=1e-4)
    for weight, expected in zip(staged.weights_, whole.weights_, strict=True):
        assert_allclose(weight, expected, rtol=rtol, atol=1e-3)
    assert_allclose(staged.predict_proba(X), whole.predict_proba(X), atol=1e-3)


NETWORKS = {
    "defaults": {},
    "dropout": {"dropout": 0.4, "normalization": "batch"},
    "momentum": {"optimizer": "sgd", "optimizer__momentum": 0.9},
    "nadam": {"optimizer": "nadam", "learning_rate": 0.002},
    "schedule": {
        "learning_rate": keras.optimizers.schedules.ExponentialDecay(0.01, 9, 0.9)
    },
    "last weights": {"restore_best_weights": False},
    "all epochs": {"early_stopping": False},
    "balanced": {"class_weight": "balanced"},
    "model function": CUSTOM,
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_stages_are_the_training_at_once(iris, engine, name):
    """Weights, history and best epoch are those of one fit, in either engine."""
    model = KerasClassifier(**{**SEEDED, **NETWORKS[name]}, engine=engine)
    *_, last = train_in_stages(model, iris, (1, 3, 9))
    assert_same_training(last, train_at_once(model, iris, 9), iris[0])
    assert last.engine_ == engine


def test_every_stage_is_a_fit(iris):
    """What a stage gives is what a fit of so many epochs gives."""
    model = KerasClassifier(**SEEDED, dropout=0.2)
    for fitted, n_epochs in zip(
        train_in_stages(model, iris, (2, 5)), (2, 5), strict=True
    ):
        assert_same_training(fitted, train_at_once(model, iris, n_epochs), iris[0])


@pytest.mark.parametrize("engine", ["compiled", "keras"])
@pytest.mark.parametrize(
    "make_callbacks",
    [
        lambda: [keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)],
        lambda: [keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5)],
        lambda: [keras.callbacks.LearningRateScheduler(falling)],
        lambda: [
            keras.callbacks.ReduceLROnPlateau("loss", patience=0, cooldown=2),
            keras.callbacks.EarlyStopping("loss", min_delta=0.02, patience=3),
            keras.callbacks.History(),
        ],
    ],
)
def test_callbacks_go_on(iris, engine, make_callbacks):
    """Keras's callbacks decide as in one training, and end in the same state."""
    model = KerasClassifier(
        **{**SEEDED, "learning_rate": 0.05}, callbacks=make_callbacks(), engine=engine
    )
    *_, last = train_in_stages(model, iris, (1, 4, 12))
    whole = train_at_once(model, iris, 12)
    assert_same_training(last, whole, iris[0])
    for one, two in zip(last.callbacks_, whole.callbacks_, strict=True):
        for name in ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter"):
            one_value, two_value = getattr(one, name, 0), getattr(two, name, 0)
            assert_allclose(one_value, two_value, rtol=1e-3)


def test_a_callback_of_ones_own_goes_on(iris):
    """A user's callback has its attributes back, but for what cannot be pickled."""
    model = KerasClassifier(**SEEDED, callbacks=Counter())
    *_, last = train_in_stages(model, iris, (1, 3))
    assert last.callbacks_[0].n_batches == 3 * 5  # 135 rows
    assert not last.callbacks_[0].lock.locked()


@pytest.fixture
def trained(monkeypatch):
    """Note from where to where each training goes."""

    def read_epochs(training, result):
        return count_begun(training), len(result.history["loss"])

    return note_trainings(monkeypatch, read_epochs)


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_what_has_stopped_does_not_go_on(cancer, trained, engine):
    """A training that patience has ended gives its result again, and trains nothing."""
    model = KerasClassifier(
        **{**SEEDED, "learning_rate": 0.1}, patience=2, engine=engine
    )
    whole = train_at_once(model, cancer, 30)
    end = whole.n_epochs_
    assert end < 20
    for epochs in [(end - 1, end, end + 3, 30), (end, 30), (end + 1, end + 2, 30)]:
        trained.clear()
        *_, last = train_in_stages(model, cancer, epochs)
        assert_same_training(last, whole, cancer[0])
        assert last.n_epochs_ == last.best_epoch_ + 2 == end
        assert trained[-1] == (end, end)


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_patience_counts_through_pauses(cancer, engine):
    """A pause in each epoch changes nothing of when training stops."""
    model = KerasClassifier(
        **{**SEEDED, "learning_rate": 0.1}, patience=3, engine=engine
    )
    whole = train_at_once(model, cancer, 14)
    *_, last = train_in_stages(model, cancer, range(1, 15))
    assert_same_training(last, whole, cancer[0])


def test_patience_zero_stops_in_any_stage(cancer):
    """Without patience the first epoch that is no better is the last."""
    model = KerasClassifier(**FAST, patience=0)
    whole = train_at_once(model, cancer, 20)
    *_, last = train_in_stages(model, cancer, (1, 2, 3, 4, 20))
    assert_same_training(last, whole, cancer[0])


def test_a_group_goes_on_in_stages(iris):
    """Members of several widths pause and go on in a group as they do alone."""
    from sklearn.utils.parallel import Parallel, delayed

    models = [
        KerasClassifier(**SEEDED, units=units, dropout=rate, patience=patience)
        for units, rate, patience in [(5, 0.0, 9), (12, 0.3, 9), (30, 0.0, 1)]
    ]
    stages = [Stages() for _ in models]

    def fit(model, stage, n_epochs):
        model = clone(model).set_params(epochs=n_epochs).set_stages(stage)
        return model.fit(*iris)

    with fused() as fusion:
        for n_epochs in (2, 6, 12):
            fits = Parallel()(
                delayed(fit)(model, stage, n_epochs)
                for model, stage in zip(models, stages, strict=True)
            )
    assert fusion.report().n_fused >= 3
    for model, fitted in zip(models, fits, strict=True):
        assert_same_training(fitted, train_at_once(model, iris, 12), iris[0], rtol=5e-3)


def test_weights_and_validation_data(diabetes):
    """Stages take weights and a validation set as one fit does."""
    X, y = diabetes
    options = {"X_val": X[400:], "y_val": y[400:]}
    options["sample_weight"] = np.linspace(0.5, 2, 400)
    model = KerasRegressor(**SEEDED)
    data = X[:400], y[:400]
    *_, last = train_in_stages(model, data, (2, 6), **options)
    whole = train_at_once(model, data, 6, **options)
    assert_allclose(last.history_["val_loss"], whole.history_["val_loss"], rtol=1e-4)
    assert_allclose(last.predict(X), whole.predict(X), rtol=1e-3, atol=1e-4)


def test_a_seed_is_drawn_once(iris):
    """Without `random_state` all stages have the seed, and the rows, of the first."""
    first, second = train_in_stages(KerasClassifier(), iris, (2, 4))
    assert first.seed_ == second.seed_
    assert second.history_["loss"][:2] == first.history_["loss"]


def test_refit_on_all_rows(iris):
    """`refit_full` follows each stage as it follows a fit."""
    model = KerasClassifier(**SEEDED, refit_full=1.2)
    *_, last = train_in_stages(model, iris, (1, 4))
    whole = train_at_once(model, iris, 4)
    assert last.refit_history_["loss"] == pytest.approx(
        whole.refit_history_["loss"], rel=1e-3
    )


def test_stages_are_remembered(iris, tmp_path, trained):
    """With `memory` no stage is trained twice, and a longer search goes on."""
    model = KerasClassifier(**SEEDED, memory=str(tmp_path))
    first = train_in_stages(model, iris, (1, 3, 9))
    assert trained == [(0, 1), (1, 3), (3, 9)]
    again = train_in_stages(model, iris, (1, 3, 9))
    assert len(trained) == 3
    for one, two in zip(first, again, strict=True):
        assert one.history_ == two.history_
        assert_array_equal(one.predict_proba(iris[0]), two.predict_proba(iris[0]))
    train_in_stages(model, iris, (1, 3, 5))
    assert trained[3:] == [(3, 5)]


def test_the_last_stage_keeps_nothing(iris):
    """Where no stage follows, no state is kept."""
    stages = Stages(keeps=False)
    KerasClassifier(**SEEDED, epochs=1).set_stages(stages).fit(*iris)
    assert stages.last == ()


def test_a_stage_keeps_what_it_needs(iris):
    """A pause holds weights, optimizer state and best weights, but no rows or model."""
    X, y = np.tile(iris[0], (100, 1)), np.tile(iris[1], 100)
    stages = Stages()
    KerasClassifier(**SEEDED, units=8, epochs=1).set_stages(stages).fit(X, y)
    assert len(pickle.dumps(stages.last)) < 10_000
    stages = Stages()
    KerasClassifier(**SEEDED, **CUSTOM, epochs=1).set_stages(stages).fit(X, y)
    assert len(pickle.dumps(stages.last)) < 20_000


def test_an_ordinary_fit_keeps_none(iris):
    """Without stages a fit leaves no state, and stages can be taken away again."""
    model = KerasClassifier(**SEEDED, epochs=1).set_stages(Stages()).set_stages(None)
    assert clone(model.fit(*iris))._stages is None


@pytest.mark.parametrize("change", ["features", "labels", "rows"])
def test_other_rows_are_refused(iris, change):
    """Training cannot go on with other rows, and the error says why."""
    X, y = iris
    stages = Stages()
    KerasClassifier(**SEEDED, epochs=1).set_stages(stages).fit(X, y)
    other_x, other_y = X.copy(), y.copy()
    if change == "features":
        other_x[5, 1] += 1e-3
    elif change == "labels":
        other_y[5] = 2
    else:
        other_x, other_y = X[:149], y[:149]
    model = KerasClassifier(**SEEDED, epochs=2).set_stages(stages)
    with pytest.raises(ValueError, match=r"cannot go on: the rows .* random_state"):
        model.fit(other_x, other_y)


@pytest.mark.parametrize("params", [{}, CUSTOM], ids=["built in", "function"])
@pytest.mark.parametrize("engines", [("compiled", "keras"), ("keras", "compiled")])
def test_another_engine_is_refused(iris, engines, params):
    """What one loop has left the other cannot read, and the error names both."""
    stages, (first, second) = Stages(), engines
    model = KerasClassifier(**SEEDED, **params, epochs=1, engine=first)
    clone(model).set_stages(stages).fit(*iris)
    model.set_params(epochs=2, engine=second).set_stages(stages)
    message = f"in the '{second}' engine: it was paused in the '{first}' one"
    with pytest.raises(ValueError, match=message):
        model.fit(*iris)


def test_rows_are_summed_once_in_each_stage(iris, monkeypatch):
    """What tells the rows from others takes a pass over them, and no more."""
    summed, sum_rows = [], pausing._sum_rows

    def count(data):
        summed.append(data)
        return sum_rows(data)

    monkeypatch.setattr(pausing, "_sum_rows", count)
    for engine in ("compiled", "keras"):
        summed.clear()
        model = KerasClassifier(**SEEDED, engine=engine)
        train_in_stages(model, iris, (1, 2, 3))
        assert len(summed) == 3


@pytest.mark.parametrize("n_epochs", [1, 2])
def test_fewer_epochs_are_refused(iris, n_epochs):
    """A stage has to have more epochs than the one before."""
    stages = Stages()
    model = KerasClassifier(**SEEDED, epochs=2).set_stages(stages).fit(*iris)
    with pytest.raises(ValueError, match=f"until epoch {n_epochs}: it has trained 2"):
        clone(model).set_params(epochs=n_epochs).fit(*iris)


def test_a_stage_that_fails_leaves_the_last(iris):
    """A stage that raises leaves the training where it was, and it can go on."""
    stages = Stages()
    model = KerasClassifier(**SEEDED, epochs=1).set_stages(stages).fit(*iris)
    before = stages.last
    with pytest.raises(ValueError, match="'dropout' parameter"):
        clone(model).set_params(epochs=2, dropout=2.0).fit(*iris)
    assert stages.last is before
    assert clone(model).set_params(epochs=2).fit(*iris).n_epochs_ == 2
