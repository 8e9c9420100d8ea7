"""scikit-learn's searches, which heed a budget of time where they run under one."""

from collections.abc import Iterable
from functools import partial
from itertools import islice
from typing import Any, ClassVar

from sklearn import model_selection
from sklearn.utils import shuffle

from skkeras_tune.search.budget import Budget, current_budget
from skkeras_tune.search.tasks import open_task


class _Timed:
    """Evaluates candidates in batches while there is time."""

    #: Candidates evaluated together, at most.
    batch_size: ClassVar[int] = 8

    def _order(self, candidates: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        return candidates

    def _run_search(
        self, evaluate_candidates: Any, *, callback_ctx: Any = None
    ) -> None:
        # scikit-learn before 1.9 does not know the argument.
        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
        budget = current_budget()
        if budget is not None:
            evaluate_candidates = partial(
                _evaluate_in_batches, self, evaluate_candidates, budget
            )
        super()._run_search(evaluate_candidates, **context)  # type: ignore[misc]


def _evaluate_in_batches(
    search: Any,
    evaluate_candidates: Any,
    budget: Budget,
    candidates: Iterable[dict[str, Any]],
    callback_ctx: Any = None,
) -> dict[str, Any]:
    """Evaluate candidates until all are done or the time is up; at least one."""
    left = iter(search._order(candidates))
    results: dict[str, Any] = {}
    number = -1
    while batch := list(islice(left, max(budget.choose_size(search.batch_size), 0))):
        number += 1
        with (
            open_task(
                callback_ctx,
                search,
                task_name="batch",
                task_id=number,
                max_subtasks=None,
                sequential_subtasks=False,
            ) as task,
            budget.evaluate(len(batch)),
        ):
            context = {} if task is None else {"callback_ctx": task}
            results = evaluate_candidates(batch, **context)
    return results


class GridSearchCV(_Timed, model_selection.GridSearchCV):
    """scikit-learn's search of a grid, in a mixed order where time may end it."""

    def _order(self, candidates: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        # In the grid's own order an early end would leave out whole values.
        return shuffle(list(candidates), random_state=0)  # type: ignore[no-any-return]


class RandomizedSearchCV(_Timed, model_selection.RandomizedSearchCV):
    """scikit-learn's search of random candidates."""
