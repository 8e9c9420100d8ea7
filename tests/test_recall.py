"""Trainings are remembered: found again where nothing differs, done where it does."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skkeras_tune import KerasClassifier, KerasRegressor
from skkeras_tune.training import recall
from skkeras_tune.training.fingerprint import fingerprint
from tests.plans import note_trainings

QUICK = {"epochs": 3, "random_state": 0}


def build(meta, width=4, scale=1.0):
    """A model function with dropout, which has its draws from the seed."""
    return keras.Sequential(
        [
            keras.layers.Dense(width, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Rescaling(scale),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )


CUSTOM = {"model": build, "loss": "sparse_categorical_crossentropy"}


def falling(epoch, rate):
    return 0.9 * rate


def steer():
    """Return callbacks that only steer, stopping early."""
    return [
        keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(patience=1),
        keras.callbacks.LearningRateScheduler(falling),
    ]


@pytest.fixture
def trainings(monkeypatch):
    """Count trainings that are done."""
    return note_trainings(monkeypatch, lambda training, result: training.plan)


def list_files(folder):
    return sorted(Path(folder).rglob("output.pkl"))


def assert_same_fit(one, two, X):
    for name in ("history_", "best_epoch_", "n_epochs_", "engine_", "engine_reason_"):
        assert getattr(one, name) == getattr(two, name)
    assert getattr(one, "refit_history_", 0) == getattr(two, "refit_history_", 0)
    assert one.seed_ == two.seed_
    for weight, expected in zip(one.weights_, two.weights_, strict=True):
        assert_array_equal(weight, expected)
    assert_array_equal(one.predict(X), two.predict(X))


def read_state(callback):
    """Return all of a callback but its model, and a local function of Keras 3.8's."""
    return {
        name: value
        for name, value in vars(callback).items()
        if name[0] != "_" and "<" not in getattr(value, "__qualname__", "")
    }


FITS = {
    "defaults": {},
    "stopped early": {"epochs": 30, "patience": 1, "learning_rate": 0.1},
    "dropout": {"dropout": 0.5, "normalization": "batch"},
    "Keras's loop": {"engine": "keras"},
    "all rows after": {"refit_full": 1.2},
    "callbacks": {"callbacks": steer(), "epochs": 6},
    "callbacks of Keras's loop": {"callbacks": steer(), "engine": "keras"},
    "model function": CUSTOM,
    "lambda": {"optimizer": keras.optimizers.SGD, "activation": lambda x: x * x},
}


@pytest.mark.parametrize("name", FITS)
def test_a_fit_is_remembered(iris, tmp_path, trainings, name):
    """A fit that was done before gives all that it gave, and trains nothing."""
    X, y = iris
    params = {**QUICK, **FITS[name]}
    expected = KerasClassifier(**params).fit(X, y)
    n_trainings = len(trainings)
    first = KerasClassifier(**params, memory=str(tmp_path)).fit(X, y)
    assert len(trainings) == 2 * n_trainings == 2 * len(list_files(tmp_path))
    second = KerasClassifier(**params, memory=str(tmp_path)).fit(X, y)
    assert len(trainings) == 2 * n_trainings
    assert_same_fit(first, expected, X)
    assert_same_fit(second, expected, X)
    for one, two in zip(second.callbacks_, expected.callbacks_, strict=True):
        states = [read_state(callback) for callback in (one, two)]
        assert fingerprint(states[0]) == fingerprint(states[1])


@pytest.mark.parametrize(
    "change",
    [
        {"random_state": 1},
        {"learning_rate": 0.002},
        {"epochs": 4},
        {"patience": 3},
        {"units": 9},
        {"engine": "keras"},
        {"validation_split": 0.2},
        {"class_weight": {0: 2.0}},
        {"callbacks": [keras.callbacks.EarlyStopping(patience=2)]},
        {"callbacks": [keras.callbacks.EarlyStopping(patience=3)]},
        {"optimizer__beta_1": 0.8},
        {"metrics": ["accuracy"]},
        {**CUSTOM, "width": 4},
        {**CUSTOM, "width": 5},
    ],
)
def test_another_setting_is_trained(iris, tmp_path, trainings, change):
    """Whatever decides a result makes another training."""
    params = {**QUICK, "memory": str(tmp_path)}
    KerasClassifier(**params).fit(*iris)
    KerasClassifier(**{**params, **change}).fit(*iris)
    assert len(trainings) == len(list_files(tmp_path)) == 2


