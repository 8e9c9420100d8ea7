"""Programs by what makes them differ, the least recently used leaving first."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from skkeras_tune.training.programs.costs import PROGRAM_SECONDS

_CAPACITY = 64
# Builds that tell how long another may take.
_RECENT = 8
# A call that should take less tells how long calls take, not steps.
_SHORT_SECONDS = 0.05


class ProgramCache:
    """Builds each program once, whichever thread asks first.

    Parameters
    ----------
    capacity : int, default=64
        Programs kept; one takes 2 MB or more, of a user's model 9.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._programs: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.RLock()
        self.n_built = 0
        self._build_seconds = PROGRAM_SECONDS
        self._recent: deque[float] = deque([PROGRAM_SECONDS], _RECENT)
        #: Seconds that training takes here for each that is estimated.
        self.pace = 1.0

    @property
    def real_build_seconds(self) -> float:
        """What another program takes here to trace and compile, whatever the pace."""
        return self._build_seconds

    @property
    def longest_build_seconds(self) -> float:
        """What another program may take here, since one of the last ones did."""
        return max(self._recent)

    @property
    def build_seconds(self) -> float:
        """What another program takes to trace and compile.

        On a machine that is slow or busy, training takes longer than estimated, and so
        does this: it is to be compared with estimates.
        """
        return self.real_build_seconds / self.pace

    def record_build(self, seconds: float) -> None:
        """Take note of what a program took to trace and compile."""
        self._build_seconds = (self._build_seconds + seconds) / 2
        self._recent.append(seconds)

    def record_training(self, seconds: float, estimate: float) -> None:
        """Take note of what a call took, and of what was expected."""
        if estimate > _SHORT_SECONDS:
            self.pace = (self.pace + seconds / estimate) / 2

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
