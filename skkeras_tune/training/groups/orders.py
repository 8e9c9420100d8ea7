"""The orders in which members visit their rows: drawn once for all that share them.

Drawing takes a sixth of the time of a small network's steps, so that another core draws
the epochs to come while a program compiles or trains.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.randomness import epoch_order
from skkeras_tune.training.members.member import Member

# Row numbers kept, of 4 bytes each, but for the least that a call needs of many rows:
# one epoch of each slot, and one that is drawn ahead.
_MOST_NUMBERS = 2**22
_LEAST_EPOCHS = 2


class Orders:
    """Draws and keeps orders for so many slots.

    Parameters
    ----------
    n_slots : int
    n_rows : int
        Rows that a member visits in an epoch, about.
    """

    def __init__(self, n_slots: int, n_rows: int) -> None:
        size = max(_LEAST_EPOCHS * n_slots, _MOST_NUMBERS // max(n_rows, 1))
        self._draw = lru_cache(maxsize=size)(epoch_order)

    def draw(self, member: Member, ahead: int) -> NDArray[np.int32]:
        """Return a member's rows in the order of an epoch, so many from now."""
        return member.draw_order(ahead, self._draw)

    @contextmanager
    def drawn_ahead(self, members: Sequence[Member], epochs: range) -> Iterator[None]:
        """Draw epochs to come in another thread, as far as it gets meanwhile."""
        if (
            not any(epochs.start < member.epochs_left for member in members)
            or not epochs
        ):
            yield
            return
        is_over = threading.Event()

        def draw() -> None:
            for ahead in epochs:
                for member in members:
                    if is_over.is_set():
                        return
                    if ahead < member.epochs_left:
                        self.draw(member, ahead)

        thread = threading.Thread(target=draw, name="skkeras_tune.orders", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
