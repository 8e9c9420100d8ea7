"""Which training rows are held out to decide when to stop.

The split is shuffled, stratified by class, keeps groups whole, and is a function of
the seed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit

from skkeras_tune.randomness import derive_seed

Split = tuple[NDArray[np.int64], NDArray[np.int64]]

_GROUP_DRAWS = 20


def hold_out(
    n_rows: int,
    fraction: float,
    seed: int,
    *,
    labels: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
) -> Split | None:
    """Split row numbers into training and validation rows.

    Parameters
    ----------
    n_rows : int
        Number of rows to split.
    fraction : float in (0, 1)
        Share of the rows to hold out, rounded up as in scikit-learn.
    seed : int
        The same seed gives the same split.
    labels : ndarray of int of shape (n_rows,), default=None
        Class numbers; each class is held out in proportion, and keeps at least one
        training row.
    groups : ndarray of shape (n_rows,), default=None
        Rows of one group stay together. With `labels`, of 20 random splits by group
        the one closest to the share of each class is taken, among those that keep
        training rows of each.

    Returns
    -------
    tuple of two sorted ndarrays, or None
        None when there are too few rows: fewer than one held-out row for each class,
        or no training row left of a class or at all, as with a single group.
    """
    seed = derive_seed(seed, "holdout")
    n_held = int(np.ceil(fraction * n_rows))
    needed = 1 if labels is None else len(np.unique(labels))
    if n_held < needed or n_rows - n_held < needed:
        return None
    if groups is not None:
        return _split_groups(n_rows, fraction, seed, labels, groups)
    generator = np.random.default_rng(seed)
    if labels is None:
        held = generator.permutation(n_rows)[:n_held]
    else:
        held = _draw_stratified(labels, n_held, generator)
    return _complement(held, n_rows)


def _complement(held: NDArray[Any], n_rows: int) -> Split:
    mask = np.zeros(n_rows, bool)
    mask[held] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _draw_stratified(
    labels: NDArray[Any], n_held: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    quotas = _share_out(n_held, counts, generator)
    drawn = [
        generator.permutation(np.flatnonzero(codes == code))[:quota]
        for code, quota in enumerate(quotas)
    ]
    return np.concatenate(drawn)


def _share_out(
    n_held: int, counts: NDArray[Any], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Share out rows by largest remainder, ties at random, one row left to each."""
    exact = n_held * counts / counts.sum()
    quotas: NDArray[np.int64] = np.minimum(np.floor(exact), counts - 1).astype(np.int64)
    while (missing := n_held - quotas.sum()) > 0:
        room = counts - 1 - quotas
        open_classes = np.flatnonzero(room > 0)
        if not open_classes.size:
            break
        ties = generator.random(len(open_classes))
        remainder = (exact - quotas)[open_classes]
        order = open_classes[np.lexsort((ties, -remainder))]
        quotas[order[:missing]] += 1
    return quotas


def _split_groups(
    n_rows: int,
    fraction: float,
    seed: int,
    labels: NDArray[Any] | None,
    groups: NDArray[Any],
) -> Split | None:
    n_groups = len(np.unique(groups))
    if np.ceil(fraction * n_groups) == n_groups:
        return None
    draws = 1 if labels is None else _GROUP_DRAWS
    splitter = GroupShuffleSplit(draws, test_size=fraction, random_state=seed)
    splits = list(splitter.split(np.empty(n_rows), groups=groups))
    if labels is None:
        return _complement(splits[0][1], n_rows)
    n_classes = len(np.unique(labels))
    splits = [s for s in splits if len(np.unique(labels[s[0]])) == n_classes]
    if not splits:
        return None
    distances = [_class_distance(labels, held) for _, held in splits]
    return _complement(splits[int(np.argmin(distances))][1], n_rows)


def _class_distance(labels: NDArray[Any], held: NDArray[Any]) -> float:
    """Return how far the classes' held-out shares are from all rows' shares."""
    classes, codes = np.unique(labels, return_inverse=True)
    overall = np.bincount(codes, minlength=len(classes)) / len(codes)
    here = np.bincount(codes[held], minlength=len(classes)) / len(held)
    return float(np.abs(here - overall).sum())
