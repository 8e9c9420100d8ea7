"""Calls outside of all tasks, in the order of their steps; who still submits out."""

from skkeras_tune.fusion.request import Call


class Dispatch:
    """Which threads outside of all tasks are about to submit more.

    A thread submits tasks from the start of a call until it reads the results. Calls
    of one thread may begin within each other, and be read in any order or never.
    """

    def __init__(self) -> None:
        self._submitted: set[Call] = set()
        self._read: set[Call] = set()

    def __bool__(self) -> bool:
        """Whether some thread submits, and waits for no results."""
        waiting = {call.thread for call in self._read}
        return any(call.thread not in waiting for call in self._submitted)

    def begin(self, call: Call) -> None:
        """Note that tasks of a call are submitted."""
        self._submitted.add(call)

    def read(self, call: Call) -> None:
        """Note that a thread may wait for the results of a call."""
        self._submitted.discard(call)
        self._read.add(call)

    def end(self, call: Call) -> None:
        """Note that a call has ended."""
        self._submitted.discard(call)
        self._read.discard(call)

    def clear(self) -> None:
        """Expect no more tasks of the calls that have begun."""
        self._submitted.clear()
