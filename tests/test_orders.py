"""Orders are drawn once for all that share them, and before they are asked for."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skkeras_tune.randomness import epoch_order
from skkeras_tune.training.groups import orders
from skkeras_tune.training.groups.orders import Orders
from tests.plans import DATA, PLAN, enrol

LONG = replace(PLAN, epochs=50)


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn, in the order in which it is."""
    found = []

    def draw(seed, epoch, n_rows):
        found.append((seed, epoch))
        return epoch_order(seed, epoch, n_rows)

    monkeypatch.setattr(orders, "epoch_order", draw)
    return found


def test_members_of_a_seed_share_an_order(drawn):
    """Each sees its own rows in it."""
    one, two = enrol(PLAN, DATA), enrol(replace(PLAN, batch_size=3), DATA)
    book = Orders(2, 100)
    assert_array_equal(book.draw(one, 1), book.draw(two, 1))
    assert_array_equal(np.sort(book.draw(one, 0)), np.sort(DATA.train_rows))
    assert drawn == [(PLAN.seed, 1), (PLAN.seed, 0)]


def test_epochs_to_come_are_drawn_meanwhile(drawn):
    """They are there when they are asked for, and no more than are trained."""
    member = enrol(LONG, DATA)
    book = Orders(1, 100)
    with book.drawn_ahead([member], range(40, 90)):
        while len(drawn) < 10:
            threading.Event().wait(0.01)
    assert drawn == [(LONG.seed, epoch) for epoch in range(40, 50)]
    book.draw(member, 45)
    assert len(drawn) == 10


def test_nothing_is_drawn_when_nobody_trains_on(drawn):
    """In the last epochs no thread is started."""
    before = threading.active_count()
    with Orders(1, 100).drawn_ahead([enrol(LONG, DATA)], range(50, 60)):
        assert threading.active_count() == before
    assert not drawn


def test_no_thread_is_left_by_an_error(drawn):
    """What ends the training ends the drawing."""
    with (
        pytest.raises(KeyError),
        Orders(1, 100).drawn_ahead([enrol(LONG, DATA)], range(1, 50)),
    ):
        raise KeyError
    names = [thread.name for thread in threading.enumerate()]
    assert "skkeras_tune.orders" not in names


@pytest.mark.parametrize("n_slots", [1, 64])
@pytest.mark.parametrize("n_rows", [10, 2**20, 2**30])
def test_what_is_kept_is_bounded(n_slots, n_rows):
    """Many orders of few rows, and two for each slot of many."""
    kept = Orders(n_slots, n_rows)._draw.cache_parameters()["maxsize"]
    least = 2 * n_slots
    assert least <= kept <= max(least, 2**22 / n_rows)
