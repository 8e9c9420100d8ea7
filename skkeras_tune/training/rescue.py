"""A group in, each member's outcome out, though a program should fail as a whole."""

from collections.abc import Callable, Iterator

from skkeras_tune.training.group import Group
from skkeras_tune.training.member import Member
from skkeras_tune.training.slots import Outcome, Pulse, Slots, train_members


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
    """
    while group.n_waiting:
        slots = Slots(group, n_slots, pulse)
        try:
            yield from slots.run()
        except Exception as error:
            for member in slots.members:
                yield member, error if n_slots == 1 else _train_alone(member)
        finally:
            ended(slots)


def _train_alone(member: Member) -> Outcome:
    try:
        ((_, outcome),) = train_members([member.renew()])
    except Exception as error:
        return error
    return outcome
