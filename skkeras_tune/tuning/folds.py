"""Folds for a search: shuffled, stratified, whole groups, and repeated."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)
from sklearn.utils.metadata_routing import MetadataRequest

from skkeras_tune.preprocessing.labels import pool_rare

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


class Folds:
    """A splitter of scikit-learn's interface, which may repeat another.

    Parameters
    ----------
    cv : int, splitter or iterable
        An int makes shuffled folds, stratified by class and with whole groups; classes
        with fewer rows than folds are spread together. Anything else splits as it
        does.
    n_repeats : int, default=1
        Repetitions. With an int each has other folds; a splitter's folds are kept, with
        their training rows in another order, so that networks hold out other rows and
        see other batches.
    classifies : bool, default=False
        Whether to stratify.
    random_state : int or None, default=None
        Seed of the folds.
    """

    def __init__(
        self,
        cv: Any,
        n_repeats: int = 1,
        *,
        classifies: bool = False,
        random_state: int | None = None,
    ) -> None:
        if isinstance(cv, Integral):
            self.cv: Any = int(cv)
        else:
            self.cv = cv if hasattr(cv, "split") else list(cv)
        self.n_repeats = n_repeats
        self.classifies = classifies
        # Each call of `split` has to give the same folds.
        self.random_state = (
            int(np.random.default_rng().integers(2**31))
            if random_state is None
            else random_state
        )

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Yield the training and test rows of each fold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
        """
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        for repeat in range(self.n_repeats):
            if isinstance(self.cv, int):
                yield from self._split_anew(self.cv, n_rows, y, groups, repeat)
            else:
                yield from self._split_again(X, y, groups, repeat)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds, of all repetitions.

        Parameters
        ----------
        X, y, groups
            As for `split`.
        """
        if isinstance(self.cv, int):
            return self.cv * self.n_repeats
        n_splits: int = check_cv(self.cv).get_n_splits(X, y, groups)
        return n_splits * self.n_repeats

    def get_metadata_routing(self) -> MetadataRequest:
        """Ask for the groups, which are given to any splitter as without routing."""
        request = MetadataRequest(owner=self)
        request.split.add_request(param="groups", alias=True)
        return request

    def _split_anew(
        self, n_folds: int, n_rows: int, y: Any, groups: Any, repeat: int
    ) -> Iterator[Split]:
        is_single = y is not None and np.ndim(y) == 1
        strata = pool_rare(y, n_folds) if self.classifies and is_single else None
        if strata is not None and len(np.unique(strata)) == 1:
            strata = None
        kind: Any
        if groups is not None:
            kind = GroupKFold if strata is None else StratifiedGroupKFold
        else:
            kind = KFold if strata is None else StratifiedKFold
        seed = (self.random_state + repeat) % 2**32
        folds = kind(n_folds, shuffle=True, random_state=seed)
        yield from folds.split(np.empty((n_rows, 1)), strata, groups)

    def _split_again(self, X: Any, y: Any, groups: Any, repeat: int) -> Iterator[Split]:
        splitter = check_cv(self.cv, y, classifier=self.classifies)
        generator = np.random.default_rng((self.random_state, repeat))
        for train, test in splitter.split(X, y, groups):
            yield (_reorder(train, generator) if repeat else train), test

    def __repr__(self) -> str:
        return (
            f"Folds({self.cv!r}, n_repeats={self.n_repeats}, "
            f"classifies={self.classifies}, random_state={self.random_state})"
        )


def _reorder(rows: Any, generator: np.random.Generator) -> NDArray[np.intp]:
    """Return the numbers of rows in another order; a splitter may give a mask."""
    rows = np.asarray(rows)
    return generator.permutation(np.flatnonzero(rows) if rows.dtype == bool else rows)
