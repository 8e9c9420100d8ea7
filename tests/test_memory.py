"""Memory does not grow with the number of fits."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import keras
from sklearn.datasets import load_iris
from skkeras_tune import KerasClassifier

X, y = load_iris(return_X_y=True)
n_fits, kind, n_shapes = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])


def build(width, meta):
    return keras.Sequential(
        [keras.layers.Dense(width, "relu"), keras.layers.Dense(3, "softmax")]
    )


def fit(i):
    width = 3 + i % n_shapes
    settings = {"epochs": 1, "early_stopping": False}
    if kind == "function":
        loss = "sparse_categorical_crossentropy"
        model = KerasClassifier(build, width=width, loss=loss, **settings)
    else:
        model = KerasClassifier(units=width, engine=kind, **settings)
    model.fit(X, y).predict(X)


def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


for i in range(25):
    fit(i)
before = megabytes()
for i in range(n_fits):
    fit(i)
print(megabytes() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units there")
@pytest.mark.parametrize(
    ("kind", "n_shapes"),
    # Twenty shapes in turn are more than Keras models are kept, so each of its fits
    # traces anew; of programs, more are kept.
    [
        ("auto", 1),
        ("auto", 20),
        ("compiled", 1),
        ("compiled", 20),
        ("keras", 20),
        ("function", 20),
    ],
)
def test_three_hundred_fits_add_little_memory(kind, n_shapes):
    """300 fits and predictions add at most 50 MB to the process's peak."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "300", kind, str(n_shapes)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 50
