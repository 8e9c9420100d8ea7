"""Candidates in their brackets in, those that go on to the next rung out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from skkeras_tune.search.brackets import Bracket
from skkeras_tune.training.plan import Paused


@dataclass(frozen=True, eq=False)
class Contender:
    """A candidate in a rung of its bracket.

    Attributes
    ----------
    iteration : int
        Of Hyperband, counted from zero.
    bracket : Bracket
    size : int
        Candidates that began in the bracket, fewer than it asks for in a small space.
    settings : dict
        The candidate.
    paused : tuple of tuples of PausedTraining
        For each fold, where its trainings have paused; empty before the first rung.
    rung : int
        Counted from zero.
    """

    iteration: int
    bracket: Bracket
    size: int
    settings: dict[str, Any]
    paused: tuple[Paused, ...]
    rung: int = 0

    @property
    def epochs(self) -> int:
        """Epochs that it has trained in all, at the end of the rung."""
        return self.bracket.epochs[self.rung]

    @property
    def place(self) -> dict[str, int]:
        """Where it stands, for ``cv_results_``."""
        return {
            "iteration": self.iteration,
            "bracket": self.bracket.number,
            "rung": self.rung,
            "epochs": self.epochs,
        }

    @property
    def is_last(self) -> bool:
        """Whether there is no rung above."""
        return self.rung == self.bracket.number


@dataclass(frozen=True, eq=False)
class Row:
    """What a candidate did in a rung: a row of ``cv_results_``.

    Attributes
    ----------
    place : dict of str to int
        Its "iteration", "bracket", "rung" and "epochs".
    params : dict
        The candidate with its epochs.
    records : list of dict
        What was recorded in each fold.
    """

    place: dict[str, int]
    params: dict[str, Any]
    records: list[dict[str, Any]]

    @property
    def order(self) -> tuple[int, int, int]:
        """What sorts rows: bracket after bracket, the one that drops most first."""
        return self.place["iteration"], -self.place["bracket"], self.place["rung"]


def enter(
    brackets: Sequence[tuple[int, Bracket]],
    candidates: Sequence[Sequence[dict[str, Any]]],
    n_folds: int,
) -> list[Contender]:
    """Return the contenders of the first rungs.

    Parameters
    ----------
    brackets : sequence of (int, Bracket)
        Each with the iteration that it belongs to.
    candidates : sequence of sequence of dict
        Those of each bracket.
    n_folds : int
    """
    return [
        Contender(iteration, bracket, len(drawn), settings, ((),) * n_folds)
        for (iteration, bracket), drawn in zip(brackets, candidates, strict=True)
        for settings in drawn
    ]


def promote(
    contenders: Sequence[Contender],
    scores: NDArray[np.float64],
    paused: Sequence[tuple[Paused, ...]],
) -> list[Contender]:
    """Return who goes on, in each bracket the best of the rung.

    Parameters
    ----------
    contenders : sequence of Contender
        Bracket after bracket.
    scores : ndarray of shape (n_contenders, n_folds)
        Higher is better; NaN for those that have failed.
    paused : sequence of tuples
        Where their trainings have paused, for each fold.
    """
    going: list[Contender] = []
    for places in _group(contenders):
        first = contenders[places[0]]
        if first.is_last:
            continue
        best = sort_by_ranks(scores[places])
        kept = best[: first.bracket.count(first.rung + 1, first.size)]
        going += [
            replace(contenders[p], paused=paused[p], rung=first.rung + 1)
            for p in (places[place] for place in sorted(kept))
        ]
    return going


def sort_by_ranks(scores: NDArray[np.float64]) -> list[int]:
    """Return the places of candidates, the best first: by their mean rank in the folds.

    Their mean scores decide between equal ranks only. One fold in which a young network
    is far off on a few rows (R2 has no lower bound) would decide about a mean score.
    Of equals, who was drawn first is first. Nobody without finite scores is listed.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_folds)
        Higher is better.

    Examples
    --------
    >>> import numpy as np
    >>> from skkeras_tune.search.contest import sort_by_ranks
    >>> sort_by_ranks(np.array([[0.5] * 5, [0.6] * 4 + [-9.0], [0.1] * 5]))
    [1, 0, 2]
    """
    places = np.flatnonzero(np.isfinite(scores).all(axis=1))
    finite = scores[places]
    ranks, means = rankdata(finite, axis=0).mean(axis=1), finite.mean(axis=1)
    best: list[int] = places[np.lexsort((-means, -ranks))].tolist()
    return best


def _group(contenders: Sequence[Contender]) -> Iterator[list[int]]:
    """Yield the places of the contenders of each bracket."""

    def name(place: int) -> tuple[int, int]:
        return contenders[place].iteration, contenders[place].bracket.number

    for _, places in groupby(range(len(contenders)), name):
        yield list(places)
