"""Members of programs, for the tests of what trains them."""

from skkeras_tune.training import Training
from skkeras_tune.training.members.member import Member


def enrol(*training, may_interpret=False, **options):
    """Return a member that trains a plan on data; the arguments are a `Training`'s."""
    return Member(Training(*training, **options), may_interpret=may_interpret)
