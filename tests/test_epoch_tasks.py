"""What scikit-learn 1.9's callbacks are told of a network's fit and its epochs."""

import io
import pickle
import warnings
from contextlib import nullcontext, redirect_stdout

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import KerasClassifier, KerasRegressor, Stages, fused
from skkeras_tune.training.epoch_tasks import open_fit

callback = pytest.importorskip(
    "sklearn.callback", reason="scikit-learn 1.9 brought callbacks"
)

X, y = load_iris(return_X_y=True)
WEIGHTS = np.linspace(1.0, 2.0, len(y))
ENGINES = ["compiled", "keras"]
RATES = {"learning_rate": [0.01, 0.1]}
RUNNING = {"_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks_to_teardown"}


def build(**params):
    """Return a small classifier of four epochs."""
    settings = {"epochs": 4, "early_stopping": False, "random_state": 0}
    return KerasClassifier(**{**settings, **params})


def build_model():
    """Return a model of one's own."""
    layers = [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


class Recorder:
    """A callback that writes down what it is told, and may end the training."""

    max_propagation_depth = None

    def __init__(self, last=None):
        self.last = last
        self.calls, self.tasks, self.told = [], [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.calls.append(f"begin {context.task_name} {context.task_id}")
        self.tasks.append(context)
        self.told.append((X, y, metadata))

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, fitted_estimator=None
    ):
        self.calls.append(f"end {context.task_name} {context.task_id}")
        self.fitted = fitted_estimator
        return context.task_name == "epoch" and context.task_id == self.last


def list_calls(n_epochs):
    """Return the calls of a fit alone."""
    epochs = [f"{what} epoch {i}" for i in range(n_epochs) for what in ("begin", "end")]
    return ["setup", "begin fit 0", *epochs, "end fit 0", "teardown"]


@pytest.fixture
def recorder():
    """Return a new recorder."""
    return Recorder()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", [None, build_model])
def test_each_epoch_is_a_task(recorder, engine, model):
    """A fit is a task, and each of its epochs a task below it, in order."""
    network = build(model=model, engine=engine).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == list_calls(4)
    assert recorder.tasks[0].max_subtasks == 4
    assert [task.max_subtasks for task in recorder.tasks[1:]] == [0] * 4
    assert network.engine_ == engine


def test_a_regressor_tells_its_epochs(recorder):
    """A regressor's epochs are tasks too."""
    network = KerasRegressor(units=4, epochs=2, early_stopping=False)
    network.set_callbacks(recorder).fit(X, X[:, 0])
    assert recorder.calls == list_calls(2)


@pytest.mark.parametrize("engine", ENGINES)
def test_early_stopping_ends_the_tasks(recorder, engine):
    """A training that may stop early says how many epochs it has at most."""
    network = build(
        early_stopping=True, patience=1, epochs=60, learning_rate=1.0, engine=engine
    )
    network.set_callbacks(recorder).fit(X, y)
    assert network.n_epochs_ < 60
    assert recorder.calls == list_calls(network.n_epochs_)
    assert recorder.tasks[0].max_subtasks == 60


@pytest.mark.parametrize(
    "params",
    [
        {"callbacks": keras.callbacks.EarlyStopping, "callbacks__monitor": "loss"},
        {"early_stopping": True, "refit_full": True},
    ],
)
def test_a_second_training_is_not_told(recorder, params):
    """With an early stopping of the user's or a second training, the first is told."""
    build(**params).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == list_calls(4)
    assert recorder.tasks[0].max_subtasks == 4


def test_hooks_are_told_of_the_rows(recorder):
    """Hooks that ask for them get the rows as they were given, and their weights."""
    build().set_callbacks(recorder).fit(X, y, sample_weight=WEIGHTS)
    for told_x, told_y, metadata in recorder.told:
        assert told_x is X
        assert told_y is y
        assert metadata["sample_weight"] is WEIGHTS


def test_the_fitted_estimator_is_told_at_the_end(recorder):
    """At the end of the fit, hooks get an estimator that predicts as it does."""
    network = build().set_callbacks(recorder).fit(X, y)
    assert recorder.fitted is not network
    np.testing.assert_array_equal(
        recorder.fitted.predict_proba(X), network.predict_proba(X)
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", [None, build_model])
def test_an_estimator_after_each_epoch(engine, model):
    """After an epoch, hooks that ask get an estimator of as many epochs."""

    class Asking(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            self.calls.append(fitted_estimator.predict_proba(X))

    asking = Asking()
    build(model=model, engine=engine).set_callbacks(asking).fit(X, y)
    *epochs, fit = [each for each in asking.calls if not isinstance(each, str)]
    np.testing.assert_array_equal(epochs[-1], fit)
    for n_epochs, probabilities in enumerate(epochs, 1):
        short = build(model=model, engine=engine, epochs=n_epochs).fit(X, y)
        expected = short.predict_proba(X)
        np.testing.assert_allclose(probabilities, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{}, pytest.param({"n_jobs": 2, "backend": "loky"}, marks=pytest.mark.slow)],
)
def test_a_monitor_scores_epochs(options):
    """scikit-learn's own monitor has a score of each epoch, fused too."""
    monitor = callback.ScoringMonitor(scoring="accuracy")
    search = GridSearchCV(build().set_callbacks(monitor), RATES, cv=2, refit=False)
    with fused(**options) as fusion:
        search.fit(X, y)
    assert fusion.report().n_fused == 4
    scores = monitor.get_logs().data
    assert len(scores) == 4 * (4 + 1)
    assert all(0.0 < row["accuracy"] <= 1.0 for row in scores)


def test_of_several_members_there_is_no_estimator():
    """Of several members hooks are told of one, which is no estimator of them."""

    class Asking(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            self.calls.append((context.task_name, fitted_estimator is None))

    asking = Asking()
    build(n_members=2, epochs=1).set_callbacks(asking).fit(X, y)
    told = [each for each in asking.calls if isinstance(each, tuple)]
    assert told == [("epoch", True), ("fit", False)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hook_ends_training(engine):
    """Training ends with the epoch after which a hook says so, to its weights."""
    recorder = Recorder(last=2)
    told = build(epochs=20, engine=engine).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == list_calls(3)
    short = build(epochs=3, engine=engine).fit(X, y)
    assert told.history_ == short.history_
    for weight, expected in zip(told.weights_, short.weights_, strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", [None, build_model])
def test_a_hook_ends_the_training_of_all_members(engine, model):
    """Where a hook ends the first member's training, the others have as many epochs."""
    params = {"n_members": 3, "engine": engine, "model": model}
    recorder = Recorder(last=2)
    told = build(epochs=20, **params).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == list_calls(3)
    assert [member.n_epochs_ for member in told.members_] == [3, 3, 3]
    short = build(epochs=3, **params).fit(X, y)
    for weight, expected in zip(told.weights_, short.weights_, strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_callbacks_change_nothing(recorder, engine):
    """A network that is listened to is the network that is not."""
    params = {"engine": engine, "early_stopping": True, "patience": 2, "epochs": 12}
    alone = build(**params).fit(X, y)
    told = build(**params).set_callbacks(recorder).fit(X, y)
    assert told.history_ == alone.history_
    assert told.engine_reason_ == alone.engine_reason_
    for weight, expected in zip(told.weights_, alone.weights_, strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_keras_callbacks_take_part(recorder, engine):
    """Keras's callbacks do as without, and are the only ones in ``callbacks_``."""
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    params = {"engine": engine, "callbacks": [halve]}
    alone = build(**params).fit(X, y)
    told = build(**params).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == list_calls(4)
    assert told.history_ == alone.history_
    assert [type(c) for c in told.callbacks_] == [type(halve)]


@pytest.mark.parametrize("engine", ENGINES)
def test_of_several_members_one_is_told(recorder, engine):
    """The epochs of the first member are told, and of no other."""
    build(n_members=2, engine=engine).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == list_calls(4)


def test_warm_start_tells_each_fit(recorder):
    """A fit that goes on is a task of its own, with its own epochs."""
    network = build(warm_start=True).set_callbacks(recorder)
    network.fit(X, y).fit(X, y)
    assert recorder.calls == 2 * list_calls(4)


def test_partial_fit_tells_nothing(recorder):
    """As in scikit-learn's estimators, `partial_fit` has no tasks."""
    build().set_callbacks(recorder).partial_fit(X, y)
    assert recorder.calls == []


def assert_tasks_ended(recorder):
    """Check that each task that has begun has ended."""
    begun = sorted(c.split(" ", 1)[1] for c in recorder.calls if c[:5] == "begin")
    ended = sorted(c.split(" ", 1)[1] for c in recorder.calls if c[:3] == "end")
    assert begun
    assert begun == ended


@pytest.mark.parametrize("engine", ENGINES)
def test_tasks_end_at_errors(recorder, engine):
    """Callbacks are torn down after a fit that fails, whose tasks have ended."""
    network = build(engine=engine, learning_rate=1e30, activation="linear")
    network.set_callbacks(recorder)
    with pytest.raises(ValueError, match="became"):
        network.fit(X * 1e10, y)
    assert_tasks_ended(recorder)
    assert recorder.calls[-1] == "teardown"
    assert recorder.fitted is None
    assert not RUNNING & vars(network).keys()


def test_a_hook_that_raises_fails_the_fit():
    """An error of a hook's is the fit's, and the callback is torn down."""

    class Failing(Recorder):
        def on_fit_task_end(self, estimator, context):
            if context.task_name == "epoch":
                raise OSError("the disk is full")

    for engine in ENGINES:
        failing = Failing()
        with pytest.raises(OSError, match="the disk is full"):
            build(engine=engine).set_callbacks(failing).fit(X, y)
        assert failing.calls[-1] == "teardown"


def test_nothing_is_left_but_the_callbacks(recorder):
    """A fitted estimator has its callbacks, as scikit-learn's have, and no tasks."""
    plain = build().fit(X, y)
    network = build().set_callbacks(recorder).fit(X, y)
    assert vars(network).keys() - vars(plain).keys() == {"_skl_callbacks"}
    assert repr(network) == repr(plain)
    assert clone(network)._skl_callbacks == [recorder]
    again = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(again.predict(X), plain.predict(X))
    assert not hasattr(network.set_callbacks(), "_skl_callbacks")


def test_a_task_does_not_pickle_with_its_estimator():
    """What is pickled while an estimator is fitted holds nothing of that fit."""

    class Pickling(Recorder):
        def on_fit_task_end(self, estimator, context):
            self.left = RUNNING & estimator.__getstate__().keys()

    pickling = Pickling()
    build().set_callbacks(pickling).fit(X, y)
    assert pickling.left == set()


def test_memory_does_not_see_callbacks(tmp_path, recorder):
    """A training is remembered with callbacks and without, and then has no epochs."""
    network = build(memory=tmp_path)
    plain = clone(network).fit(X, y)
    told = clone(network).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == list_calls(0)
    assert told.history_ == plain.history_


def test_memory_does_not_see_callbacks_of_a_method(tmp_path, recorder):
    """Nor does it see them where a subclass builds the model itself."""

    class Own(KerasClassifier):
        def _keras_build_fn(self):
            return build_model()

    network = Own(epochs=2, early_stopping=False, random_state=0, memory=tmp_path)
    for n_epochs in (2, 0):
        recorder.calls.clear()
        clone(network).set_callbacks(recorder).fit(X, y)
        assert recorder.calls == list_calls(n_epochs)


def test_memory_forgets_what_a_hook_has_ended(tmp_path):
    """A training that a hook has ended is not what its plan gives."""
    network = build(memory=tmp_path)
    assert clone(network).set_callbacks(Recorder(last=1)).fit(X, y).n_epochs_ == 2
    assert network.fit(X, y).n_epochs_ == 4


# --- in stages and below searches


def count_epochs(calls):
    """Return how many epochs have begun, and how many have ended."""
    return [sum(c.startswith(what) for c in calls) for what in ("begin ep", "end ep")]


@pytest.mark.parametrize("context", [nullcontext, fused])
@pytest.mark.parametrize("steps", [[], [StandardScaler()]])
def test_epochs_below_a_search(recorder, context, steps):
    """Each fold of a search tells its epochs, in a pipeline and fused too."""
    network, name = build(), "learning_rate"
    if steps:
        network = make_pipeline(*steps, network)
        name = f"kerasclassifier__{name}"
    search = GridSearchCV(network, {name: [0.01, 0.1]}, cv=2)
    search.set_callbacks(recorder)
    with warnings.catch_warnings(action="error"), context() as fusion:
        search.fit(X, y)
    assert count_epochs(recorder.calls) == [5 * 4] * 2
    fits = [t for t in recorder.tasks if t.estimator_name == "KerasClassifier"]
    fits = [task for task in fits if task.task_name == "fit"]
    assert [task.max_subtasks for task in fits] == [4] * 5
    assert recorder.calls.count("teardown") == 1
    assert not hasattr(search.best_estimator_, "_skl_callbacks")
    if fusion is not None:
        assert fusion.report().n_fused == 4


@pytest.mark.parametrize(
    ("context", "options"),
    [
        (nullcontext, {}),
        (fused, {}),
        pytest.param(
            lambda: fused(n_jobs=2, backend="loky"), {}, marks=pytest.mark.slow
        ),
        pytest.param(nullcontext, {"n_jobs": 2}, marks=pytest.mark.slow),
    ],
)
def test_a_progress_bar_shows_epochs(context, options):
    """scikit-learn's own bar goes from search to epoch, and nothing warns."""
    pytest.importorskip("rich", reason="the bar needs it")
    search = GridSearchCV(build(), RATES, cv=2, **options)
    search.set_callbacks(callback.ProgressBar())
    printed = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(printed):
        warnings.filterwarnings("error", "The estimator KerasClassifier does not")
        with context():
            search.fit(X, y)
    assert "candidate-split-evaluation | KerasClassifier - fit #0" in " ".join(
        printed.getvalue().split()
    )


def test_a_training_that_begins_again(recorder):
    """No epoch is told twice where a training has to begin again."""
    network = build().set_callbacks(recorder)
    with open_fit(network, X, y, None, n_epochs=4) as listener:
        for epochs, was_cut_short in [(range(3), True), (range(4), False)]:
            listener.on_train_begin()
            for epoch in epochs:
                listener.on_epoch_begin(epoch)
                if not (was_cut_short and epoch == epochs[-1]):
                    listener.on_epoch_end(epoch)
    assert recorder.calls == list_calls(4)


def test_a_failed_fold_ends_its_tasks(recorder):
    """A search goes on after a fold that fails, whose tasks have ended."""
    search = GridSearchCV(
        build(activation="linear"),
        {"learning_rate": [1e30, 1e-9]},
        cv=2,
        error_score=0.0,
    )
    search.set_callbacks(recorder)
    with pytest.warns(FitFailedWarning, match="2 fits failed"):
        search.fit(X * 1e10, y)
    assert_tasks_ended(recorder)


def test_epochs_of_a_stage(recorder):
    """A training in stages tells the epochs of each stage once."""
    stages = Stages()
    build(epochs=3).set_stages(stages).set_callbacks(recorder).fit(X, y)
    build(epochs=4).set_stages(stages).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == list_calls(3) + list_calls(1)
    assert [t.max_subtasks for t in recorder.tasks if t.task_name == "fit"] == [3, 1]


def test_a_hook_ends_all_stages():
    """A training that a hook has ended does not go on in another stage."""
    stages = Stages()
    for last, n_epochs in [(1, 2), (None, 0)]:
        recorder = Recorder(last)
        network = build().set_stages(stages).set_callbacks(recorder).fit(X, y)
        assert recorder.calls == list_calls(n_epochs)
        assert network.n_epochs_ == 2
