"""Data that many tests share: real sets of scikit-learn, standardised."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.preprocessing import StandardScaler

from skkeras_tune.training import recall
from skkeras_tune.training.groups import room
from skkeras_tune.training.programs.cache import ProgramCache

# Not in the user's own cache; read when the first test fits.
PROGRAMS = Path(__file__).parents[1] / ".pytest_cache" / "programs"
os.environ.setdefault("SKKERAS_TUNE_CACHE", str(PROGRAMS))

#: Names the engine that "auto" is to mean, so that the same tests try each.
ENGINE = os.environ.get("SKKERAS_TUNE_TEST_ENGINE", "auto")

Data = tuple[NDArray[np.float64], NDArray]


@pytest.fixture(scope="session", autouse=True)
def _engine_of_auto() -> Iterator[None]:
    """Let the estimators' "auto" be the engine that the environment names.

    Where that is "compiled", nothing is left to NumPy, and what cannot be compiled goes
    to Keras as always.
    """
    train_all = recall.train_all

    def train_on(trainings: Any, *, engine: str) -> Any:
        return train_all(trainings, engine="keras" if engine == "auto" else engine)

    with pytest.MonkeyPatch.context() as patch:
        if ENGINE == "keras":
            patch.setattr(recall, "train_all", train_on)
        elif ENGINE == "compiled":
            patch.setattr(room, "COMPILE_SECONDS", float("-inf"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _several_slots() -> Iterator[None]:
    """Let networks that train for a moment train side by side, as long ones may.

    In truth what several slots cost besides would have each of them wait for its turn.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "SEVERAL_SECONDS", 0.0)
        patch.setattr(room, "CALL_SECONDS", 0.0)
        yield


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> ProgramCache:
    """No programs, and none of other tests."""
    cache = ProgramCache()
    for place in ("skkeras_tune.training.groups.slots", "skkeras_tune.fusion.lanes"):
        monkeypatch.setattr(f"{place}.programs", cache)
    return cache


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
