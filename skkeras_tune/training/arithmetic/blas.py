"""NumPy's matrix products in one thread, while somebody says so.

Those of small matrices take no longer in one, and many times as long in several where
the cores are busy, since threads wait for each other in a loop.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_limits: list[Any] = []  # the one in force, while anybody needs it
_n_users = 0


@cache
def _find_libraries() -> Any:
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold the libraries to one thread; the last that leaves puts back what was."""
    global _n_users
    with _lock:
        _n_users += 1
        if _n_users == 1:
            _limits.append(_find_libraries().limit(limits=1))
    try:
        yield
    finally:
        with _lock:
            _n_users -= 1
            if not _n_users:
                _limits.pop().restore_original_limits()
