"""Tasks in, their results out: what their fits want trained is trained together.

Each task runs in a thread of its own, a few at a time. A fit hands over what it wants
trained and waits. When every task in flight waits, the plans are grouped by kind and
trained, one lane a core, and each task goes on as soon as its own plan has ended.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from typing import Any

import joblib

from skkeras_tune.fusion.backlog import Backlog
from skkeras_tune.fusion.dispatch import Dispatch
from skkeras_tune.fusion.lanes import Batch, Job, plan_jobs, split_by_size
from skkeras_tune.fusion.report import FusionReport
from skkeras_tune.fusion.request import (
    Call,
    Cancelled,
    Request,
    Task,
    Wait,
    current_task,
    read_results,
)
from skkeras_tune.fusion.sender import Sender
from skkeras_tune.fusion.threads import Threads
from skkeras_tune.training.deadline import train_unless, train_until
from skkeras_tune.training.groups.slots import Outcome
from skkeras_tune.training.members.member import Member
from skkeras_tune.training.plan import TrainingResult
from skkeras_tune.training.trainer import ALONE, use_trainer


class Coordinator:
    """Runs tasks in threads, and trains together what waits.

    Parameters
    ----------
    n_lanes : int
        Tasks that run, and groups that are trained, at a time.
    max_tasks : int
        Tasks in flight: running, or waiting for training.
    max_bytes : int
        Memory for the data of tasks in flight, and for the states of groups.
    sender : Sender, default=None
        Has groups trained elsewhere, as many at a time as it says.
    """

    def __init__(
        self,
        n_lanes: int,
        max_tasks: int,
        max_bytes: int,
        sender: Sender | None = None,
    ) -> None:
        self.n_lanes, self.max_tasks, self.max_bytes = n_lanes, max_tasks, max_bytes
        self._n_trainers = sender.n_lanes if sender else n_lanes
        self._sender = sender
        self.report = FusionReport()
        self._lock = threading.RLock()
        self._apart = threading.Lock()
        self._backlog = Backlog()
        self._waiting: list[Request] = []
        self._training: set[Request] = set()
        self._ready: deque[threading.Event] = deque()
        self._jobs: deque[Job] = deque()
        self._at_work: list[Job] = []
        self._threads = Threads()
        self._dispatch = Dispatch()
        #: Tasks that read the results of calls of their own.
        self._readers: set[Task] = set()
        self._n_running = self._n_busy = 0

    # --- what the backend calls

    def submit(
        self,
        call: Call,
        function: Callable[[], Any],
        done: Callable[[Any], Any] | None,
    ) -> "Future[Any]":
        """Let a function run when its turn comes; `done` takes its future."""
        task = Task(call, function, done)
        with self._lock:
            call.n_open += 1
            self._backlog.add(task)
            self._advance()
        return task.future

    def begin(self, call: Call) -> None:
        """Begin a call: outside of all tasks, training waits until it is read."""
        if call.parent is None:
            with self._lock:
                self._dispatch.begin(call)

    @contextmanager
    def read(self, call: Call) -> Iterator[None]:
        """Let others run, and training begin, while the results of a call are read."""
        task = call.parent
        with self._lock:
            if task is None:
                self._dispatch.read(call)
                self._advance()
            else:
                task.read_calls.add(call)
                self._readers.add(task)
                self._leave(task)
        try:
            yield
        finally:
            if task is not None:
                self._take_place(task, call)

    def end(self, call: Call) -> None:
        """End a call, however it ended."""
        with self._lock:
            self._dispatch.end(call)
            self._advance()

    def _leave(self, task: Task) -> None:
        """Give a task's place to others, if it has one."""
        self._n_running -= task.has_place
        task.has_place = False
        self._advance()

    def _take_place(self, task: Task, call: Call) -> None:
        """Let a task that has read a call wait for a place, unless it reads others."""
        resumes = threading.Event()
        with self._lock:
            task.read_calls.discard(call)
            if task.read_calls or task.future.done():
                return
            self._readers.discard(task)
            self._ready.append(resumes)
            self._advance()
        resumes.wait()
        task.has_place = True

    def cancel(self, call: Call) -> None:
        """Give up the tasks of a call; those that train end with the next epochs.

        Those of calls within its tasks end as cancelled when their turn comes: who
        waits for them is to know.
        """
        call.cancel()
        with self._lock:
            self._backlog.drop(call)
            for request in [r for r in self._waiting if r.call.is_cancelled]:
                self._waiting.remove(request)
                self._deliver(request, CancelledError())
            for request in self._training:
                request.member.is_cancelled |= request.call.is_cancelled
            self._advance()
        if self._sender is not None:
            self._sender.give_up()

    def join(self) -> None:
        """Wait until no thread is left."""
        self._threads.join()

    def close(self) -> None:
        """Wait until no thread is left, and let go of what was sent elsewhere."""
        with self._lock:
            self._dispatch.clear()
            self._advance()
        self.join()
        if self._sender is not None:
            self._sender.close()

    # --- what the fits call

    def train(self, members: Sequence[Member]) -> list[TrainingResult]:
        """Train the members of a fit together with what else waits."""
        wait = Wait(members)
        requests = [Request(member, wait) for member in members]
        task = requests[0].task
        with self._lock:
            if task.call.is_cancelled:
                raise Cancelled
            self._waiting += requests
            task.waits = True
            self._leave(task)
        wait.resumes.wait()
        if task.call.is_cancelled:
            raise Cancelled
        return read_results(requests)

    def train_apart(
        self, reason: str, run: Callable[[], TrainingResult]
    ) -> TrainingResult:
        """Run a training that no program can express, one at a time.

        What its callbacks fit or call in parallel runs in this thread: others that are
        to train apart hold their places until it ends.
        """
        task = current_task()

        def is_cancelled() -> bool:
            return task is not None and task.call.is_cancelled

        with self._apart:
            if is_cancelled():
                raise Cancelled
            self.report.apart[reason] += 1
            alone = joblib.parallel_config(backend="sequential")
            with use_trainer(ALONE), alone, train_unless(is_cancelled):
                result = run()
        if is_cancelled():  # which may have ended it early
            raise Cancelled
        return result

    # --- whose turn it is; all with the lock held

    def _advance(self) -> None:
        while self._n_running < self.n_lanes:
            if self._ready:
                self._n_running += 1
                self._ready.popleft().set()
            elif (task := self._admit()) is not None:
                self._n_running += 1
                task.has_place = True
                self._threads.start(self._run, task)
            else:
                break
        is_busy = self._n_running or self._dispatch
        if self._waiting and not (is_busy or any(r.goes_on for r in self._readers)):
            self._begin_training()

    def _admit(self) -> Task | None:
        """Return the next task, if there is room for it."""
        return self._backlog.take() if self._backlog and self._has_room() else None

    def _has_room(self) -> bool:
        in_flight = {request.wait for request in (*self._waiting, *self._training)}
        if self._n_running + len(in_flight) >= self.max_tasks:
            return False
        # A task holds its rows twice: as it was given them, and as it hands them over.
        n_bytes = 2 * sum(wait.n_bytes for wait in in_flight)
        mean = n_bytes / max(len(in_flight), 1)
        return n_bytes + mean * (self._n_running + 1) <= self.max_bytes

    def _begin_training(self) -> None:
        """Give idle lanes what waits, but for what groups in training have room for."""
        n_idle = self._n_trainers - self._n_busy
        if n_idle <= 0:
            return
        taken = self._take_waiting()
        try:
            jobs = self._plan_jobs(taken)
        except BaseException as error:  # of no fit's own: it reaches them all
            for request in taken:
                self._deliver(request, error)
            self._advance()
            if isinstance(error, Exception):
                return
            raise  # such as an interruption of the thread that submits
        self._jobs.extend(jobs)
        for _ in range(min(n_idle, len(jobs))):
            self._n_busy += 1
            self._threads.start(self._work)

    def _plan_jobs(self, requests: Sequence[Request]) -> list[Job]:
        kinds: dict[Hashable, list[Request]] = {}
        for request in requests:
            kinds.setdefault(request.member.kind, []).append(request)
        parts = [part for same in kinds.values() for part in split_by_size(same)]
        batches = [Batch(part) for part in parts]
        jobs = plan_jobs(batches, self._n_trainers, self.max_bytes)
        self.report.groups += [batch.record for batch in batches]
        return jobs

    def _take_waiting(self) -> list[Request]:
        """Return what waits, but for what a group in training will be offered."""
        n_free: dict[Hashable, int] = {}
        for job in self._at_work:
            n_free[job.batch.kind] = n_free.get(job.batch.kind, 0) + job.n_free
        taken, left = [], []
        for request in self._waiting:
            kind = request.member.kind
            if n_free.get(kind, 0) > 0 and not request.was_refused:
                n_free[kind] -= 1
                left.append(request)
            else:
                taken.append(request)
        self._waiting = left
        self._training.update(taken)
        return taken

    def _offer(self, job: Job, n_free: int) -> None:
        """Offer what waits to a group in training that has so many slots free."""
        with self._lock:
            self._share(job)
            fitting = [r for r in self._waiting if r.member.kind == job.batch.kind]
            offered = [r for r in fitting if not r.was_refused][:n_free]
            for request in offered:
                self._waiting.remove(request)
                self._training.add(request)
            job.n_free = n_free - len(offered)
        for request in offered:
            with suppress(Exception):  # it fails, if it does, in a group of its own
                if job.batch.add(request):
                    continue
            with self._lock:
                request.was_refused = True
                self._training.discard(request)
                self._waiting.append(request)
                job.n_free += 1
        with self._lock:
            self._advance()  # an idle lane may take what is left

    def _share(self, job: Job) -> None:
        """Let an idle lane take members of a group that wait for a slot."""
        is_idle = self._n_busy < self._n_trainers and not self._jobs
        if is_idle and job.batch.group.n_waiting:
            self._jobs.append(Job(job.batch, job.n_slots))
            self._n_busy += 1
            self._threads.start(self._work)

    def _deliver(self, request: Request, outcome: Outcome) -> None:
        self._training.discard(request)
        request.outcome = outcome
        request.wait.n_open -= 1
        if not isinstance(outcome, TrainingResult):  # the fit fails, whatever others do
            request.wait.cancel()
        if not request.wait.n_open:
            self._resume(request)

    def _resume(self, request: Request) -> None:
        """Let a fit go on: with a place, unless its task reads results meanwhile."""
        task = request.task
        task.waits, task.has_place = False, not task.read_calls
        if task.has_place:
            self._ready.append(request.wait.resumes)
        else:
            request.wait.resumes.set()

    # --- what the threads run

    def _run(self, task: Task) -> None:
        try:
            with use_trainer(self), train_until(task.call.deadline):
                task.run()
        finally:
            with self._lock:
                task.call.end(task)
                self._readers.discard(task)
                self._leave(task)

    def _work(self) -> None:
        """Train one job after the other."""
        while (job := self._begin_job()) is not None:
            try:
                for request, outcome in self._train_job(job):
                    with self._lock:
                        self._deliver(request, outcome)
                        self._advance()
            except BaseException as error:  # the fits' to raise, not the lane's
                job.batch.error = error
            with self._lock:
                self._end_job(job)
                self._advance()

    def _begin_job(self) -> Job | None:
        """Return the next job of a lane; with none left the lane ends."""
        with self._lock:
            if self._jobs:
                self._at_work.append(self._jobs.popleft())
                return self._at_work[-1]
            self._n_busy -= 1
            self._advance()
        return None

    def _end_job(self, job: Job) -> None:
        """Let nobody wait for a group that no lane trains any more."""
        self._at_work.remove(job)
        if all(other.batch is not job.batch for other in (*self._at_work, *self._jobs)):
            for request, error in job.batch.give_up():
                self._deliver(request, error)

    def _train_job(self, job: Job) -> Iterator[tuple[Request, Outcome]]:
        if self._sender is not None:
            return self._sender.run(job)
        return job.run(self._offer)
