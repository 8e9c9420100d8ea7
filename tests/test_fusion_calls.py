"""Calls of joblib that nest and overlap within `fused` end as without."""

import subprocess
import sys
import threading
import time

import joblib
import keras
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, cross_val_score

from skkeras_tune import KerasClassifier, fused
from tests.test_lanes import finish

QUICK = {"units": 6, "learning_rate": 0.01, "random_state": 0}


def build(epochs=3, **changes):
    """Return a small classifier."""
    return KerasClassifier(epochs=epochs, **{**QUICK, **changes})


def start(X, y, epochs=(3, 40, 80), pre_dispatch="all", **changes):
    """Begin a few fits, and return a generator of the models."""
    parallel = joblib.Parallel(return_as="generator", pre_dispatch=pre_dispatch)
    models = [build(n, **changes) for n in epochs]
    return parallel(joblib.delayed(model.fit)(X, y) for model in models)


def list_scores(X, y):
    """Return the scores of what `start` fits."""
    return [build(n).fit(X, y).score(X, y) for n in (3, 40, 80)]


# --- generators, in a task and outside


def read_two(X, y):
    """Read two generators in turn."""
    pairs = zip(start(X, y), start(X, y, pre_dispatch=1), strict=True)
    return [one.score(X, y) for pair in pairs for one in pair][::2]


def fit_between(X, y):
    """Fit between the results of a generator."""
    scores = []
    for model in start(X, y, pre_dispatch=1):
        scores.append(model.score(X, y))
        build(2).fit(X, y)
    return scores


def search_between(X, y):
    """Cross-validate between the results of a generator."""
    scores = []
    for model in start(X, y, pre_dispatch=1):
        scores.append(model.score(X, y))
        cross_val_score(build(2), X, y, cv=2)
    return scores


READERS = [read_two, fit_between, search_between]


@pytest.mark.parametrize("reader", READERS)
def test_generators_outside_of_tasks(iris, reader):
    """Results may be read one by one, whatever else is fitted in between."""

    def read():
        with fused():
            return reader(*iris)

    assert_allclose(finish(read), list_scores(*iris))


@pytest.mark.parametrize("max_memory", [1, None])
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("reader", READERS)
def test_generators_within_tasks(iris, reader, n_jobs, max_memory):
    """A task may read results one by one, and leaves its place to others meanwhile."""

    def read():
        with fused(n_jobs=n_jobs, max_memory=max_memory):
            return joblib.Parallel()(joblib.delayed(reader)(*iris) for _ in range(2))

    assert_allclose(finish(read), [list_scores(*iris)] * 2)


def test_a_generator_may_be_read_later(iris):
    """The context ends when all fits have, read or not."""

    def read():
        with fused() as fusion:
            models = start(*iris)
        return fusion.report().n_fused, len(list(models))

    assert finish(read) == (3, 3)


def test_a_generator_may_be_dropped(iris):
    """What nobody reads any more is given up."""

    def drop():
        with fused():
            models = start(*iris, epochs=[3, 100_000], patience=100_000)
            next(models)
            with pytest.warns(UserWarning, match="have been cancelled"):
                models.close()

    assert finish(drop) is None


def test_a_call_while_another_is_submitted(iris):
    """What yields the tasks of a call may make calls itself."""

    def list_tasks():
        for n_folds in (2, 3):
            scores = cross_val_score(build(), *iris, cv=n_folds)
            yield joblib.delayed(scores.mean)()
            yield joblib.delayed(build().fit)(*iris)

    def call():
        with fused() as fusion:
            found = joblib.Parallel()(list_tasks())
        return len(found), [group.n_fits for group in fusion.report().groups]

    assert finish(call) == (4, [2, 3, 2])


# --- contexts


class FusesItself(ClassifierMixin, BaseEstimator):
    """A search that is fused wherever it is fitted."""

    def fit(self, X, y):
        """Search."""
        with fused(n_jobs=1):
            rates = {"learning_rate": [0.01, 0.1]}
            self.search_ = GridSearchCV(build(), rates, cv=2).fit(X, y)
        self.classes_ = self.search_.classes_
        return self

    def predict(self, X):
        """Predict with the best."""
        return self.search_.predict(X)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_context_within_a_task(iris, n_jobs):
    """The one around goes on: it trains what the inner one would."""

    def score():
        with fused(n_jobs=n_jobs) as fusion:
            scores = cross_val_score(FusesItself(), *iris, cv=3, error_score="raise")
        return scores, fusion.report()

    scores, report = finish(score)
    assert_allclose(scores, cross_val_score(FusesItself(), *iris, cv=3))
    assert report.groups[0].n_fits == 12


def test_contexts_within_each_other(iris):
    """The inner one has the fits, be it the same again, and all of it is undone."""
    before = joblib.effective_n_jobs(None)
    with fused() as outer:
        with fused() as inner:
            cross_val_score(build(), *iris, cv=3)
        with outer:
            cross_val_score(build(), *iris, cv=2)
        cross_val_score(build(), *iris, cv=2)
    assert (inner.report().n_fused, outer.report().n_fused) == (3, 4)
    assert joblib.effective_n_jobs(None) == before


