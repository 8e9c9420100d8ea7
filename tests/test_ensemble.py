"""Ensembles of lists and of searches: classifiers and regressors as users see them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_linnerud
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

from skkeras_tune import (
    BayesSearchCV,
    EnsembleClassifier,
    EnsembleRegressor,
    KerasClassifier,
    KerasRegressor,
    best_params,
    optional,
)
from tests.searches import QUICK, Fragile, expect_failures

WEIGHTINGS = ["greedy", "nelder-mead", "mean"]
FOREST = {"n_estimators": 20, "random_state": 0}
NETWORK = {"units": 16, "epochs": 15, "learning_rate": 0.01, "random_state": 0}


def load(task):
    """Return real data for a task."""
    if task in ("regression", "outputs"):
        loader = load_diabetes if task == "regression" else load_linnerud
        X, y = loader(return_X_y=True)
        return X, (y - y.mean(axis=0)) / y.std(axis=0)
    if task == "binary":
        X, y = load_breast_cancer(return_X_y=True)
        return X, np.array(["malignant", "benign"])[y]
    X, y = load_iris(return_X_y=True)
    if task == "multilabel":
        y = np.column_stack([y == 0, y == 1, X[:, 0] > 5.8]).astype(int)
    return X, y


TASKS = ["binary", "multiclass", "multilabel", "regression", "outputs"]


def list_members(task):
    """Return members of three kinds for a task: a network, a forest and another."""
    if task in ("regression", "outputs"):
        return [
            ("network", make_pipeline(StandardScaler(), KerasRegressor(**NETWORK))),
            ("forest", RandomForestRegressor(**FOREST)),
            ("line", LinearRegression()),
        ]
    other = KNeighborsClassifier() if task == "multilabel" else GaussianNB()
    return [
        ("network", make_pipeline(StandardScaler(), KerasClassifier(**NETWORK))),
        ("forest", RandomForestClassifier(**FOREST)),
        ("other", other),
    ]


def build(task, members, **options):
    """Return an ensemble for a task."""
    is_number = task in ("regression", "outputs")
    kind = EnsembleRegressor if is_number else EnsembleClassifier
    return kind(members, **{"cv": 3, "random_state": 0, **options})


@pytest.fixture(scope="module", params=TASKS)
def fitted(request):
    """Members of three kinds, weighted in three ways, for each task."""
    task = request.param
    X, y = load(task)
    members = list_members(task)
    return task, {w: build(task, members, weighting=w).fit(X, y) for w in WEIGHTINGS}


def test_weights_are_shares(fitted):
    """Weights are not negative and sum to one; those of the mean are equal."""
    for ensemble in fitted[1].values():
        assert (ensemble.weights_ >= 0).all()
        assert ensemble.weights_.sum() == pytest.approx(1, abs=1e-12)
    assert set(fitted[1]["mean"].weights_) == {1 / 3}


def test_no_member_is_better_out_of_fold(fitted):
    """By the loss that chose the weights, no member and not the mean is better."""
    for weighting in ("greedy", "nelder-mead"):
        loss = fitted[1][weighting].report().iloc[:, 1]
        assert loss["weighted"] <= loss.drop("weighted").min() + 1e-9


def test_report_shows_all_on_the_same_rows(fitted):
    """Each member, the mean and the weighted average have a row."""
    task, ensembles = fitted
    for ensemble in ensembles.values():
        report = ensemble.report()
        assert report.index.tolist() == [*ensemble.names_, "mean", "weighted"]
        np.testing.assert_array_equal(report["weight"].iloc[:3], ensemble.weights_)
        assert report["weight"].iloc[3:].isna().all()
        is_number = task in ("regression", "outputs")
        scores = ["squared_error", "r2"] if is_number else ["log_loss", "accuracy"]
        assert list(report) == ["weight", *scores]
        assert report[scores].notna().all(axis=None)
    means = [e.report().loc["mean"].iloc[1:] for e in ensembles.values()]
    np.testing.assert_allclose(means[0], means[1], rtol=1e-4)


def test_predictions_are_the_weighted_average(fitted):
    """The ensemble predicts the average of its members, fitted on all rows."""
    task, ensembles = fitted
    X, y = load(task)
    for ensemble in ensembles.values():
        weights = ensemble.weights_[ensemble.weights_ > 0]
        assert len(weights) == len(ensemble.estimators_)
        prediction = ensemble.predict(X)
        assert prediction.shape == y.shape
        if task in ("regression", "outputs"):
            each = [m.predict(X) for m in ensemble.estimators_]
            expected = np.tensordot(weights, np.array(each), 1)
            np.testing.assert_allclose(prediction, expected, atol=1e-6)
        elif task != "multilabel":
            each = [m.predict_proba(X) for m in ensemble.estimators_]
            expected = np.tensordot(weights, np.array(each), 1)
            np.testing.assert_allclose(ensemble.predict_proba(X), expected, atol=1e-6)
            labels = ensemble.classes_[expected.argmax(axis=1)]
            np.testing.assert_array_equal(prediction, labels)
        else:
            chances = ensemble.predict_proba(X)
            np.testing.assert_array_equal(prediction, chances > 0.5)


def test_members_that_weigh_nothing_are_not_fitted(fitted):
    """The fitted members are those with a weight, by their names."""
    for ensemble in fitted[1].values():
        weights = dict(zip(ensemble.names_, ensemble.weights_, strict=True))
        assert set(ensemble.named_estimators_) == {n for n in weights if weights[n]}


def test_pickled_ensembles_predict_the_same(fitted):
    """An ensemble survives pickling."""
    X, _ = load(fitted[0])
    ensemble = fitted[1]["greedy"]
    copy = pickle.loads(pickle.dumps(ensemble))
    np.testing.assert_array_equal(copy.predict(X[:9]), ensemble.predict(X[:9]))
    pd.testing.assert_frame_equal(copy.report(), ensemble.report())


@pytest.mark.parametrize("weighting", ["greedy", "nelder-mead"])
def test_the_report_is_out_of_fold(weighting):
    """The report's losses are those of cross-validated predictions."""
    X, y = load("multiclass")
    members = [("tree", DecisionTreeClassifier(random_state=0)), ("nb", GaussianNB())]
    report = EnsembleClassifier(members, cv=3, weighting=weighting).fit(X, y).report()
    for name, member in members:
        chances = cross_val_predict(member, X, y, cv=3, method="predict_proba")
        assert report.log_loss[name] == pytest.approx(log_loss(y, chances))
        labels = chances.argmax(axis=1)
        assert report.accuracy[name] == pytest.approx(np.mean(labels == y))


