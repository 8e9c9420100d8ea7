"""A score that does not go with the target is refused before anything is trained."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold

from skkeras_tune.tuning.scoring import (
    refuse_several_scores,
    validate_folds,
    validate_scoring,
)
from skkeras_tune.tuning.target import read_target

ROWS = np.arange(60)
WORDS = np.where(ROWS % 2, "yes", "no")
NUMBERS = np.linspace(-3, 3, 60)


def build(scoring, **options):
    """Return a search that scores so."""
    return GridSearchCV(None, {}, scoring=scoring, **options)


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


def test_folds_with_one_label_are_refused():
    """Sorted labels in folds that are not shuffled leave nothing to learn."""
    splits = list(KFold(2).split(WORDS))
    validate_folds(read_target(WORDS), splits)
    validate_folds(read_target(NUMBERS), splits)
    with pytest.raises(ValueError, match=r"All training rows of fold 0 .* 'yes'"):
        validate_folds(read_target(np.sort(WORDS)), splits)


def test_one_of_several_scores_decides():
    """A search with several scores names one, or has been told nothing."""
    target = read_target(WORDS)
    validate_scoring(build(["accuracy", "roc_auc"], refit="roc_auc"), target, ())
    with pytest.raises(ValueError, match="must name the score that decides"):
        validate_scoring(build({"a": "accuracy"}, refit=False), target, ())
    with pytest.raises(ValueError, match="must return one number"):
        refuse_several_scores(build("accuracy"))
