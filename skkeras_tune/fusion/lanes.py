"""Requests in, jobs for lanes out: who trains with whom, and in how many slots."""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from skkeras_tune.fusion.report import FusedGroup, describe_member
from skkeras_tune.fusion.request import Request
from skkeras_tune.training.groups.group import Group, spread_steps
from skkeras_tune.training.groups.rescue import train_group
from skkeras_tune.training.groups.room import bound_slots, estimate_room, list_rooms
from skkeras_tune.training.groups.slots import Outcome, Slots, programs
from skkeras_tune.training.members.member import Member
from skkeras_tune.training.programs.design import join_designs, pad_members
from skkeras_tune.training.programs.formula_program import find_formulas

#: Offers a job up to so many requests that have come to wait meanwhile, and sets how
#: many slots are free then.
Offer = Callable[["Job", int], None]

# A batch longer than this part of a lane's share is trained by all lanes.
_LONG = 1.2


def split_by_size(requests: Sequence[Request]) -> list[list[Request]]:
    """Part requests of one kind, so that none trains at a size far above its own.

    A program has room for the widest network and the longest epoch; a member that
    needs less computes the rest in vain, which may cost more than another program.
    """
    sizes: dict[Hashable, list[Request]] = {}
    for request in sorted(requests, key=_count_products, reverse=True):
        member = request.member
        size = member.design.network, member.n_batches
        sizes.setdefault(size, []).append(request)
    classes: list[list[Request]] = []
    for same in sizes.values():
        for others in classes:
            if _estimate([*others, *same]) <= _estimate(others) + _estimate(same):
                others += same
                break
        else:
            classes.append(same)
    return [sorted(c, key=_count_products, reverse=True) for c in classes]


def _count_products(request: Request) -> float:
    member = request.member
    return float(member.expected_steps * member.n_weights * member.design.layout.batch)


def _estimate(requests: Sequence[Request]) -> float:
    """Return the seconds that one lane trains them, and finds a program to do so."""
    members = [request.member for request in requests]
    n_batches = max(member.n_batches for member in members)
    lengths = spread_steps(members, n_batches)
    designs = [member.design for member in members]
    n_busy = math.ceil(sum(lengths) / max(lengths))
    one, wide = (join_designs(designs, n, ()) for n in (1, pad_members(n_busy)))
    own = min([one, wide], key=lambda own: estimate_room(own, lengths))
    rooms = list_rooms(programs, own)
    if all(m.may_interpret for m in members) and find_formulas(wide) is not None:
        rooms.append(replace(wide, machine="numpy"))
    ready = [estimate_room(room, lengths) for room in rooms]
    return min([programs.build_seconds + estimate_room(own, lengths), *ready])


class Batch:
    """Requests of one kind that are trained together, by one lane or several."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.kind = requests[0].member.kind
        self.record = FusedGroup(describe_member(requests[0].member))
        self._requests = {request.member: request for request in requests}
        self.group = Group(list(self._requests))
        #: What has ended a lane and is the failure of no member.
        self.error: BaseException | None = None

    def __len__(self) -> int:
        return len(self._requests)

    def estimate_seconds(self) -> float:
        """Return about how long one lane trains them."""
        return _estimate(list(self._requests.values()))

    def bound_slots(self, max_bytes: int) -> int:
        """Return how many members' states this memory holds."""
        return bound_slots(self._requests, max_bytes)

    def add(self, request: Request) -> bool:
        """Take in a request that has come later, if its rows are here."""
        self._requests[request.member] = request  # before another lane takes it
        is_added = False
        try:
            is_added = self.group.add(request.member)
        finally:
            if not is_added:
                del self._requests[request.member]
        return is_added

    def finish(self, member: Member, outcome: Outcome) -> tuple[Request, Outcome]:
        """Return the request of a member that has ended."""
        self.record.count(outcome)
        return self._requests.pop(member), outcome

    def give_up(self) -> list[tuple[Request, Outcome]]:
        """Return the requests that no lane has ended, and why."""
        error = self.error or RuntimeError("Its group has ended without this network.")
        return [self.finish(member, error) for member in list(self._requests)]


class Job:
    """A lane's work: slots for the members of a batch."""

    def __init__(self, batch: Batch, n_slots: int) -> None:
        self.batch, self.n_slots = batch, n_slots
        #: Slots that stand empty, for requests that come later.
        self.n_free = 0

    def run(self, offer: Offer) -> Iterator[tuple[Request, Outcome]]:
        """Train here, and yield each request with its outcome when it ends."""
        batch, take_in = self.batch, partial(self._take_in, offer)
        for member, outcome in train_group(
            batch.group, self.n_slots, take_in, self._end
        ):
            yield batch.finish(member, outcome)

    def _end(self, slots: Slots) -> None:
        self.n_free = 0
        self.batch.record.runs.append(slots.record)

    def _take_in(self, offer: Offer, slots: Slots) -> None:
        """Let requests that have come to wait meanwhile take free slots."""
        offer(self, max(slots.n_free - self.batch.group.n_waiting, 0))


def plan_jobs(batches: Sequence[Batch], n_lanes: int, max_bytes: int) -> list[Job]:
    """Share the work out among lanes, the longest first.

    A batch goes to one lane, so that each lane compiles a program while others train;
    one that takes longer than a lane's share goes to all of them.
    """
    jobs = []
    seconds = {batch: batch.estimate_seconds() for batch in batches}
    share = sum(seconds.values()) / n_lanes
    for batch in sorted(batches, key=seconds.__getitem__, reverse=True):
        is_long = seconds[batch] > _LONG * share
        n_parts = min(n_lanes, len(batch)) if is_long else 1
        most = batch.bound_slots(max_bytes // n_lanes)
        n_slots = min(math.ceil(len(batch) / n_parts), most)
        batch.group.n_lanes = n_parts
        jobs += [Job(batch, n_slots) for _ in range(n_parts)]
    return jobs
