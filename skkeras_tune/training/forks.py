"""Whether this process was forked from one in which TensorFlow runs."""

import os

from skkeras_tune._compat.tensorflow import tensorflow_has_started


def _note_fork() -> None:
    global _is_forked
    _is_forked = tensorflow_has_started()


_is_forked = False
if hasattr(os, "register_at_fork"):  # which Windows has not
    os.register_at_fork(after_in_child=_note_fork)


def is_forked() -> bool:
    """Tell whether TensorFlow's threads are missing here."""
    return _is_forked


def refuse_fork() -> None:
    """Refuse to train, or call Keras, in a process forked from a TensorFlow process.

    The threads that it hands its work to (2.21 and before) are not there, and it waits
    for them for ever.

    Raises
    ------
    RuntimeError
        With what to do.
    """
    if _is_forked:
        message = (
            "This process was forked from one in which TensorFlow runs, and it would "
            "wait there for ever. Use joblib's backend 'loky' or the start method "
            "'spawn' of multiprocessing, or fork before anything is trained."
        )
        raise RuntimeError(message)
