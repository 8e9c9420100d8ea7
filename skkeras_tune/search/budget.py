"""Seconds in, what a search may still do in them out.

A search under a budget evaluates its candidates in batches, as many at a time as the
last ones say there is time for, and leaves time for the fit that ends it. What trains
when that time comes ends there.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from skkeras_tune.training.deadline import Deadline, train_until

# Of the budget, at most this share is kept for the last fit, and so much before
# anything is known of its time.
_MOST_RESERVED, _FIRST_RESERVED = 0.6, 0.3
# The first batch warms up the process, which may be half of its time.
_WARM_SHARE = 0.5
# A model that trains by itself takes as long as two candidates that train with others.
_LONE_FIT = 2.0
# No batch takes more than this share of the time to search in: one with a network that
# is too large for the budget leaves time for others.
_BATCH_SHARE = 1 / 3
# A batch holds at most so many times the candidates of the last one.
_GROWTH = 2


class Budget:
    """The time of a search, and what is left of it.

    Parameters
    ----------
    seconds : float
        From now on.
    n_models : int, default=1
        How many of the candidates the last fit trains again.
    n_folds : int, default=5
        How often each candidate is trained.
    n_networks : int, default=1
        How many networks each of these models averages.
    """

    def __init__(
        self,
        seconds: float,
        n_models: int = 1,
        n_folds: int = 5,
        n_networks: int = 1,
    ) -> None:
        self.seconds, self._n_models, self._n_folds = seconds, n_models, n_folds
        self._n_networks = n_networks
        self._start = self._mark = time.monotonic()
        self._last_size = self._n_candidates = 0
        #: When all of it is spent.
        self.end = Deadline(self._start + seconds)
        #: Of each batch so far, seconds for one candidate, the longest that a program
        #: took to compile, which nothing can end early, and seconds without it.
        self.costs: list[float] = []
        self.program_costs: list[float] = []
        self.training_costs: list[float] = []
        #: Whether no batch so far was trained to its end.
        self.is_too_short = False
        self._has_late_batch = False

    def end_search(self, n_candidates: int) -> Deadline:
        """Return when the last fit has to begin, with so many candidates to choose of.

        It trains each model twice, once with rows held out and once on all rows. Each
        of the two takes a program of its own, and several are compiled two at a time.
        """
        reserved = _FIRST_RESERVED * self.seconds
        if self.costs:
            n_models = min(self._n_models, n_candidates)
            # A candidate trains on all rows as often as there are folds, less one.
            n_trainings = 2 * n_models * self._n_networks
            n_trained = max(n_trainings / max(self._n_folds - 1, 1), _LONE_FIT)
            expected = max(n_models, 2) * _expect(self.program_costs)
            expected += n_trained * _expect(self.training_costs)
            if self._has_late_batch:  # how long it would have taken nobody knows
                expected = max(expected, reserved)
            reserved = min(expected, _MOST_RESERVED * self.seconds)
        return Deadline(self._start + self.seconds - reserved)

    def choose_size(self, most: int) -> int:
        """Return how many candidates to evaluate next, up to a number; 0 ends it.

        The first batch is a single one, from whose time the rest is reckoned; those
        that follow grow as more is known.
        """
        if not self.costs:
            return 1
        end = self.end_search(self._n_candidates + 1)
        n_in_time = int(end.seconds_left / _expect(self.costs))
        return min(most, _GROWTH * self._last_size, n_in_time)

    def _end_batch(self) -> Deadline:
        """Return when the next batch has to end: when the search has, or sooner."""
        end = self.end_search(self._n_candidates)
        share = _BATCH_SHARE * (end.at - self._start)
        return Deadline(min(end.at, time.monotonic() + share))

    @contextmanager
    def evaluate(self, n_candidates: int) -> Iterator[None]:
        """Train until the search has to end, and note the time since the last batch.

        Choosing the candidates is part of it, which takes a Bayesian search seconds.
        """
        self._n_candidates += n_candidates
        deadline = self._end_batch()
        with train_until(deadline):
            yield
        is_late = deadline.has_passed or deadline.has_cut
        self.is_too_short = is_late and (self.is_too_short or not self.costs)
        self._has_late_batch |= is_late
        now = time.monotonic()
        seconds, program_seconds = now - self._mark, deadline.program_seconds
        self.costs.append(seconds / n_candidates)
        self.program_costs.append(program_seconds)
        self.training_costs.append(max(seconds - program_seconds, 0.0) / n_candidates)
        self._mark, self._last_size = now, n_candidates


def _expect(costs: Sequence[float]) -> float:
    """Return what to expect of a cost that each batch had: the worst so far."""
    return max(costs[1:], default=_WARM_SHARE * costs[0])


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
