"""A search in; the same search fitted out, with what its candidates predicted.

The fits of a search are the costly part, and each ends in a score on rows that the fit
did not see. A scorer that also writes down the predictions for these rows gathers
out-of-fold predictions at no more than the cost of predicting once more.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import get_routing_for_object

from skkeras_tune._compat.sklearn import safe_indexing, takes_sample_weight
from skkeras_tune.nesting import list_networks
from skkeras_tune.search.seeds import list_step_seeds

#: Reads a fitted estimator's predictions for some rows.
Reader = Callable[[Any, Any], NDArray[np.float64]]
Splits = Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]


class RecordingScorer:
    """Scores as another scorer does, and writes down the predictions.

    They go into a folder, one file for each candidate and fold, so that scorers in
    other processes of the machine can write there too. Without the folder, as when the
    search is used later, nothing is written.

    Parameters
    ----------
    scorer : callable
        Scorer of one or several scores.
    read : callable
        Picklable; called with a fitted estimator and rows.
    folder : Path
    folds : frozenset of str
        Hashes of the test rows of each fold; other rows are scored, no more.
    error_score : float
        Stands for those of several scores that fail.
    """

    def __init__(
        self,
        scorer: Callable[..., Any],
        read: Reader,
        folder: Path,
        folds: frozenset[str],
        error_score: Any,
    ) -> None:
        self.scorer = scorer
        self.read = read
        self.folder = folder
        self.folds = folds
        self.error_score = error_score

    def __call__(self, estimator: Any, X: Any, y: Any = None, **options: Any) -> Any:
        """Return what the scorer says, having written down the predictions."""
        scores = self.scorer(estimator, X, y, **options)
        if self.folder.is_dir() and (fold := joblib.hash(X)) in self.folds:
            path = self.folder / _name_file(estimator, fold)
            _write(path, self.read(estimator, X))
        if not isinstance(scores, Mapping):
            return scores
        # scikit-learn's scorer of several gives the message of one that fails.
        return {
            name: self.error_score if isinstance(score, str) else score
            for name, score in scores.items()
        }

    def _accept_sample_weight(self) -> bool:
        # scikit-learn (1.7 to 1.9) asks scorers so.
        return takes_sample_weight(self.scorer)

    def get_metadata_routing(self) -> Any:
        """Return what the scorer asks for."""
        return self.scorer.get_metadata_routing()  # type: ignore[attr-defined]


class DrawnFolds:
    """Folds that are drawn already, and ask for what their splitter asks for.

    Parameters
    ----------
    splits : sequence of (train rows, test rows)
    cv : int, splitter, iterable or None
        What has drawn them.
    """

    def __init__(self, splits: Splits, cv: Any) -> None:
        self.splits = splits
        self.cv = cv

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[Any]:
        """Yield the training and test rows of each fold."""
        yield from self.splits

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return len(self.splits)

    def get_metadata_routing(self) -> Any:
        """Return what the splitter asks for, such as groups."""
        return get_routing_for_object(check_cv(self.cv))


def _name_file(estimator: Any, fold: str) -> str:
    """Name a candidate by its parameters, which are those of a clone after the fit."""
    twin = clone(estimator)
    for network in list_networks(twin).values():
        network.set_stages(None)  # in which a candidate of Hyperband trains
    return f"{joblib.hash(twin.get_params())}-{fold}.npy"


def _hash_rows(X: Any, roles: Iterable[NDArray[np.intp]]) -> list[str]:
    """Name folds by the content of their rows, which is all that a scorer sees."""
    return [joblib.hash(safe_indexing(X, rows)) for rows in roles]


def _write(path: Path, array: NDArray[np.float64]) -> None:
    """Write a file so that it is there in full or not at all."""
    draft = path.with_name(f"{uuid.uuid4().hex}.draft")
    with draft.open("wb") as file:
        np.save(file, array)
    draft.replace(path)


def why_not_recorded(search: Any, X: Any, splits: Splits) -> str | None:
    """Return why a search's predictions cannot be told apart, or None if they can.

    Parameters
    ----------
    search : search
        Not fitted.
    X : array-like
    splits : sequence of (train rows, test rows)
    """
    try:
        joblib.hash(clone(search.estimator).get_params())
    except Exception:  # a lambda, say: whatever pickle refuses
        return "the parameters of its estimator cannot be pickled"
    scored = _hash_rows(X, (test for _, test in splits))
    if getattr(search, "return_train_score", False):
        # Of two folds, one trains on the rows that the other tests.
        scored += _hash_rows(X, (train for train, _ in splits))
    same = len(set(scored)) < len(scored)
    return "it scores the same rows in more than one fold" if same else None


def fit_recorded(
    search: Any,
    X: Any,
    y: Any,
    splits: Splits,
    read: Reader,
    folder: Path,
    **fit_params: Any,
) -> Any:
    """Return a copy of the search, fitted, with its predictions in a folder.

    Parameters
    ----------
    search : search
        Left as it is.
    X, y
        What to fit it on.
    splits : sequence of (train rows, test rows)
        The search's own folds.
    read : callable
    folder : Path
    **fit_params
        Arguments of the search's `fit`.
    """
    error_score = getattr(search, "error_score", "raise")
    scorer = check_scoring(
        search.estimator, search.scoring, raise_exc=error_score == "raise"
    )
    folds = frozenset(_hash_rows(X, (test for _, test in splits)))
    recorder = RecordingScorer(scorer, read, folder, folds, error_score)
    copy = clone(search).set_params(scoring=recorder, cv=DrawnFolds(splits, search.cv))
    copy.fit(X, y, **fit_params)
    copy.set_params(scoring=search.scoring, cv=search.cv)
    copy.scorer_ = getattr(scorer, "_scorers", scorer)  # several by name
    return copy


def read_recorded(
    candidates: Sequence[Any],
    X: Any,
    splits: Splits,
    folder: Path,
    step_seed: int | None = None,
) -> list[list[NDArray[np.float64]]] | None:
    """Return each candidate's predictions for each fold, or None if any is missing.

    Parameters
    ----------
    candidates : sequence of estimators
        Not fitted, with the parameters that the search gave them.
    X : array-like
    splits : sequence of (train rows, test rows)
    folder : Path
    step_seed : int, default=None
        With which the search has seeded steps that had no seed.
    """
    folds = _hash_rows(X, (test for _, test in splits))
    if step_seed is not None:
        candidates = [
            clone(c).set_params(**list_step_seeds(c, step_seed)) for c in candidates
        ]
    paths = [[folder / _name_file(c, fold) for fold in folds] for c in candidates]
    if not all(path.exists() for row in paths for path in row):
        return None
    return [[np.load(path) for path in row] for row in paths]
