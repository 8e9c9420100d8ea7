"""Seeds in, reproducible draws out, with the process's random state left as it was.

Everything random in a fit (held-out rows, initial weights, batch order, dropout)
is a function of one integer seed.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skkeras_tune._compat.keras import swap_keras_generator
from skkeras_tune._compat.tensorflow import seeded_tensorflow

_MAX_SEED = 2**31 - 1
_isolation = threading.RLock()


def resolve_seed(random_state: Any) -> int:
    """Turn a ``random_state`` into one integer seed.

    An integer is the seed. A ``RandomState`` instance is advanced, as everywhere in
    scikit-learn. ``None`` draws fresh entropy rather than advancing NumPy's global
    generator.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(_MAX_SEED))
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(_MAX_SEED))


def derive_seed(seed: int, purpose: str, index: int = 0) -> int:
    """Return an independent seed for one purpose of a fit."""
    key = [seed, index, *purpose.encode()]
    return int(np.random.SeedSequence(key).generate_state(1)[0] % _MAX_SEED)


def epoch_order(seed: int, epoch: int, n_rows: int) -> NDArray[np.int32]:
    """Return the order in which the rows of one epoch are visited.

    Every engine takes its orders from here, so that all of them see the same batches.
    """
    key = np.random.SeedSequence([seed, epoch, *b"order"])
    order = np.arange(n_rows, dtype=np.int32)
    np.random.Generator(np.random.SFC64(key)).shuffle(order)
    return order


@contextmanager
def isolated_randomness(seed: int) -> Iterator[None]:
    """Seed the global generators that Keras draws from, and put them back after.

    Keras initializers and dropout layers without a seed of their own take one from
    Python's generator when they are created; model functions may use NumPy's and
    Keras's too. One thread at a time.
    """
    with _isolation:
        python_state, numpy_state = random.getstate(), np.random.get_state()
        keras_generator = swap_keras_generator(None)
        random.seed(seed)
        np.random.seed(seed)
        try:
            with seeded_tensorflow(seed):
                yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            swap_keras_generator(keras_generator)
