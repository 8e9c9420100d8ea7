"""Many fits at once: nothing is lost, swapped or left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import loguniform, randint
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import RandomizedSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from skkeras_tune import KerasClassifier, fused

ROOT = Path(__file__).parents[1]


class FailsForSomeRows(TransformerMixin, BaseEstimator):
    """Raises an error for about one set of rows in `share`."""

    def __init__(self, share=7):
        self.share = share

    def fit(self, X, y=None):
        """Fail for some rows, always the same."""
        if int(abs(X).sum() * 1e6) % self.share == 0:
            raise RuntimeError("out of paper")
        return self

    def transform(self, X):
        """Return X."""
        return X


SPACE = {
    "kerasclassifier__learning_rate": loguniform(1e-4, 1e-2),
    "kerasclassifier__units": randint(3, 6),
    "kerasclassifier__n_hidden": randint(0, 2),
    "kerasclassifier__batch_size": [16, 64],
    "kerasclassifier__patience": [1, 2],
    "kerasclassifier__optimizer": ["adam", "sgd"],
    "kerasclassifier__random_state": [0, 1],
    "failsforsomerows__share": [5, 11],
}


def search_nested(iris):
    """Return the scores of 500 fits: a search in each of four outer folds."""
    pipeline = make_pipeline(FailsForSomeRows(), KerasClassifier(epochs=6))
    search = RandomizedSearchCV(
        pipeline,
        SPACE,
        n_iter=31,
        cv=4,
        scoring="neg_log_loss",
        error_score=-9.0,
        random_state=0,
    )
    scores = cross_validate(
        search, *iris, cv=4, error_score=-9.0, return_estimator=True
    )
    inner = [
        getattr(each, "cv_results_", {"mean_test_score": [-9.0] * 31})
        for each in scores["estimator"]
    ]
    return scores["test_score"], [each["mean_test_score"] for each in inner]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_five_hundred_nested_fits(iris):
    """Mixed shapes, failures and early stopping end as without fusion."""
    expected = search_nested(iris)
    with fused(max_memory="8MB") as fusion:
        found = search_nested(iris)
    assert not [t for t in threading.enumerate() if t.name == "skkeras_tune.fused"]
    for here, there in zip(found[1], expected[1], strict=True):
        assert_allclose(here, there, rtol=1e-3, atol=1e-4)
    assert np.mean(np.concatenate(expected[1]) < -2) > 0.1
    assert_allclose(found[0], expected[0], rtol=1e-3, atol=1e-4)
    report = fusion.report()
    assert report.n_fused > 300
    assert max(group.n_fits for group in report.groups) > 10


INTERRUPTED = """
import threading
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from skkeras_tune import KerasClassifier, fused
X, y = load_iris(return_X_y=True)
model = KerasClassifier(epochs=10**6, early_stopping=False, engine="compiled")
search = GridSearchCV(model, {"learning_rate": [0.001, 0.01]})
try:
    print("begins", flush=True)
    with fused():
        search.fit(X, y)
except KeyboardInterrupt:
    print("interrupted", threading.active_count(), flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the signal is Unix's")
def test_an_interruption_ends_the_search_at_once():
    """Ctrl-C ends a search that would take hours, and leaves no thread."""
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    time.sleep(10)  # it is compiling, or in the middle of training
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert out == "interrupted 1\n"
