"""The best settings of a search, and its results as a table."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skkeras_tune import (
    EnsembleClassifier,
    KerasClassifier,
    SearchDisplay,
    best_params,
    optional,
    results_frame,
)
from tests.searches import (
    Fragile,
    X,
    build_search,
    expect_failures,
    score_twice,
    search_failures,
    y,
)

STRENGTHS = [1e-4, 1.0, 1e-2, 100.0]


@pytest.fixture(scope="module")
def grid():
    """Four settings in an order that is not that of their scores."""
    return GridSearchCV(LogisticRegression(), {"C": STRENGTHS}, cv=3).fit(X, y)


def test_best_params_are_ranked(grid):
    """The first is the search's own best, and the scores fall from there."""
    params = best_params(grid, 4)
    assert params[0] == grid.best_params_
    by_strength = dict(zip(STRENGTHS, grid.cv_results_["mean_test_score"], strict=True))
    scores = [by_strength[p["C"]] for p in params]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 2


def test_fewer_settings_than_asked_for(grid):
    """A search with fewer settings gives all it has, and a smaller n fewer."""
    assert len(best_params(grid, 99)) == 4
    assert best_params(grid, 2) == best_params(grid, 99)[:2]


def test_equals_keep_their_order():
    """Settings of one score are returned in the order in which they were tried."""
    tols = [1e-3, 1e-4, 1e-6, 1e-5]
    search = GridSearchCV(LogisticRegression(), {"tol": tols}, cv=3).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 1
    assert [p["tol"] for p in best_params(search, 4)] == tols


def test_failures_are_left_out():
    """A setting that failed in all folds or in one is not among the best."""
    search = search_failures()
    params = best_params(search, 9)
    assert {p["fails"] for p in params} == {"never"}
    n_valid = np.isfinite(search.cv_results_["mean_test_score"]).sum()
    assert len(params) == n_valid


def test_nothing_but_failures():
    """A search in which each setting failed has no best one, and says so."""
    search = search_failures()
    search.cv_results_["mean_test_score"][:] = np.nan
    with pytest.raises(ValueError, match="Every setting of the search failed"):
        best_params(search, 1)


def test_duplicates_are_dropped():
    """Settings that are equal are returned once; a number and its name are not."""
    grid = [{"C": [1.0, 0.1]}, {"C": [1.0]}, {"C": [1.0], "solver": ["lbfgs"]}]
    search = GridSearchCV(LogisticRegression(), grid, cv=3).fit(X, y)
    assert sorted(map(len, best_params(search, 9))) == [1, 1, 2]


