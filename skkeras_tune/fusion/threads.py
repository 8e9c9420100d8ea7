"""Functions in, each run in a thread of its own, which the end can wait for."""

import threading
from collections.abc import Callable
from typing import Any


class Threads:
    """Threads that are gone when what they run has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[threading.Thread] = set()

    def start(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run a function in a new thread."""

        def run() -> None:
            try:
                function(*arguments)
            finally:
                with self._lock:
                    self._running.discard(thread)

        thread = threading.Thread(target=run, name="skkeras_tune.fused", daemon=True)
        with self._lock:  # or `join` would not see it alive
            self._running.add(thread)
            thread.start()

    def join(self) -> None:
        """Wait until none is left.

        One that the end of the process has stopped is not waited for.
        """
        while True:
            with self._lock:
                threads = [thread for thread in self._running if thread.is_alive()]
            if not threads:
                return
            for thread in threads:
                thread.join()
