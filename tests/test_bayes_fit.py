"""BayesSearchCV: metrics, and the arguments of its fit."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut
from skopt.callbacks import TimerCallback

from tests.searches import (
    GROUPS,
    REGRESSION_SPACE,
    WEIGHTS,
    Fragile,
    X,
    build_search,
    score_twice,
    y,
)


def check_weights_arrived(search, model):
    """Compare with the model and the scores of the same search by GridSearchCV."""
    expected = clone(model).set_params(**search.best_params_)
    expected.fit(X, y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(search.best_estimator_.coef_, expected.coef_)
    grid = GridSearchCV(model, {"C": [search.best_params_["C"]]}, cv=3)
    grid.fit(X, y, sample_weight=WEIGHTS)
    assert search.best_score_ == pytest.approx(grid.best_score_)


@pytest.mark.parametrize(
    "scoring", [["accuracy", "neg_log_loss"], {"neg_log_loss": "neg_log_loss"}]
)
def test_refit_names_the_metric_that_guides(scoring):
    """With several metrics, the one that refit names is maximised."""
    search = build_search(scoring=scoring, refit="neg_log_loss").fit(X, y)
    scores = search.cv_results_["mean_test_neg_log_loss"]
    assert search.best_score_ == scores.max()
    assert search.optimizer_results_[0].fun == -scores.max()
    assert search.multimetric_


def test_a_callable_may_return_several_scores():
    """A callable's scores show in its first results, and refit names one."""
    search = build_search(scoring=score_twice, refit="second").fit(X, y)
    scores = search.cv_results_["mean_test_second"]
    assert search.optimizer_results_[0].fun == -scores.max()


@pytest.mark.parametrize("refit", [True, False, "recall"])
@pytest.mark.parametrize("scoring", [["accuracy", "neg_log_loss"], score_twice])
def test_several_metrics_need_one_that_guides(scoring, refit):
    """Without the name of a metric, several cannot guide a search."""
    search = build_search(scoring=scoring, refit=refit)
    message = f"'refit' parameter must be set to a scorer key.* {refit!r} was passed"
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)


def test_without_refit_there_is_no_estimator():
    """With refit=False the best candidate is known, and nothing is fitted."""
    search = build_search(refit=False).fit(X, y)
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    assert not hasattr(search, "best_estimator_")
    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        search.predict(X)


def test_groups_reach_the_splitter():
    """Without metadata routing, groups go to the splitter alone."""
    search = build_search(cv=LeaveOneGroupOut()).fit(X, y, groups=GROUPS)
    assert search.n_splits_ == 5


def test_groups_are_needed_by_their_splitter():
    """A splitter that needs groups says so when there are none."""
    with pytest.raises(ValueError, match="The 'groups' parameter should not be None"):
        build_search(cv=GroupKFold(3)).fit(X, y)


def test_routed_groups_reach_the_splitter():
    """With metadata routing, groups go to the splitter that asks for them."""
    with config_context(enable_metadata_routing=True):
        search = build_search(cv=LeaveOneGroupOut()).fit(X, y, groups=GROUPS)
    assert search.n_splits_ == 5


def test_routing_works_without_groups():
    """With metadata routing, a search without groups asks for none."""
    with config_context(enable_metadata_routing=True):
        assert build_search().fit(X, y).best_score_ > 0.9


def test_groups_that_nobody_asks_for_are_refused():
    """With metadata routing, groups that no one takes are an error."""
    search = build_search()
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(TypeError, match=r"unexpected argument\(s\) {'groups'}"),
    ):
        search.fit(X, y, groups=GROUPS)


def test_weights_reach_the_estimator():
    """Without metadata routing, weights go to the fits, each fold with its own."""
    search = build_search().fit(X, y, sample_weight=WEIGHTS)
    check_weights_arrived(search, LogisticRegression())


def test_routed_weights_reach_estimator_and_scorer():
    """With metadata routing, weights and groups go to all who ask for them."""
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression()
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = build_search(model).fit(X, y, sample_weight=WEIGHTS)
        check_weights_arrived(search, model)
        search.set_params(cv=GroupKFold(4))
        search.fit(X, y, sample_weight=WEIGHTS, groups=GROUPS)
    assert search.n_splits_ == 4


def test_fit_params_of_the_constructor_reach_the_estimator():
    """The constructor's fit_params are arguments of every fit."""
    params = {"sample_weight": WEIGHTS}
    search = build_search(fit_params=params).fit(X, y)
    check_weights_arrived(search, LogisticRegression())
    assert list(params) == ["sample_weight"]


def test_arguments_of_fit_win():
    """Arguments of fit go before the constructor's fit_params, which are kept."""
    search = build_search(Fragile(), fit_params={"note": "old", "sample_weight": None})
    assert search.fit(X, y).best_estimator_.note_ == "old"
    assert search.fit(X, y, note="new").best_estimator_.note_ == "new"
    assert search.fit_params == {"note": "old", "sample_weight": None}


def test_callbacks_are_called_after_each_step():
    """Each of skopt's callbacks gets the result so far."""
    timer, n_points = TimerCallback(), []
    search = build_search(n_iter=3)
    search.fit(
        X, y, callback=[timer, lambda result: n_points.append(len(result.x_iters))]
    )
    assert len(timer.iter_time) == 3
    assert n_points == [1, 2, 3]


def test_a_callback_ends_the_search_of_a_space():
    """A callback that returns True ends the current space, not the next one."""
    search = build_search(space=[REGRESSION_SPACE, {"tol": (1e-5, 1e-3)}], n_iter=5)
    search.fit(X, y, callback=lambda result: len(result.x_iters) == 2)
    assert [list(params) for params in search.cv_results_["params"]] == [
        ["C"],
        ["C"],
        ["tol"],
        ["tol"],
    ]


@pytest.mark.parametrize("callback", ["stop", [print, 1], (print,)])
def test_callbacks_must_be_callable(callback):
    """A callback that cannot be called is refused before any fit."""
    with pytest.raises(ValueError, match="callback should be either a callable or a"):
        build_search().fit(X, y, callback=callback)
