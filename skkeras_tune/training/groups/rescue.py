"""A group in, each member's outcome out, though a program should fail as a whole."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError

from skkeras_tune.training.groups.group import Group
from skkeras_tune.training.groups.slots import Outcome, Pulse, Slots
from skkeras_tune.training.members.member import Member


def train_group(
    group: Group, n_slots: int, pulse: Pulse, ended: Callable[[Slots], None]
) -> Iterator[tuple[Member, Outcome]]:
    """Train the members of a group that wait, and yield each when it ends.

    What fails for a whole program, such as memory that does not suffice, is tried once
    more for each member alone.

    Parameters
    ----------
    group : Group
    n_slots : int
        How many are trained side by side.
    pulse, ended : callable
        Called every few epochs, and when the slots have ended.

    Raises
    ------
    Exception
        What fails before any member has begun.
    """
    while group.n_waiting:
        slots = Slots(group, n_slots, pulse)
        left: Sequence[Member] = ()
        try:
            yield from slots.run()
        except Exception as error:
            left, failure = slots.members, error
            if not left:
                raise
        finally:
            ended(slots)
        for member in left:
            yield member, failure if n_slots == 1 else _train_alone(member)


def _train_alone(member: Member) -> Outcome:
    """Train a member from the beginning, until it ends or is cancelled."""

    def end_if_cancelled(_: Slots) -> None:
        if member.is_cancelled:
            raise CancelledError

    try:
        group = Group([member.renew()], shares=False)  # in its own small program
        ((_, outcome),) = Slots(group, 1, end_if_cancelled).run()
    except Exception as error:
        return error
    return outcome
