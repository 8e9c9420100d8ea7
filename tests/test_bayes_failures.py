"""BayesSearchCV goes on when candidates fail."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

from tests.searches import (
    FAILURES,
    Fragile,
    X,
    build_search,
    expect_failures,
    score_twice,
    search_failures,
    y,
)


def test_a_failing_candidate_has_a_row():
    """With error_score=nan, each candidate has a row, and nan where it failed."""
    search = search_failures()
    results = search.cv_results_
    assert len(results["params"]) == 9
    scores = np.array([results[f"split{fold}_test_score"] for fold in range(3)])
    n_missing = {"never": 0, "always": 3, "without the last row": 1}
    for params, row in zip(results["params"], scores.T, strict=True):
        assert np.isnan(row).sum() == n_missing[params["fails"]]
    for key, column in results.items():
        assert len(column) == 9, key


def test_a_failing_candidate_is_never_the_best():
    """The best candidate is one that was fitted in every fold."""
    search = search_failures()
    assert search.best_params_["fails"] == "never"
    assert search.best_score_ == np.nanmax(search.cv_results_["mean_test_score"])
    assert search.cv_results_["params"][search.best_index_] == search.best_params_
    assert search.cv_results_["rank_test_score"][search.best_index_] == 1
    assert search.predict(X).shape == y.shape


def test_the_surrogate_is_told_a_finite_penalty():
    """The surrogate's losses hold the worst finite one where a candidate failed."""
    search = search_failures(n_points=2)
    scores = search.cv_results_["mean_test_score"]
    (result,) = search.optimizer_results_
    worst = np.nanmin(scores)
    np.testing.assert_array_equal(
        result.func_vals, np.where(np.isnan(scores), -worst, -scores)
    )


def test_rows_stand_in_the_order_of_the_search():
    """The first and the last candidate of a search may fail, and keep their places."""
    failing = ({"fails": ["always"]}, 1)
    spaces = [failing, ({"C": [1.0]}, 1), failing, ({"C": [10.0]}, 1), failing]
    search = build_search(Fragile(), spaces, error_score=np.nan)
    with expect_failures():
        search.fit(X, y)
    results = search.cv_results_
    assert np.isnan(results["mean_test_score"]).tolist() == [True, False] * 2 + [True]
    assert [params.get("C") for params in results["params"]] == [
        None,
        1.0,
        None,
        10.0,
        None,
    ]
    assert search.best_index_ in (1, 3)


def test_failures_are_explained():
    """The warnings name the failing candidates and show why they failed."""
    spaces = [({"fails": ["always"]}, 1), ({"C": [1.0]}, 1)]
    search = build_search(Fragile(), spaces, error_score=np.nan)
    message = (
        r"All the 3 fits with \[{'fails': 'always'}\] failed.\n"
        r"Their scores will be set to nan(.|\n)*nothing can be fitted"
    )
    with (
        pytest.warns(UserWarning, match="test scores are non-finite"),
        pytest.warns(FitFailedWarning, match=message),
    ):
        search.fit(X, y)


def test_nan_is_warned_of_once():
    """The warning of non-finite scores comes once, not with every step."""
    search = build_search(Fragile(), {"fails": FAILURES}, n_iter=3, error_score=np.nan)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, y)
    assert sum("non-finite" in str(warning.message) for warning in caught) == 1


def test_error_score_may_be_a_number():
    """A number stands where a fit failed, and counts."""
    search = build_search(Fragile(), {"fails": FAILURES}, n_iter=3, error_score=0.0)
    with expect_failures():
        search.fit(X, y)
    scores = dict(
        zip(
            [params["fails"] for params in search.cv_results_["params"]],
            search.cv_results_["mean_test_score"],
            strict=True,
        )
    )
    assert scores["always"] == 0.0
    assert scores["always"] < scores["without the last row"] < scores["never"]


def test_error_score_raise_raises():
    """With error_score="raise", the first failure ends the search."""
    search = build_search(Fragile(), {"fails": ["always"]}, n_iter=1)
    with pytest.raises(ValueError, match=r"^nothing can be fitted$"):
        search.fit(X, y)


def test_failures_of_an_inner_search_are_raised():
    """With error_score="raise", so is the error of a search within the search."""
    inner = GridSearchCV(Fragile(), {"fails": ["always"]}, cv=2)
    search = build_search(inner, {"estimator__C": (0.1, 1.0)})
    with pytest.raises(ValueError, match="All the 2 fits failed"):
        search.fit(X, y)


@pytest.mark.parametrize("error_score", [np.nan, 0.0])
def test_a_search_in_which_all_failed_raises(error_score):
    """When every fit of every candidate failed, the error says why."""
    space = {"fails": ["always"], "C": [0.1, 1.0]}
    search = build_search(Fragile(), space, n_iter=2, error_score=error_score)
    message = r"All the 6 fits failed(.|\n)*nothing can be fitted"
    with expect_failures(), pytest.raises(ValueError, match=message):
        search.fit(X, y)
    assert not hasattr(search, "cv_results_")


def test_errors_outside_the_fits_end_the_search():
    """An error that is not of a fit is raised, whatever error_score says."""
    search = build_search(cv=99, error_score=np.nan)
    with pytest.raises(ValueError, match="n_splits=99 cannot be greater"):
        search.fit(X, y)


def test_failures_have_every_metric():
    """With several metrics and training scores, each is nan where a fit failed."""
    search = search_failures(
        scoring=["accuracy", "neg_log_loss"],
        refit="neg_log_loss",
        return_train_score=True,
    )
    failed = [p["fails"] != "never" for p in search.cv_results_["params"]]
    for metric in ("accuracy", "neg_log_loss"):
        for rows in ("test", "train"):
            scores = search.cv_results_[f"mean_{rows}_{metric}"]
            ranks = search.cv_results_[f"rank_{rows}_{metric}"]
            assert np.isnan(scores).tolist() == failed
            assert (ranks[failed] > ranks[np.logical_not(failed)].max()).all()
    assert search.best_params_["fails"] == "never"


def test_failures_have_every_metric_of_a_callable():
    """A callable that returns several scores has them all where a fit failed."""
    search = search_failures(scoring=score_twice, refit="second")
    failed = [p["fails"] != "never" for p in search.cv_results_["params"]]
    for metric in ("first", "second"):
        scores = search.cv_results_[f"mean_test_{metric}"]
        assert np.isnan(scores).tolist() == failed
