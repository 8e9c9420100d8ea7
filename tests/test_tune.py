"""The one-liner: data in, a fitted search out."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    RandomizedSearchCV,
    TimeSeriesSplit,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import (
    BayesSearchCV,
    EnsembleClassifier,
    EnsembleRegressor,
    HyperbandSearchCV,
    KerasClassifier,
    KerasRegressor,
    fused,
    tune,
)
from skkeras_tune.tuning.assembly import resolve_estimator
from skkeras_tune.tuning.folds import Folds
from skkeras_tune.tuning.last_fit import LastFit
from skkeras_tune.tuning.searches import resolve_space
from skkeras_tune.tuning.target import read_target

pandas = pytest.importorskip("pandas")

#: A space whose networks are small and quick, under the plain names.
SPACE = {"epochs": [15], "units": [8], "learning_rate": [1e-2, 3e-2]}
QUICK = {"space": SPACE, "search": "grid", "cv": 2, "random_state": 0}


@pytest.fixture(scope="module")
def flowers():
    """Return iris as a table with a category, and names for labels."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    X = X.iloc[:, :2].assign(origin=np.where(np.arange(len(X)) % 2, "a", "b"))
    return X, y.map({0: "setosa", 1: "versicolor", 2: "virginica"})


@pytest.fixture(scope="module")
def search(flowers):
    """Return a search that tune has fitted."""
    return tune(*flowers, **QUICK)


def test_it_returns_a_fitted_search(search, flowers):
    """The result has all that a search of scikit-learn has."""
    X, y = flowers
    assert isinstance(search, GridSearchCV)
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]
    assert len(search.cv_results_["params"]) == 2
    assert search.score(X, y) > 0.6
    assert search.predict_proba(X).shape == (150, 3)
    assert set(search.predict(X)) <= set(search.classes_) == set(y)
    assert list(search.feature_names_in_) == list(X)
    assert search.n_features_in_ == 3
    assert search.refit_time_ > 0


def test_the_result_pickles(search, flowers):
    """A saved search predicts as before."""
    loaded = pickle.loads(pickle.dumps(search))
    assert (loaded.predict(flowers[0]) == search.predict(flowers[0])).all()


def test_columns_are_reported(search):
    """The report says what each column was taken for."""
    assert search.column_report_["kind"].to_list() == ["number"] * 2 + [
        "few categories"
    ]


def test_columns_are_the_same_in_all_folds():
    """All rows decide what a column is, since those of a fold may say otherwise."""
    generator = np.random.default_rng(0)
    shops = generator.permutation(np.arange(400) % 200)
    sales = generator.normal(size=200)[shops] + generator.normal(size=400) / 5
    X = pandas.DataFrame({"shop": [f"s{i}" for i in shops], "z": generator.random(400)})
    options = {"space": {"units": [8]}, "search": "grid", "n_members": 1, "cv": 5}
    found = tune(X, sales > 0, random_state=0, **options)
    said = tune(X.astype({"shop": "category"}), sales > 0, random_state=0, **options)
    assert found.best_score_ == said.best_score_ > 0.7


def test_the_winner_is_trained_on_all_rows(search):
    """The last fit trains again on all rows, unless told otherwise."""
    assert search.best_estimator_["network"].refit_history_["loss"]


@pytest.mark.parametrize("kind", ["bayes", "random"])
def test_same_seed_same_search(kind, flowers):
    """Candidates and scores follow from the seed."""
    found = [
        tune(
            *flowers,
            space={"epochs": [5], "units": [8], "learning_rate": _rates(kind)},
            search=kind,
            n_iter=3,
            cv=2,
            random_state=1,
        )
        for _ in range(2)
    ]
    first, second = (search.cv_results_ for search in found)
    assert first["params"] == second["params"]
    np.testing.assert_allclose(first["mean_test_score"], second["mean_test_score"])


def _rates(kind):
    return (1e-3, 1e-2, "log-uniform") if kind == "bayes" else loguniform(1e-3, 1e-2)


