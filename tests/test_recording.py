"""What a search's candidates predict out of fold, written down while it runs."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skkeras_tune import BayesSearchCV, KerasClassifier
from skkeras_tune.search.recording import (
    fit_recorded,
    read_recorded,
    why_not_recorded,
)
from tests.searches import WEIGHTS, Fragile, X, expect_failures, score_twice, y

SPLITS = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
STRENGTHS = {"C": [0.01, 1.0]}


def read_probabilities(member, rows):
    """Return what a classifier predicts."""
    return member.predict_proba(rows)


def list_members(search):
    """Return the search's candidates, as it set them."""
    params = search.cv_results_["params"]
    return [clone(search.estimator).set_params(**p) for p in params]


def record(search, folder, **fit_params):
    """Fit a search; return it with what its candidates predicted, or None."""
    fitted = fit_recorded(
        search, X, y, SPLITS, read_probabilities, folder, **fit_params
    )
    return fitted, read_recorded(list_members(fitted), X, SPLITS, folder)


def assert_out_of_fold(search, folds):
    """Check recorded predictions against those of fits of their own."""
    for member, recorded in zip(list_members(search), folds, strict=True):
        expected = cross_val_predict(member, X, y, cv=SPLITS, method="predict_proba")
        for (_, test), found in zip(SPLITS, recorded, strict=True):
            np.testing.assert_allclose(found, expected[test], atol=1e-6)


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(LogisticRegression(), STRENGTHS),
        GridSearchCV(LogisticRegression(), STRENGTHS, scoring="neg_log_loss"),
        GridSearchCV(
            LogisticRegression(), STRENGTHS, scoring=score_twice, refit="first"
        ),
        GridSearchCV(
            LogisticRegression(),
            STRENGTHS,
            scoring=["accuracy", "neg_log_loss"],
            refit="neg_log_loss",
        ),
        GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {}),
        GridSearchCV(LogisticRegression(), STRENGTHS, return_train_score=True),
        BayesSearchCV(
            LogisticRegression(), {"C": (0.1, 1.0)}, n_iter=2, random_state=0
        ),
        HalvingGridSearchCV(
            DecisionTreeClassifier(random_state=0),
            {"max_depth": [1, 2]},
            resource="max_leaf_nodes",
            max_resources=4,
            random_state=0,
        ),
    ],
    ids=[
        "score",
        "name",
        "callable",
        "several",
        "pipeline",
        "train",
        "bayes",
        "halving",
    ],
)
def test_recorded_is_out_of_fold(search, tmp_path):
    """What is recorded equals what fits of the same folds would predict."""
    fitted, folds = record(search, tmp_path)
    assert_out_of_fold(fitted, folds)


def test_networks_are_recorded(tmp_path):
    """Networks in a pipeline are told apart after the fit as before it."""
    network = KerasClassifier(units=8, epochs=3, random_state=0)
    space = {"kerasclassifier__learning_rate": [0.003, 0.03]}
    search = GridSearchCV(make_pipeline(StandardScaler(), network), space)
    fitted, folds = record(search, tmp_path)
    assert_out_of_fold(fitted, folds)


@pytest.mark.slow
def test_other_processes_record_too(tmp_path):
    """Workers of another process write into the same folder."""
    search = GridSearchCV(LogisticRegression(), STRENGTHS, n_jobs=2)
    fitted, folds = record(search, tmp_path)
    assert_out_of_fold(fitted, folds)


@pytest.mark.parametrize("scoring", [None, "roc_auc_ovr", ["accuracy", "roc_auc_ovr"]])
def test_recording_changes_no_score(scoring, tmp_path):
    """A recorded search has the scores, the winner and the `score` of a plain one."""
    refit = scoring if scoring is None else "roc_auc_ovr"
    search = GridSearchCV(
        LogisticRegression(),
        STRENGTHS,
        scoring=scoring,
        refit=refit if isinstance(scoring, list) else True,
        cv=SPLITS,
    )
    fitted, _ = record(search, tmp_path)
    plain = clone(search).fit(X, y)
    for key, values in plain.cv_results_.items():
        if "test" in key:
            np.testing.assert_array_equal(fitted.cv_results_[key], values)
    assert fitted.best_params_ == plain.best_params_
    assert fitted.score(X, y) == plain.score(X, y)
    assert fitted.get_params()["scoring"] is scoring
    assert repr(fitted.scorer_) == repr(plain.scorer_)  # several are a dict


