"""The benchmark of `tune` beside scikit-learn's models."""

import os
from pathlib import Path

import numpy as np
import pytest

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
