"""Tasks of scikit-learn 1.9's callbacks, of which older versions have none.

Where a search stands comes in; what its callbacks are told goes out.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sklearn.base import BaseEstimator

from skkeras_tune.training.epoch_tasks import describe_rows


@contextmanager
def open_task(
    parent: Any,
    search: BaseEstimator,
    *,
    facts: Mapping[str, Any] | None = None,
    **options: Any,
) -> Iterator[Any]:
    """Open a task below another, and yield it.

    Parameters
    ----------
    parent : sklearn.callback.CallbackContext or None
        The task above. With None, as scikit-learn before 1.9 leaves it, nothing is
        told to anyone, and None is yielded.
    search : estimator
        The search that has the callbacks.
    facts : mapping, default=None
        What callbacks are told of the rows.
    **options : dict
        Arguments of the parent's ``subcontext``.
    """
    if parent is None:
        yield None
        return
    task = parent.subcontext(**options)
    facts = facts or {}
    task.call_on_fit_task_begin(estimator=search, **facts)
    try:
        yield task
    finally:
        task.call_on_fit_task_end(estimator=search, **facts)


@contextmanager
def open_fit(search: Any, X: Any, y: Any, sample_weight: Any, n: int) -> Iterator[Any]:
    """Open the task of a search's `fit`, with so many tasks below, and yield it.

    Before scikit-learn 1.9 None is yielded.
    """
    if not hasattr(search, "_init_callback_context"):
        yield None
        return
    facts = describe_rows(X, y, sample_weight)
    task = search._init_callback_context(max_subtasks=n)
    task.call_on_fit_task_begin(estimator=search, **facts)
    yield task
    task.call_on_fit_task_end(estimator=search, **facts)


def list_evaluations(task: Any, search: Any, n: int) -> list[dict[str, Any]]:
    """Return what a task and its search tell the evaluation of each candidate and fold.

    All before the first begins: a task is not to change while it is being pickled.
    """
    if task is None:
        return [{} for _ in range(n)]
    name = "candidate-split-evaluation"
    return [
        {
            "caller": search,
            "callback_ctx": task.subcontext(task_name=name, task_id=i),
        }
        for i in range(n)
    ]


def propagate(task: Any, estimator: Any) -> AbstractContextManager[Any]:
    """Let the callbacks of a task see the fit of an estimator below it."""
    if task is None:
        return nullcontext()
    context: AbstractContextManager[Any] = task.propagate_callback_context(estimator)
    return context
