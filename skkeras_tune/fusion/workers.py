"""Processes that train for this one: on this machine, or on a cluster.

Each kind keeps arrays where its processes find them, runs a function in one of them,
and says by which errors it shows that a process has died.

joblib's own backends are not used for it: the one for Dask never ends a call whose
worker was lost (joblib 1.6), and none of them keeps data from one call to the next.
"""

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Future
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import joblib
from joblib.externals import loky
from joblib.externals.loky.process_executor import ShutdownExecutorError

from skkeras_tune.optional import import_optional

WorkersName = Literal["loky", "dask", "ray"]
#: Ray's errors of a process or data that is gone; others are of the function.
_RAY_LOST = (
    "LocalRayletDiedError",
    "NodeDiedError",
    "ObjectLostError",
    "OutOfMemoryError",
    "RaySystemError",
    "TaskCancelledError",
    "WorkerCrashedError",
)
# A worker that is idle for so many seconds ends.
_IDLE_SECONDS = 300.0


class Workers(Protocol):
    """Processes that run functions.

    Attributes
    ----------
    n_workers : int
        How many functions run at a time.
    """

    n_workers: int

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """What a future raises when its process has died, or the data it needs."""
        ...

    def put(self, array: Any) -> Any:
        """Keep an array where all workers find it; return what stands for it."""
        ...

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Run a function in a worker."""
        ...

    def stop(self) -> None:
        """Give up whatever runs."""
        ...

    def close(self) -> None:
        """Let go of the arrays."""
        ...


def open_workers(
    name: WorkersName, n_workers: int | None, client: Any = None
) -> Workers:
    """Return the workers of that name.

    Parameters
    ----------
    name : {"loky", "dask", "ray"}
    n_workers : int or None
        None is one a core, of this machine or of the cluster.
    client : distributed.Client, default=None
        None is the current one. Only for "dask".
    """
    if name == "loky":
        return LokyWorkers(n_workers)
    return DaskWorkers(n_workers, client) if name == "dask" else RayWorkers(n_workers)


class OnDisk:
    """An array in a file, which each process maps into its memory once."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def load(self) -> Any:
        """Return the array."""
        return _load(self._path)


@lru_cache(maxsize=16)
def _load(path: str) -> Any:
    return joblib.load(path, mmap_mode="r")


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


class _IdleProcesses:
    """Processes that wait for work, which outlive the context that began them.

    Each is a pool of its own, so that none dies with another. They are not of loky's
    reusable pool: that one is joblib's, which needs it with its own parts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[str, Any]] = []

    def take(self, threads: str) -> Any:
        """Return a process that computes in so many threads."""
        with self._lock:
            for entry in self._idle:
                if entry[0] == threads:
                    self._idle.remove(entry)
                    return entry[1]
        names = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
        env = {name: os.environ.get(name, threads) for name in names}
        context = loky.backend.get_context("loky")
        return loky.ProcessPoolExecutor(
            1, timeout=_IDLE_SECONDS, context=context, env=env
        )

    def give(self, threads: str, process: Any) -> None:
        """Let a process wait for work."""
        with self._lock:
            self._idle.append((threads, process))


_idle = _IdleProcesses()


class LokyWorkers:
    """Processes on this machine, which stay for a while when they are idle."""

    lost = (BrokenExecutor, CancelledError, ShutdownExecutorError)

    def __init__(self, n_workers: int | None) -> None:
        self.n_workers = n_workers or joblib.cpu_count()
        self._threads = str(max(1, joblib.cpu_count() // self.n_workers))
        self._folder: Path | None = None
        self._n_arrays = 0
        self._running: dict[Future[Any], Any] = {}

    def put(self, array: Any) -> OnDisk:
        """Write an array to a file."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="skkeras_tune_"))
        self._n_arrays += 1
        path = self._folder / f"{self._n_arrays}.joblib"
        joblib.dump(array, path)
        stored = OnDisk(path)
        # Who has mapped it keeps it; where a file in use cannot go, `close` removes it.
        weakref.finalize(stored, _remove, path)
        return stored

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Run a function in a process."""
        process = _idle.take(self._threads)
        future: Future[Any] = process.submit(function, *arguments)
        self._running[future] = process
        future.add_done_callback(self._end)
        return future

    def _end(self, future: "Future[Any]") -> None:
        process = self._running.pop(future)
        if future.exception() is None:
            _idle.give(self._threads, process)
        else:  # it may be broken
            process.shutdown(wait=False, kill_workers=True)

    def stop(self) -> None:
        """End the processes that run something."""
        for process in list(self._running.values()):
            process.shutdown(wait=True, kill_workers=True)

    def close(self) -> None:
        """Remove the files."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class DaskWorkers:
    """The workers of a Dask cluster."""

    def __init__(self, n_workers: int | None, client: Any) -> None:
        distributed = import_optional("distributed", "fused(backend='dask')")
        self._client = _find_client(distributed) if client is None else client
        if not isinstance(self._client, distributed.Client):
            message = (
                "The 'client' parameter of fused must be a distributed.Client or None. "
                f"Got {client!r} instead."
            )
            raise ValueError(message)
        self.n_workers = n_workers or max(1, sum(self._client.ncores().values()))
        self.lost = (
            distributed.KilledWorker,
            distributed.comm.CommClosedError,
            CancelledError,
        )
        self._executor = self._client.get_executor(pure=False)
        self._running: set[Future[Any]] = set()

    def put(self, array: Any) -> Any:
        """Send an array to a worker, from which others fetch it once.

        Dask's own way to send it to all waits for ever when one of them dies meanwhile.
        """
        return self._client.scatter(array, hash=False)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Run a function in a worker."""
        future: Future[Any] = self._executor.submit(function, *arguments)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def stop(self) -> None:
        """Give up what runs; a worker ends what it has begun."""
        for future in list(self._running):
            future.cancel()

    def close(self) -> None:
        """Do nothing: arrays go when nobody refers to them."""


def _find_client(distributed: Any) -> Any:
    try:
        return distributed.get_client()
    except ValueError as error:
        message = (
            "fused(backend='dask') found no Dask client. Make one before, with "
            "distributed.Client(), or pass client=."
        )
        raise ValueError(message) from error


class RayWorkers:
    """The workers of a Ray cluster; where Ray has not begun, one on this machine."""

    def __init__(self, n_workers: int | None) -> None:
        self._ray = import_optional("ray", "fused(backend='ray')")
        if not self._ray.is_initialized():
            self._ray.init(logging_level="ERROR")
        n_cores = int(self._ray.cluster_resources().get("CPU", 1))
        self.n_workers = n_workers or n_cores
        known = (getattr(self._ray.exceptions, name, None) for name in _RAY_LOST)
        self.lost = (*filter(None, known), CancelledError)
        self._running: dict[Future[Any], Any] = {}

    def put(self, array: Any) -> Any:
        """Put an array into Ray's store."""
        return self._ray.put(array)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Run a function in a worker."""
        reference = self._ray.remote(function).remote(*arguments)
        future: Future[Any] = reference.future()
        self._running[future] = reference
        future.add_done_callback(lambda done: self._running.pop(done, None))
        return future

    def stop(self) -> None:
        """End the workers that run."""
        for reference in list(self._running.values()):
            self._ray.cancel(reference, force=True)

    def close(self) -> None:
        """Do nothing: arrays go when nobody refers to them."""
