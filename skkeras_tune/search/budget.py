"""Seconds in, what a search may still do in them out.

A search under a budget evaluates its candidates in batches, as many at a time as the
last ones say there is time for, and leaves time for the fit that ends it. What trains
when that time comes ends with the epoch it is in.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from skkeras_tune.training.deadline import Deadline, train_until

# Of the budget, at most this share is kept for the last fit, and so much before
# anything is known of its time.
_MOST_RESERVED, _FIRST_RESERVED = 0.6, 0.3
# Until one has been seen, a program is thought to take so many seconds to trace and to
# compile, which nothing can end early.
_PROGRAM_SECONDS = 1.0


class Budget:
    """The time of a search, and what is left of it.

    Parameters
    ----------
    seconds : float
        From now on.
    n_final : float, default=2.0
        The training of the last fit, in times of a candidate's evaluation.
    n_programs : float, default=2.0
        The programs that the last fit may have to compile, one after the other.
    """

    def __init__(
        self, seconds: float, n_final: float = 2.0, n_programs: float = 2.0
    ) -> None:
        self.seconds, self._n_final, self._n_programs = seconds, n_final, n_programs
        self._start = self._mark = time.monotonic()
        #: Seconds for one candidate, of each batch so far.
        self.costs: list[float] = []
        #: The longest that a program took to compile.
        self.program_seconds = 0.0
        #: Whether not even one candidate was trained to its end.
        self.is_too_short = False

    @property
    def end(self) -> Deadline:
        """When all of it is spent."""
        return Deadline(self._start + self.seconds)

    @property
    def search_end(self) -> Deadline:
        """When the last fit has to begin."""
        reserved = _FIRST_RESERVED * self.seconds
        if self.costs:
            program = self.program_seconds or _PROGRAM_SECONDS
            expected = self._n_programs * program + self._n_final * self._cost
            reserved = min(expected, _MOST_RESERVED * self.seconds)
        return Deadline(self._start + self.seconds - reserved)

    @property
    def _cost(self) -> float:
        """Seconds that a candidate takes, at worst; the first may have to warm up."""
        return max(self.costs[1:], default=self.costs[0])

    def choose_size(self, most: int) -> int:
        """Return how many candidates to evaluate next, up to a number; 0 ends it.

        The first batch is a single one, from whose time the rest is reckoned.
        """
        if not self.costs:
            return 1
        return min(most, int(self.search_end.seconds_left / self._cost))

    @contextmanager
    def evaluate(self, n_candidates: int) -> Iterator[None]:
        """Train until the search has to end, and note the time since the last batch.

        Choosing the candidates is part of it, which takes a Bayesian search seconds.
        """
        deadline = self.search_end
        with train_until(deadline):
            yield
        if not self.costs:
            self.is_too_short = deadline.has_passed
        now = time.monotonic()
        self.costs.append((now - self._mark) / n_candidates)
        self._mark = now
        self.program_seconds = max(self.program_seconds, deadline.program_seconds)


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current_budget() -> Budget | None:
    """Return the budget that searches of this thread heed."""
    return _current.get()


@contextmanager
def spend(budget: Budget | None) -> Iterator[None]:
    """Let searches in the context heed a budget, and all training end with it."""
    token = _current.set(budget)
    try:
        with train_until(None if budget is None else budget.end):
            yield
    finally:
        _current.reset(token)