def test_other_rows_are_trained(iris, tmp_path, trainings):
    """One other value, label, weight or validation row makes another training."""
    X, y = iris
    model = KerasClassifier(**QUICK, memory=str(tmp_path))
    other_x, other_y, weight = X.copy(), y.copy(), np.ones(len(y))
    other_x[17, 2] += 1e-4
    other_y[17] = 2
    model.fit(X, y).fit(other_x, y).fit(X, other_y)
    assert len(trainings) == 3
    weight[17] = 2
    model.fit(X, y, sample_weight=weight)
    model.fit(X, y, X_val=X[:20], y_val=y[:20]).fit(X, y, X_val=X[:21], y_val=y[:21])
    assert len(trainings) == len(list_files(tmp_path)) == 6
    model.fit(X, y, X_val=X[:20], y_val=y[:20]).fit(X.copy(), y.copy())
    assert len(trainings) == 6


def test_what_is_printed_does_not_count(iris, tmp_path, trainings, capsys):
    """A training that was printed is found by a quiet fit, and printed no more."""
    KerasClassifier(**QUICK, memory=str(tmp_path), verbose=2).fit(*iris)
    assert "Epoch 3/3" in capsys.readouterr().out
    KerasClassifier(**QUICK, memory=str(tmp_path)).fit(*iris)
    KerasClassifier(**QUICK, memory=str(tmp_path), verbose=2).fit(*iris)
    assert len(trainings) == 1
    assert capsys.readouterr().out == ""


def test_a_changed_model_function_is_trained(iris, tmp_path, trainings):
    """Two functions of one name differ in their code and in what they close over."""

    def make(width, activation):
        def build():
            return keras.Sequential(
                [
                    keras.layers.Dense(width, activation),
                    keras.layers.Dense(3, activation="softmax"),
                ]
            )

        return build

    params = {**QUICK, "loss": "sparse_categorical_crossentropy"}
    for function in (make(3, "relu"), make(4, "relu"), make(3, "tanh")):
        KerasClassifier(function, **params, memory=str(tmp_path)).fit(*iris)
    assert len(trainings) == 3
    KerasClassifier(make(4, "relu"), **params, memory=str(tmp_path)).fit(*iris)
    assert len(trainings) == 3


# --- going on


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_training_goes_on_from_what_is_remembered(
    diabetes, tmp_path, trainings, engine
):
    """`warm_start` and `partial_fit` go on with the optimizer's state."""
    X, y = diabetes
    params = {**QUICK, "engine": engine, "warm_start": True}

    def fit(**memory):
        model = KerasRegressor(**params, **memory).fit(X, y).fit(X, y)
        parts = KerasRegressor(**params, **memory)
        for start in range(0, 300, 100):
            parts.partial_fit(X[start:][:100], y[start:][:100])
        return model, parts

    expected = fit()
    assert len(trainings) == 5
    fit(memory=str(tmp_path))
    assert len(trainings) == 10
    found = fit(memory=str(tmp_path))
    assert len(trainings) == 10
    for one, two in zip(found, expected, strict=True):
        assert_same_fit(one, two, X)
    found[0].set_params(memory=None).fit(X, y)  # beyond what is remembered
    assert_same_fit(found[0], expected[0].fit(X, y), X)


def test_an_initializer_of_ones_own_by_name(iris, tmp_path, trainings):
    """A class of the same name that starts from other weights is trained anew."""
    model = KerasClassifier(**QUICK, kernel_initializer="Mine", memory=str(tmp_path))
    for scale in (0.1, 0.9, 0.9):

        class Mine(keras.initializers.Initializer):
            start = scale

            def __call__(self, shape, dtype=None, **options):
                return keras.ops.full(shape, self.start, dtype)

        with keras.saving.custom_object_scope({"Mine": Mine}):
            clone(model).fit(*iris)
    assert len(trainings) == 2


