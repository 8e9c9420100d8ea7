"""A score that does not go with the target is refused before anything is trained."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, LeaveOneOut
from sklearn.pipeline import make_pipeline

from skkeras_tune import KerasRegressor
from skkeras_tune.tuning.folds import Folds
from skkeras_tune.tuning.regressor import StandardizedRegressor
from skkeras_tune.tuning.scoring import (
    refuse_no_winner,
    refuse_several_scores,
    validate_folds,
    validate_scoring,
)
from skkeras_tune.tuning.target import read_target

ROWS = np.arange(60)
WORDS = np.where(ROWS % 2, "yes", "no")
NUMBERS = np.linspace(-3, 3, 60)


def build(scoring, estimator=None, **options):
    """Return a search that scores so."""
    return GridSearchCV(estimator, {}, scoring=scoring, **options)


class Absolute(KerasRegressor):
    """Scores by something else than R squared."""

    @staticmethod
    def scorer(y_true, y_pred, **options):
        return -float(np.abs(y_true - y_pred).mean())


class Own(RegressorMixin, BaseEstimator):
    """Scores by something else than R squared."""

    def score(self, X, y):
        return 0.0


@pytest.mark.parametrize(
    ("scoring", "y"),
    [
        (None, WORDS),
        ("roc_auc", WORDS),
        ("neg_log_loss", ROWS % 3),
        ("f1", ROWS % 2),
        ("precision", ROWS == 3),
        ("top_k_accuracy", ROWS % 2),
        ("r2", NUMBERS),
        ("neg_mean_squared_log_error", NUMBERS + 4),
        ("f1_samples", np.column_stack([ROWS % 2, ROWS % 3 == 0])),
        (lambda model, X, y: 0.0, WORDS),
    ],
)
def test_scores_that_go_with_the_target(scoring, y):
    """Neither an error nor a warning."""
    validate_scoring(build(scoring), read_target(y), ())


@pytest.mark.parametrize(
    ("scoring", "y", "match"),
    [
        (
            "accuracies",
            WORDS,
            "Got .accuracies. instead: .accuracies. is not",
        ),
        ("f1", WORDS, "Got 'f1' instead: pos_label=1 is not a valid label"),
        ("f1", ROWS % 3, "Got 'f1' instead: Target is multiclass"),
        ("roc_auc", ROWS % 3, "Got 'roc_auc' instead: multi_class must be"),
        ("roc_auc", NUMBERS, "Got 'roc_auc' instead: DummyRegressor has none"),
        ("neg_max_error", ROWS == 3, "Got 'neg_max_error' instead"),
        ("neg_mean_squared_log_error", NUMBERS, "Got 'neg_mean_squared_log_error'"),
    ],
)
def test_scores_that_do_not(scoring, y, match):
    """The error has the name, and what the score says."""
    with pytest.raises(ValueError, match=match):
        validate_scoring(build(scoring), read_target(y), ())


@pytest.mark.parametrize(
    ("scoring", "y", "n_folds", "match"),
    [
        (
            "neg_log_loss",
            np.where(ROWS == 0, "rare", WORDS),
            3,
            "Leave out rare labels",
        ),
        ("roc_auc", np.sort(WORDS), 2, "need classifier with two classes"),
        ("r2", NUMBERS, 60, "Got 'r2' instead: it is not defined there"),
    ],
)
def test_scores_that_are_none_in_a_fold(scoring, y, n_folds, match):
    """One fold without a score would leave all candidates without one."""
    with pytest.raises(ValueError, match=f"that y has in a fold.*{match}"):
        validate_scoring(build(scoring), read_target(y), KFold(n_folds).split(y))


@pytest.mark.parametrize(
    "estimator",
    [
        StandardizedRegressor(),
        make_pipeline(make_pipeline(KerasRegressor())),
        TransformedTargetRegressor(Ridge()),
    ],
)
@pytest.mark.parametrize("y", [NUMBERS, np.column_stack([NUMBERS, NUMBERS**2])])
def test_the_score_by_default_is_tried_too(estimator, y):
    """One row has no R squared, which counts where no score is given."""
    search, target = build(None, estimator), read_target(y)
    validate_scoring(search, target, KFold(30).split(y))
    match = r"has in a fold\. Got None, which is 'r2', instead: .* Choose other folds"
    with pytest.raises(ValueError, match=match):
        validate_scoring(search, target, LeaveOneOut().split(y))


@pytest.mark.parametrize("estimator", [Absolute(), Own(), make_pipeline(Own())])
def test_a_score_of_an_estimators_own_is_not_known(estimator):
    """What an estimator scores by itself may be had of one row."""
    search, target = build(None, estimator), read_target(NUMBERS)
    validate_scoring(search, target, LeaveOneOut().split(NUMBERS))


def test_accuracy_can_be_had_of_one_row():
    """Labels are scored row by row."""
    search, target = build(None, LogisticRegression()), read_target(WORDS)
    validate_scoring(search, target, LeaveOneOut().split(WORDS))


def test_folds_with_one_label_are_refused():
    """Sorted labels in folds that are not shuffled leave nothing to learn."""
    splits = list(KFold(2).split(WORDS))
    validate_folds(read_target(WORDS), splits)
    validate_folds(read_target(NUMBERS), splits)
    with pytest.raises(ValueError, match=r"All training rows of fold 0 .* 'yes'"):
        validate_folds(read_target(np.sort(WORDS)), splits)


def test_folds_with_one_label_may_have_too_few_rows():
    """Whoever has passed an int is not told that it would help."""
    splits = Folds(2, classifies=True, random_state=0).split(np.zeros((3, 1)))
    with pytest.raises(ValueError, match="there are too few rows of the other labels"):
        validate_folds(read_target(["a", "b", "a"]), splits)


def test_one_of_several_scores_decides():
    """A search with several scores names one, or has been told nothing."""
    target = read_target(WORDS)
    validate_scoring(build(["accuracy", "roc_auc"], refit="roc_auc"), target, ())
    with pytest.raises(ValueError, match="must name the score that decides"):
        validate_scoring(build({"a": "accuracy"}, refit=False), target, ())
    with pytest.raises(ValueError, match="must return one number"):
        refuse_several_scores(build("accuracy"))


def fit(score, **options):
    """Return a fitted search whose candidates have such scores."""
    search = GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, cv=2, **options)
    scoring = options.get("scoring", lambda model, X, y: score)
    return search.set_params(scoring=scoring).fit(ROWS[:, None], NUMBERS)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("refit", [True, False, lambda results: 0])
@pytest.mark.parametrize(
    ("score", "what"),
    [
        (np.nan, "every candidate's score is NaN"),
        (-np.inf, "the best score is -inf"),
        (np.inf, "the best score is inf"),
    ],
)
def test_candidates_without_a_score_have_no_winner(score, what, refit):
    """The first of candidates that cannot be compared is no better than the others."""
    match = rf"no winner: {what}\. Check the 'scoring' .*make_scorer"
    with pytest.raises(ValueError, match=match):
        refuse_no_winner(fit(score, refit=refit))


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_one_score_of_several_decides_on_the_winner():
    """Others may be undefined."""
    scoring = {"good": "r2", "bad": lambda model, X, y: np.nan}
    refuse_no_winner(fit(0.0, scoring=scoring, refit="good"))
    with pytest.raises(ValueError, match="every candidate's score is NaN"):
        refuse_no_winner(fit(0.0, scoring=scoring, refit="bad"))


def test_searches_with_a_winner():
    """A finite score wins, and a search that shows no scores is believed."""
    refuse_no_winner(fit(0.5, refit=False))
    refuse_no_winner(fit(0.5, refit=lambda results: 1))
    refuse_no_winner(build("r2"))
