"""The benchmark of `tune` beside scikit-learn's models."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import log_loss

from tests.benchmarks import tables

DATA = Path(os.environ.get("SKKERAS_TUNE_DATA", "no-such-folder"))


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="SKKERAS_TUNE_DATA names no folder")
def test_titanic_has_a_line(capsys, monkeypatch):
    """The table has a line with three scores, a gain and the seconds of each."""
    work = tables.WORK["Titanic"]._replace(n_splits=1)
    monkeypatch.setitem(tables.WORK, "Titanic", work)
    tables.print_table("Titanic", space="small", n_iter=2, cv=2)
    line = capsys.readouterr().out.splitlines()[-1]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:3] == ["Titanic", "1", "accuracy"]
    assert all(float(cell) > 0.7 for cell in cells[3:6])
    assert " ± " in cells[6]
    assert all(0 < float(loss) < 1 for loss in cells[7].split(", "))
    assert " ± " in cells[8]


class Constant:
    """Predicts the same of every row."""

    def __init__(self, value):
        self.value = value

    def predict(self, X):
        return np.full(len(X), self.value)


def test_the_mean_of_the_merits_is_the_score():
    """Rows have merits whose mean is the accuracy, or R squared."""
    y = np.array([0.0, 1.0, 1.0, 2.0])
    merits = tables.judge(Constant(1.0), y[:, None], y, is_regression=True)
    assert merits.mean() == pytest.approx(0.0)
    merits = tables.judge(Constant(1.0), y[:, None], y, is_regression=False)
    assert merits.tolist() == [0, 1, 1, 0]


def test_log_losses_are_those_of_scikit_learn():
    """Their mean is scikit-learn's, and what was held for impossible costs much."""
    X, y = np.zeros((5, 1)), np.array(["a", "b", "b", "c", "b"], object)
    model = DummyClassifier().fit(X, y)
    losses = tables.find_log_losses(model, X, y)
    assert losses.mean() == pytest.approx(log_loss(y, model.predict_proba(X)))
    sure = DummyClassifier(strategy="constant", constant="a").fit(X, y)
    losses = tables.find_log_losses(sure, X[:2], y[:2])
    assert losses == pytest.approx([0, -np.log(tables.LEAST_CHANCE)])


def test_the_error_of_one_split_is_that_of_its_rows():
    """More rows make it smaller."""
    gain, error = tables.estimate_gain([np.array([1.0, 0.0, -1.0, 0.0])])
    assert gain == 0
    assert error == pytest.approx(np.sqrt(2 / 3 / 4))


def test_the_error_of_several_splits_allows_for_the_rows_they_share():
    """However many splits there are, it stays above that of their common rows."""
    gains = [np.full(5, value) for value in (-0.1, 0.1) * 500]
    gain, error = tables.estimate_gain(gains, test_share=0.2)
    assert gain == pytest.approx(0)
    assert error == pytest.approx(0.1 * np.sqrt(1 / 1000 + 0.25), rel=1e-2)