def test_a_second_fit_is_found(iris, tmp_path, trainings):
    """What the first fit left is not part of what the model function is told."""
    model = KerasClassifier(**{**QUICK, **CUSTOM}, memory=str(tmp_path))
    model.fit(*iris).fit(*iris)
    assert len(trainings) == 1


def test_a_model_that_lives_on_is_not_remembered(iris, tmp_path):
    """A Keras model of the user's own may change between two fits."""
    params = {**QUICK, **CUSTOM, "warm_start": True}
    model = KerasClassifier(**params, memory=str(tmp_path)).fit(*iris)
    with pytest.warns(UserWarning, match="memory= is not used .* may have been change"):
        model.fit(*iris)
    assert len(list_files(tmp_path)) == 1


# --- what cannot be remembered


def test_without_a_seed_nothing_is_kept(iris, tmp_path):
    """With `random_state=None` nothing would be found, and a warning says so."""
    model = KerasClassifier(**{**QUICK, "random_state": None}, memory=str(tmp_path))
    with pytest.warns(
        UserWarning, match="another seed .* Pass an int as random_st"
    ) as w:
        model.fit(*iris)
    assert w[0].filename == __file__
    assert list_files(tmp_path) == []


def test_random_state_instances_draw_the_same_seeds(iris, tmp_path, trainings):
    """A RandomState in the same state gives the same seeds, and finds the same."""
    for _ in range(2):
        state = np.random.RandomState(3)
        model = KerasClassifier(
            **{**QUICK, "random_state": state}, memory=str(tmp_path)
        )
        model.fit(*iris).fit(*iris)
    assert len(trainings) == len(list_files(tmp_path)) == 2


class Watcher(keras.callbacks.Callback):
    """A callback of the user's own."""


@pytest.mark.parametrize(
    "callback",
    [
        Watcher(),
        keras.callbacks.LambdaCallback(),
        type("Stopping", (keras.callbacks.EarlyStopping,), {})(),
    ],
)
def test_other_callbacks_are_run(iris, tmp_path, trainings, callback):
    """A callback that may do anything is run each time, and a warning says so."""
    model = KerasClassifier(**QUICK, callbacks=[callback], memory=str(tmp_path))
    for _ in range(2):
        with pytest.warns(UserWarning, match=type(callback).__name__) as caught:
            model.fit(*iris)
        assert caught[0].filename == __file__
    assert len(trainings) == 2
    assert list_files(tmp_path) == []


def test_a_function_without_a_fingerprint(iris, tmp_path, trainings):
    """A model function that holds what no process could know again is trained."""
    lock = threading.Lock()

    def build():
        with lock:
            return keras.Sequential([keras.layers.Dense(3, activation="softmax")])

    params = {**QUICK, "loss": "sparse_categorical_crossentropy"}
    model = KerasClassifier(build, **params, memory=str(tmp_path))
    with pytest.warns(UserWarning, match=r"memory= is not used .*lock"):
        model.fit(*iris)
    assert len(trainings) == 1


def test_failures_are_not_remembered(iris, tmp_path, trainings):
    """A training that diverges fails again."""
    model = KerasClassifier(**QUICK, learning_rate=1e30, memory=str(tmp_path))
    for _ in range(2):
        with pytest.raises(ValueError, match="became"):
            model.fit(*iris)
    assert list_files(tmp_path) == []


# --- files