def test_an_overfitted_member_gets_little_weight():
    """A tree that knows its training rows by heart does not win by that."""
    X, y = load("regression")
    rng = np.random.RandomState(0)
    noisy = y + 2 * rng.normal(size=len(y))
    members = [
        ("tree", RandomForestRegressor(1, bootstrap=False, random_state=0)),
        ("ridge", Ridge(0.1)),
    ]
    ensemble = EnsembleRegressor(members, weighting="nelder-mead").fit(X, noisy)
    assert members[0][1].fit(X, noisy).score(X, noisy) == 1
    assert ensemble.weights_[0] < 0.2


def test_ensemble_beats_its_members_on_new_rows():
    """On held-out rows, the weighted average is no worse than the average member."""
    X, y = load("binary")
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    members = [
        (f"depth_{d}", DecisionTreeClassifier(max_depth=d, random_state=d))
        for d in (2, 3, 5)
    ]
    ensemble = EnsembleClassifier([*members, GaussianNB()], cv=5)
    chances = ensemble.fit(X_train, y_train).predict_proba(X_test)
    alone = [
        log_loss(y_test, m.fit(X_train, y_train).predict_proba(X_test))
        for _, m in members
    ]
    assert log_loss(y_test, chances) < min(alone)


# --- searches


@pytest.fixture(scope="module")
def pipelines():
    """A search over networks in a pipeline, not fitted."""
    network = KerasClassifier(units=8, epochs=10, random_state=0)
    return GridSearchCV(
        make_pipeline(StandardScaler(), network),
        {"kerasclassifier__learning_rate": [1e-4, 0.01, 0.03, 0.1]},
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
    )


def test_search_is_run_and_recorded(pipelines):
    """A search that is not fitted is run, and its predictions come for free."""
    X, y = load("multiclass")
    ensemble = EnsembleClassifier(pipelines, n_best=3, random_state=0).fit(X, y)
    assert not hasattr(pipelines, "cv_results_")
    assert (ensemble.recorded_, ensemble.recorded_reason_) == (True, None)
    rows = [int(name.removeprefix("candidate_")) for name in ensemble.names_]
    params = [ensemble.search_.cv_results_["params"][row] for row in rows]
    assert params == best_params(ensemble.search_, 3)
    assert ensemble.score(X, y) > 0.9


