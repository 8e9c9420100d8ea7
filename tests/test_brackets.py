"""The brackets of Hyperband are the paper's."""

import pytest

from skkeras_tune.search.brackets import list_brackets

# Table 1 of Li et al. (2018) is that of (81, 3), as Algorithm 1 gives it.
PAPER = {
    (81, 3): {
        4: [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        3: [(34, 3), (11, 9), (3, 27), (1, 81)],
        2: [(15, 9), (5, 27), (1, 81)],
        1: [(8, 27), (2, 81)],
        0: [(5, 81)],
    },
    (27, 3): {
        3: [(27, 1), (9, 3), (3, 9), (1, 27)],
        2: [(12, 3), (4, 9), (1, 27)],
        1: [(6, 9), (2, 27)],
        0: [(4, 27)],
    },
}


@pytest.mark.parametrize("setting", PAPER, ids=str)
def test_the_table_of_the_paper(setting):
    """Each bracket has the candidates and epochs of the paper's table, in its order."""
    brackets = list_brackets(*setting)
    assert {b.number: b.rungs for b in brackets} == PAPER[setting]
    assert [b.number for b in brackets] == sorted(PAPER[setting], reverse=True)


@pytest.mark.parametrize(
    ("max_epochs", "factor", "n_brackets"),
    [(243, 3, 6), (242, 3, 5), (244, 3, 6), (1000, 10, 4), (125, 5, 4), (3**12, 3, 13)],
)
def test_powers_are_counted_exactly(max_epochs, factor, n_brackets):
    """A power of the factor has a bracket more than what is one below."""
    brackets = list_brackets(max_epochs, factor)
    assert len(brackets) == n_brackets
    assert all(b.epochs[-1] == max_epochs for b in brackets)


def test_one_epoch_is_a_random_search():
    """Below the factor there is one bracket, of one rung."""
    (bracket,) = list_brackets(1, 3)
    assert bracket.rungs == [(1, 1)]
    (bracket,) = list_brackets(3, 4)
    assert bracket.rungs == [(1, 3)]


@pytest.mark.parametrize("factor", [2, 3, 4, 7])
@pytest.mark.parametrize("max_epochs", [1, 2, 5, 10, 50, 100, 101])
def test_rungs_rise(max_epochs, factor):
    """From rung to rung epochs rise, from one on, and candidates do not."""
    for bracket in list_brackets(max_epochs, factor):
        sizes, epochs = zip(*bracket.rungs, strict=True)
        assert list(epochs) == sorted(set(epochs))
        assert epochs[0] >= 1
        assert epochs[-1] == max_epochs
        assert list(sizes) == sorted(sizes, reverse=True)
        assert min(sizes) >= 1


def test_a_smaller_bracket_drops_as_many():
    """With fewer candidates to begin with, one in `factor` goes on."""
    bracket = list_brackets(81, 3)[0]
    assert [bracket.count(i, 12) for i in range(5)] == [12, 4, 1, 1, 1]