def test_bayes_evaluates_eight_at_a_time(flowers):
    """A batch is large enough for fusing to pay."""
    space = {"epochs": [3], "units": [8], "learning_rate": (1e-3, 1e-2)}
    found = tune(*flowers, space=space, n_iter=9, cv=2, random_state=0)
    assert isinstance(found, BayesSearchCV)
    assert found.n_points == 8
    assert len(found.cv_results_["params"]) == 9


@pytest.mark.parametrize("kind", ["array", "list", "sparse"])
def test_numbers_predict_in_their_own_units(kind):
    """A target of any size is learnt, from rows of any kind, with missing values."""
    X, y = load_diabetes(return_X_y=True)
    y = 1e6 + 1e3 * y
    if kind == "array":
        X[::7, 0] = np.nan
    X = {"array": X, "list": X.tolist(), "sparse": csr_array(X)}[kind]
    found = tune(X, y, **QUICK)
    assert found.best_score_ > 0.1
    assert np.abs(found.predict(X).mean() - y.mean()) < 3e4
    assert not hasattr(found, "column_report_")


def test_several_numbers_and_several_labels(iris):
    """Columns of numbers are predicted together, and labels may stand together."""
    X, y = iris
    numbers = tune(X[:, :2], X[:, 2:] * 1e3, **QUICK)
    assert numbers.predict(X[:, :2]).shape == (150, 2)
    assert numbers.best_score_ > 0.1
    labels = tune(X, np.eye(3, dtype=int)[y], **QUICK)
    assert labels.predict(X).shape == (150, 3)


