"""How models are trained when a search is over."""

import pytest

from skkeras_tune import KerasClassifier
from skkeras_tune.tuning.last_fit import LastFit, resolve_members


@pytest.mark.parametrize(
    ("n_rows", "n_models", "expected"), [(1999, 1, 4), (1999, 8, 2), (2000, 1, 1)]
)
def test_few_rows_take_several_networks(n_rows, n_models, expected):
    """One network of few rows is luck; many rows, or company, need fewer."""
    assert resolve_members("auto", n_rows, n_models, {"units": [8]}) == expected


@pytest.mark.parametrize(
    "space",
    [
        {"network__n_members": [1, 2]},
        [{"units": [8]}, {"n_members": [1, 2]}],
        [({"n_members": [1, 2]}, 3)],
    ],
)
def test_a_number_that_is_searched_stays(space):
    """Where the search chooses the number of networks, nothing else does."""
    assert resolve_members("auto", 100, 1, space) is None
    assert resolve_members(3, 100, 1, space) == 3


def test_nothing_is_set_that_was_not_asked_for():
    """What is False or None leaves the networks as they are."""
    last = LastFit(refit_full=False, n_members=None, seed=None)
    assert last.list_member_params(KerasClassifier(), 2) == [{}, {}]


def test_the_best_keeps_its_seed():
    """The first member trains as the winner alone would, others from other seeds."""
    last = LastFit(refit_full=1.2, n_members=2, seed=0)
    first, second, third = last.list_member_params(KerasClassifier(), 3)
    assert first == {"refit_full": 1.2, "n_members": 2}
    assert len({0, second["random_state"], third["random_state"]}) == 3