def test_recorded_equals_cross_validated(pipelines):
    """A fitted search gives the same ensemble, by more fits."""
    X, y = load("multiclass")
    recorded = EnsembleClassifier(pipelines, n_best=3, random_state=0).fit(X, y)
    search = clone(pipelines).fit(X, y)
    again = EnsembleClassifier(search, n_best=3, random_state=0).fit(X, y)
    assert again.recorded_reason_ == "the search was fitted before"
    assert again.search_ is search
    np.testing.assert_allclose(again.weights_, recorded.weights_, atol=1e-3)
    np.testing.assert_allclose(
        again.predict_proba(X), recorded.predict_proba(X), atol=1e-3
    )


class Counting(LogisticRegression):
    """Logistic regression that counts its fits."""

    n_fits = 0

    def fit(self, *args, **options):
        type(self).n_fits += 1
        return super().fit(*args, **options)


@pytest.mark.parametrize("n_folds", [2, 3])
def test_recording_costs_no_fits(n_folds):
    """Only the search and the members on all rows are fitted, if it is recorded."""
    X, y = load("multiclass")
    X = StandardScaler().fit_transform(X)
    search = GridSearchCV(
        Counting(),
        {"C": [0.01, 0.1, 1.0, 10.0]},
        cv=n_folds,
        return_train_score=True,
    )
    Counting.n_fits = 0
    ensemble = EnsembleClassifier(search, n_best=2, weighting="mean").fit(X, y)
    n_search, n_members = 4 * n_folds + 1, 2
    assert ensemble.recorded_ is (n_folds == 3)
    again = 0 if ensemble.recorded_ else n_members * n_folds
    assert Counting.n_fits == n_search + n_members + again


@pytest.mark.parametrize(
    "search",
    [
        RandomizedSearchCV(
            GaussianNB(),
            {"var_smoothing": loguniform(1e-9, 0.1)},
            n_iter=4,
            # Without a random state the folds differ each time they are drawn.
            cv=KFold(3, shuffle=True),
        ),
        BayesSearchCV(
            GaussianNB(),
            {"var_smoothing": (1e-9, 0.1, "log-uniform")},
            optimizer_kwargs=QUICK,
            n_iter=4,
            cv=3,
        ),
        HalvingGridSearchCV(
            DecisionTreeClassifier(random_state=0),
            {"max_depth": [1, 2, 3, 4]},
            resource="max_leaf_nodes",
            max_resources=8,
            cv=3,
            random_state=0,
        ),
        GridSearchCV(
            GaussianNB(),
            {"var_smoothing": [1e-9, 0.01, 0.1]},
            scoring=["accuracy", "neg_log_loss"],
            refit="neg_log_loss",
        ),
    ],
    ids=["random", "bayes", "halving", "several metrics"],
)
def test_searches_of_all_kinds_are_recorded(search):
    """Random, Bayesian and halving searches are recorded, and several metrics too."""
    X, y = load("multiclass")
    ensemble = EnsembleClassifier(search, n_best=3, random_state=0).fit(X, y)
    assert ensemble.recorded_
    report = ensemble.report()
    assert report.log_loss["weighted"] <= report.log_loss.iloc[:-1].min() + 1e-9
    best = ensemble.search_.best_estimator_
    if search.scoring is None:
        assert ensemble.search_.score(X, y) == best.score(X, y)
    else:
        expected = -log_loss(y, best.predict_proba(X))
        assert ensemble.search_.score(X, y) == pytest.approx(expected)


@pytest.mark.parametrize("refit", [False, "f1"])
def test_a_search_that_ranks_nothing_is_refused(refit):
    """Before a search of several scores is run, one of them must count."""
    grid = {"var_smoothing": [0.1]}
    search = GridSearchCV(
        GaussianNB(), grid, scoring=["accuracy", "neg_log_loss"], refit=refit
    )
    X, y = load("multiclass")
    with pytest.raises(
        ValueError, match=r"'refit' .* GridSearchCV must name the score"
    ):
        EnsembleClassifier(search).fit(X, y)


def test_halving_over_rows_is_cross_validated():
    """Halving over rows scores on parts of folds, so its best are fitted again."""
    X, y = load("multiclass")
    search = HalvingGridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-3]}, cv=3)
    ensemble = EnsembleClassifier(search).fit(X, y)
    assert "every row of each fold" in ensemble.recorded_reason_
    assert ensemble.score(X, y) > 0.9


