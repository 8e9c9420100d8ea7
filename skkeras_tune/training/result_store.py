"""Results of trainings, kept by key in the folder of a `joblib.Memory`.

A key goes in, and the result that was kept under it comes out, in any process.
"""

import pickle
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import keras

from skkeras_tune.training.callbacks import read_callback
from skkeras_tune.training.plan import TrainingResult

_FOLDER = "skkeras_tune"


class _Items(Protocol):
    """Where bytes are kept."""

    def load(self, key: str) -> bytes | None: ...

    def dump(self, key: str, item: bytes) -> None: ...


class ResultStore:
    """Trainings that need not be done again.

    Threads and processes may share one: a result appears as a whole or not at all.

    Parameters
    ----------
    memory : joblib.Memory, or an object with a `cache` method like its own
        See `sklearn.utils.validation.check_memory`.
    """

    def __init__(self, memory: Any) -> None:
        has_store = hasattr(memory, "store_backend")
        self._items: _Items = (
            _StoredItems(memory.store_backend) if has_store else _CachedItems(memory)
        )

    def find(
        self, key: str, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> TrainingResult | None:
        """Return the result under a key, or None.

        Parameters
        ----------
        key : str
        callbacks : sequence of keras.callbacks.Callback, default=()
            Those of this run. They are left as the training left its own.
        """
        try:
            item = self._items.load(key)
            return None if item is None else _unpack(item, callbacks)
        except Exception as error:
            warnings.warn(
                f"A training that was remembered as {key} cannot be read "
                f"({type(error).__name__}: {error}). It is trained again, and the "
                "file replaced.",
                UserWarning,
                stacklevel=6,  # the caller of fit
            )
            return None

    def keep(self, key: str, result: TrainingResult) -> None:
        """Keep a result under a key; if the disk is full, joblib warns of it."""
        self._items.dump(key, _pack(result))


def _pack(result: TrainingResult) -> bytes:
    """Return a result as bytes, which no setting of a memory maps into a file."""
    states = [read_callback(callback) for callback in result.callbacks]
    return pickle.dumps(replace(result, callbacks=states))


def _unpack(item: bytes, callbacks: Sequence[Any]) -> TrainingResult:
    result = pickle.loads(item)
    if not isinstance(result, TrainingResult):
        raise TypeError(f"it holds a {type(result).__name__}")
    for callback, state in zip(callbacks, result.callbacks, strict=True):
        vars(callback).update(state)
    return replace(result, callbacks=list(callbacks))


class _StoredItems:
    """Items in the store of a `joblib.Memory`.

    Not through `Memory.cache`: joblib before 1.6 empties a function's folder when two
    processes use it first at the same time.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    def load(self, key: str) -> bytes | None:
        place = [_FOLDER, key]
        if not self._store.contains_item(place):
            return None
        item: bytes = self._store.load_item(place, verbose=0)
        return item

    def dump(self, key: str, item: bytes) -> None:
        self._store.dump_item([_FOLDER, key], item, verbose=0)


class _CachedItems:
    """Items behind a `cache` method, all that scikit-learn asks of a memory."""

    def __init__(self, memory: Any) -> None:
        self._recall = memory.cache(_recall)

    def load(self, key: str) -> bytes | None:
        try:
            item: bytes = self._recall(_Entry(key))
        except _NothingKept:
            return None
        return item

    def dump(self, key: str, item: bytes) -> None:
        self._recall(_Entry(key, item))


class _NothingKept(Exception):  # noqa: N818  an answer
    """Says that there is no item, so that a memory keeps none either."""


class _Entry:
    """A key with its item; to a memory they are the key alone."""

    def __init__(self, key: str, item: bytes | None = None) -> None:
        self.key, self.item = key, item

    def __getstate__(self) -> dict[str, str]:
        return {"key": self.key}

    def __repr__(self) -> str:
        return f"Entry({self.key!r})"


def _recall(entry: _Entry) -> bytes:
    if entry.item is None:
        raise _NothingKept
    return entry.item