def test_one_context_in_several_threads(iris):
    """Threads that share a context have their own results, and errors."""
    fusion, found = fused(), {}

    def score(rate):
        for _ in range(4):
            model = build(30, learning_rate=rate)
            with fusion:
                try:
                    found[rate] = cross_val_score(
                        model, *iris, cv=3, error_score="raise"
                    )
                except ValueError as error:
                    found[rate] = str(error)

    def score_all():
        threads = [
            threading.Thread(target=score, args=[rate], daemon=True)
            for rate in (0.01, -1.0, 0.03, -2.0)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return any(thread.is_alive() for thread in threads)

    assert finish(score_all) is False
    for rate in (-1.0, -2.0):
        assert f"Got {rate} instead" in found[rate]
    for rate in (0.01, 0.03):
        model = build(30, learning_rate=rate)
        assert_allclose(found[rate], cross_val_score(model, *iris, cv=3))


# --- what trains apart


class CallsOut(keras.callbacks.Callback):
    """Fits another network each epoch: itself, or in a call of joblib's."""

    def __init__(self, engine, X, y):
        super().__init__()
        self.rows, self.engine = (X, y), engine

    def on_epoch_end(self, epoch, logs=None):
        """Fit."""
        model = build(1, engine=self.engine)
        model.fit(*self.rows)
        cross_val_score(model, *self.rows, cv=2, error_score="raise")


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_callbacks_that_fit(iris, engine):
    """What a callback of Keras's loop fits trains there and then."""
    model = build(2, callbacks=[CallsOut(engine, *iris)])

    def score():
        with fused() as fusion:
            scores = cross_val_score(model, *iris, cv=4, error_score="raise")
        return scores, fusion.report()

    scores, report = finish(score)
    assert_allclose(scores, cross_val_score(model, *iris, cv=4))
    assert (sum(report.apart.values()), report.n_fused) == (4, 0)


# --- errors


class FailsWithoutFirst(ClassifierMixin, BaseEstimator):
    """A search that would take days, or an error where the first flower is missing."""

    def __init__(self, first=None, error=ZeroDivisionError, seconds=0.0):
        self.first = first
        self.error = error
        self.seconds = seconds

    def fit(self, X, y):
        """Search, or fail after a while."""
        if (self.first == X).all(axis=1).any():
            model = build(10**7, patience=10**7)
            GridSearchCV(model, {"learning_rate": [0.01, 0.1]}, cv=2).fit(X, y)
        time.sleep(self.seconds)
        raise self.error("out of time")


@pytest.mark.parametrize("seconds", [0, 1])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("settings", [{}, {"n_jobs": 1}, {"max_memory": 1}], ids=str)
def test_an_error_ends_searches_within_others(iris, settings, error, seconds):
    """Calls within the tasks of one that has failed are given up with it."""
    X, y = iris
    model = FailsWithoutFirst(X[0], error, seconds)

    def score():
        with fused(**settings):
            return cross_val_score(model, X, y, cv=3, error_score="raise")

    found = finish(score)
    assert isinstance(found, error)
    assert str(found) == "out of time"


def build_line(meta, units=0):
    """A model function of a single layer."""
    return keras.Sequential([keras.layers.Dense(meta["n_classes_"], "softmax")])


@pytest.mark.parametrize("settings", [{"engine": "keras"}, {"model": build_line}])
def test_an_error_ends_what_trains_apart(settings, iris):
    """A training that no program shares ends with an epoch once it is given up."""
    options = {"loss": "sparse_categorical_crossentropy"} if "model" in settings else {}
    model = build(10**7, early_stopping=False, **settings, **options)

    def fail():
        time.sleep(3)
        raise ZeroDivisionError("out of time")

    def fit():
        calls = [joblib.delayed(model.fit)(*iris), joblib.delayed(fail)()]
        with fused():
            return joblib.Parallel(n_jobs=2)(calls)

    assert str(finish(fit)) == "out of time"


def fail_to_score(estimator, X, y):
    """Raise an error."""
    raise ZeroDivisionError("no score")


def test_an_error_within_searches_within_others(iris):
    """An error in one inner search ends the others, though they have yet to begin."""
    inner = GridSearchCV(
        build(), {"units": [3, 4]}, cv=2, scoring=fail_to_score, error_score="raise"
    )
    outer = GridSearchCV(inner, {"cv": [2, 3]}, cv=2, error_score="raise")

    def search():
        with fused(max_memory=1):
            return outer.fit(*iris)

    assert str(finish(search)) == "no score"


# --- the end of the process

ABANDONED = """
import time, joblib
from skkeras_tune import fused
context = fused()
context.__enter__()
sleep = joblib.delayed(time.sleep)
results = joblib.Parallel(return_as="generator")(sleep(600) for _ in range(4))
"""


def test_a_process_can_end_within_the_context():
    """Tasks that its end has stopped are not waited for."""
    done = subprocess.run([sys.executable, "-c", ABANDONED], timeout=120, check=False)
    assert done.returncode == 0
