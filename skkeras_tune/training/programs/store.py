"""Compiled programs on disk, so that the next process need not compile them again.

TensorFlow keeps the files; this module says where, before TensorFlow starts.
"""

import hashlib
import os
import platform
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import tensorflow as tf

from skkeras_tune._compat.tensorflow import start_tensorflow, tensorflow_has_started

#: Names the folder, or "off".
VARIABLE = "SKKERAS_TUNE_CACHE"
_MAX_FILES = 1000
# Without room for as much, no program would fit either.
_ROOM_BYTES = 2**20
# How XLA refuses a program; TensorFlow (2.21) also takes the one for a file that is
# not of the program, and says so.
_REFUSALS = tf.errors.InvalidArgumentError, tf.errors.UnimplementedError
_OF_A_FILE = "Serialized"

_lock = threading.Lock()
_chosen: Path | None = None
_is_chosen = False
_open: Path | None = None


def set_program_cache(folder: str | os.PathLike[str] | None) -> None:
    """Choose where compiled programs are kept between processes.

    By default that is ``skkeras_tune`` in the user's cache folder (``XDG_CACHE_HOME``,
    or ``~/.cache``), or what the environment variable ``SKKERAS_TUNE_CACHE`` names;
    "off" there keeps none. A program takes about 0.3 MB, and the oldest beyond 1,000
    are removed. Programs in memory are not affected.

    Parameters
    ----------
    folder : path or None
        None keeps no programs on disk.

    Raises
    ------
    RuntimeError
        If TensorFlow has run an operation already, after which it takes no other
        folder.

    Examples
    --------
    >>> from skkeras_tune import set_program_cache
    >>> set_program_cache("/tmp/programs")  # doctest: +SKIP
    """
    global _chosen, _is_chosen
    if tensorflow_has_started():
        message = (
            "set_program_cache must be called before TensorFlow runs its first "
            f"operation. Got folder={folder!r}; call it at the start of the program, "
            f"or set {VARIABLE}."
        )
        raise RuntimeError(message)
    _chosen = None if folder is None else Path(folder).expanduser()
    _is_chosen = True


def open_program_store() -> None:
    """Let TensorFlow keep compiled programs, if it has not started yet.

    Does nothing after the first call, where the user has set TensorFlow's own flag, and
    where the folder cannot be written to or the disk is full: TensorFlow would fail.
    """
    global _open
    with _lock:
        if tensorflow_has_started():
            return
        folder = _find_folder()
        flags = os.environ.get("TF_XLA_FLAGS", "")
        if folder is not None and "persistent_cache" not in flags:
            folder = folder / _describe_machine()
            if _has_room(folder):
                start_tensorflow("tf_xla_persistent_cache_directory", str(folder))
                _open = folder
                _remove_oldest(folder)


def clear_program_store(error: tf.errors.OpError) -> bool:
    """Remove the programs of this machine from disk, if an error may come from them.

    A file may be broken, removed while it is read, or not fit onto the disk, for which
    TensorFlow has errors of many kinds. What XLA does not take is no file's doing, and
    leaves them where they are.

    Returns
    -------
    is_clear : bool
        Whether to try again.
    """
    is_refusal = isinstance(error, _REFUSALS) and _OF_A_FILE not in str(error)
    if _open is None or is_refusal:
        return False
    _remove(_list_files(_open, "*.pb"))
    return True


def _find_folder() -> Path | None:
    if _is_chosen:
        return _chosen
    named = os.environ.get(VARIABLE, "")
    if named:
        return None if named.lower() == "off" else Path(named).expanduser()
    with suppress(RuntimeError):  # there is no home
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(home) / "skkeras_tune"
    return None


def _describe_machine() -> str:
    """Name what a compiled program is good for: a version and a kind of processor."""
    features = platform.machine() + platform.processor()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        features += "".join(
            sorted({n for n in lines if n.startswith(("flags", "mod"))})
        )
    digest = hashlib.sha256(features.encode()).hexdigest()[:12]
    return f"tensorflow-{tf.__version__}-{digest}"


def _has_room(folder: Path) -> bool:
    """Tell whether a folder takes files as large as programs are."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_ROOM_BYTES))
        return True
    except OSError:
        return False


def _remove_oldest(folder: Path) -> None:
    # Those too that were begun and never ended, whose names go on.
    _remove(_list_files(folder, "*.pb*")[:-_MAX_FILES])


def _list_files(folder: Path, pattern: str) -> list[Path]:
    """Return files of a folder that other processes use too, the oldest first."""
    dated = []
    for file in folder.glob(pattern):
        with suppress(OSError):  # another process has removed it
            dated.append((file.stat().st_mtime, file))
    return [file for _, file in sorted(dated)]


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        with suppress(OSError):  # another process has, or it belongs to another user
            file.unlink()
