"""Data that many tests share: real sets of scikit-learn, standardised."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.preprocessing import StandardScaler

# Not in the user's own cache; read when the first test fits.
PROGRAMS = Path(__file__).parents[1] / ".pytest_cache" / "programs"
os.environ.setdefault("SKKERAS_TUNE_CACHE", str(PROGRAMS))

Data = tuple[NDArray[np.float64], NDArray]


def _standardised(X: NDArray[np.float64]) -> NDArray[np.float64]:
    return StandardScaler().fit_transform(X)


@pytest.fixture(scope="session")
def iris() -> Data:
    """150 flowers of three species, sorted by species."""
    X, y = load_iris(return_X_y=True)
    return _standardised(X), y


@pytest.fixture(scope="session")
def cancer() -> Data:
    """569 tumours of two kinds."""
    X, y = load_breast_cancer(return_X_y=True)
    return _standardised(X), y


@pytest.fixture(scope="session")
def diabetes() -> Data:
    """442 patients and a standardised measure of their disease."""
    X, y = load_diabetes(return_X_y=True)
    return _standardised(X), (y - y.mean()) / y.std()
