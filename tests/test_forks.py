"""Processes that are forked from one in which TensorFlow runs, where it cannot."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import multiprocessing
from sklearn.datasets import load_iris
from skkeras_tune import KerasClassifier

X, y = load_iris(return_X_y=True)

def fit(engine):
    network = KerasClassifier(epochs=2, engine=engine, random_state=0)
    try:
        print(engine, network.fit(X, y).n_epochs_, flush=True)
    except RuntimeError as error:
        print(engine, error, flush=True)

fit("auto")
for engine in ("auto", "compiled", "keras"):
    process = multiprocessing.get_context("fork").Process(target=fit, args=[engine])
    process.start()
    process.join()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_fork_says_why_it_cannot_train():
    """Where TensorFlow would wait for ever, there is an error; NumPy goes on."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    first, forked, *refused = done.stdout.splitlines()
    assert first == forked == "auto 2"
    for engine, line in zip(("compiled", "keras"), refused, strict=True):
        assert line.startswith(f"{engine} This process was forked from one")
        assert "loky" in line