def test_other_versions_are_trained(iris, tmp_path, trainings, monkeypatch):
    """What another version of this package, Keras or TensorFlow gave is not taken."""
    model = KerasClassifier(**QUICK, memory=str(tmp_path))
    model.fit(*iris)
    for owner, name, value in [
        (recall, "version", lambda package: "0.0.9"),
        (keras, "__version__", "3.0.0"),
        (recall.tf, "__version__", "2.0.0"),
        (np, "__version__", "1.0.0"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            model.fit(*iris)
    assert len(trainings) == len(list_files(tmp_path)) == 5
    model.fit(*iris)
    assert len(trainings) == 5


def test_a_broken_file_is_trained_again(iris, tmp_path, trainings):
    """A truncated file costs a training and a warning, and is whole again after."""
    model = KerasClassifier(**QUICK, memory=str(tmp_path)).fit(*iris)
    expected = model.predict_proba(iris[0])
    (file,) = list_files(tmp_path)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.warns(UserWarning, match="is trained again") as caught:
        model.fit(*iris)
    assert caught[0].filename == __file__
    assert len(trainings) == 2
    assert_array_equal(model.fit(*iris).predict_proba(iris[0]), expected)
    assert len(trainings) == 2


def test_the_folder_may_go(iris, tmp_path):
    """A fitted estimator needs nothing of the folder, whatever the memory maps."""
    memory = joblib.Memory(tmp_path, verbose=0, mmap_mode="r+")
    params = {**QUICK, "memory": memory}
    KerasClassifier(**params).fit(*iris)
    model = KerasClassifier(**params).fit(*iris)
    expected = model.predict_proba(iris[0])
    for file in list_files(tmp_path):
        file.write_bytes(bytes(file.stat().st_size))
    assert_array_equal(model.predict_proba(iris[0]), expected)
    assert all(type(weight) is np.ndarray for weight in model.weights_)


def test_data_are_not_kept(iris, tmp_path):
    """A file is as large as the weights and the optimizer's state, not as the rows."""
    X = np.tile(iris[0], (100, 1))
    KerasClassifier(**QUICK, units=8, memory=str(tmp_path), early_stopping=False).fit(
        X, np.tile(iris[1], 100)
    )
    (file,) = list_files(tmp_path)
    assert X.nbytes > 400_000
    assert file.stat().st_size < 5_000


# --- the parameter


@pytest.mark.parametrize("kind", ["str", "path", "memory"])
def test_ways_to_name_a_folder(iris, tmp_path, trainings, kind):
    """A string and a path name the same folder, as does a joblib.Memory."""
    ways = {
        "str": str(tmp_path),
        "path": tmp_path,
        "memory": joblib.Memory(str(tmp_path), verbose=0),
    }
    KerasClassifier(**QUICK, memory=str(tmp_path)).fit(*iris)
    model = KerasClassifier(**QUICK, memory=ways[kind]).fit(*iris)
    assert model.memory is ways[kind]
    assert len(trainings) == 1


@pytest.mark.parametrize("memory", [None, joblib.Memory(None)])
def test_no_memory(iris, trainings, memory):
    """Without a memory, or with an empty one, each fit trains."""
    model = KerasClassifier(**{**QUICK, "random_state": None}, memory=memory)
    model.fit(*iris).fit(*iris)
    assert len(trainings) == 2


@pytest.mark.parametrize("name", ["", "file", "file/folder"])
def test_no_folder_to_write_in(iris, tmp_path, monkeypatch, name):
    """What cannot hold results is refused by name, before anything is trained."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    model = KerasClassifier(**QUICK, memory=name)
    message = f"The 'memory' parameter of KerasClassifier must be.* Got {name!r}"
    with pytest.raises(ValueError, match=message):
        model.fit(*iris)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_estimators_with_a_memory_are_copied(iris, tmp_path, trainings):
    """A clone and a pickle of an estimator share its memory."""
    memory = joblib.Memory(str(tmp_path), verbose=0)
    model = KerasClassifier(**QUICK, memory=memory).fit(*iris)
    clone(model).fit(*iris)
    again = pickle.loads(pickle.dumps(model))
    again.fit(*iris)
    assert len(trainings) == 1
    assert clone(model).get_params()["memory"].location == memory.location


def test_model_functions_do_not_see_the_memory(iris, tmp_path, trainings):
    """A folder that was moved remembers, though the function asks for parameters."""

    def build(params):
        assert "memory" not in params
        return keras.Sequential([keras.layers.Dense(3, activation="softmax")])

    params = {**QUICK, "loss": "sparse_categorical_crossentropy"}
    KerasClassifier(build, **params, memory=str(tmp_path / "old")).fit(*iris)
    (tmp_path / "old").rename(tmp_path / "new")
    KerasClassifier(build, **params, memory=str(tmp_path / "new")).fit(*iris)
    assert len(trainings) == 1


def test_threads_remember_together(iris, tmp_path, trainings):
    """Threads that train one plan at once agree, and so do later fits."""
    models = [KerasClassifier(**QUICK, memory=str(tmp_path)) for _ in range(4)]
    threads = [threading.Thread(target=model.fit, args=iris) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    n_trainings = len(trainings)
    models.append(KerasClassifier(**QUICK, memory=str(tmp_path)).fit(*iris))
    assert len(trainings) == n_trainings
    for model in models[1:]:
        assert_allclose(
            model.predict_proba(iris[0]), models[0].predict_proba(iris[0]), rtol=1e-5
        )


def test_a_search_is_remembered(iris, tmp_path, trainings):
    """A search that is run again trains nothing, and gives the same table."""
    model = KerasClassifier(**QUICK, memory=str(tmp_path))
    grid = {"learning_rate": [1e-3, 1e-2], "dropout": [0.0, 0.3]}
    searches = [GridSearchCV(model, grid, cv=3).fit(*iris) for _ in range(2)]
    assert len(trainings) == 13
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    assert_array_equal(*scores)


# --- a search that is killed

SEARCH = """
import json
import sys
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skkeras_tune import KerasClassifier

if __name__ == "__main__":
    folder, n_jobs, output = sys.argv[1:]
    X, y = load_breast_cancer(return_X_y=True)
    network = KerasClassifier(epochs=12, random_state=0, memory=folder or None)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), network),
        {
            "kerasclassifier__units": [4, 8, 16, 32, 64],
            "kerasclassifier__learning_rate": [1e-3, 1e-2],
        },
        scoring=["accuracy", "neg_log_loss"],
        refit="neg_log_loss",
        cv=3,
        n_jobs=int(n_jobs),
    ).fit(X, y)
    table = {n: v.tolist() for n, v in search.cv_results_.items() if "test_" in n}
    table["best"] = search.best_params_
    table["probability"] = search.predict_proba(X)[:, 1].tolist()
    with open(output, "w") as file:
        json.dump(table, file)
