"""When training has to end: a moment in, trainings that stop there out.

The deadline belongs to a thread. A training begun under one keeps it, wherever it runs.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import keras


class Deadline:
    """A moment after which trainings end, in the middle of an epoch if it is long.

    Parameters
    ----------
    at : float
        By the clock of `time.monotonic`, in seconds.
    """

    def __init__(self, at: float) -> None:
        self.at = at
        #: The longest that a program of a training under it took to compile, which it
        #: cannot cut short.
        self.program_seconds = 0.0
        #: Whether it has ended a training that had hardly begun.
        self.has_cut = False

    @property
    def seconds_left(self) -> float:
        """Seconds until then; negative when it has passed."""
        return self.at - time.monotonic()

    @property
    def has_passed(self) -> bool:
        """Whether it is over."""
        return self.seconds_left <= 0

    def note_program(self, seconds: float) -> None:
        """Note how long a program took to compile."""
        self.program_seconds = max(self.program_seconds, seconds)


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
_given_up: ContextVar[Callable[[], bool] | None] = ContextVar("given_up", default=None)


def current_deadline() -> Deadline | None:
    """Return the deadline of this thread's trainings."""
    return _current.get()


def note_cut() -> None:
    """Note that this thread's deadline has ended a training that had hardly begun."""
    deadline = _current.get()
    if deadline is not None:
        deadline.has_cut = True


def leaves_time_for(seconds: float) -> bool:
    """Tell whether this thread's deadline leaves so many seconds, if it has one."""
    deadline = _current.get()
    return deadline is None or deadline.seconds_left > seconds


@contextmanager
def train_until(deadline: Deadline | None) -> Iterator[None]:
    """Give the trainings that begin in the context a deadline, or none."""
    token = _current.set(deadline)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def share_time(n_trainings: int) -> Iterator[None]:
    """Give what trains in the context its share of the time left for several.

    Parameters
    ----------
    n_trainings : int
        How many there are in turn, this one included.
    """
    deadline = _current.get()
    if deadline is None or n_trainings == 1:
        yield
        return
    others = deadline.seconds_left * (1 - 1 / n_trainings)
    own = Deadline(deadline.at - others)
    try:
        with train_until(own):
            yield
    finally:
        deadline.note_program(own.program_seconds)


@contextmanager
def train_unless(is_given_up: Callable[[], bool]) -> Iterator[None]:
    """Let trainings in the context end when nobody wants them any more."""
    token = _given_up.set(is_given_up)
    try:
        yield
    finally:
        _given_up.reset(token)


def is_given_up() -> bool:
    """Tell whether nobody wants this thread's training any more."""
    ask = _given_up.get()
    return ask is not None and ask()


# However late a training of Keras's begins, it has so many seconds after the step
# that is traced.
_LEAST_SECONDS = 0.5


class DeadlineStop(keras.callbacks.Callback):
    """Ends Keras's own loop with the batch in which a deadline passes.

    It does so too when nobody wants the training any more. However late it is, half a
    second is trained.

    Parameters
    ----------
    deadline : Deadline or None
    """

    def __init__(self, deadline: Deadline | None) -> None:
        super().__init__()
        self.deadline = deadline
        #: Whether it, and nothing before it, has ended the training.
        self.has_stopped = False

    def on_train_begin(self, logs: object = None) -> None:
        self._first_step: float | None = None

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        now = time.monotonic()
        if self._first_step is None:
            self._first_step = now
        is_last = batch + self.model.steps_per_execution >= self.params["steps"]
        if not is_last and now - self._first_step > _LEAST_SECONDS:
            self._stop_late()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        if epoch + 1 < self.params["epochs"]:
            self._stop_late()

    def _stop_late(self) -> None:
        is_late = self.deadline is not None and self.deadline.has_passed
        if (is_late or is_given_up()) and not self.model.stop_training:
            self.model.stop_training = self.has_stopped = True


def list_clocks() -> list[DeadlineStop]:
    """Return the callbacks by which Keras's own loop ends early, if it may have to."""
    deadline = _current.get()
    has_end = deadline is not None or _given_up.get() is not None
    return [DeadlineStop(deadline)] if has_end else []
