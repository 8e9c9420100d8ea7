"""Losses of weighted averages equal scikit-learn's metrics of the averages."""

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    get_scorer,
    log_loss,
    make_scorer,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)

from skkeras_tune.ensemble.objective import (
    average,
    build_loss,
    build_score,
    negate_score,
    usual_score,
)
from skkeras_tune.ensemble.rows import Truth
from skkeras_tune.ensemble.targets import Indicators, Labels, Numbers
from tests.searches import WEIGHTS, X, y

WEIGHTINGS = np.array([[0.2, 0.3, 0.5], [1, 0, 0]])
RNG = np.random.RandomState(0)
LABELS = Labels(np.array(["a", "b", "c"]))
NAMES = LABELS.classes[y]
CHANCES = RNG.dirichlet([1, 1, 1], (3, 150))
INDICATORS = (X[:, :2] > 0).astype(int)


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS])
@pytest.mark.parametrize("weights", WEIGHTINGS)
def test_log_loss(weights, sample_weight):
    """For labels it is the log loss."""
    name, loss = build_loss(Truth(LABELS, NAMES, sample_weight), CHANCES)
    expected = log_loss(NAMES, average(weights, CHANCES), sample_weight=sample_weight)
    assert (name, loss(weights)) == ("log_loss", pytest.approx(expected))


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS])
@pytest.mark.parametrize("weights", WEIGHTINGS)
def test_log_loss_of_indicators(weights, sample_weight):
    """For several labels it is the mean of their log losses."""
    chances = RNG.uniform(size=(3, 150, 2))
    _, loss = build_loss(
        Truth(Indicators(np.arange(2)), INDICATORS, sample_weight), chances
    )
    averaged = average(weights, chances)
    losses = [
        log_loss(INDICATORS[:, label], averaged[:, label], sample_weight=sample_weight)
        for label in range(2)
    ]
    assert loss(weights) == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS])
@pytest.mark.parametrize("n_columns", [None, 2])
@pytest.mark.parametrize("weights", WEIGHTINGS)
def test_squared_error(weights, n_columns, sample_weight):
    """For numbers it is the mean squared error."""
    numbers = X[:, 0] if n_columns is None else X[:, :n_columns]
    predictions = RNG.normal(size=(3, 150, n_columns or 1))
    target = Numbers(numbers.ndim)
    name, loss = build_loss(Truth(target, numbers, sample_weight), predictions)
    averaged = target.decode(average(weights, predictions))
    expected = mean_squared_error(numbers, averaged, sample_weight=sample_weight)
    assert (name, loss(weights)) == ("squared_error", pytest.approx(expected))


def test_certainty_that_is_wrong():
    """A probability of zero for what happened is a large loss, but a finite one."""
    certain = np.eye(3)[(y + 1) % 3][None]
    _, loss = build_loss(Truth(LABELS, NAMES), certain)
    assert 30 < loss(np.ones(1)) < 40


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS])
def test_scorers_of_labels(sample_weight):
    """scikit-learn's scorers judge averages as if an estimator had predicted them."""
    averaged = average(WEIGHTINGS[0], CHANCES)
    options = {"sample_weight": sample_weight}
    scorer = get_scorer("roc_auc_ovr")
    score = build_score(Truth(LABELS, NAMES, sample_weight), scorer, X)
    expected = roc_auc_score(NAMES, averaged, multi_class="ovr", **options)
    assert score(averaged) == pytest.approx(expected)
    accuracy = build_score(
        Truth(LABELS, NAMES, sample_weight), get_scorer("accuracy"), X
    )
    decoded = LABELS.decode(averaged)
    assert accuracy(averaged) == accuracy_score(NAMES, decoded, **options)


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [("roc_auc", roc_auc_score), ("average_precision", average_precision_score)],
)
def test_scorers_of_two_labels(scoring, metric):
    """Scorers that want the second class's probability find it."""
    target = Labels(np.array([0, 1]))
    truth, second = y == 2, RNG.uniform(size=150)
    labels = target.classes[truth.astype(int)]
    averaged = np.column_stack([1 - second, second])
    score = build_score(Truth(target, labels), get_scorer(scoring), X)(averaged)
    assert score == pytest.approx(metric(truth, second))


def test_scorers_of_indicators():
    """Several labels can be scored too."""
    chances = RNG.uniform(size=(150, 2))
    target = Indicators(np.arange(2))
    score = build_score(Truth(target, INDICATORS), get_scorer("f1_macro"), X)
    assert 0 < score(chances) < 1
    assert score(INDICATORS.astype(float)) == 1


def test_scorers_of_numbers():
    """Numbers are scored in the shape of y."""
    averaged = RNG.normal(size=(150, 1))
    scorer = get_scorer("neg_mean_absolute_error")
    score = build_score(Truth(Numbers(1), X[:, 0]), scorer, X)(averaged)
    assert score == pytest.approx(-np.abs(averaged.ravel() - X[:, 0]).mean())


def test_scorers_without_weights():
    """A score that takes no weights is computed without."""

    def share(y_true, y_pred):
        return float((y_true == y_pred).mean())

    averaged = average(WEIGHTINGS[0], CHANCES)
    score = build_score(Truth(LABELS, NAMES, WEIGHTS), make_scorer(share), X)
    assert score(averaged) == share(NAMES, LABELS.decode(averaged))


def test_scores_are_negated():
    """A loss is lower where its score is higher."""
    loss = negate_score(lambda averaged: float(averaged.sum()), np.ones((2, 3, 1)))
    assert loss(np.array([0.5, 0.5])) == -3


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS])
def test_usual_scores(sample_weight):
    """Labels have an accuracy, and numbers an R squared."""
    averaged = average(WEIGHTINGS[0], CHANCES)
    accuracy = accuracy_score(
        NAMES, LABELS.decode(averaged), sample_weight=sample_weight
    )
    found = usual_score(Truth(LABELS, NAMES, sample_weight), averaged)
    assert found == ("accuracy", pytest.approx(accuracy))
    numbers = RNG.normal(size=(150, 2))
    r2 = r2_score(X[:, :2], numbers, sample_weight=sample_weight)
    found = usual_score(Truth(Numbers(2), X[:, :2], sample_weight), numbers)
    assert found == ("r2", pytest.approx(r2))


def test_certain_members_can_be_scored():
    """Weights that sum to a little over one, as rounded, make no chance above one."""
    weights = np.array([0.5, 0.5 + 4e-16])
    certain = np.stack([np.eye(3)[y]] * 2)
    assert average(weights, certain).max() > 1
    scorer = get_scorer("neg_log_loss")
    score = build_score(Truth(LABELS, NAMES), scorer, X)
    assert negate_score(score, certain)(weights) == pytest.approx(0)
