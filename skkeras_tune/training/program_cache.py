"""Programs by what makes them differ, the least recently used leaving first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from skkeras_tune.training.costs import PROGRAM_SECONDS

_CAPACITY = 64


class ProgramCache:
    """Builds each program once, whichever thread asks first.

    Parameters
    ----------
    capacity : int, default=64
        Programs kept; one takes about 5 MB.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._programs: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.RLock()
        self.n_built = 0
        #: What another program takes to trace and compile, about.
        self.build_seconds = PROGRAM_SECONDS

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._programs

    def __iter__(self) -> Iterator[Any]:
        with self._lock:
            return iter(list(self._programs))

    def find(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """Return the program of that key, built now if it is not there.

        A builder that raises leaves nothing behind.
        """
        with self._lock:
            if key not in self._programs:
                self._programs[key] = build()
                self.n_built += 1
            self._programs.move_to_end(key)
            while len(self._programs) > self._capacity:
                self._programs.popitem(last=False)
            return self._programs[key]
