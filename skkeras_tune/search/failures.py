"""Candidates that failed in every fold, at which scikit-learn ends a search.

Its error comes in; a record that keeps their rows in ``cv_results_`` goes out.
"""

import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from sklearn.exceptions import FitFailedWarning

# The start of the message that scikit-learn (1.7 to 1.9) raises when every fit of a
# step failed, and the line before the tracebacks in it. The ValueError has no type or
# attribute of its own to tell it by.
_ALL_FAILED = re.compile(r"\s*All the (\d+) fits failed")
_BEFORE_DETAILS = "details about the failures:\n"


@dataclass(frozen=True)
class FailedBatch:
    """A step of a search whose candidates failed in every fold.

    Attributes
    ----------
    row : int
        Row of the first candidate in ``cv_results_``.
    candidates : list of dict
        The candidates.
    n_fits : int
        Number of fits, of all candidates in all folds.
    details : str
        The tracebacks, with how often each occurred.
    seconds : float
        Time that the step took; the time of each fit is lost.
    """

    row: int
    candidates: list[dict[str, Any]]
    n_fits: int
    details: str
    seconds: float

    def build_records(
        self, template: dict[str, Any], error_score: float
    ) -> list[dict[str, Any]]:
        """Return what scikit-learn would have recorded, one dict for each fit."""
        record = {
            **template,
            "fit_time": self.seconds / self.n_fits,
            "score_time": 0.0,
        }
        for key in template.keys() & {"test_scores", "train_scores"}:
            scores = template[key]
            record[key] = (
                dict.fromkeys(scores, error_score)
                if isinstance(scores, dict)
                else error_score
            )
        return [record] * self.n_fits


def read_failures(error: ValueError) -> tuple[int, str] | None:
    """Return number and details of the failed fits; None for any other error."""
    match = _ALL_FAILED.match(str(error))
    if match is None:
        return None
    return int(match[1]), str(error).partition(_BEFORE_DETAILS)[2]


def warn_of_failures(batch: FailedBatch, error_score: float) -> None:
    """Say that candidates failed, in scikit-learn's words for a single fold."""
    warnings.warn(
        f"\nAll the {batch.n_fits} fits with {batch.candidates} failed.\n"
        f"Their scores will be set to {error_score}, and the search goes on.\n"
        "If these failures are not expected, you can try to debug them by setting "
        "error_score='raise'.\n\n"
        f"Below are more {_BEFORE_DETAILS}{batch.details}",
        FitFailedWarning,
        stacklevel=2,
    )


@dataclass
class Progress:
    """What a running search knows; dropped when it ends.

    Attributes
    ----------
    n_rows : int
        Candidates evaluated so far, the failed ones among them.
    failures : list of FailedBatch
    format_arguments : tuple
        What scikit-learn has given last to be made ``cv_results_`` of.
    """

    n_rows: int = 0
    failures: list[FailedBatch] = field(default_factory=list)
    format_arguments: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[type["Progress"], tuple[()]]:
        # scikit-learn 1.9 sends the search to its workers, which need nothing of this;
        # and a callback may not be picklable.
        return type(self), ()

    def evaluate(
        self,
        evaluate: Callable[[list[dict[str, Any]]], Any],
        candidates: list[dict[str, Any]],
        error_score: Any,
    ) -> Any:
        """Evaluate candidates; None where all of them fail, which ends no search."""
        row, start = self.n_rows, time.perf_counter()
        self.n_rows += len(candidates)
        try:
            return evaluate(candidates)
        except ValueError as error:
            failures = read_failures(error)
            if failures is None or error_score == "raise":
                raise
            seconds = time.perf_counter() - start
            batch = FailedBatch(row, candidates, *failures, seconds)
            self.failures.append(batch)
            warn_of_failures(batch, error_score)
            return None


def raise_if_all_failed(batches: Sequence[FailedBatch], n_rows: int) -> None:
    """Raise when none of a search's candidates was fitted in any fold.

    Raises
    ------
    ValueError
        With the details of the last failures.
    """
    if sum(len(batch.candidates) for batch in batches) < n_rows:
        return
    _raise_all_failed(sum(batch.n_fits for batch in batches), batches[-1].details)


def _raise_all_failed(n_fits: int, details: str) -> NoReturn:
    """Raise what scikit-learn raises."""
    message = (
        f"\nAll the {n_fits} fits failed.\n"
        "It is very likely that your model is misconfigured.\n"
        "You can try to debug the error by setting error_score='raise'.\n\n"
        f"Below are more {_BEFORE_DETAILS}{details}"
    )
    raise ValueError(message)


def insert_failures(
    batches: Sequence[FailedBatch],
    candidates: Sequence[dict[str, Any]],
    records: Sequence[dict[str, Any]],
    error_score: float,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return all candidates and records, the failed ones in their places.

    Parameters
    ----------
    batches : sequence of FailedBatch
        The failures, in the order of their rows.
    candidates : sequence of dict
        The candidates that were fitted in some fold.
    records : sequence of dict
        What scikit-learn recorded of them, one dict for each candidate and fold.
    error_score : float
        The score of a failed fit.
    """
    n_splits = len(records) // len(candidates)
    all_candidates, all_records = list(candidates), list(records)
    for batch in batches:
        fit = batch.row * n_splits
        all_candidates[batch.row : batch.row] = batch.candidates
        all_records[fit:fit] = batch.build_records(records[0], error_score)
    return all_candidates, all_records


def report_failed_fits(
    records: Sequence[dict[str, Any]], error_score: Any, *, may_all_fail: bool
) -> None:
    """Warn of fits that failed, in scikit-learn's words.

    Parameters
    ----------
    records : sequence of dict
        What scikit-learn recorded of each candidate and fold.
    error_score : float
        What their score is set to.
    may_all_fail : bool
        Whether to warn only, though none is left.

    Raises
    ------
    ValueError
        If all have failed, and may not.
    """
    errors = [r["fit_error"] for r in records if r["fit_error"] is not None]
    if not errors:
        return
    details = "\n".join(
        f"{'-' * 80}\n{n} fits failed with the following error:\n{error}"
        for error, n in Counter(errors).items()
    )
    if len(errors) == len(records) and not may_all_fail:
        _raise_all_failed(len(records), details)
    warnings.warn(
        f"\n{len(errors)} fits failed out of a total of {len(records)}.\n"
        "The score on these train-test partitions for these parameters will be set to "
        f"{error_score}.\n"
        "If these failures are not expected, you can try to debug them by setting "
        f"error_score='raise'.\n\nBelow are more {_BEFORE_DETAILS}{details}",
        FitFailedWarning,
        stacklevel=6,  # the caller of fit, which is decorated
    )


def spread_error_score(records: Sequence[dict[str, Any]], error_score: Any) -> None:
    """Give fits that failed as many scores as the others have.

    A callable `scoring` shows only when it is called that it gives several.
    """
    for key in ("test_scores", "train_scores"):
        several = [r for r in records if isinstance(r.get(key), dict)]
        for record in records if several else ():
            if not isinstance(record[key], dict):
                record[key] = dict.fromkeys(several[0][key], error_score)
