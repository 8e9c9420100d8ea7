"""Candidates that failed in every fold keep their rows."""

import math

import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skkeras_tune.search.failures import (
    FailedBatch,
    insert_failures,
    raise_if_all_failed,
    read_failures,
    warn_of_failures,
)


def build_batch(row, *names, n_splits=2):
    """Return a failure of candidates with these names."""
    candidates = [{"x": name} for name in names]
    n_fits = n_splits * len(candidates)
    return FailedBatch(row, candidates, n_fits, f"because of {names}", 1.0)


def build_record(score):
    """Return what scikit-learn records of a fit."""
    return {
        "fit_error": None,
        "test_scores": score,
        "n_test_samples": 5,
        "fit_time": 0.1,
        "score_time": 0.2,
    }


def test_scikit_learns_error_is_read():
    """What the installed scikit-learn raises when all fits fail is understood."""
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(LogisticRegression(), {"C": [-1.0, -2.0]}, cv=3)
    with pytest.raises(ValueError, match="All the 6 fits failed") as caught:
        search.fit(X, y)
    n_fits, details = read_failures(caught.value)
    assert n_fits == 6
    assert details.startswith("-----")
    assert "The 'C' parameter of LogisticRegression must be a float" in details


@pytest.mark.parametrize(
    "message",
    [
        "",
        "n_splits=9 cannot be greater than the number of members in each class.",
        "The search failed: All the 6 fits failed.",
    ],
)
def test_other_errors_are_not_failures(message):
    """An error that is not of the fits is left alone."""
    assert read_failures(ValueError(message)) is None


def test_failures_are_inserted_at_their_rows():
    """Candidates and fits come out in the order in which they were evaluated."""
    batches = [build_batch(0, "a"), build_batch(2, "c", "d"), build_batch(5, "f")]
    fitted = [{"x": "b"}, {"x": "e"}]
    records = [build_record(score) for score in [0.1, 0.2, 0.3, 0.4]]
    candidates, records = insert_failures(batches, fitted, records, math.nan)
    assert "".join(candidate["x"] for candidate in candidates) == "abcdef"
    expected = (
        [math.nan] * 2 + [0.1, 0.2] + [math.nan] * 4 + [0.3, 0.4, *[math.nan] * 2]
    )
    assert [record["test_scores"] for record in records] == pytest.approx(
        expected, nan_ok=True
    )


def test_nothing_is_inserted_without_failures():
    """Without failures, what scikit-learn recorded is left as it is."""
    fitted, records = [{"x": "a"}], [build_record(0.1), build_record(0.2)]
    assert insert_failures([], fitted, records, math.nan) == (fitted, records)


def test_records_of_failures_have_every_score():
    """Each metric, of test and training, has the error score; times are the mean's."""
    scores = {"accuracy": 0.5, "roc_auc": 0.7}
    template = {**build_record(scores), "train_scores": scores}
    records = build_batch(0, "a").build_records(template, error_score=-1.0)
    assert len(records) == 2
    for record in records:
        assert record["test_scores"] == {"accuracy": -1.0, "roc_auc": -1.0}
        assert record["train_scores"] == {"accuracy": -1.0, "roc_auc": -1.0}
        assert record["fit_time"] == 0.5
        assert record["score_time"] == 0.0
    assert scores == {"accuracy": 0.5, "roc_auc": 0.7}


def test_failures_are_warned_of():
    """The warning names the candidates, what becomes of them, and why."""
    message = (
        r"All the 2 fits with \[{'x': 'a'}\] failed.\n"
        r"Their scores will be set to nan(.|\n)*error_score='raise'(.|\n)*"
        r"because of \('a',\)"
    )
    with pytest.warns(FitFailedWarning, match=message):
        warn_of_failures(build_batch(0, "a"), math.nan)


def test_a_search_in_which_all_failed_raises():
    """When no candidate was fitted at all, the error has the last details."""
    batches = [build_batch(0, "a", "b"), build_batch(2, "c")]
    message = (
        r"All the 6 fits failed(.|\n)*error_score='raise'(.|\n)*because of \('c',\)"
    )
    with pytest.raises(ValueError, match=message):
        raise_if_all_failed(batches, n_rows=3)


def test_a_search_in_which_some_failed_goes_on():
    """One candidate that was fitted is enough."""
    raise_if_all_failed([build_batch(0, "a", "b")], n_rows=3)
    raise_if_all_failed([], n_rows=1)
