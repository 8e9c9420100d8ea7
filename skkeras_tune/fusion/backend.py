"""A joblib backend whose tasks are threads that a coordinator runs."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from joblib.parallel import FallbackToBackend, ParallelBackendBase

from skkeras_tune._compat.sklearn import share_warning_filters
from skkeras_tune.fusion.coordinator import Coordinator
from skkeras_tune.fusion.request import Call


class FusedBackend(ParallelBackendBase):
    """Hands the tasks of joblib's Parallel to a coordinator.

    Parameters
    ----------
    coordinator : Coordinator
        Shared with the backends of nested calls.
    nesting_level : int, default=0
    """

    supports_retrieve_callback = True
    supports_sharedmem = True
    uses_threads = True

    def __init__(self, coordinator: Coordinator, nesting_level: int = 0) -> None:
        super().__init__(nesting_level=nesting_level)
        self._coordinator = coordinator
        self._call = Call()
        self.parallel: Any = None

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return how many tasks there may be in flight, whatever was asked for."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        return self._coordinator.max_tasks

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_options: Any) -> int:
        """Begin the calls of a Parallel, which is to have a backend of its own."""
        if parallel is not self.parallel:
            own = FusedBackend(self._coordinator, self.nesting_level)
            own.parallel = parallel
            raise FallbackToBackend(own)
        return self.effective_n_jobs(n_jobs)

    def start_call(self) -> None:
        """Begin to submit the tasks of one call."""
        self._call = Call()
        self._coordinator.begin(self._call)

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Let others run, and training begin: all tasks of the call are submitted."""
        with self._coordinator.read(self._call):
            yield

    def stop_call(self) -> None:
        """End a call, however it ended."""
        self._coordinator.end(self._call)

    def submit(
        self, func: Callable[[], Any], callback: Callable[[Any], Any] | None = None
    ) -> "Future[Any]":
        """Let a task run when its turn comes."""
        func = share_warning_filters(func)
        return self._coordinator.submit(self._call, func, callback)

    apply_async = submit  # as joblib 1.3 calls it

    def retrieve_result_callback(self, out: "Future[Any]") -> Any:
        """Return a task's result, or raise what it raised."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Give up the tasks of the call."""
        self._coordinator.cancel(self._call)

    def get_nested_backend(self) -> tuple["FusedBackend", None]:
        """Return the backend of calls within a task."""
        return FusedBackend(self._coordinator, self.nesting_level + 1), None
