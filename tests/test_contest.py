"""The best of a rung go on, bracket by bracket."""

import numpy as np

from skkeras_tune.search.brackets import list_brackets
from skkeras_tune.search.contest import enter, promote

BRACKETS = [(0, bracket) for bracket in list_brackets(9, 3)]  # 9, 5 and 3 begin


def enter_all(brackets=BRACKETS, sizes=(9, 5, 3)):
    names = iter(range(100))
    drawn = [[{"name": next(names)} for _ in range(size)] for size in sizes]
    return enter(brackets, drawn, n_folds=2)


def list_names(contenders):
    return [contender.settings["name"] for contender in contenders]


def pause(contenders):
    return [(name, name) for name in list_names(contenders)]


def test_the_best_of_each_bracket_go_on():
    """Three of nine and one of five go on; the last bracket has no further rung."""
    first = enter_all()
    assert [c.epochs for c in first] == [1] * 9 + [3] * 5 + [9] * 3
    second = promote(first, [float(n % 7) for n in range(17)], pause(first))
    assert list_names(second) == [4, 5, 6, 13]
    assert [c.epochs for c in second] == [3, 3, 3, 9]
    assert [c.paused for c in second] == pause(second)
    third = promote(second, [1.0, 3.0, 2.0, 9.0], pause(second))
    assert list_names(third) == [5]
    assert third[0].is_last
    assert promote(third, [1.0], pause(third)) == []


def test_of_equals_the_first_go_on():
    """Equal scores keep the order of the draws."""
    first = enter_all()
    assert list_names(promote(first, [0.5] * 17, pause(first))) == [0, 1, 2, 9]


def test_failures_do_not_go_on():
    """Those without a finite score leave, even if too few are left."""
    first = enter_all()
    scores = [np.nan] * 17
    scores[3], scores[12] = -5.0, np.inf
    assert list_names(promote(first, scores, pause(first))) == [3]
    assert promote(first, [np.nan] * 17, pause(first)) == []


def test_iterations_are_apart():
    """The same bracket of two iterations has two winners."""
    brackets = [(i, list_brackets(3, 3)[0]) for i in (0, 1)]
    first = enter_all(brackets, (3, 3))
    second = promote(first, [1.0, 3.0, 2.0, 0.0, 0.0, 0.5], pause(first))
    assert list_names(second) == [1, 5]
    assert [c.place for c in second] == [
        {"iteration": i, "bracket": 1, "rung": 1, "epochs": 3} for i in (0, 1)
    ]
