"""The examples run as a reader runs them, and end in sensible numbers."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
DATA = Path(os.environ.get("SKKERAS_TUNE_DATA", "no-such-folder"))
FASHION_MNIST = [DATA / "fashion-mnist", Path("/usr/share/datasets/fashion-mnist")]

# Python hides deprecations in other people's code, so a reader never sees them.
STRICT = ["-W", "error", "-W", "ignore::DeprecationWarning"]

needs_california = pytest.mark.skipif(
    not (DATA / "california_housing.csv.gz").exists(),
    reason="SKKERAS_TUNE_DATA names no folder with california_housing.csv.gz",
)
needs_pima = pytest.mark.skipif(
    not (DATA / "pima_indians_diabetes.csv").exists(),
    reason="SKKERAS_TUNE_DATA names no folder with pima_indians_diabetes.csv",
)
needs_titanic = pytest.mark.skipif(
    not (DATA / "titanic_train.csv").exists(),
    reason="SKKERAS_TUNE_DATA names no folder with titanic_train.csv",
)
needs_fashion_mnist = pytest.mark.skipif(
    not any(folder.exists() for folder in FASHION_MNIST),
    reason="neither SKKERAS_TUNE_DATA nor the Debian package has Fashion-MNIST",
)
needs_optuna = pytest.mark.skipif(
    importlib.util.find_spec("optuna_integration") is None,
    reason="the extra 'optuna' is not installed",
)
needs_genetic = pytest.mark.skipif(
    importlib.util.find_spec("sklearn_genetic") is None,
    reason="the extra 'genetic' is not installed",
)


def run_example(name: str, folder: Path, *options: str) -> str:
    """Run an example in a folder; return what it prints, which is all on stdout."""
    done = subprocess.run(
        [sys.executable, *STRICT, str(EXAMPLES / name), *options],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def read_number(output: str, label: str) -> float:
    """Return the number that ends the line which begins with the label."""
    match = re.search(rf"^{label}.*: (-?[\d.]+)$", output, re.MULTILINE)
    assert match is not None, output
    return float(match[1])


@pytest.fixture
def datasets() -> ModuleType:
    """Return the examples' module of data sets."""
    path = EXAMPLES / "datasets.py"
    spec = importlib.util.spec_from_file_location("examples_datasets", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_quickstart(tmp_path: Path) -> None:
    """Both searches have a column of settings, and the learning curve is a picture."""
    output = run_example("quickstart.py", tmp_path, "--n-iter", "2")
    assert output.split()[:2] == ["Bayesian", "random"]
    assert re.search(r"^hidden_layer_sizes .*\(\d+,.*\) .*\(\d+,.*\)$", output, re.M)
    assert read_number(output, "Test accuracy") > 0.9
    picture = (tmp_path / "quickstart.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


@pytest.mark.slow
@needs_pima
def test_pima_grid_search(tmp_path: Path) -> None:
    """Each batch size has a row, and the best beats the share of the larger class."""
    output = run_example("pima_grid_search.py", tmp_path, "--epochs", "5")
    rows = [line.split() for line in output.splitlines()[1:6]]
    assert [row[0] for row in rows] == ["8", "16", "32", "64", "128"]
    assert read_number(output, "Best batch size") in (8, 16, 32, 64, 128)
    assert read_number(output, "Test accuracy") > 0.7


@pytest.mark.slow
@needs_pima
def test_pima_ensemble(tmp_path: Path) -> None:
    """Members, mean and weighted average have a row; winner and ensemble a test."""
    options = ("--n-iter", "3", "--epochs", "8")
    output = run_example("pima_ensemble.py", tmp_path, *options)
    rows = [line.split() for line in output.splitlines()[2:7]]
    members = [row for row in rows if row[0].startswith("candidate_")]
    assert [row[0] for row in rows[len(members) :]] == ["mean", "weighted"]
    assert len(members) == 3
    assert sum(float(row[1]) for row in members) == pytest.approx(1, abs=0.01)
    assert float(rows[-1][2]) <= min(float(row[2]) for row in rows)
    assert read_number(output, "Test log loss of the winner") < 0.65
    assert read_number(output, "Test log loss of the ensemble") < 0.65


@pytest.mark.slow
@needs_titanic
def test_titanic_tune(tmp_path: Path) -> None:
    """Names are read for titles, cabins left out, and most fates predicted."""
    options = ("--n-iter", "3", "--seconds", "30")
    output = run_example("titanic_tune.py", tmp_path, *options)
    assert re.search(r"^Name +words .* recurs: mr, ", output, re.M)
    assert re.search(r"^Cabin +identifier", output, re.M)
    assert re.search(r"^Sex +few categories", output, re.M)
    assert read_number(output, "Test accuracy") > 0.7


@pytest.mark.slow
@needs_california
def test_california_random_search(tmp_path: Path) -> None:
    """The search runs as the book writes it, and explains a part of the variance."""
    options = ("--rows", "600", "--epochs", "10", "--n-iter", "3")
    output = run_example("california_random_search.py", tmp_path, *options)
    assert 0 <= read_number(output, "Best n_hidden") <= 3
    assert 1 <= read_number(output, "Best n_neurons") <= 99
    assert 3e-4 <= read_number(output, "Best learning_rate") <= 3e-2
    assert 0.3 < read_number(output, "Test R2") < 0.9


@pytest.mark.slow
@needs_fashion_mnist
def test_fashion_mnist(tmp_path: Path) -> None:
    """Every optimizer learns, and loaded and unpickled networks predict the same."""
    options = ("--rows", "3000", "--epochs", "4")
    output = run_example("fashion_mnist.py", tmp_path, *options)
    rows = [line.split() for line in output.splitlines()[1:7]]
    names = ["SGD", "momentum", "Nesterov", "RMSprop", "Adagrad", "Adam"]
    assert [row[0] for row in rows] == names
    assert min(float(row[3]) for row in rows) > 0.3  # chance is 0.1
    assert output.count("network are the same: True") == 2
    assert read_number(output, "Test accuracy") > 0.6
    assert (tmp_path / "fashion_mnist.keras").exists()


@pytest.mark.slow
@needs_fashion_mnist
def test_fashion_mnist_search(tmp_path: Path) -> None:
    """Each of the best settings has its epochs and accuracy, and so has their mean."""
    options = ("--rows", "1500", "--epochs", "6")
    output = run_example("fashion_mnist_search.py", tmp_path, *options)
    rows = [line.split() for line in output.splitlines()[1:4]]
    assert [row[:2] for row in rows] == [["best", str(n)] for n in (1, 2, 3)]
    for *_, units, optimizer, epochs, accuracy in rows:
        assert int(units) in (16, 32, 48, 64)
        assert optimizer in ("rmsprop", "adam")
        assert 1 <= int(epochs) <= round(1.2 * 6)
        assert float(accuracy) > 0.6
    assert read_number(output, "Test accuracy of their mean") > 0.6


@pytest.mark.slow
@needs_pima
@needs_optuna
def test_optuna_search(tmp_path: Path) -> None:
    """The best settings have a row each, and the best beats the larger class."""
    output = run_example(
        "optuna_search.py", tmp_path, "--n-trials", "5", "--epochs", "8"
    )
    assert len(output.splitlines()[2:7]) == 5
    assert read_number(output, "Test accuracy") > 0.65
    assert (tmp_path / "optuna_search.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@needs_pima
@needs_genetic
def test_genetic_search(tmp_path: Path) -> None:
    """The best settings have a row each, and the best beats the larger class."""
    options = ("--population", "4", "--generations", "1", "--epochs", "8")
    output = run_example("genetic_search.py", tmp_path, *options)
    assert read_number(output, "Test accuracy") > 0.65
    assert (tmp_path / "genetic_search.png").read_bytes().startswith(b"\x89PNG")


@needs_california
def test_california_columns(datasets: ModuleType) -> None:
    """The csv file gives the columns of scikit-learn's own copy."""
    X, y = datasets.load_california_housing()
    first = {
        "MedInc": 8.3252,
        "HouseAge": 41.0,
        "AveRooms": 6.98412698,
        "AveBedrms": 1.02380952,
        "Population": 322.0,
        "AveOccup": 2.55555556,
        "Latitude": 37.88,
        "Longitude": -122.23,
    }
    assert X.shape == (20_433, 8)
    assert X.iloc[0].to_dict() == pytest.approx(first)
    assert not X.isna().any(axis=None)
    assert y.iloc[0] == pytest.approx(4.526)


@needs_pima
def test_pima_columns(datasets: ModuleType) -> None:
    """The csv file gives eight named numbers and 268 cases of diabetes."""
    X, y = datasets.load_pima()
    assert list(X) == datasets.PIMA_FEATURES
    assert X.shape == (768, 8)
    assert y.sum() == 268


@needs_titanic
def test_titanic_columns(datasets: ModuleType) -> None:
    """The csv file gives eleven columns, four of them text."""
    X, y = datasets.load_titanic()
    assert X.shape == (891, 11)
    assert {"Name", "Ticket", "Cabin", "SibSp"} <= set(X)
    assert y.sum() == 342


@needs_fashion_mnist
def test_fashion_mnist_pictures(datasets: ModuleType) -> None:
    """The IDX files give pictures from 0 to 1, with as many of each kind."""
    X_train, y_train, X_test, y_test = datasets.load_fashion_mnist()
    assert (X_train.shape, X_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert (X_train.min(), X_train.max()) == (0.0, 1.0)
    assert set(np.unique(y_train, return_counts=True)[1]) == {6_000}
    assert set(np.unique(y_test, return_counts=True)[1]) == {1_000}


@pytest.mark.parametrize(
    ("load", "fetcher", "name"),
    [
        ("load_titanic", "fetch_openml", "titanic_train.csv"),
        ("load_pima", "fetch_openml", "pima_indians_diabetes.csv"),
        (
            "load_california_housing",
            "fetch_california_housing",
            "california_housing.csv.gz",
        ),
    ],
)
def test_missing_data(
    datasets: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    load: str,
    fetcher: str,
    name: str,
) -> None:
    """Without the file and without a network, an example ends with advice."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.delenv("SKKERAS_TUNE_DATA", raising=False)
    monkeypatch.setattr(datasets, fetcher, fail)
    advice = rf"^{name} is not here, .*\(no network\)\.\nSet .* SKKERAS_TUNE_DATA"
    with pytest.raises(SystemExit, match=advice):
        getattr(datasets, load)()
