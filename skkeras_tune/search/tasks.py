"""Tasks of scikit-learn 1.9's callbacks, of which older versions have none.

Where a search stands comes in; what its callbacks are told goes out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.base import BaseEstimator


@contextmanager
def open_task(parent: Any, search: BaseEstimator, **options: Any) -> Iterator[Any]:
    """Open a task below another, and yield it.

    Parameters
    ----------
    parent : sklearn.callback.CallbackContext or None
        The task above. With None, as scikit-learn before 1.9 leaves it, nothing is
        told to anyone, and None is yielded.
    search : estimator
        The search that has the callbacks.
    **options : dict
        Arguments of the parent's ``subcontext``.
    """
    if parent is None:
        yield None
        return
    task = parent.subcontext(**options)
    task.call_on_fit_task_begin(estimator=search)
    try:
        yield task
    finally:
        task.call_on_fit_task_end(estimator=search)
