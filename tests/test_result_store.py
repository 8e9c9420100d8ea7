"""Results are kept by key: whole or not at all, for every thread and process."""

import multiprocessing
import threading
from dataclasses import replace
from pathlib import Path

import joblib
import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skkeras_tune.training import ModelState, TrainingResult
from skkeras_tune.training.result_store import ResultStore

KEY = "0123456789abcdef" * 2
STATE = ModelState([np.arange(6.0).reshape(2, 3)], [np.int64(3)], optimizer="adam")
RESULT = TrainingResult(STATE, {"loss": [2.0, 1.0]}, 2, engine="compiled", reason="no")


class Shelf:
    """A memory of which nothing is known but its method `cache`."""

    def __init__(self):
        self.values = {}

    def cache(self, function):
        def recall(argument):
            key = joblib.hash(argument)
            if key not in self.values:
                self.values[key] = function(argument)
            return self.values[key]

        return recall


class Sieve:
    """A memory that keeps nothing, as scikit-learn's own tests have it."""

    def cache(self, function):
        return function


MEMORIES = {
    "plain": lambda folder: joblib.Memory(folder, verbose=0),
    "compressed": lambda folder: joblib.Memory(folder, verbose=0, compress=3),
    "mapped": lambda folder: joblib.Memory(folder, verbose=0, mmap_mode="r"),
    "talkative": lambda folder: joblib.Memory(folder, verbose=1),
    "other": lambda folder: Shelf(),
}


def list_files(folder):
    return sorted(Path(folder).rglob("output.pkl"))


@pytest.fixture
def store(tmp_path):
    return ResultStore(MEMORIES["plain"](tmp_path))


def assert_equal(found, expected):
    assert_array_equal(found.state.weights[0], expected.state.weights[0])
    assert found.state.optimizer_state == expected.state.optimizer_state
    assert found.state.optimizer == expected.state.optimizer
    for name in ("history", "best_epoch", "engine", "reason"):
        assert getattr(found, name) == getattr(expected, name)


@pytest.mark.parametrize("name", MEMORIES)
def test_what_was_kept_is_found(tmp_path, name, capsys):
    """A result comes back equal under its key alone, and quietly."""
    store = ResultStore(MEMORIES[name](tmp_path))
    assert store.find(KEY) is None
    store.keep(KEY, RESULT)
    assert_equal(store.find(KEY), RESULT)
    assert store.find(KEY[::-1]) is None
    assert capsys.readouterr().out == ""


def test_a_memory_that_keeps_nothing():
    """With a memory that only calls its function, nothing is found."""
    store = ResultStore(Sieve())
    store.keep(KEY, RESULT)
    assert store.find(KEY) is None


def test_what_was_found_is_nobody_elses(tmp_path, store):
    """Results found twice share no array, and none lies in the folder."""
    store.keep(KEY, RESULT)
    mapped = ResultStore(MEMORIES["mapped"](tmp_path))
    first, second = mapped.find(KEY), mapped.find(KEY)
    first.state.weights[0][:] = 7.0
    assert_equal(second, RESULT)
    assert type(second.state.weights[0]) is np.ndarray


def test_no_model_is_kept(tmp_path, store):
    """The Keras model that holds a state is left out."""
    model = keras.Sequential([keras.layers.Dense(1)])
    store.keep(KEY, replace(RESULT, state=replace(STATE, model=model)))
    assert store.find(KEY).state.model is None
    assert list_files(tmp_path)[0].stat().st_size < 2000


def test_callbacks_end_as_they_did(store):
    """The callbacks of a run get the state of those that were kept."""
    kept = keras.callbacks.EarlyStopping(patience=3)
    kept.wait, kept.best_weights = 2, STATE.weights
    rates = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    store.keep(KEY, replace(RESULT, callbacks=[kept, rates]))
    schedule = rates.schedule
    own = [
        keras.callbacks.EarlyStopping(patience=3),
        keras.callbacks.LearningRateScheduler(schedule),
    ]
    found = store.find(KEY, own)
    assert found.callbacks == own
    assert own[0].wait == 2
    assert_array_equal(own[0].best_weights[0], STATE.weights[0])
    assert own[1].schedule is schedule


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_broken_file_is_replaced(tmp_path, store, share):
    """What was cut off is not found, with a warning; keeping it again mends it."""
    store.keep(KEY, RESULT)
    (file,) = list_files(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.warns(UserWarning, match=f"remembered as {KEY} cannot be read"):
        assert store.find(KEY) is None
    store.keep(KEY, RESULT)
    assert_equal(store.find(KEY), RESULT)


@pytest.mark.parametrize("item", [3, b"", joblib.__version__.encode(), b"\x80\x05N."])
def test_something_else_under_a_key_is_replaced(tmp_path, store, item):
    """What is no result of this version is not found, with a warning."""
    memory = MEMORIES["plain"](tmp_path)
    memory.store_backend.dump_item(["skkeras_tune", KEY], item, verbose=0)
    with pytest.warns(UserWarning, match="cannot be read"):
        assert store.find(KEY) is None


def test_a_full_disk_is_only_warned_of(tmp_path, store):
    """Where nothing can be written, joblib warns, and training need not end."""
    folder = tmp_path / "joblib" / "skkeras_tune"
    folder.parent.mkdir(exist_ok=True)
    for place in (folder, tmp_path / "skkeras_tune"):
        place.write_text("in the way", encoding="utf-8")
    with pytest.warns(Warning, match="Unable to cache to disk") as caught:
        store.keep(KEY, RESULT)
    assert len(caught) == 1


def test_memories_can_be_cleared(tmp_path):
    """Joblib's `clear` and `reduce_size` find the results and remove them."""
    memory = MEMORIES["plain"](tmp_path)
    store = ResultStore(memory)
    store.keep(KEY, RESULT)
    memory.reduce_size(bytes_limit=0)
    assert store.find(KEY) is None
    store.keep(KEY, RESULT)
    memory.clear(warn=False)
    assert store.find(KEY) is None


def keep_and_find(folder, number):
    """Keep results under one key again and again, and find whole ones only."""
    store = ResultStore(MEMORIES["plain"](folder))
    weights = [np.full(50_000, number, "float32")]
    mine = replace(RESULT, state=replace(STATE, weights=weights))
    for _ in range(30):
        store.keep(KEY, mine)
        found = store.find(KEY).state.weights[0]
        assert (found == found[0]).all()
        assert len(found) == 50_000


def test_threads_keep_one_key_at_once(tmp_path):
    """Threads that keep one key at once never find half of a result."""
    failures = []

    def work(number):
        try:
            keep_and_find(tmp_path, number)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list_files(tmp_path)) == 1


@pytest.mark.slow
def test_processes_keep_one_key_at_once(tmp_path):
    """Nor do processes; each starts on an empty folder."""
    spawn = multiprocessing.get_context("spawn")
    arguments = [(tmp_path, number) for number in range(3)]
    with spawn.Pool(3) as pool:
        pool.starmap(keep_and_find, arguments)
    assert len(list_files(tmp_path)) == 1