"""
N_TRAININGS = 5 * 2 * 3 + 1


def start_search(script, folder, n_jobs, output):
    """Start a search in a process, and in a group, of its own."""
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(n_jobs), str(output)],
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(search):
    _, errors = search.communicate(timeout=300)
    assert search.returncode == 0, errors


def kill_after(search, folder, n_results):
    """Kill a search and its workers once some results are on disk."""
    deadline = time.monotonic() + 240
    while len(list_files(folder)) < n_results:
        assert search.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(search.pid, signal.SIGKILL)
    search.communicate()


def read_times(folder):
    """Return when each result was written."""
    return {file: file.stat().st_mtime_ns for file in list_files(folder)}


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    file = tmp_path_factory.mktemp("search") / "search.py"
    file.write_text(SEARCH, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def undisturbed(script):
    """What the search gives without a memory."""
    output = script.with_name("undisturbed.json")
    finish(start_search(script, "", 1, output))
    return json.loads(output.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_killed_search_goes_on(tmp_path, script, undisturbed, n_jobs):
    """A search that is killed and run again trains nothing twice, and ends alike."""
    folder, output = tmp_path / "memory", tmp_path / "resumed.json"
    kill_after(start_search(script, folder, n_jobs, output), folder, 5)
    before = read_times(folder)
    assert 5 <= len(before) < N_TRAININGS
    assert not output.exists()
    finish(start_search(script, folder, n_jobs, output))
    after = read_times(folder)
    assert before.items() <= after.items()  # none was written again
    assert len(after) == N_TRAININGS

    resumed = json.loads(output.read_text(encoding="utf-8"))
    assert resumed["best"] == undisturbed["best"]
    assert resumed.keys() == undisturbed.keys()
    for name in undisturbed.keys() - {"best"}:
        assert_allclose(resumed[name], undisturbed[name], rtol=1e-6, err_msg=name)
