"""HyperbandSearchCV drops candidates early, and trains the others on."""

import gc
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import loguniform, rankdata
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.metrics import accuracy_score, get_scorer, log_loss
from sklearn.model_selection import (
    GroupKFold,
    ShuffleSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler, TargetEncoder

from skkeras_tune import (
    EnsembleClassifier,
    HyperbandSearchCV,
    KerasClassifier,
    KerasRegressor,
    best_params,
    fused,
    results_frame,
)
from skkeras_tune.training import recall
from skkeras_tune.training.plan import PausedTraining
from tests.plans import count_begun, note_trainings

NETWORK = {"units": 8, "random_state": 0}
SPACE = {"learning_rate": loguniform(1e-3, 0.1), "dropout": [0.0, 0.3]}
#: Rows of the table for (9, 3): candidates in each rung.
RUNGS = {2: [(9, 1), (3, 3), (1, 9)], 1: [(5, 3), (1, 9)], 0: [(3, 9)]}
N_ROWS = 22


def prefix(space, name):
    return {f"{name}__{key}": values for key, values in space.items()}


def build_pipeline(network=KerasClassifier, **params):
    steps = [("scale", StandardScaler()), ("net", network(**{**NETWORK, **params}))]
    return Pipeline(steps)


def build_search(estimator=None, space=None, **options):
    """Return a search in the brackets of (9, 3), over a pipeline or what is given."""
    if estimator is None:
        estimator, space = build_pipeline(), prefix(SPACE, "net")
    settings = {"max_epochs": 9, "cv": 2, "random_state": 0, "error_score": "raise"}
    return HyperbandSearchCV(estimator, space or SPACE, **{**settings, **options})


@pytest.fixture(scope="module")
def searched(cancer):
    """A fitted search, which no test changes."""
    with fused() as fusion:
        search = build_search().fit(*cancer)
    return search, fusion.report()


@pytest.fixture
def trained(monkeypatch):
    """Count the epochs that are trained."""

    def count(training, result):
        return len(result.history["loss"]) - count_begun(training)

    return note_trainings(monkeypatch, count)


# --- the search


def test_the_best_candidate_is_refitted(searched, cancer):
    """The search has all that searches have, and predicts with its best estimator."""
    search, _ = searched
    X, y = cancer
    assert search.score(X, y) > 0.9
    assert search.best_score_ > 0.9
    assert (
        search.best_estimator_.get_params()["net__epochs"]
        == (search.best_params_["net__epochs"])
    )
    assert search.best_estimator_.named_steps["net"].n_epochs_ <= 9
    assert search.n_splits_ == 2
    assert search.n_features_in_ == 30
    assert_array_equal(search.classes_, [0, 1])
    assert search.refit_time_ > 0
    assert not search.multimetric_
    loaded = pickle.loads(pickle.dumps(search))
    assert_array_equal(loaded.predict_proba(X), search.predict_proba(X))
    assert loaded.best_params_ == search.best_params_


def test_rows_are_those_of_the_brackets(searched):
    """Each rung has as many rows as the table says, with its epochs."""
    results = searched[0].cv_results_
    counts = Counter(zip(results["bracket"], results["rung"], strict=True))
    expected = {
        (bracket, i): n
        for bracket, rungs in RUNGS.items()
        for i, (n, _) in enumerate(rungs)
    }
    assert counts == expected
    assert list(results["bracket"]) == sorted(results["bracket"], reverse=True)
    for bracket, rung, epochs, params in zip(
        *(results[name] for name in ("bracket", "rung", "epochs", "params")),
        strict=True,
    ):
        assert epochs == params["net__epochs"] == RUNGS[bracket][rung][1]
    assert set(results["iteration"]) == {0}
    assert_array_equal(results["param_net__epochs"], results["epochs"])
    assert all(len(column) == N_ROWS for column in results.values())
    assert {"mean_fit_time", "std_test_score", "split1_test_score"} <= results.keys()
    assert "mean_train_score" not in results


def _name(params):
    return repr(sorted((k, v) for k, v in params.items() if k != "net__epochs"))


def test_the_best_of_a_rung_go_on(searched):
    """Whoever stands in the next rung has one of the best mean ranks of the rung."""
    results = searched[0].cv_results_
    folds = np.stack([results[f"split{i}_test_score"] for i in range(2)], axis=1)
    for bracket, rungs in RUNGS.items():
        for rung in range(len(rungs) - 1):
            here, above = (
                np.flatnonzero((results["bracket"] == bracket) & (results["rung"] == r))
                for r in (rung, rung + 1)
            )
            names = [_name(results["params"][row]) for row in here]
            going = {_name(results["params"][row]) for row in above}
            ranks = rankdata(folds[here], axis=0).mean(axis=1)
            worst = min(r for n, r in zip(names, ranks, strict=True) if n in going)
            assert sum(ranks > worst) < len(above)
            assert going <= set(names)


def test_candidates_are_drawn_once(searched):
    """No candidate stands in two brackets."""
    results = searched[0].cv_results_
    names = [_name(p) for p in results["params"]]
    assert len(set(names)) == 9 + 5 + 3


def test_the_best_row_is_the_best_of_all(searched):
    """The best score may stand in any rung, as in the paper."""
    search, _ = searched
    scores = search.cv_results_["mean_test_score"]
    assert search.best_score_ == scores.max() == scores[search.best_index_]
    assert search.cv_results_["rank_test_score"][search.best_index_] == 1
    assert search.cv_results_["params"][search.best_index_] == search.best_params_


def test_every_score_is_that_of_a_fit(searched, cancer):
    """Each row's scores are those of its parameters, trained from the beginning."""
    search, _ = searched
    results = search.cv_results_
    last = np.flatnonzero(results["epochs"] > 1)[::3]
    for row in last:
        model = clone(search.estimator).set_params(**results["params"][row])
        scores = cross_validate(model, *cancer, cv=2)["test_score"]
        found = [results[f"split{fold}_test_score"][row] for fold in range(2)]
        assert_allclose(found, scores, atol=0.008)  # two of 285 rows


def test_a_rung_is_a_fused_group(searched):
    """All brackets' rungs at a time train together, in all folds."""
    _, report = searched
    assert report.n_fused == 2 * N_ROWS
    assert max(group.n_fits for group in report.groups) >= 2 * 9


def test_nothing_is_trained_twice(cancer, trained):
    """Each candidate trains the epochs of its last rung once, in each fold."""
    estimator = build_pipeline(early_stopping=False)
    search = build_search(estimator, prefix(SPACE, "net"), refit=False)
    with fused():
        search.fit(*cancer)
    expected = 0
    for rungs in RUNGS.values():
        before = 0
        for n_candidates, epochs in rungs:
            expected += n_candidates * (epochs - before)
            before = epochs
    assert sum(trained) == 2 * expected
    assert not hasattr(search, "best_estimator_")


def test_only_survivors_are_held(iris, monkeypatch):
    """Once a rung has ended, nothing is left of the trainings of who was dropped."""
    train_all, held = recall.train_all, {}

    def count(trainings, **options):
        (training,) = trainings
        begun = count_begun(training)
        n_held = count_held() - n_of_others
        held.setdefault((begun, training.plan.epochs), n_held)
        return train_all(trainings, **options)

    def count_held():
        return sum(type(item) is PausedTraining for item in gc.get_objects())

    gc.collect()
    n_of_others = count_held()  # scikit-learn holds some callbacks of other tests
    monkeypatch.setattr(recall, "train_all", count)
    search = build_search(KerasClassifier(**NETWORK, early_stopping=False))
    search.fit(*iris)
    assert held[0, 9] == 0  # the longest begin first
    assert held[0, 1] <= 2 * 5  # of bracket 1, which go on
    assert held[1, 3] <= 2 * (3 + 1)  # of 9, 5 and 3 candidates
    assert held[3, 9] <= 2 * (3 + 1) + 2 * 3  # bracket 1 is one rung ahead


def test_what_has_stopped_costs_no_training_when_fused(iris):
    """Candidates that patience has ended pass through their further rungs."""
    model = KerasClassifier(**NETWORK, patience=1, monitor="val_loss", min_delta=10.0)
    with fused() as fusion:
        search = build_search(model).fit(*iris)
    assert max(search.cv_results_["epochs"]) == 9
    assert fusion.report().n_fused == 2 * (9 + 3 + 5 + 3)  # stopped after two epochs


def test_several_members_go_on_each_where_it_was(iris):
    """With n_members each network of a candidate goes on from rung to rung."""
    model = KerasClassifier(**NETWORK, n_members=2)
    search = build_search(model, SPACE, max_epochs=3).fit(*iris)
    results = search.cv_results_
    for params, epochs, score in zip(
        results["params"], results["epochs"], results["mean_test_score"], strict=True
    ):
        whole = clone(model).set_params(**params)
        assert params["epochs"] == epochs
        assert_allclose(score, cross_val_score(whole, *iris, cv=2).mean())


def test_without_fusion(iris):
    """The search is the same within `fused` and without."""
    estimator = KerasClassifier(**NETWORK)
    alone = build_search(estimator, max_epochs=3, cv=3).fit(*iris)
    with fused():
        together = build_search(estimator, max_epochs=3, cv=3).fit(*iris)
    for name in ("mean_test_score", "split2_test_score"):
        assert_allclose(alone.cv_results_[name], together.cv_results_[name], atol=0.03)
    assert alone.resource_ == "epochs"
    assert alone.best_estimator_.predict(iris[0]).shape == (150,)


@pytest.mark.slow
def test_two_processes_find_the_same(cancer, monkeypatch):
    """With `n_jobs=2` trainings pause in one process and go on in another."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    one = build_search().fit(*cancer)
    two = build_search(n_jobs=2).fit(*cancer)
    assert two.cv_results_["params"] == one.cv_results_["params"]
    assert_allclose(
        two.cv_results_["mean_test_score"], one.cv_results_["mean_test_score"]
    )


def test_iterations(iris):
    """Each iteration runs all brackets, with candidates of its own."""
    search = build_search(
        KerasClassifier(**NETWORK), max_epochs=3, hyperband_iterations=2, refit=False
    )
    with fused():
        results = search.fit(*iris).cv_results_
    assert_array_equal(results["iteration"], np.repeat([0, 1], 6))
    assert list(results["bracket"]) == 2 * [1, 1, 1, 1, 0, 0]
    rates = {p["learning_rate"] for p in results["params"]}
    assert len(rates) == 10


def test_a_seed_repeats_the_search(iris):
    """The same `random_state` draws the same candidates, and another others."""
    estimator = KerasClassifier(**NETWORK)
    params = [
        build_search(estimator, max_epochs=3, refit=False, random_state=seed)
        .fit(*iris)
        .cv_results_["params"]
        for seed in (0, 0, 1)
    ]
    assert params[0] == params[1] != params[2]


def test_folds_are_drawn_once(iris):
    """A splitter without a seed gives the same folds in all rungs."""
    search = build_search(
        KerasClassifier(random_state=0),
        {"units": [8, 9, 10, 11]},
        max_epochs=2,
        factor=2,
        cv=ShuffleSplit(2, test_size=0.3),
    )
    with fused():
        search.fit(*iris)  # which would refuse to go on with other rows
    assert search.n_splits_ == 2


def test_verbose(iris, capsys):
    """With `verbose`, each rung is announced."""
    build_search(KerasClassifier(**NETWORK), max_epochs=3, refit=False, verbose=1).fit(
        *iris
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "Fitting 2 folds for each of 5 candidates, totalling 10 fits",
        "Fitting 2 folds for each of 1 candidates, totalling 2 fits",
    ]


# --- estimators


def test_tags_and_parameters():
    """The search is what its estimator is, and clones."""
    search = build_search()
    assert is_classifier(search)
    assert is_regressor(build_search(KerasRegressor()))
    copy = clone(search)
    assert copy.get_params(deep=False).keys() == search.get_params(deep=False).keys()
    assert copy.max_epochs == 9
    defaults = HyperbandSearchCV(KerasClassifier(), SPACE)
    assert (defaults.max_epochs, defaults.factor) == (81, 3)


def test_a_transformed_target(diabetes):
    """The network may be the regressor in a TransformedTargetRegressor."""
    X, y = diabetes
    inner = make_pipeline(StandardScaler(), KerasRegressor(**NETWORK))
    model = TransformedTargetRegressor(inner, transformer=StandardScaler())
    space = prefix(
        {"learning_rate": [0.003, 0.01, 0.03, 0.1]}, "regressor__kerasregressor"
    )
    search = build_search(model, space, max_epochs=2, factor=2)
    with fused():
        search.fit(X, 50 + 10 * y)
    assert search.resource_ == "regressor__kerasregressor__epochs"
    assert search.predict(X).mean() == pytest.approx(50, abs=10)


def test_steps_that_draw_at_random(cancer, trained):
    """Steps without a seed repeat their draws in each rung; the user's are as given."""
    model = make_pipeline(
        QuantileTransformer(n_quantiles=50, subsample=100),
        PCA(5, svd_solver="randomized"),
        KerasClassifier(**NETWORK, early_stopping=False),
    )
    space = prefix({"learning_rate": [0.003, 0.01, 0.03, 0.1]}, "kerasclassifier")
    search = build_search(model, space, max_epochs=2, factor=2).fit(*cancer)
    assert sum(trained[:-1]) == 2 * (2 * 1 + 1 * 1 + 2 * 2)
    assert search.best_estimator_.named_steps["pca"].random_state is None
    assert model.named_steps["pca"].random_state is None


def test_steps_that_are_searched_are_seeded_too(cancer):
    """A step that comes with a candidate repeats its draws in each rung as well."""
    steps = [
        PCA(n, svd_solver="randomized", n_oversamples=1, iterated_power=1)
        for n in (4, 5)
    ]
    model = make_pipeline(StandardScaler(), PCA(3), KerasClassifier(**NETWORK))
    rates = [0.003, 0.01, 0.03, 0.1, 0.3]
    space = {"pca": steps, "kerasclassifier__learning_rate": rates}
    search = build_search(model, space, max_epochs=4, factor=2)
    with fused():
        search.fit(*cancer)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert all(step.random_state is None for step in steps)


def test_averaged_weights_go_on_as_they_were(cancer):
    """Keras averages weights when a fit ends; the next stage goes on without that."""
    model = KerasClassifier(**NETWORK, optimizer="sgd", optimizer__use_ema=True)
    search = build_search(
        model,
        {"learning_rate": [0.01, 0.02, 0.05, 0.1]},
        max_epochs=2,
        factor=2,
        scoring="neg_log_loss",
    ).fit(*cancer)
    results = search.cv_results_
    row = int(np.flatnonzero(results["rung"])[0])
    model.set_params(**results["params"][row])
    expected = cross_validate(model, *cancer, cv=2, scoring="neg_log_loss")
    found = [results[f"split{fold}_test_score"][row] for fold in range(2)]
    assert_allclose(found, expected["test_score"], rtol=1e-5)


def test_steps_with_training_rows_of_their_own(categories):
    """A target encoder encodes its training rows in folds, and the same ones again."""
    X, y = categories
    encoder = make_column_transformer((TargetEncoder(), [0]), remainder="passthrough")
    model = make_pipeline(encoder, KerasClassifier(**NETWORK))
    space = prefix({"learning_rate": [0.003, 0.01, 0.03, 0.1]}, "kerasclassifier")
    search = build_search(model, space, max_epochs=2, factor=2)
    with fused():
        search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.fixture
def categories(cancer):
    """A column of categories beside numbers."""
    X, y = cancer
    return np.column_stack([np.digitize(X[:, 0], [-1, 0, 1]), X[:, 1:4]]), y


def test_a_step_can_be_searched(cancer):
    """Candidates may hold estimators, the network among them."""
    network = KerasClassifier(**NETWORK)
    space = {
        "scale": [StandardScaler(), "passthrough"],
        "net": [network, clone(network).set_params(units=4)],
    }
    search = build_search(build_pipeline(), space, max_epochs=4, factor=2)
    with fused(), pytest.warns(UserWarning, match="holds only 4 of the 10") as caught:
        search.fit(*cancer)
    assert caught[0].filename == __file__
    assert search.best_estimator_.named_steps["net"].units in (4, 8)


def build_function(meta, width=4):
    import keras

    return keras.Sequential(
        [
            keras.layers.Dense(width, activation="relu"),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )


def test_a_model_function(iris, trained):
    """Models of one's own go on too."""
    model = KerasClassifier(
        build_function, loss="sparse_categorical_crossentropy", random_state=0
    )
    search = build_search(model, {"width": [3, 5, 7]}, max_epochs=3, refit=False)
    search.set_params(cv=2, factor=3, param_distributions={"width": list(range(2, 9))})
    search.fit(*iris)
    assert sum(trained) == 2 * (3 + 2 + 2 * 3)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# --- scores, groups, metadata


def score_twice(estimator, X, y):
    score = accuracy_score(y, estimator.predict(X))
    return {"hit": score, "loss": -log_loss(y, estimator.predict_proba(X))}


@pytest.mark.parametrize(
    ("scoring", "refit"),
    [
        ("neg_log_loss", True),
        (["accuracy", "neg_log_loss"], "neg_log_loss"),
        ({"hit": "accuracy", "loss": get_scorer("neg_log_loss")}, "loss"),
        (score_twice, "loss"),
    ],
)
def test_scorings(iris, scoring, refit):
    """One score, several, or a function that gives several; `refit` names which."""
    search = build_search(
        KerasClassifier(**NETWORK),
        max_epochs=3,
        scoring=scoring,
        refit=refit,
        return_train_score=True,
    )
    with fused():
        search.fit(*iris)
    name = refit if isinstance(refit, str) else "score"
    assert search.multimetric_ == isinstance(refit, str)
    assert search.best_score_ == search.cv_results_[f"mean_test_{name}"].max() < 0
    assert np.isfinite(search.cv_results_[f"mean_train_{name}"]).all()
    if refit != "loss" or scoring is not score_twice:
        assert search.score(*iris) < 0
    best = search.cv_results_[f"rank_test_{name}"].argmin()
    assert search.best_index_ == best


@pytest.mark.parametrize("scoring", [["accuracy", "neg_log_loss"], score_twice])
@pytest.mark.parametrize("refit", [True, False, "precision"])
def test_several_scores_need_a_guide(iris, scoring, refit):
    """With several scores, `refit` must name the one to compare by."""
    search = build_search(
        KerasClassifier(**NETWORK), max_epochs=1, scoring=scoring, refit=refit
    )
    with pytest.raises(ValueError, match="must name the one that guides the search"):
        search.fit(*iris)


def test_refit_may_be_a_function(iris):
    """A function that is given as `refit` chooses the row."""
    search = build_search(
        KerasClassifier(**NETWORK), max_epochs=3, refit=lambda results: 2
    ).fit(*iris)
    assert search.best_index_ == 2
    assert search.best_params_ == search.cv_results_["params"][2]


def test_weights_and_groups(cancer):
    """`sample_weight` reaches the fits, and `groups` the splitter."""
    X, y = cancer
    groups = np.arange(len(y)) % 4
    search = build_search(
        KerasClassifier(**NETWORK), max_epochs=3, cv=GroupKFold(2), refit=False
    )
    with fused():
        search.fit(X, y, groups=groups, sample_weight=np.linspace(0.1, 2, len(y)))
    assert search.n_splits_ == 2


def test_metadata_is_routed(cancer):
    """With metadata routing, weights and groups go where they were asked for."""
    X, y = cancer
    weight = np.linspace(0.1, 2, len(y))
    with config_context(enable_metadata_routing=True):
        network = KerasClassifier(**NETWORK)
        network.set_fit_request(sample_weight=True, groups=False)
        scale = StandardScaler().set_fit_request(sample_weight=False)
        search = build_search(
            Pipeline([("scale", scale), ("net", network)]),
            prefix(SPACE, "net"),
            max_epochs=3,
            cv=GroupKFold(2),
            scoring=get_scorer("accuracy").set_score_request(sample_weight=True),
        )
        with fused():
            search.fit(X, y, sample_weight=weight, groups=np.arange(len(y)) % 5)
        assert search.best_score_ > 0.8


# --- with the rest of the package


def test_best_params_are_distinct(searched):
    """`best_params` names each candidate once, and `results_frame` all rows."""
    search, _ = searched
    best = best_params(search, 5)
    assert best[0] == search.best_params_
    assert len({_name(params) for params in best}) == 5
    assert len(best_params(search, 99)) == 17
    frame = results_frame(search)
    assert {"bracket", "rung", "net__epochs"} <= set(frame.columns)
    assert len(frame) == N_ROWS


@pytest.mark.parametrize("steps", [[], [StandardScaler()], [PCA(3)]])
def test_an_ensemble_of_the_search(iris, steps):
    """An ensemble takes its members, and their predictions, from the search."""
    model = make_pipeline(*steps, KerasClassifier(**NETWORK))
    space = prefix(SPACE, "kerasclassifier")
    search = build_search(model, space, max_epochs=3, cv=3)
    with fused():
        ensemble = EnsembleClassifier(search, n_best=2, random_state=0).fit(*iris)
    assert ensemble.recorded_
    assert ensemble.score(*iris) > 0.6


def test_callbacks_hear_of_each_task(iris):
    """scikit-learn's callbacks are told of search, rungs, evaluations and refit."""
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 brought callbacks")
    from tests.test_tasks import Recorder

    recorder = Recorder()
    search = build_search(KerasClassifier(**NETWORK), max_epochs=3)
    search.set_callbacks(recorder)
    search.fit(*iris)
    name = "candidate-split-evaluation"
    rungs = [["rung", *[name] * n] for n in (2 * 5, 2 * 1)]
    assert recorder.begun == [
        "fit", "search", *rungs[0], *rungs[1], "refit-with-best-params",
    ]  # fmt: skip
    assert sorted(recorder.ended) == sorted(recorder.begun)
