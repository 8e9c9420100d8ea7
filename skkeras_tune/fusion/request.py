"""What waits: a fit for its training, a task for its turn, and the call they are of."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

from skkeras_tune._compat.keras import read_thread_settings, use_thread_settings
from skkeras_tune.training.deadline import current_deadline
from skkeras_tune.training.groups.slots import Outcome
from skkeras_tune.training.members.member import Member
from skkeras_tune.training.plan import TrainingResult

_here = threading.local()


class Cancelled(BaseException):
    """Ends a task whose result nobody wants any more.

    Not an `Exception`, which a search would take for a failed fit.
    """


class Call:
    """A call of joblib's Parallel, whose tasks are given up together."""

    def __init__(self) -> None:
        self.parent = current_task()
        self.level: int = self.parent.call.level + 1 if self.parent else 0
        self.thread = threading.get_ident()
        self.deadline = current_deadline()
        #: Tasks submitted that have not ended.
        self.n_open = 0
        self._is_cancelled = self._has_failed = False

    @property
    def is_settled(self) -> bool:
        """Whether who reads its results goes on: all have ended, or one failed."""
        return self.n_open == 0 or self._has_failed or self._is_cancelled

    def end(self, task: "Task") -> None:
        """Count a task that has ended."""
        self.n_open -= 1
        self._has_failed |= task.future.exception() is not None

    @property
    def is_cancelled(self) -> bool:
        """Whether its tasks, or those around it, have been given up."""
        above = self.parent is not None and self.parent.call.is_cancelled
        return self._is_cancelled or above

    def cancel(self) -> None:
        """Give up the tasks of the call."""
        self._is_cancelled = True


class Task:
    """A function to run in a thread of its own, for a call."""

    def __init__(
        self, call: Call, function: Callable[[], Any], done: Callable[[Any], Any] | None
    ) -> None:
        self.call = call
        self._function, self._done = function, done
        self.future: Future[Any] = Future()
        self._settings = read_thread_settings()
        #: Whether it counts as running: it does not while it waits.
        self.has_place = False
        #: Whether it waits for training.
        self.waits = False
        #: Its own calls whose results it reads.
        self.read_calls: set[Call] = set()

    @property
    def goes_on(self) -> bool:
        """Whether it runs though it reads results, none of which it need wait for.

        From the moment that its calls have ended it does, though its thread may take a
        while to notice: else training would begin without it.
        """
        return not self.waits and all(call.is_settled for call in self.read_calls)

    def run(self) -> None:
        """Run the function, then the callback, which may submit the next task."""
        before, _here.task = current_task(), self
        try:
            if self.call.is_cancelled:
                raise Cancelled
            with use_thread_settings(self._settings):
                result = self._function()
            self.future.set_result(result)
        except BaseException as error:  # the caller's to raise
            self.future.set_exception(error)
        finally:
            _here.task = before
        if self._done is not None:
            self._done(self.future)


def current_task() -> Task | None:
    """Return the task that this thread runs."""
    return getattr(_here, "task", None)


class Wait:
    """What a fit waits for: the trainings of its members.

    Parameters
    ----------
    members : sequence of Member
    """

    def __init__(self, members: Sequence[Member]) -> None:
        arrays = {id(a): a for member in members for a in member.arrays.values()}
        self.n_bytes = sum(array.nbytes for array in arrays.values())
        #: Members whose training has not ended.
        self.n_open = len(members)
        self.resumes = threading.Event()
        self._members = members

    def cancel(self) -> None:
        """Give up the members that still train."""
        for member in self._members:
            member.is_cancelled = True


class Request:
    """A member that a fit wants trained, and waits for.

    Parameters
    ----------
    member : Member
    wait : Wait, default=None
        Shared by the members of a fit; None waits for this one.
    """

    def __init__(self, member: Member, wait: Wait | None = None) -> None:
        task = current_task()
        assert task is not None
        self.member, self.task, self.call = member, task, task.call
        self.wait = wait or Wait([member])
        self.outcome: Outcome | None = None
        #: Whether it has asked to join a group in training, in vain.
        self.was_refused = False


def read_results(requests: Sequence[Request]) -> list[TrainingResult]:
    """Return the results of a fit's members, or raise what the first failed with."""
    outcomes = [request.outcome for request in requests]
    results = [o for o in outcomes if isinstance(o, TrainingResult)]
    if len(results) == len(outcomes):
        return results
    errors = [o for o in outcomes if isinstance(o, BaseException)]
    causes = [e for e in errors if not isinstance(e, CancelledError)]
    raise (causes or errors)[0]
