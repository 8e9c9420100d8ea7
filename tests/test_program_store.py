"""Programs on disk: found by the next process, wherever they are, or not kept."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf

from skkeras_tune.training.programs import store as program_store

SCRIPT = """
import sys
from sklearn.datasets import load_iris
from skkeras_tune import KerasClassifier, set_program_cache
from skkeras_tune._compat.tensorflow import tensorflow_has_started
assert not tensorflow_has_started()
if len(sys.argv) > 1:
    set_program_cache(None if sys.argv[1] == "none" else sys.argv[1])
X, y = load_iris(return_X_y=True)
model = KerasClassifier(epochs=2, engine="compiled", random_state=0)
print(model.fit(X, y).history_)
try:
    set_program_cache("elsewhere")
except RuntimeError as error:
    assert "before TensorFlow runs" in str(error)
else:
    raise AssertionError
"""


def run_script(*arguments, before="", **environment):
    """Fit in a process of its own and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", before + SCRIPT, *map(str, arguments)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def list_programs(folder):
    """Return the compiled programs below a folder."""
    return sorted(folder.rglob("*.pb"))


@pytest.mark.slow
def test_the_next_process_finds_the_program(tmp_path):
    """Programs are kept on disk, found again, and mended when a file is broken."""
    first = run_script(SKKERAS_TUNE_CACHE=str(tmp_path))
    (program,) = list_programs(tmp_path)
    whole = program.read_bytes()
    assert run_script(SKKERAS_TUNE_CACHE=str(tmp_path)) == first
    assert program.read_bytes() == whole
    program.write_bytes(whole[:500])
    assert run_script(SKKERAS_TUNE_CACHE=str(tmp_path)) == first
    assert [len(p.read_bytes()) > 500 for p in list_programs(tmp_path)] == [True]


@pytest.mark.slow
def test_the_cache_can_be_moved_or_turned_off(tmp_path):
    """A function, the environment variable and TensorFlow's own flag are heeded."""
    here, there = tmp_path / "here", tmp_path / "there"
    run_script(there, SKKERAS_TUNE_CACHE=str(here))
    assert list_programs(there)
    assert not here.exists()
    run_script("none", SKKERAS_TUNE_CACHE=str(here))
    run_script(SKKERAS_TUNE_CACHE="off", XDG_CACHE_HOME=str(here))
    assert not list_programs(here)
    run_script(SKKERAS_TUNE_CACHE="", XDG_CACHE_HOME=str(here))
    assert list_programs(here / "skkeras_tune")
    blocked = tmp_path / "file"
    blocked.write_text("")
    run_script(SKKERAS_TUNE_CACHE=str(blocked))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["of Ann Lee", "Lee's", 'a "b"', "back\\slash"])
def test_folders_may_have_any_name(tmp_path, name):
    """Blanks and quotes end no flag of TensorFlow's, which would write elsewhere."""
    folder = tmp_path / name
    run_script(folder)
    assert len(list_programs(folder)) == 1
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.slow
def test_a_full_disk_ends_no_fit(tmp_path):
    """Where a program would not fit, none is kept; here files are to be small."""
    pytest.importorskip("resource")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, -1))"
    run_script(tmp_path, before=limit)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_oldest_programs_leave(tmp_path, monkeypatch):
    """Those beyond the number kept go, with what was begun and never ended."""
    monkeypatch.setattr(program_store, "_MAX_FILES", 2)
    names = ["a.pb", "b.pb-host-1.tmp", "c.pb", "d.pb"]
    for age, name in enumerate(names):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (age, age))
    program_store._remove_oldest(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == names[2:]


def test_programs_that_others_remove(tmp_path, monkeypatch):
    """A file that is gone when it is looked at, or that has to stay, is no error."""
    monkeypatch.setattr(program_store, "_MAX_FILES", 0)
    monkeypatch.setattr(program_store, "_open", tmp_path)
    (tmp_path / "gone.pb").symlink_to("nowhere")
    (tmp_path / "stays.pb").mkdir()
    program_store._remove_oldest(tmp_path)
    assert program_store.clear_program_store(
        tf.errors.NotFoundError(None, None, "gone.pb")
    )
    assert (tmp_path / "stays.pb").exists()


@pytest.mark.parametrize(
    ("kind", "message", "is_of_file"),
    [
        (tf.errors.OutOfRangeError, "Read less bytes than requested", True),
        (tf.errors.DataLossError, "Can't parse /programs/a.pb", True),
        (tf.errors.InternalError, "Failed to parse serialized result", True),
        (tf.errors.NotFoundError, "/programs/a.pb; No such file", True),
        (tf.errors.InvalidArgumentError, "Serialized HLO does not match", True),
        (tf.errors.InvalidArgumentError, "Shapes must be equal", False),
        (tf.errors.UnimplementedError, "XLA knows no such operation", False),
        (tf.errors.ResourceExhaustedError, "No space left on device", True),
    ],
)
def test_only_what_may_come_of_a_file_clears_the_folder(
    tmp_path, monkeypatch, kind, message, is_of_file
):
    """Programs stay where XLA refuses a model."""
    monkeypatch.setattr(program_store, "_open", tmp_path)
    (tmp_path / "a.pb").write_bytes(b"program")
    error = kind(None, None, message)
    assert program_store.clear_program_store(error) is is_of_file
    assert (tmp_path / "a.pb").exists() is not is_of_file
