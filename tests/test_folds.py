"""The folds of `tune`."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit
from sklearn.utils.metadata_routing import get_routing_for_object

from skkeras_tune.tuning.folds import Folds


def test_folds_are_shuffled_and_stratified(iris):
    """Sorted labels are spread over the folds, the same in each call."""
    X, y = iris
    folds = Folds(5, classifies=True, random_state=0)
    splits = list(folds.split(X, y))
    assert len(splits) == folds.get_n_splits() == 5
    for (_, test), (_, again) in zip(splits, folds.split(X, y), strict=True):
        assert np.bincount(y[test]).tolist() == [10, 10, 10]
        assert (test == again).all()


def test_no_seed_is_one_seed(iris):
    """Without a seed the folds are drawn once for all calls."""
    folds = Folds(3)
    first, second = (next(folds.split(iris[0]))[1] for _ in range(2))
    assert (first == second).all()


def test_rare_classes_do_not_warn():
    """A class with fewer rows than folds is nothing that a user could change."""
    y = np.array([0] * 20 + [1] * 20 + [2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(Folds(5, classifies=True).split(np.zeros((41, 1)), y))) == 5


@pytest.mark.parametrize("classifies", [True, False])
def test_groups_stay_together(iris, classifies):
    """No group is on both sides of a fold."""
    X, y = iris
    groups = np.arange(len(y)) % 12
    for train, test in Folds(4, classifies=classifies).split(X, y, groups):
        assert not set(groups[train]) & set(groups[test])


def test_repetitions_have_other_folds(iris):
    """Each repetition of a number of folds draws anew."""
    X, y = iris
    folds = Folds(3, n_repeats=2, classifies=True, random_state=0)
    splits = list(folds.split(X, y))
    assert len(splits) == folds.get_n_splits(X, y) == 6
    assert not all(
        np.array_equal(a[1], b[1]) for a, b in zip(splits[:3], splits[3:], strict=True)
    )


def test_repetitions_of_a_splitter_keep_its_folds(iris):
    """A splitter's folds are the user's: only the order of the rows changes."""
    X, y = iris
    folds = Folds(TimeSeriesSplit(3), n_repeats=2, random_state=0)
    splits = list(folds.split(X, y))
    assert folds.get_n_splits(X, y) == 6
    for (train, test), (again, same) in zip(splits[:3], splits[3:], strict=True):
        assert (test == same).all()
        assert (train != again).any()
        assert (np.sort(again) == train).all()


def test_repetitions_of_masks_keep_their_rows():
    """Rows that are given as a mask are reordered, and not the mask."""
    mask = np.arange(9) < 6
    for train, test in Folds([(mask, ~mask)], 3, random_state=0).split(np.zeros(9)):
        assert sorted(np.arange(9)[train]) == list(range(6))
        assert np.arange(9)[test].tolist() == [6, 7, 8]


def test_generators_are_kept(iris):
    """An iterable of folds can be used again and again."""
    X, y = iris
    folds = Folds(KFold(3).split(X))
    assert [len(list(folds.split(X, y))) for _ in range(2)] == [3, 3]


def test_many_labels_are_not_stratified():
    """Several labels have no single class to stratify by."""
    y = np.eye(3, dtype=int)[np.arange(30) % 3]
    assert len(list(Folds(3, classifies=True).split(np.zeros((30, 1)), y))) == 3


@pytest.mark.parametrize("cv", [3, GroupKFold(3), KFold(3), [([0], [1])]])
def test_groups_are_asked_for(cv):
    """With metadata routing, a search gives the groups to the folds all the same."""
    routing = get_routing_for_object(Folds(cv))
    assert routing.consumes("split", ["groups", "sample_weight"]) == {"groups"}


def test_it_says_what_it_is():
    """The folds are readable where a search is printed."""
    expected = "Folds(3, n_repeats=2, classifies=False, random_state=1)"
    assert repr(Folds(3, 2, random_state=1)) == expected