def test_duplicates_of_any_kind():
    """Arrays, tuples and estimators as settings are compared too."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    scaler, priors = MinMaxScaler(), np.array([0.2, 0.3])
    search = GridSearchCV(
        pipeline, {"standardscaler": [scaler, scaler, "passthrough"]}, cv=3
    ).fit(X, y)
    assert len(best_params(search, 9)) == 2
    search.cv_results_["params"] = [{"p": priors}, {"p": priors.copy()}, {"p": (1, 2)}]
    assert len(best_params(search, 9)) == 2


def test_ensembles_show_their_search(grid):
    """What a search is asked for, an ensemble made of it is asked for alike."""
    search = GridSearchCV(LogisticRegression(), {"C": STRENGTHS}, cv=3)
    ensemble = EnsembleClassifier(search, n_best=2).fit(X, y)
    assert best_params(ensemble, 4) == best_params(grid, 4)
    shown = results_frame(ensemble).filter(regex="rank|C|mean_score")
    expected = results_frame(grid).filter(regex="rank|C|mean_score")
    pd.testing.assert_frame_equal(shown, expected)
    drawn = SearchDisplay.from_search(ensemble)
    assert list(drawn.params) == list(grid.cv_results_["params"])
    unfitted = EnsembleClassifier(search)
    with pytest.raises(NotFittedError, match="EnsembleClassifier has no cv_results_"):
        best_params(unfitted, 1)


def test_searches_that_are_not_fitted():
    """A search that is not fitted, and what is no search, is refused."""
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]})
    for function in (lambda s: best_params(s, 1), results_frame):
        with pytest.raises(NotFittedError, match=r"GridSearchCV has no cv_results_"):
            function(search)
        with pytest.raises(NotFittedError, match=r"LogisticRegression has no cv_res"):
            function(LogisticRegression())


@pytest.mark.parametrize("n", [0, -1, 1.5, "all"])
def test_numbers_of_settings(grid, n):
    """The number of settings is an int of at least 1."""
    with pytest.raises(ValueError, match="n must be an int of at least 1"):
        best_params(grid, n)


def test_the_refitted_metric_decides():
    """Of several scores, the one that the search refits by ranks the settings."""
    for refit in ("first", "second"):
        search = GridSearchCV(
            LogisticRegression(), {"C": STRENGTHS}, scoring=score_twice, refit=refit
        ).fit(X, y)
        assert best_params(search, 1) == [search.best_params_]
        other = {"first": "second", "second": "first"}[refit]
        assert best_params(search, 1, metric=other) != [search.best_params_]


def test_several_metrics_without_a_favourite():
    """Where none of several scores is refitted by, one must be named."""
    search = GridSearchCV(
        LogisticRegression(), {"C": STRENGTHS}, scoring=score_twice, refit=False
    ).fit(X, y)
    with pytest.raises(ValueError, match=r"one of \['first', 'second'\].*Got None"):
        best_params(search, 1)
    assert len(best_params(search, 1, metric="first")) == 1
    with pytest.raises(ValueError, match="Got 'third'"):
        best_params(search, 1, metric="third")


def test_bayesian_search():
    """BayesSearchCV's settings are plain dicts, its own best first."""
    search = build_search().fit(X, y)
    params = best_params(search, 2)
    assert type(params[0]) is dict
    assert params[0] == dict(search.best_params_)


@pytest.fixture(scope="module")
def halving():
    """Six depths, of which three and then two get more of the trees' rows."""
    return HalvingGridSearchCV(
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [1, 2, 3], "min_samples_leaf": [1, 5]},
        resource="max_leaf_nodes",
        min_resources=2,
        max_resources=8,
        factor=2,
        cv=3,
        random_state=0,
    ).fit(X, y)


def test_halving_search(halving):
    """What reached the last iteration comes first, and nothing comes twice."""
    params = best_params(halving, 99)
    assert params[0] == halving.best_params_
    resources = [p["max_leaf_nodes"] for p in params]
    assert resources == sorted(resources, reverse=True)
    assert resources.count(8) == halving.n_candidates_[-1]
    plain = [(p["max_depth"], p["min_samples_leaf"]) for p in params]
    assert len(plain) == len(set(plain)) == 6


def test_networks_take_the_settings():
    """The best settings of networks fit into the estimator they come from."""
    network = KerasClassifier(epochs=3, random_state=0)
    space = {"hidden_layer_sizes": [(4,), (8, 4)], "learning_rate": [1e-5, 0.05]}
    search = GridSearchCV(network, space, cv=2).fit(X, y)
    (best,) = best_params(search, 1)
    assert best["learning_rate"] == 0.05
    assert network.set_params(**best).fit(X, y).score(X, y) > 0.5


def test_frame_columns(grid):
    """A row for each setting: rank, parameters, scores and times, the best first."""
    frame = results_frame(grid)
    assert list(frame) == [
        "rank", "C", "mean_score", "std_score", "fit_time", "score_time",
    ]  # fmt: skip
    assert frame["rank"].is_monotonic_increasing
    assert frame["mean_score"].is_monotonic_decreasing
    assert frame["C"].iloc[0] == grid.best_params_["C"]
    assert frame.index.name == "candidate"
    for row, strength in frame["C"].items():
        assert grid.cv_results_["params"][row]["C"] == strength


