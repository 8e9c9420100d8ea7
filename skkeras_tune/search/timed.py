"""scikit-learn's searches, which heed a budget of time where they run under one."""

from collections.abc import Iterable
from functools import partial
from itertools import islice
from typing import Any, ClassVar, Self

from sklearn import model_selection
from sklearn.utils import shuffle

from skkeras_tune.search.budget import Budget, current_budget
from skkeras_tune.search.failures import (
    Progress,
    insert_failures,
    raise_if_all_failed,
)
from skkeras_tune.search.tasks import open_task


class _Timed:
    """Evaluates candidates in batches while there is time."""

    #: Candidates evaluated together, at most.
    batch_size: ClassVar[int] = 8
    error_score: Any

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, as scikit-learn's search does."""
        self._progress = Progress()
        try:
            super().fit(X, y, **params)  # type: ignore[misc]
            if self._progress.failures:  # the last of them are not in it
                self.cv_results_ = self._format_progress()
        finally:
            del self._progress
        return self

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
                self._evaluate_in_batches, evaluate_candidates, budget
            )
        super()._run_search(evaluate_candidates, **context)  # type: ignore[misc]
        raise_if_all_failed(self._progress.failures, max(self._progress.n_rows, 1))

    def _evaluate_in_batches(
        self,
        evaluate_candidates: Any,
        budget: Budget,
        candidates: Iterable[dict[str, Any]],
        callback_ctx: Any = None,
    ) -> None:
        """Evaluate candidates until all are done or the time is up; at least one."""
        left = iter(self._order(candidates))
        number = -1
        while batch := list(islice(left, max(budget.choose_size(self.batch_size), 0))):
            number += 1
            with (
                open_task(
                    callback_ctx,
                    self,
                    task_name="batch",
                    task_id=number,
                    max_subtasks=None,
                    sequential_subtasks=False,
                ) as task,
                budget.evaluate(len(batch)),
            ):
                context = {} if task is None else {"callback_ctx": task}
                evaluate = partial(evaluate_candidates, **context)
                self._progress.evaluate(evaluate, batch, self.error_score)

    def _format_results(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        self._progress.format_arguments = (*arguments, *options.values())
        return self._format_progress()

    def _format_progress(self) -> dict[str, Any]:
        """Format the rows so far, with the failures that scikit-learn drops."""
        candidates, n_splits, records, *more = self._progress.format_arguments
        candidates, records = insert_failures(
            self._progress.failures, candidates, records, self.error_score
        )
        results: dict[str, Any] = super()._format_results(  # type: ignore[misc]
            candidates, n_splits, records, *more
        )
        return results


class GridSearchCV(_Timed, model_selection.GridSearchCV):
    """scikit-learn's search of a grid, in a mixed order where time may end it."""

    def _order(self, candidates: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        # In the grid's own order an early end would leave out whole values.
        return shuffle(list(candidates), random_state=0)  # type: ignore[no-any-return]


class RandomizedSearchCV(_Timed, model_selection.RandomizedSearchCV):
    """scikit-learn's search of random candidates."""