def test_failed_candidates_are_left_out():
    """Settings that failed in a fold are no members."""
    X, y = load("multiclass")
    X = StandardScaler().fit_transform(X)
    search = GridSearchCV(
        Fragile(), {"fails": ["always", "never"]}, cv=3, error_score=np.nan
    )
    with expect_failures():
        ensemble = EnsembleClassifier(search).fit(X, y)
    assert ensemble.names_ == ["candidate_1"]
    assert ensemble.weights_.tolist() == [1.0]
    assert ensemble.recorded_


def test_cloned_ensembles_run_their_search_again():
    """In cross-validation, the search sees the training rows of each fold alone."""
    X, y = load("multiclass")
    seen = []

    class Watching(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            seen.append(len(X))
            return super().fit(X, y, sample_weight)

    search = GridSearchCV(Watching(), {"var_smoothing": [1e-9, 1e-3]}, cv=3).fit(X, y)
    seen.clear()
    scores = cross_val_score(EnsembleClassifier(search), X, y, cv=2)
    assert max(seen) == 75
    assert scores.min() > 0.8


def test_own_folds():
    """Folds given to the ensemble take the place of the search's."""
    X, y = load("multiclass")
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-3]}, cv=3)
    ensemble = EnsembleClassifier(search, cv=KFold(5, shuffle=True)).fit(X, y)
    assert "folds of the ensemble's own" in ensemble.recorded_reason_


def test_regressors_of_a_search():
    """A regressor's search is recorded as well, for several targets too."""
    X, y = load("outputs")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), KerasRegressor(units=8, epochs=5)),
        {"kerasregressor__learning_rate": [0.01, 0.001]},
        cv=3,
    ).set_params(estimator__kerasregressor__early_stopping=False)
    ensemble = EnsembleRegressor(search).fit(X, y)
    assert ensemble.recorded_
    assert ensemble.predict(X).shape == y.shape


# --- options


def test_scoring_is_maximised():
    """Weights can maximise a score instead, and the report shows it."""
    X, y = load("binary")
    members = [
        DecisionTreeClassifier(max_depth=d, max_features=3, random_state=d)
        for d in (1, 2, 3)
    ]
    ensemble = EnsembleClassifier(
        members, scoring="roc_auc", weighting="nelder-mead", cv=3
    ).fit(X, y)
    scores = ensemble.report()["scoring"]
    assert scores["weighted"] >= scores.drop("weighted").max()
    chances = cross_val_predict(members[0], X, y, cv=3, method="predict_proba")
    auc = roc_auc_score(y == "malignant", chances[:, 1])
    assert scores.iloc[0] == pytest.approx(auc)


def test_weights_of_rows():
    """Rows weigh in the members' fits and in the choice of weights."""
    X, y = load("regression")
    wrong = y.copy()
    wrong[::2] = 5.0
    weight = np.where(np.arange(len(y)) % 2, 1.0, 0.0)
    members = [("tree", RandomForestRegressor(5, random_state=0)), ("ridge", Ridge())]
    ensemble = EnsembleRegressor(members, weighting="nelder-mead", random_state=0)
    ensemble.fit(X, wrong, sample_weight=weight)
    report = ensemble.report()
    assert report.squared_error["weighted"] < 1
    unweighted = clone(ensemble).fit(X, wrong).report()
    assert unweighted.squared_error["weighted"] > 4


def test_weights_of_rows_in_pipelines(pipelines):
    """A pipeline's network gets the weights; a search's too."""
    X, y = load("multiclass")
    weight = np.where(y == 2, 0.0, 1.0)
    ensemble = EnsembleClassifier(pipelines, n_best=1).fit(X, y, sample_weight=weight)
    assert ensemble.recorded_
    (member,) = ensemble.estimators_
    assert member[-1].history_["loss"][-1] < 1
    assert set(ensemble.predict(X)) == {0, 1}


def test_groups_reach_the_folds():
    """Groups are kept together in the folds."""
    X, y = load("multiclass")
    groups = np.arange(150) % 10
    folds = []

    class Watching(GroupKFold):
        def split(self, X, y=None, groups=None):
            for train, test in super().split(X, y, groups):
                folds.append(set(groups[train]) & set(groups[test]))
                yield train, test

    EnsembleClassifier([GaussianNB()], cv=Watching(3)).fit(X, y, groups=groups)
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=Watching(3))
    ensemble = EnsembleClassifier(search).fit(X, y, groups=groups)
    assert ensemble.recorded_
    assert folds == [set()] * 6


