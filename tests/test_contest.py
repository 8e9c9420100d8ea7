"""The best of a rung go on, bracket by bracket."""

import numpy as np

from skkeras_tune.search.brackets import list_brackets
from skkeras_tune.search.contest import enter, promote, sort_by_ranks

BRACKETS = [(0, bracket) for bracket in list_brackets(9, 3)]  # 9, 5 and 3 begin


def enter_all(brackets=BRACKETS, sizes=(9, 5, 3)):
    names = iter(range(100))
    drawn = [[{"name": next(names)} for _ in range(size)] for size in sizes]
    return enter(brackets, drawn, n_folds=2)


def list_names(contenders):
    return [contender.settings["name"] for contender in contenders]


def score(means):
    """Return scores of two folds that agree."""
    return np.repeat(np.array(means, float)[:, np.newaxis], 2, axis=1)


def pause(contenders):
    return [(name, name) for name in list_names(contenders)]


def test_the_best_of_each_bracket_go_on():
    """Three of nine and one of five go on; the last bracket has no further rung."""
    first = enter_all()
    assert [c.epochs for c in first] == [1] * 9 + [3] * 5 + [9] * 3
    second = promote(first, score([n % 7 for n in range(17)]), pause(first))
    assert list_names(second) == [4, 5, 6, 13]
    assert [c.epochs for c in second] == [3, 3, 3, 9]
    assert [c.paused for c in second] == pause(second)
    third = promote(second, score([1, 3, 2, 9]), pause(second))
    assert list_names(third) == [5]
    assert third[0].is_last
    assert promote(third, score([1]), pause(third)) == []


def test_one_fold_does_not_outvote_the_others():
    """Who is best in four folds of five goes on, however far off it is in the fifth."""
    scores = np.array([[0.6] * 5, [0.7] * 4 + [-90.0], [0.1] * 5])
    assert sort_by_ranks(scores) == [1, 0, 2]
    assert scores.mean(axis=1).argmin() == 1


def test_means_decide_between_equal_ranks():
    """Each is first once and second once, so that the higher mean goes on."""
    assert sort_by_ranks(np.array([[0.5, 0.8], [0.6, 0.6]])) == [0, 1]
    assert sort_by_ranks(np.array([[0.5, 0.7], [0.8, 0.6]])) == [1, 0]


def test_a_single_fold_ranks_as_it_scores():
    """With one fold, ranks and scores are one order."""
    scores = np.array([[0.1], [np.nan], [0.9], [0.4], [-np.inf]])
    assert sort_by_ranks(scores) == [2, 3, 0]


def test_of_equals_the_first_go_on():
    """Equal scores keep the order of the draws."""
    first = enter_all()
    assert list_names(promote(first, score([0.5] * 17), pause(first))) == [0, 1, 2, 9]


def test_failures_do_not_go_on():
    """Those without a finite score leave, even if too few are left."""
    first = enter_all()
    scores = [np.nan] * 17
    scores[3], scores[12] = -5.0, np.inf
    assert list_names(promote(first, score(scores), pause(first))) == [3]
    # A fold that has failed is a failure, whatever the others say.
    assert sort_by_ranks(np.array([[0.1, 0.1], [0.9, np.nan]])) == [0]
    assert promote(first, score([np.nan] * 17), pause(first)) == []


def test_iterations_are_apart():
    """The same bracket of two iterations has two winners."""
    brackets = [(i, list_brackets(3, 3)[0]) for i in (0, 1)]
    first = enter_all(brackets, (3, 3))
    second = promote(first, score([1, 3, 2, 0, 0, 0.5]), pause(first))
    assert list_names(second) == [1, 5]
    assert [c.place for c in second] == [
        {"iteration": i, "bracket": 1, "rung": 1, "epochs": 3} for i in (0, 1)
    ]