def test_categories_are_classified(flowers):
    """Categories are labels, though they are many numbers, and predicted as these."""
    X = flowers[0]
    y = pandas.Series(np.arange(len(X)) // 6 * 10.0, dtype="category")
    found = tune(X, y, **{**QUICK, "n_members": 1})
    assert found.classes_.tolist() == list(y.cat.categories)
    assert found.score(X, y) > 0.1


def test_an_ensemble_of_the_search(flowers):
    """An ensemble's predictions were recorded while the search ran."""
    X, y = flowers
    ensemble = tune(X, y, ensemble=2, **QUICK)
    assert isinstance(ensemble, EnsembleClassifier)
    assert len(ensemble.names_) == 2
    assert ensemble.recorded_
    assert len(ensemble.search_.cv_results_["params"]) == 2
    assert ensemble.search_.column_report_.shape[0] == 3
    assert ensemble.score(X, y) > 0.6


def test_members_are_trained_on_all_rows(flowers):
    """The last fits train again on all rows, and the winner is one of the members."""
    ensemble = tune(*flowers, ensemble=2, **QUICK)
    for member in ensemble.estimators_:
        assert member["network"].refit_history_["loss"]
    assert ensemble.search_.best_estimator_["network"].refit_history_["loss"]
    ensemble = tune(*flowers, ensemble=2, refit_full=False, **QUICK)
    assert not hasattr(ensemble.estimators_[0]["network"], "refit_history_")


def test_members_of_an_ensemble_have_seeds_of_their_own(flowers):
    """Members do not all hold out the same rows, and the best keeps the call's seed."""
    ensemble = tune(*flowers, ensemble=2, **QUICK)
    final = ensemble.final_params
    seeds = [params.get("network__random_state", 0) for params in final]
    assert seeds[0] == 0 != seeds[1]
    for name, member in ensemble.named_estimators_.items():
        place = ensemble.names_.index(name)
        assert member["network"].random_state == seeds[place]
    assert tune(*flowers, ensemble=2, **QUICK).final_params == final


@pytest.mark.parametrize(("ensemble", "n_networks"), [(None, 4), (2, 2)])
def test_the_last_fit_of_few_rows_averages_networks(ensemble, n_networks, flowers):
    """Of few rows the last fit trains several networks, unless told otherwise."""
    options = {**QUICK, "ensemble": ensemble}
    assert count_members(tune(*flowers, **options)) == {n_networks}
    assert count_members(tune(*flowers, n_members=3, **options)) == {3}
    assert count_members(tune(*flowers, n_members=1, **options)) == {1}


def test_the_number_of_networks_may_be_searched(flowers):
    """A number of networks that is part of the settings stays."""
    options = {**QUICK, "space": {**SPACE, "n_members": [1]}}
    assert count_members(tune(*flowers, **options)) == {1}


def test_an_estimator_of_the_users_keeps_its_networks(iris):
    """The user's own estimator has the number and the seed that it came with."""
    options = {**QUICK, "estimator": KerasClassifier(random_state=7), "ensemble": 2}
    ensemble = tune(*iris, **options)
    for network in ensemble.estimators_:
        assert (network.n_members, network.random_state) == (1, 7)


def count_members(found):
    """Return the numbers of networks in what `tune` gave."""
    models = getattr(found, "estimators_", None) or [found.best_estimator_]
    return {len(model["network"].members_) for model in models}


def test_an_ensemble_of_numbers(diabetes):
    """Numbers go to an ensemble of regressors."""
    ensemble = tune(*diabetes, ensemble=2, **QUICK)
    assert isinstance(ensemble, EnsembleRegressor)
    assert ensemble.search_.best_estimator_.predict(diabetes[0]).shape == (442,)


def test_an_estimator_of_the_users(iris):
    """A pipeline of the user's is searched by its own names, and left as it was."""
    pipeline = make_pipeline(StandardScaler(), KerasClassifier(epochs=3, units=4))
    found = tune(
        *iris,
        estimator=pipeline,
        space={"kerasclassifier__learning_rate": [1e-2, 3e-2]},
        search="grid",
        cv=2,
    )
    assert isinstance(found.best_estimator_, Pipeline)
    assert pipeline[-1].refit_full is False
    assert not hasattr(pipeline[0], "mean_")


def test_a_named_space_finds_the_network(iris):
    """A named space goes to the network, wherever it stands."""
    for estimator in (
        KerasClassifier(epochs=1),
        make_pipeline(StandardScaler(), KerasClassifier(epochs=1)),
    ):
        found = tune(
            *iris, estimator=estimator, space="small", search="random", n_iter=1, cv=2
        )
        assert any(name.endswith("dropout") for name in found.best_params_)


def test_any_estimator_with_a_space(iris):
    """Estimators without a network are searched too."""
    found = tune(
        *iris, estimator=LogisticRegression(), space={"C": [0.1, 1]}, search="grid"
    )
    assert found.best_score_ > 0.9


def test_a_search_of_the_users(iris):
    """What a search has is kept, and what it lacks filled in."""
    mine = RandomizedSearchCV(
        KerasClassifier(epochs=2, units=4),
        {"learning_rate": [1e-2, 3e-2]},
        n_iter=2,
        cv=3,
    )
    found = tune(*iris, search=mine)
    assert isinstance(found, RandomizedSearchCV)
    assert (found.cv, found.n_iter) == (3, 2)
    assert not hasattr(mine, "cv_results_")


def test_a_search_without_an_estimator(iris):
    """The estimator, the space and the folds come from tune."""
    mine = GridSearchCV(None, None)
    found = tune(*iris, search=mine, space=SPACE, cv=2, scoring="neg_log_loss")
    assert len(found.cv_results_["params"]) == 2
    assert found.scoring == "neg_log_loss"
    assert found.best_score_ < 0


def test_executions_are_averaged(iris):
    """Each repetition of the folds has its columns, and all are averaged."""
    found = tune(
        *iris,
        executions_per_trial=2,
        **{**QUICK, "space": {"epochs": [5], "units": [8]}},
    )
    scores = [found.cv_results_[f"split{i}_test_score"][0] for i in range(4)]
    assert found.cv_results_["mean_test_score"][0] == pytest.approx(np.mean(scores))
    assert "split4_test_score" not in found.cv_results_


@pytest.mark.parametrize(("cv", "n_groups"), [(LeaveOneGroupOut(), 2), (2, 3)])
def test_a_fold_of_one_group_trains_without_stopping(cv, n_groups, cancer):
    """Where a fold has no group to hold out, networks train for a set time."""
    X, y = cancer
    groups = np.arange(len(y)) % n_groups
    search = tune(X, y, groups=groups, cv=cv, space={"units": [4]}, search="grid")
    network = search.best_estimator_.steps[-1][1]
    assert network.early_stopping is False
    assert "val_loss" not in network.history_


def test_many_classes_of_few_rows_train_without_stopping():
    """A tenth of a fold's rows may be fewer than there are classes."""
    y = np.arange(2000) % 250
    target = read_target(y.astype(str))
    folds = Folds(5, classifies=True, random_state=0)
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    model, _ = resolve_estimator(None, X, target, folds, random_state=0, memory=None)
    assert model[-1].early_stopping is False


def test_folds_of_several_groups_stop(cancer):
    """Where each fold has groups to hold out, networks stop early."""
    X, y = cancer
    groups = np.arange(len(y)) % 3
    cv = LeaveOneGroupOut()
    search = tune(X, y, groups=groups, cv=cv, space={"units": [4]}, search="grid")
    assert "val_loss" in search.best_estimator_.steps[-1][1].history_


@pytest.mark.parametrize("search", ["bayes", "random"])
def test_a_range_is_one_for_every_search(search, iris):
    """Two numbers in a tuple are bounds, whichever search draws between them."""
    space = {"units": (4, 9), "learning_rate": (1e-3, 1e-2, "log-uniform")}
    found = tune(*iris, space=space, search=search, n_iter=5, cv=2, random_state=0)
    units = [each["network__units"] for each in found.cv_results_["params"]]
    assert all(4 <= each <= 9 for each in units)
    assert set(units) - {4, 9}


def test_a_grid_has_no_ranges(iris):
    """A range in a grid is refused by name."""
    with pytest.raises(ValueError, match=r"'units' in the space is the range \(4, 9\)"):
        tune(*iris, space={"units": (4, 9)}, search="grid")


def test_splitters_and_groups(iris):
    """Time series are split in their order, and groups stay together."""
    X, y = iris
    order = np.random.default_rng(0).permutation(len(y))
    options = {**QUICK, "space": {"epochs": [5], "units": [8]}}
    found = tune(X[order], y[order], **{**options, "cv": TimeSeriesSplit(3)})
    assert found.n_splits_ == 3
    groups = np.arange(len(y)) % 10
    found = tune(X, y, groups=groups, **options)
    for train, test in found.cv.split(X, y, groups):
        assert not set(groups[train]) & set(groups[test])


@pytest.mark.parametrize("cv", [2, GroupKFold(2)])
@pytest.mark.parametrize("kind", ["grid", "random", "bayes", "hyperband", "ensemble"])
def test_groups_do_without_routing_and_with_it(cv, kind, iris):
    """The folds and the networks that tune builds ask for the groups."""
    search = {
        "hyperband": HyperbandSearchCV(None, None, max_epochs=3, random_state=0),
        "ensemble": "grid",
    }.get(kind, kind)
    found = []
    for enabled in (False, True):
        with config_context(enable_metadata_routing=enabled):
            model = tune(
                *iris,
                groups=np.arange(150) % 15,
                cv=cv,
                search=search,
                space={"units": [4, 5, 6, 7, 8]},
                n_iter=1,
                ensemble=2 if kind == "ensemble" else None,
                random_state=0,
            )
        found.append(model)
    searches = [getattr(model, "search_", model) for model in found]
    assert searches[0].best_score_ == searches[1].best_score_
    # The last fit has held out whole groups, too.
    np.testing.assert_allclose(
        *(model.predict_proba(iris[0]) for model in found), atol=1e-5
    )


def test_estimators_of_the_users_keep_their_requests(iris):
    """With routing the winner has the groups if it asked for them, as in its folds."""
    X, y = iris
    groups = np.arange(150) % 15
    with config_context(enable_metadata_routing=True):
        network = KerasClassifier(units=4, epochs=30, patience=2, random_state=0)
        options = {"space": {"units": [4]}, "search": "grid", "cv": 2, "groups": groups}
        options["refit_full"] = False
        with pytest.raises(UnsetMetadataPassedError, match="not explicitly set"):
            tune(X, y, estimator=network, **options)
        for asks in (True, False):
            network.set_fit_request(groups=asks)
            found = tune(X, y, estimator=network, **options)
            given = {"groups": groups} if asks else {}
            alone = clone(network).fit(X, y, **given)
            np.testing.assert_allclose(
                found.predict_proba(X), alone.predict_proba(X), atol=1e-5
            )


def test_within_fused_it_joins(iris):
    """A context that is there already trains the networks."""
    with fused() as fusion:
        tune(*iris, **QUICK)
    assert fusion.report().n_fused == 4


def test_memory_trains_nothing_twice(iris, tmp_path):
    """The same call gives the same search, and trains nothing."""
    first = tune(*iris, memory=tmp_path, **QUICK)
    with fused() as fusion:
        second = tune(*iris, memory=tmp_path, **QUICK)
    assert fusion.report().n_fused == 0
    assert first.best_score_ == second.best_score_


def test_scores_of_ones_own(iris):
    """The scoring decides what is best."""
    found = tune(*iris, scoring="neg_log_loss", **QUICK)
    assert found.best_score_ == found.cv_results_["mean_test_score"].max() < 0


def test_several_scores_cannot_decide(iris):
    """A callable that returns several scores is refused as soon as that is known."""
    with pytest.raises(ValueError, match="must return one number"):
        tune(*iris, scoring=lambda model, X, y: {"a": 1.0, "b": 2.0}, **QUICK)


@pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@pytest.mark.parametrize("kind", ["grid", "random", "bayes", "hyperband", "own"])
def test_candidates_that_cannot_be_scored_have_no_winner(kind, iris):
    """A scorer that always fails leaves nothing to choose by, whatever searches."""
    space = {"units": [4, 5, 6, 7, 8]}
    estimator = KerasClassifier(epochs=1) if kind in ("hyperband", "own") else None
    search = {
        "hyperband": HyperbandSearchCV(estimator, space, max_epochs=3),
        "own": GridSearchCV(estimator, space),
    }.get(kind, kind)
    options = {"space": {**space, "epochs": [1]}, "cv": 2, "random_state": 0}
    with pytest.raises(ValueError, match=r"every candidate's score is NaN.*f1_score"):
        tune(*iris, search=search, scoring=f1_score, n_iter=2, **options)


@pytest.mark.parametrize("options", [{}, {"ensemble": 2}, {"scoring": "r2"}])
def test_folds_of_one_row_have_no_r_squared(options, diabetes):
    """The default score is refused before training, as one that is named."""
    X, y = (rows[:20] for rows in diabetes)
    with fused() as fusion, pytest.raises(ValueError, match="hoose other folds"):
        tune(X, y, **{**QUICK, "cv": LeaveOneOut(), **options})
    assert fusion.report().n_fused == 0


def test_random_states_of_every_kind(iris):
    """None and generators work, and global state stays."""
    options = {**QUICK, "space": {"epochs": [5], "units": [8]}}
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for random_state in (None, np.random.RandomState(0)):
        tune(*iris, **{**options, "random_state": random_state})
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_few_rows_do_without_early_stopping():
    """A table too small to hold rows out is learnt, without a warning."""
    X = np.arange(24.0).reshape(12, 2)
    y = np.arange(12) % 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tune(X, y, **QUICK)
    assert not found.best_estimator_["network"].early_stopping


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:time_budget=8 seconds were too short")  # when busy
@pytest.mark.parametrize("kind", ["bayes", "random", "grid", "ensemble"])
def test_a_budget_ends_the_search(kind):
    """A call with a budget tries fewer candidates, and gives a model all the same."""
    X, y = load_diabetes(return_X_y=True)
    options = {"ensemble": 8} if kind == "ensemble" else {"search": kind}
    found = tune(X, y, space="large", n_iter=10_000, time_budget=8, **options)
    search = found.search_ if kind == "ensemble" else found
    assert len(search.cv_results_["params"]) < 10_000
    assert np.isfinite(found.predict(X)).all()


@pytest.mark.parametrize("ensemble", [None, 2])
def test_a_last_fit_that_is_cut_is_said(flowers, ensemble, monkeypatch):
    """A model that had no time to learn is not given without a word."""
    for_ever = {"network__epochs": 10**7, "network__early_stopping": False}
    monkeypatch.setattr(LastFit, "list_params", lambda self, *_: for_ever)
    options = {**QUICK, "space": {"units": [4, 8]}, "time_budget": 8}
    with pytest.warns(UserWarning, match=r"time_budget=8 seconds.* for the last fit"):
        found = tune(*flowers, ensemble=ensemble, **options)
    assert len(found.predict(flowers[0])) == 150


@pytest.mark.parametrize("ensemble", [None, 4])
def test_a_short_budget_gives_a_model(flowers, ensemble):
    """A budget too short for one candidate is said, and gives a model."""
    with pytest.warns(UserWarning, match=r"time_budget=0.1 seconds were too short"):
        found = tune(
            *flowers,
            space={"units": [4, 8], "learning_rate": [1e-3, 1e-2]},
            time_budget=0.1,
            ensemble=ensemble,
            random_state=0,
        )
    assert len(found.predict(flowers[0])) == 150


def test_spaces_bound_the_candidates(flowers):
    """Of spaces that hold fewer than n_iter candidates, all are tried, in silence."""
    spaces = [{**SPACE, "units": [4]}, {"epochs": [3], "units": [8]}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tune(*flowers, **{**QUICK, "space": spaces, "search": "random"})
    assert len(found.cv_results_["params"]) == 3


def test_hyperband(flowers):
    """Hyperband takes the estimator and the space of tune."""
    found = tune(*flowers, space="small", search="hyperband", cv=2, random_state=0)
    assert found.score(*flowers) > 0.6
    assert "bracket" in found.cv_results_


@pytest.mark.parametrize(
    ("option", "match"),
    [
        ({"space": {}}, "The 'space' parameter of tune must be"),
        ({"space": []}, "The 'space' parameter of tune must be"),
        ({"space": [{}]}, "The 'space' parameter of tune must be"),
        ({"space": "medium"}, "The 'space' parameter of tune must be"),
        ({"search": "sobol"}, "The 'search' parameter of tune must be"),
        ({"search": GridSearchCV}, "The 'search' parameter of tune must be an inst"),
        ({"n_iter": 0}, "The 'n_iter' parameter of tune must be"),
        ({"cv": 1}, "The 'cv' parameter of tune must be"),
        ({"cv": TimeSeriesSplit}, "The 'cv' parameter of tune must be an instance"),
        ({"cv": [(np.arange(50), np.arange(50, 150))]}, "All training rows of fold 0"),
        ({"scoring": "f1"}, "Got 'f1' instead: Target is multiclass"),
        ({"groups": np.full(150, np.nan)}, "groups has 150 missing values"),
        ({"time_budget": 0}, "The 'time_budget' parameter of tune must be"),
        (
            {"time_budget": 5, "search": "hyperband"},
            "must be None with HyperbandSearchCV, which cannot try fewer",
        ),
        ({"executions_per_trial": 0}, "The 'executions_per_trial' parameter of tune"),
        ({"ensemble": 0}, "The 'ensemble' parameter of tune must be"),
        ({"task": "ranking"}, "The 'task' parameter of tune must be"),
        ({"scoring": {"a": "accuracy"}}, "The 'scoring' parameter of tune must be"),
        ({"estimator": 3}, "The 'estimator' parameter of tune must be"),
        ({"memory": "folder"}, "The 'memory' parameter of tune needs an int"),
        ({"memory": 3}, "The 'memory' parameter of tune must be"),
        (
            {"memory": __file__, "random_state": 0},
            "The 'memory' parameter of tune must be a folder that can be written",
        ),
        ({"estimator": LogisticRegression()}, "Got none in LogisticRegression"),
        (
            {"estimator": KerasClassifier(lambda: None)},
            "Got a model of its own in KerasClassifier",
        ),
    ],
)
def test_parameters_are_checked(iris, option, match):
    """A parameter out of range is named before anything is trained."""
    with pytest.raises((TypeError, ValueError), match=match):
        tune(*iris, **option)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.zeros((150, 2, 2)), "X must have two axes"),
        (np.full((150, 1), "a"), "X must hold numbers"),
        (np.full((150, 1), "a", object), "X must hold numbers"),
        (np.full((150, 2), np.inf), "X has infinite values"),
        (np.full((150, 2), 1.7e308), "or larger ones than 1e[+]300"),
        (np.ma.masked_less(np.eye(150), 1), "of which 22350 values are masked"),
        (np.zeros((150, 2)), "all are constant"),
        (np.full((150, 2), np.nan), "all are constant"),
        (np.zeros((150, 0)), "nothing to learn"),
        (csr_array((150, 0)), "nothing to learn"),
        (csr_array((150, 2)), "all are constant"),
        (csr_array(np.full((150, 2), np.nan)), "X is sparse and has missing or inf"),
        (None, r"or a sparse matrix. Got NoneType instead\.$"),
        ({"a": [1, 2]}, r"or a sparse matrix. Got dict instead\.$"),
        (np.eye(10), "inconsistent numbers of samples"),
        (pandas.DataFrame({"a": [1] * 150}), "X has no column that a network"),
        (pandas.DataFrame({"a": [[1]] * 150}), "holds objects of type list"),
    ],
)
def test_rows_are_checked(iris, X, match):
    """Rows that cannot be learnt from are refused."""
    with pytest.raises((TypeError, ValueError), match=match):
        tune(X, iris[1], **QUICK)


