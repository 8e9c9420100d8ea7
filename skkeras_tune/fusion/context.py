"""`fused`: the context in which fits that run through joblib are trained together."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from numbers import Integral
from types import TracebackType
from typing import Any, Literal, Self

import joblib

from skkeras_tune.fusion.backend import FusedBackend
from skkeras_tune.fusion.coordinator import Coordinator
from skkeras_tune.fusion.memory import resolve_memory
from skkeras_tune.fusion.report import FusionReport
from skkeras_tune.fusion.request import current_task
from skkeras_tune.fusion.sender import Sender
from skkeras_tune.fusion.workers import WorkersName, open_workers

_MAX_TASKS = 128
_BACKENDS = ("threading", "loky", "dask", "ray")


class fused:  # noqa: N801  a context, named as it reads
    """Train together all networks that are fitted in parallel within the context.

    Searches, cross-validations and ensembles of scikit-learn fit many networks of the
    same shape. Within this context their fits go through one compiled program for each
    shape, which trains many of them side by side. Scores, parameters and predictions
    are the same, to the tolerance of float32, and the code that fits need not know.

    Parameters
    ----------
    max_memory : int, float or str, default=None
        Memory, in bytes or as in "2GB", that the rows of the fits in flight and the
        states of the networks in training may take. It bounds how many are trained
        together. None is a quarter of the machine's, or of what a container may take.
    n_jobs : int, default=None
        Cores to use, or worker processes. None is all of them. Negative numbers count
        from the end, as joblib's do.
    backend : {"threading", "loky", "dask", "ray"}, default="threading"
        Where groups are trained: in threads of this process, in processes of this
        machine, or on the workers of a Dask or Ray cluster. "dask" needs the package
        ``distributed`` and a client, "ray" the package ``ray``.
    client : distributed.Client, default=None
        The client for ``backend="dask"``. None is the current one.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or there is no Dask client.
    ImportError
        If the package of a backend is not installed.

    Notes
    -----
    Each fit is a task in a thread of its own. Whatever `n_jobs` a search carries, as
    many tasks are in flight as memory allows, up to 128. A task runs until its network
    is to be trained, and goes on when it is. Fits that no program can express
    (`engine_reason_`) run in Keras's loop, one at a time.

    An estimator fitted outside of joblib, in the body of the context, trains alone.
    Within a task of another `fused`, that one goes on: its bounds hold, and its report
    has the fits.

    With another `backend`, tasks still run here, with the steps before the network and
    the scoring. Only groups travel, each to one worker at a time; rows are sent to a
    worker once. A group whose worker dies is sent again, up to three times in all, and
    then each network by itself.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skkeras_tune import KerasClassifier, fused
    >>> X, y = load_iris(return_X_y=True)
    >>> rates = {"learning_rate": [0.001, 0.01, 0.1]}
    >>> model = KerasClassifier(epochs=20, random_state=0)
    >>> with fused() as fusion:
    ...     search = GridSearchCV(model, rates, refit=False).fit(X, y)
    >>> fusion.report().n_fused
    15
    """

    def __init__(
        self,
        *,
        max_memory: float | str | None = None,
        n_jobs: int | None = None,
        backend: Literal["threading"] | WorkersName = "threading",
        client: Any = None,
    ) -> None:
        n_lanes, max_bytes = _resolve_n_jobs(n_jobs), resolve_memory(max_memory)
        _validate_backend(backend, client)
        if backend == "threading":
            self._coordinator = Coordinator(n_lanes, _MAX_TASKS, max_bytes)
        else:
            n_workers = None if n_jobs is None else n_lanes
            sender = Sender(open_workers(backend, n_workers, client))
            n_cores = int(joblib.cpu_count())
            self._coordinator = Coordinator(n_cores, _MAX_TASKS, max_bytes, sender)
        self._lock = threading.Lock()
        self._n_entered = 0
        self._here = _Here()

    def __enter__(self) -> Self:
        context = nullcontext() if current_task() is not None else self._fuse()
        context.__enter__()
        self._here.entered.append(context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._here.entered.pop().__exit__(kind, error, traceback)

    @contextmanager
    def _fuse(self) -> Iterator[None]:
        """Let this thread's calls of joblib be fused."""
        with self._lock:
            if not self._n_entered:
                # Tasks save and restore the process's filters, and who records
                # warnings, in any order.
                self._warnings = warnings.catch_warnings()
                self._warnings.__enter__()
            self._n_entered += 1
        try:
            with joblib.parallel_config(
                backend=FusedBackend(self._coordinator),
                n_jobs=self._coordinator.max_tasks,
            ):
                yield
        finally:
            self._leave()

    def _leave(self) -> None:
        """Leave nothing behind, unless it was entered more than once."""
        with self._lock:
            self._n_entered -= 1
            if self._n_entered:
                return
            try:
                self._coordinator.close()
            finally:
                self._warnings.__exit__(None, None, None)

    def report(self) -> FusionReport:
        """Return the groups so far, their sizes and times, and what kept fits apart.

        Returns
        -------
        FusionReport
            Printed, a line for each group.
        """
        return self._coordinator.report


class _Here(threading.local):
    """What a thread has entered."""

    def __init__(self) -> None:
        self.entered: list[AbstractContextManager[None]] = []


def _resolve_n_jobs(n_jobs: int | None) -> int:
    n_cores = int(joblib.cpu_count())
    if n_jobs is None:
        return n_cores
    if n_jobs == 0 or not isinstance(n_jobs, Integral) or isinstance(n_jobs, bool):
        message = (
            "The 'n_jobs' parameter of fused must be an int other than 0 or None. "
            f"Got {n_jobs!r} instead."
        )
        raise ValueError(message)
    return int(n_jobs) if n_jobs > 0 else max(1, n_cores + 1 + int(n_jobs))


def _validate_backend(backend: Any, client: Any) -> None:
    if not isinstance(backend, str) or backend not in _BACKENDS:
        message = (
            "The 'backend' parameter of fused must be a str among "
            f"{', '.join(map(repr, _BACKENDS))}. Got {backend!r} instead."
        )
        raise ValueError(message)
    if client is not None and backend != "dask":
        message = (
            "The 'client' parameter of fused must be None unless backend='dask'. "
            f"Got {client!r} and backend={backend!r} instead."
        )
        raise ValueError(message)