def test_frame_agrees_with_the_search(grid):
    """Ranks, scores and times are those of `cv_results_`."""
    frame = results_frame(grid).sort_index()
    np.testing.assert_array_equal(frame["rank"], grid.cv_results_["rank_test_score"])
    for column, key in [
        ("mean_score", "mean_test_score"),
        ("std_score", "std_test_score"),
        ("fit_time", "mean_fit_time"),
        ("score_time", "mean_score_time"),
    ]:
        np.testing.assert_array_equal(frame[column], grid.cv_results_[key])


def test_frame_with_folds_and_training_scores():
    """Fold scores come when asked for, training scores when the search has them."""
    search = GridSearchCV(
        LogisticRegression(), {"C": [1.0]}, cv=2, return_train_score=True
    ).fit(X, y)
    plain = results_frame(search)
    assert {"mean_train_score", "std_train_score"} <= set(plain)
    assert not any(name.startswith("split") for name in plain)
    folds = results_frame(search, splits=True)
    assert {
        "split0_score", "split1_score", "split0_train_score", "split1_train_score",
    } <= set(folds)  # fmt: skip
    mean = folds[["split0_score", "split1_score"]].mean(axis=1)
    np.testing.assert_allclose(folds["mean_score"], mean)


def test_frame_of_several_metrics():
    """Each score has its columns, and the order is that of one of them."""
    search = GridSearchCV(
        LogisticRegression(), {"C": STRENGTHS}, scoring=score_twice, refit="first"
    ).fit(X, y)
    frame = results_frame(search)
    assert {"mean_first", "std_first", "mean_second", "std_second"} <= set(frame)
    assert frame["mean_first"].is_monotonic_decreasing
    assert results_frame(search, metric="second")["mean_first"].is_monotonic_increasing


def test_frame_of_failures():
    """Settings that failed come last, and have no rank."""
    frame = results_frame(search_failures())
    failed = frame["mean_score"].isna()
    assert failed.sum() > 1
    assert frame["rank"].isna().tolist() == failed.tolist()
    assert failed.is_monotonic_increasing


def test_frame_of_several_grids():
    """A parameter that a setting lacks is missing there; tuples stay tuples."""
    pipeline = make_pipeline(MinMaxScaler(), LogisticRegression())
    grids = [
        {"minmaxscaler__feature_range": [(0, 1), (-1, 1)]},
        {"logisticregression__C": [0.1]},
    ]
    frame = results_frame(GridSearchCV(pipeline, grids, cv=3).fit(X, y)).sort_index()
    assert frame["minmaxscaler__feature_range"].iloc[0] == (0, 1)
    assert frame["logisticregression__C"].isna().tolist() == [True, True, False]


def test_frame_of_halving(halving):
    """A halving search's rows have their iteration, the last one first."""
    frame = results_frame(halving)
    assert frame["iter"].is_monotonic_decreasing
    assert {"n_resources", "max_leaf_nodes"} <= set(frame)
    assert frame.index[0] == halving.best_index_
    assert frame["rank"].is_monotonic_increasing


def test_frame_of_random_search():
    """Equal scores share a rank, as in scikit-learn."""
    search = RandomizedSearchCV(
        LogisticRegression(), {"tol": [1e-3, 1e-4, 1e-5]}, n_iter=3, random_state=0
    ).fit(X, y)
    assert results_frame(search)["rank"].tolist() == [1, 1, 1]


def test_frame_without_pandas(grid, monkeypatch):
    """Without pandas the error says how to get it."""

    def fail(name):
        raise ImportError(name)

    monkeypatch.setattr(optional.importlib, "import_module", fail)
    with pytest.raises(ImportError, match="results_frame needs pandas: pip install pa"):
        results_frame(grid)


def test_frame_is_a_copy():
    """Writing into the table leaves the search as it was."""
    with expect_failures():
        search = GridSearchCV(
            Fragile(), {"C": [1.0, 0.1]}, cv=3, error_score=np.nan
        ).fit(X, y)
    before = search.cv_results_["mean_test_score"].copy()
    frame = results_frame(search)
    assert isinstance(frame, pd.DataFrame)
    frame["mean_score"] = 0.0
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], before)
