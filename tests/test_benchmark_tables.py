"""The benchmark of `tune` beside scikit-learn's models."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("SKKERAS_TUNE_DATA", "no-such-folder"))


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="SKKERAS_TUNE_DATA names no folder")
def test_titanic_has_a_line(capsys):
    """The table has a line with three scores and the seconds of each."""
    from tests.benchmarks import tables

    tables.WORK["Titanic"] = tables.WORK["Titanic"]._replace(n_splits=1)
    tables.print_table("Titanic", space="small", n_iter=2, cv=2)
    line = capsys.readouterr().out.splitlines()[-1]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:3] == ["Titanic", "1", "accuracy"]
    assert all(float(cell) > 0.7 for cell in cells[3:6])
