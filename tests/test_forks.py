"""Processes that are forked from one in which TensorFlow runs, where it cannot."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import multiprocessing
import warnings
import keras
from sklearn.datasets import load_iris
from skkeras_tune import KerasClassifier

X, y = load_iris(return_X_y=True)

def fit(engine):
    network = KerasClassifier(epochs=2, engine=engine, random_state=0)
    try:
        print(engine, network.fit(X, y).n_epochs_, flush=True)
    except RuntimeError as error:
        print(engine, error, flush=True)

def build(meta):
    layers = [keras.layers.Dense(3, "softmax")]
    return keras.Sequential([keras.Input((4,)), *layers])

def predict(name, **options):
    try:
        with warnings.catch_warnings(record=True) as caught:
            shape = fitted[name].predict(X, **options).shape
        print("predict", name, shape, [str(w.message) for w in caught], flush=True)
    except RuntimeError as error:
        print("predict", name, error, flush=True)

fit("auto")
for engine in ("auto", "compiled", "keras"):
    process = multiprocessing.get_context("fork").Process(target=fit, args=[engine])
    process.start()
    process.join()

fitted = {
    "small": KerasClassifier(epochs=2, random_state=0).fit(X, y),
    "large": KerasClassifier(units=20_000, epochs=2, random_state=0).fit(X, y),
    "own": KerasClassifier(build, epochs=2, random_state=0).fit(X, y),
    "own again": KerasClassifier(build, epochs=2, random_state=0).fit(X, y),
}
for name in fitted:
    process = multiprocessing.get_context("fork").Process(
        target=predict,
        args=[name],
        kwargs={"verbose": 0} if name == "own again" else {},
    )
    process.start()
    process.join()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_fork_says_why_it_cannot_train_or_predict():
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
    for engine, line in zip(("compiled", "keras"), refused[:2], strict=True):
        assert line.startswith(f"{engine} This process was forked from one")
        assert "loky" in line
    small, large, own, again = refused[2:]
    assert small == "predict small (150,) []"
    assert large == "predict large (150,) []"
    assert own.startswith("predict own This process was forked from one")
    assert again.startswith("predict own again This process was forked from one")
