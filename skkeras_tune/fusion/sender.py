"""Jobs in, their outcomes out, trained in other processes.

A group whose worker has died is sent again, and at last member by member, so that one
that brings down its worker fails alone.
"""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import joblib
import numpy as np

from skkeras_tune.fusion.lanes import Job
from skkeras_tune.fusion.parcel import Parcel, Run, read_settings, train_parcels
from skkeras_tune.fusion.request import Request
from skkeras_tune.fusion.workers import Workers
from skkeras_tune.training.groups.slots import Outcome
from skkeras_tune.training.members.member import Member

# How often a group is sent whose worker dies.
_ATTEMPTS = 3
# Arrays that are kept with the workers: features, targets and weights of some folds.
_MAX_HELD = 48


class Sender:
    """Sends groups to workers, and their rows once.

    Parameters
    ----------
    workers : Workers
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self._held: dict[str, Any] = {}
        self._sent: list[Sequence[Member]] = []

    @property
    def n_lanes(self) -> int:
        """How many groups are trained at a time."""
        return self._workers.n_workers

    def run(self, job: Job) -> Iterator[tuple[Request, Outcome]]:
        """Train a job's share of its batch, and yield each request with its outcome."""
        batch = job.batch
        while taken := batch.group.take(job.n_slots):
            members = [member for _, member in taken]
            run = self._train(members, job.n_slots)
            batch.record.runs += run.lanes
            for member, outcome in zip(members, run.outcomes, strict=True):
                yield batch.finish(member, outcome)

    def give_up(self) -> None:
        """Stop the workers if nobody wants any more of what they train."""
        with self._lock:
            members = [member for sent in self._sent for member in sent]
        if members and all(member.is_cancelled for member in members):
            self._workers.stop()

    def close(self) -> None:
        """Let go of the rows."""
        self._held.clear()
        self._workers.close()

    def _train(self, members: Sequence[Member], n_slots: int) -> Run:
        run = self._send(members, n_slots, _ATTEMPTS)
        if isinstance(run, Run):
            return run
        if len(members) == 1:
            return Run([run], [])
        alone = [self._send([member], 1, 1) for member in members]
        runs = [run if isinstance(run, Run) else Run([run], []) for run in alone]
        return Run(
            [outcome for run in runs for outcome in run.outcomes],
            [lane for run in runs for lane in run.lanes],
        )

    def _send(
        self, members: Sequence[Member], n_slots: int, attempts: int
    ) -> Run | Exception:
        """Return what a worker has trained, or why none could."""
        with self._lock:
            self._sent.append(members)
        try:
            return self._try(members, n_slots, attempts)
        finally:
            with self._lock:
                self._sent.remove(members)

    def _try(
        self, members: Sequence[Member], n_slots: int, attempts: int
    ) -> Run | Exception:
        failed: Exception = RuntimeError("No worker was asked.")
        for _ in range(attempts):
            if all(member.is_cancelled for member in members):
                break
            try:
                parcels, arrays = self._pack(members)
                future = self._workers.submit(
                    train_parcels, parcels, n_slots, read_settings(), *arrays
                )
                run: Run = future.result()
            except self._workers.lost as error:
                failed = RuntimeError(
                    f"The worker that trained this network died: {error!r}."
                )
                failed.__cause__ = error
                with self._lock:
                    self._held.clear()  # may have been lost with the worker
            except Exception as error:
                return error
            else:
                return run
        return failed

    # --- what is sent

    def _pack(self, members: Sequence[Member]) -> tuple[list[Parcel], list[Any]]:
        """Return parcels, and what stands for the distinct arrays that they need."""
        references: list[Any] = []
        known: dict[int, int] = {}

        def place(array: Any) -> int:
            if id(array) not in known:
                found = self._keep(array)
                if not any(found is reference for reference in references):
                    references.append(found)
                is_found = [found is reference for reference in references]
                known[id(array)] = is_found.index(True)
            return known[id(array)]

        parcels = []
        for member in members:
            data, deadline = member.data, member.deadline
            arrays = [data.x, data.y, data.weight]
            places = tuple(place(a) for a in arrays if a is not None)
            end = None if deadline is None else time.time() + deadline.seconds_left
            training = replace(
                member.training, data=replace(data, x=None, y=None, weight=None)
            )
            parcels.append(Parcel(training, member.may_interpret, places, end))
        return parcels, references

    def _keep(self, array: Any) -> Any:
        """Return what stands for an array with the workers, sent at most once."""
        digest = _digest(array)
        with self._lock:
            reference = self._held.pop(digest, None)
            if reference is None:
                reference = self._workers.put(array)
            self._held[digest] = reference
            for oldest in list(self._held)[:-_MAX_HELD]:
                del self._held[oldest]
            return reference


def _digest(array: Any) -> str:
    """Return a digest of an array's content, which its owner may change later."""
    if not isinstance(array, np.ndarray) or array.dtype.hasobject:
        return str(joblib.hash(array))
    content = hashlib.sha256(np.ascontiguousarray(array).view(np.uint8).data)
    return f"{array.dtype.str} {array.shape} {content.hexdigest()}"