def test_frames():
    """Names of features are learnt, and members get the frame."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    ensemble = EnsembleClassifier(
        [GaussianNB(), DecisionTreeClassifier(random_state=0)]
    )
    ensemble.fit(X, y)
    assert ensemble.feature_names_in_.tolist() == list(X)
    assert ensemble.estimators_[0].feature_names_in_.tolist() == list(X)
    with pytest.raises(ValueError, match="feature names should match"):
        ensemble.predict(X[X.columns[::-1]])


def test_same_seed_same_weights():
    """The bags follow the random state, and global random state is left alone."""
    X, y = load("multiclass")
    members = [
        DecisionTreeClassifier(max_depth=2, max_features=1, random_state=s)
        for s in range(10)
    ]
    before = np.random.get_state()[1].copy()  # noqa: NPY002  the state to compare
    weights = [
        EnsembleClassifier(members, cv=3, random_state=seed).fit(X, y).weights_
        for seed in (0, 0, 1)
    ]
    after = np.random.get_state()[1]  # noqa: NPY002  the state to compare
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    np.testing.assert_array_equal(before, after)


def test_parameters_are_left_as_they_are():
    """Fitting changes neither parameters nor members, and clones are equal."""
    X, y = load("multiclass")
    members = [("a", GaussianNB()), ("b", DecisionTreeClassifier(random_state=0))]
    ensemble = EnsembleClassifier(members, cv=3, n_best=4)
    before = ensemble.get_params()
    ensemble.fit(X, y)
    assert ensemble.get_params() == before
    assert ensemble.estimators is members
    assert not hasattr(members[0][1], "classes_")
    params = clone(ensemble).get_params()
    assert [name for name, _ in params.pop("estimators")] == ["a", "b"]
    assert params == {n: v for n, v in before.items() if n != "estimators"}


def test_tags():
    """scikit-learn sees a classifier and a regressor, and what members can do."""
    assert is_classifier(EnsembleClassifier([GaussianNB()]))
    assert is_regressor(EnsembleRegressor([Ridge()]))
    tags = get_tags(EnsembleClassifier([KNeighborsClassifier(), GaussianNB()]))
    assert not tags.classifier_tags.multi_label
    tags = get_tags(EnsembleClassifier(GridSearchCV(KNeighborsClassifier(), {})))
    assert tags.classifier_tags.multi_label
    assert get_tags(EnsembleRegressor([Ridge()])).target_tags.multi_output


# --- bad input


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"n_best": 0}, "The 'n_best' parameter of EnsembleClassifier must be an int"),
        ({"weighting": "best"}, "The 'weighting' parameter of EnsembleClassifier must"),
        ({"cv": "five"}, "The 'cv' parameter"),
        ({"scoring": "no such score"}, "no such score"),
        ({"estimators": []}, "estimators is empty"),
    ],
)
def test_bad_parameters(options, problem):
    """Parameters are checked before anything is fitted, with their names and values."""
    X, y = load("multiclass")
    cannot_be_fitted = GaussianNB(var_smoothing=-1.0)
    ensemble = EnsembleClassifier([cannot_be_fitted]).set_params(**options)
    with pytest.raises(ValueError, match=problem):
        ensemble.fit(X, y)


@pytest.mark.parametrize(
    ("kind", "estimators", "problem"),
    [
        (EnsembleClassifier, None, "must be a list of estimators"),
        (EnsembleClassifier, GaussianNB(), "must be a list of estimators"),
        (EnsembleClassifier, [LinearSVC()], "'linearsvc' .* has no predict_proba"),
        (
            EnsembleClassifier,
            GridSearchCV(LinearSVC(), {}),
            r"'estimator' \(LinearSVC\) has no predict_proba",
        ),
        (EnsembleRegressor, [GaussianNB()], "'gaussiannb' .* is no regressor"),
    ],
)
def test_bad_members(kind, estimators, problem):
    """What cannot be a member is refused, by name, before anything is fitted."""
    X, y = load("multiclass")
    with pytest.raises(TypeError, match=problem):
        kind(estimators).fit(X, y)


@pytest.mark.parametrize("kind", [EnsembleClassifier, EnsembleRegressor])
def test_missing_targets(kind):
    """A target with missing values is refused."""
    X, y = load("multiclass")
    y = np.where(y == 1, np.nan, y)
    member = GaussianNB() if kind is EnsembleClassifier else Ridge()
    with pytest.raises(ValueError, match="Input y contains NaN"):
        kind([member]).fit(X, y)


def test_nothing_but_failures():
    """A search in which everything failed says so, as scikit-learn does."""
    X, y = load("multiclass")
    search = GridSearchCV(Fragile(), {"fails": ["always"]}, cv=3, error_score=np.nan)
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        EnsembleClassifier(search).fit(X, y)


def test_reports_without_pandas(monkeypatch):
    """Without pandas the error says how to get it."""
    X, y = load("multiclass")
    ensemble = EnsembleClassifier([GaussianNB()]).fit(X, y)

    def fail(name):
        raise ImportError(name)

    monkeypatch.setattr(optional.importlib, "import_module", fail)
    with pytest.raises(ImportError, match=r"Classifier\.report needs pandas"):
        ensemble.report()


def test_members_get_their_last_parameters():
    """What is for the last fit alone is set after the weights are chosen."""
    X, y = load_iris(return_X_y=True)
    members = [
        LogisticRegression(C=0.1, max_iter=500),
        LogisticRegression(max_iter=500),
    ]
    ensemble = EnsembleClassifier(members, cv=2, final_params={"C": 3.0}).fit(X, y)
    assert all(member.C == 3.0 for member in ensemble.estimators_)
    assert members[0].C == 0.1


def test_each_member_may_have_last_parameters_of_its_own():
    """Of a list, each member gets its own, and those beyond the last member none."""
    X, y = load_iris(return_X_y=True)
    members = [LogisticRegression(max_iter=500), LogisticRegression(max_iter=500)]
    final = [{"C": 2.0}, {"C": 3.0}, {"C": 4.0}]
    ensemble = EnsembleClassifier(members, cv=2, weighting="mean", final_params=final)
    assert [member.C for member in ensemble.fit(X, y).estimators_] == [2.0, 3.0]


def test_too_few_last_parameters():
    """A list that is too short for the members is refused."""
    X, y = load("multiclass")
    ensemble = EnsembleClassifier([GaussianNB(), GaussianNB()], final_params=[{}])
    with pytest.raises(ValueError, match="for 1 members, and the ensemble has 2"):
        ensemble.fit(X, y)


class Untrained(LogisticRegression):
    """A member that must not be fitted."""

    def fit(self, X, y, sample_weight=None):
        raise AssertionError("it was fitted")


@pytest.mark.parametrize("final", [{"D": 3.0}, [{"C": 3.0}, {"D": 3.0}]])
@pytest.mark.parametrize("is_search", [True, False])
def test_unknown_last_parameters_are_told_before_any_fit(final, is_search):
    """A name that members do not have is refused before a search that takes hours."""
    members = [Untrained(), Untrained()]
    if is_search:
        members = GridSearchCV(Untrained(), {"C": [1.0, 2.0]})
    ensemble = EnsembleClassifier(members, final_params=final)
    message = r"^The 'final_params' .*{'D': 3.0}.* Invalid parameter 'D' for estimator"
    with pytest.raises(ValueError, match=message):
        ensemble.fit(*load("multiclass"))


def test_last_parameters_of_what_a_search_brings():
    """Parameters of a step that a search puts in are not known before."""
    X, y = load("multiclass")
    pipeline = make_pipeline("passthrough", GaussianNB())
    steps = [LogisticRegression(max_iter=500), LogisticRegression(max_iter=200)]
    search = GridSearchCV(
        pipeline, {"passthrough": [StandardScaler()], "gaussiannb": steps}, cv=2
    )
    final = {"gaussiannb__C": 3.0, "passthrough__with_mean": False}
    ensemble = EnsembleClassifier(search, final_params=final).fit(X, y)
    assert all(member[-1].C == 3.0 for member in ensemble.estimators_)


def test_no_chance_is_above_one():
    """Of certain members the average is certain, and not more, whatever is rounded."""
    X = np.repeat([[0.0], [1e6]], 20, axis=0)
    y = np.repeat([0, 1], 20)
    members = [(str(n), GaussianNB()) for n in range(3)]
    ensemble = EnsembleClassifier(members, weighting="mean").fit(X, y)
    ensemble.weights_ = np.array([0.3, 0.3, 0.4 + 4e-16])
    assert ensemble.predict_proba(X).max() == 1
