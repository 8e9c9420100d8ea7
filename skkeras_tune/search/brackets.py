"""The brackets of Hyperband: how many candidates train for how many epochs.

Two integers in, a table out; after Algorithm 1 of Li et al., "Hyperband: A Novel
Bandit-Based Approach to Hyperparameter Optimization", JMLR 18(185), 2018.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bracket:
    """One run of successive halving.

    Attributes
    ----------
    number : int
        How often candidates are dropped, s in the paper.
    size : int
        Candidates that begin.
    factor : int
        One of so many goes on from each rung.
    epochs : tuple of int
        Epochs that a candidate has trained in all, at the end of each rung.
    """

    number: int
    size: int
    factor: int
    epochs: tuple[int, ...]

    def count(self, rung: int, size: int | None = None) -> int:
        """Return how many candidates a rung has, of `size` that began."""
        return max((size or self.size) // int(self.factor**rung), 1)

    @property
    def rungs(self) -> list[tuple[int, int]]:
        """Candidates and epochs of each rung."""
        return [(self.count(i), epochs) for i, epochs in enumerate(self.epochs)]


def list_brackets(max_epochs: int, factor: int) -> list[Bracket]:
    """Return the brackets of one iteration, the one that drops most first.

    All in whole numbers: in floats the logarithm of 243 to the base 3 is a little below
    5. Epochs are rounded down.

    Parameters
    ----------
    max_epochs : int
        Epochs of the last rung of each bracket, R in the paper.
    factor : int
        The paper's eta, 2 or more.

    Returns
    -------
    list of Bracket

    Examples
    --------
    >>> from skkeras_tune.search.brackets import list_brackets
    >>> for bracket in list_brackets(27, 3):
    ...     print(bracket.number, bracket.rungs)
    3 [(27, 1), (9, 3), (3, 9), (1, 27)]
    2 [(12, 3), (4, 9), (1, 27)]
    1 [(6, 9), (2, 27)]
    0 [(4, 27)]
    """
    highest = 0
    while factor ** (highest + 1) <= max_epochs:
        highest += 1
    return [
        Bracket(
            number=s,
            size=-(-(highest + 1) * factor**s // (s + 1)),  # rounded up
            factor=factor,
            epochs=tuple(max_epochs // factor**drops for drops in range(s, -1, -1)),
        )
        for s in range(highest, -1, -1)
    ]
