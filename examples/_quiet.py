"""Importing this first keeps TensorFlow's start-up messages off the screen.

TensorFlow 2.19 and later write some of them before they read TF_CPP_MIN_LOG_LEVEL
(https://github.com/tensorflow/tensorflow/issues/100442), so that only closing the
error stream during the import helps.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _closed_error_stream() -> Iterator[None]:
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


with _closed_error_stream():
    import tensorflow  # noqa: F401