def test_targets_are_checked(iris):
    """Missing and constant targets are refused, in the user's words."""
    X = iris[0]
    with pytest.raises(ValueError, match="y has 1 missing value"):
        tune(X, np.where(np.arange(150) == 3, np.nan, X[:, 0]))
    with pytest.raises(ValueError, match="y holds the same value"):
        tune(X, np.ones(150))
    with pytest.raises(TypeError, match="y is None"):
        tune(X, None)


class Lazy:
    """Stands for a data frame of another library, whose rows are not there yet."""

    columns = dtypes = iloc = ("a",)

    def compute(self):
        return None


class Polars:
    """Stands for a data frame of another library."""

    columns = ("a",)

    def to_pandas(self):
        return None


@pytest.mark.parametrize(("X", "way"), [(Polars(), "to_pandas"), (Lazy(), "compute")])
def test_frames_of_other_libraries_are_refused(X, way, iris):
    """The error says how to turn it into one of pandas."""
    with pytest.raises(TypeError, match=rf"{type(X).__name__} instead: pass X.{way}\("):
        tune(X, iris[1])


@pytest.mark.parametrize("y", [None, np.arange(30), np.array([0.0, 1.0])])
def test_a_named_space_smooths_what_is_classified(y):
    """What was taken for labels is smoothed, even where its values look otherwise."""
    space = resolve_space("default", "random", np.zeros((30, 2)), y, "net__", str)
    assert ("net__loss__label_smoothing" in space) is (y is not None)


def test_an_estimators_kind_decides_what_y_is(iris):
    """A regressor of the user's takes whole numbers for numbers."""
    found = tune(
        iris[0],
        iris[1],
        estimator=KerasRegressor(epochs=2, units=4),
        space={"learning_rate": [1e-2]},
        search="grid",
        cv=2,
    )
    assert found.predict(iris[0]).dtype.kind == "f"