def test_the_search_is_left_as_it_is(tmp_path):
    """The user's search is neither fitted nor changed, and the copy has its cv."""
    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(LogisticRegression(), STRENGTHS, cv=folds)
    before = dict(vars(search))
    fitted, _ = record(search, tmp_path)
    assert vars(search) == before
    assert fitted.cv is folds


def test_nothing_is_written_later(tmp_path):
    """Once its folder is gone, the fitted search still scores."""
    folder = tmp_path / "gone"
    folder.mkdir()
    fitted, _ = record(GridSearchCV(LogisticRegression(), STRENGTHS), folder)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert fitted.score(X, y) > 0.9
    assert not folder.exists()


def test_weights_reach_the_scorer(tmp_path):
    """Scores are weighted as without recording."""
    search = GridSearchCV(
        LogisticRegression(), STRENGTHS, scoring="neg_log_loss", cv=SPLITS
    )
    fitted, _ = record(search, tmp_path, sample_weight=WEIGHTS)
    plain = clone(search).fit(X, y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(
        fitted.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )


def test_routed_weights(tmp_path):
    """With metadata routing, the scorer's own requests count."""
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(recall_score, average="macro")
        scorer.set_score_request(sample_weight=True)
        estimator = LogisticRegression().set_fit_request(sample_weight=True)
        search = GridSearchCV(estimator, STRENGTHS, scoring=scorer, cv=SPLITS)
        fitted, _ = record(search, tmp_path, sample_weight=WEIGHTS)
        plain = clone(search).fit(X, y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(
        fitted.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )


def test_failures_leave_gaps(tmp_path):
    """A candidate that failed has no predictions; the others have theirs."""
    search = GridSearchCV(
        Fragile(), {"fails": ["always", "never"]}, error_score=np.nan, cv=SPLITS
    )
    with expect_failures():
        fitted, folds = record(search, tmp_path)
    assert folds is None
    valid = list_members(fitted)[1:]
    assert read_recorded(valid, X, SPLITS, tmp_path) is not None


def test_one_of_several_scores_fails(tmp_path):
    """A score that fails is `error_score`, and the other ones stand."""

    def fail(*_):
        raise RuntimeError

    search = GridSearchCV(
        LogisticRegression(),
        {"C": [1.0]},
        scoring={"accuracy": "accuracy", "broken": fail},
        refit="accuracy",
        error_score=-1.0,
    )
    fitted, folds = record(search, tmp_path)
    assert fitted.cv_results_["mean_test_broken"].tolist() == [-1.0]
    assert fitted.best_score_ > 0.9
    assert folds is not None


def test_random_state_instances(tmp_path):
    """A generator that a fit draws from is another afterwards: nothing is found."""
    tree = DecisionTreeClassifier(max_features=1, random_state=np.random.RandomState(0))
    _, folds = record(GridSearchCV(tree, {"max_depth": [2]}), tmp_path)
    assert folds is None


def test_halving_over_rows(tmp_path):
    """Halving over rows scores on a part of each fold: nothing is found."""
    search = HalvingGridSearchCV(LogisticRegression(), STRENGTHS, random_state=0)
    _, folds = record(search, tmp_path)
    assert folds is None


@pytest.mark.parametrize(
    ("search", "splits", "reason"),
    [
        (GridSearchCV(LogisticRegression(), {}), SPLITS, None),
        (GridSearchCV(LogisticRegression(), {}, return_train_score=True), SPLITS, None),
        (
            GridSearchCV(LogisticRegression(), {}, return_train_score=True),
            [SPLITS[0], SPLITS[0][::-1]],
            "the same rows",
        ),
        (
            GridSearchCV(make_pipeline(FunctionTransformer(lambda x: x)), {}),
            SPLITS,
            "cannot be pickled",
        ),
        (GridSearchCV(LogisticRegression(), {}), SPLITS[:1] * 2, "the same rows"),
    ],
)
def test_reasons(search, splits, reason):
    """Where predictions could not be told apart, there is a reason not to record."""
    found = why_not_recorded(search, X, splits)
    assert (found is None) if reason is None else reason in found
