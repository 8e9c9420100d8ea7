"""Groups that are trained in other processes give what they give here."""

import os
import time
from pathlib import Path
from unittest.mock import patch

import joblib
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skkeras_tune import HyperbandSearchCV, KerasClassifier, KerasRegressor, fused
from skkeras_tune.fusion import sender
from skkeras_tune.fusion.lanes import Batch, plan_jobs
from skkeras_tune.fusion.sender import Sender
from skkeras_tune.fusion.workers import LokyWorkers
from skkeras_tune.training.deadline import Deadline, train_until
from tests.test_fused import assert_same_search, build, list_threads
from tests.test_lanes import request as make_request

pytestmark = pytest.mark.slow

RATES = {"kerasclassifier__learning_rate": [0.001, 0.01]}
# A network whose training ends only when somebody ends it.
ENDLESS = {"epochs": 10_000_000, "early_stopping": False}


@pytest.fixture(scope="module")
def client():
    """Return the client of a Dask cluster of two processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def ray():
    """Return Ray, begun with two processes."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


@pytest.fixture(params=["loky", "dask", "ray"])
def backend(request):
    """Return the arguments of `fused` for each kind of workers."""
    if request.param == "dask":
        return {"backend": "dask", "client": request.getfixturevalue("client")}
    if request.param == "ray":
        request.getfixturevalue("ray")
    return {"backend": request.param}


def test_searches(iris, backend):
    """A search over a pipeline has the same results, histories and predictions."""
    X, y = iris
    pipeline = make_pipeline(PCA(3, random_state=0), build(epochs=30, patience=3))
    search = GridSearchCV(pipeline, RATES, cv=3, error_score="raise")
    expected = search.fit(X, y)
    with fused(**backend) as fusion:
        found = GridSearchCV(pipeline, RATES, cv=3, error_score="raise").fit(X, y)
    assert_same_search(found, expected)
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-5)
    report = fusion.report()
    assert report.n_fused == 6
    assert report.groups[0].train_seconds > 0
    assert not list_threads()


def test_float64_and_weights(diabetes):
    """Keras's float type and the weights of rows travel too."""
    X, y = diabetes
    weights = np.linspace(0.1, 2.0, len(y))
    model = KerasRegressor(epochs=5, random_state=0)

    def score():
        params = {"sample_weight": weights}
        return cross_val_score(model, X, y, cv=2, params=params)

    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        expected = score()
        with fused(backend="loky"):
            found = score()
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    assert_allclose(found, expected, rtol=1e-9)


class CountingWorkers(LokyWorkers):
    """Counts the arrays that are sent."""

    n_arrays = 0

    def put(self, array):
        """Send an array."""
        self.n_arrays += 1
        return super().put(array)


def test_equal_rows_are_sent_once():
    """Two groups on the same rows send the features and the targets once."""
    workers = CountingWorkers(2)
    sending = Sender(workers)
    try:
        for seeds in (range(3), range(3, 5)):
            batch = Batch([make_request(seed=seed) for seed in seeds])
            outcomes = [
                outcome
                for job in plan_jobs([batch], 2, 10**9)
                for _, outcome in sending.run(job)
            ]
            assert [outcome.engine for outcome in outcomes] == ["compiled"] * len(seeds)
    finally:
        sending.close()
    assert workers.n_arrays == 2


class DiesOnce:
    """A schedule that ends its process the first time, and leaves a mark."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __call__(self, epoch, rate):
        """Return the rate, or end the process."""
        if epoch == 1 and not Path(self.mark).exists():
            Path(self.mark).touch()
            os._exit(1)
        return rate


def test_a_group_whose_worker_dies_is_sent_again(iris, backend, tmp_path):
    """The search ends as if nothing had been."""
    schedule = keras.callbacks.LearningRateScheduler(DiesOnce(tmp_path / "mark"))
    with fused(**backend) as fusion:
        found = cross_val_score(
            build(callbacks=[schedule]), *iris, cv=3, error_score="raise"
        )
    assert (tmp_path / "mark").exists()
    plain = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    assert_allclose(found, cross_val_score(build(callbacks=[plain]), *iris, cv=3))
    assert fusion.report().n_fused == 3


class Dies:
    """A schedule that ends any process but that of the test."""

    def __init__(self):
        self.here = os.getpid()

    def __call__(self, epoch, rate):
        """Return the rate, or end the process."""
        if os.getpid() != self.here:
            os._exit(1)
        return rate


def test_hyperband_goes_on_in_another_process(iris):
    """What a stage leaves travels: the search is that without workers."""
    space = {"learning_rate": np.geomspace(0.001, 0.1, 12).tolist()}
    options = {"max_epochs": 4, "factor": 2, "cv": 2, "random_state": 0}
    search = HyperbandSearchCV(build(), space, **options, error_score="raise")
    expected = clone(search).fit(*iris).cv_results_
    with fused(backend="loky"):
        found = search.fit(*iris).cv_results_
    assert_allclose(found["mean_test_score"], expected["mean_test_score"], rtol=1e-5)


def test_deadlines_travel(iris):
    """A training in a worker ends when its time is over."""
    model = KerasClassifier(**ENDLESS)
    with fused(backend="loky"), train_until(Deadline(time.monotonic() + 1.0)):
        scores = cross_val_score(model, *iris, cv=2, error_score="raise")
    assert (scores > 0).all()


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_network_that_brings_down_its_worker_fails_alone(iris, monkeypatch):
    """The others of its group are trained, and the error says what has happened."""
    monkeypatch.setattr(sender, "_ATTEMPTS", 1)
    plain, deadly = (
        [keras.callbacks.LearningRateScheduler(schedule)]
        for schedule in (np.minimum, Dies())
    )
    grid = {"callbacks": [plain, deadly]}
    with (
        fused(backend="loky"),
        pytest.warns(FitFailedWarning, match="The worker that trained this network di"),
    ):
        search = GridSearchCV(build(), grid, cv=2, refit=False).fit(*iris)
    first, second = search.cv_results_["mean_test_score"]
    assert 0 < first <= 1
    assert np.isnan(second)


def fit_endless(X, y):
    """Train for longer than anybody waits."""
    KerasClassifier(**ENDLESS).fit(X, y)


def raise_error(X, y):
    """Fit a little, then raise an error."""
    build().fit(X, y)
    raise RuntimeError("out of paper")


def test_an_error_ends_what_workers_train(iris, backend):
    """What nobody wants any more is given up, and no thread is left."""
    calls = [joblib.delayed(f)(*iris) for f in (fit_endless, raise_error)]
    if backend["backend"] == "dask":
        calls = calls[1:]  # Dask's workers cannot be stopped
    with pytest.raises(RuntimeError, match="out of paper"), fused(**backend):
        joblib.Parallel()(calls)
    assert not list_threads()


def test_results_are_remembered(iris, tmp_path):
    """With memory= a second search sends nothing."""
    model = build(memory=str(tmp_path))
    with fused(backend="loky") as fusion:
        scores = cross_val_score(model, *iris, cv=3)
        again = cross_val_score(model, *iris, cv=3)
    assert_allclose(again, scores)
    assert fusion.report().n_fused == 3


def test_dask_without_a_client():
    """Dask needs a client, and the error says how to make one."""
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match=r"no Dask client\. Make one"):
        fused(backend="dask")


def test_dask_with_something_else():
    """What is no client is refused by name."""
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match=r"'client' parameter of fused .* 'here:1'"):
        fused(backend="dask", client="here:1")


def test_dask_takes_the_current_client(iris, client):
    """Without client= the current one is used."""
    with client.as_current(), fused(backend="dask") as fusion:
        cross_val_score(build(), *iris, cv=2)
    assert fusion.report().n_fused == 2


def test_packages_that_are_missing():
    """The error names the package."""
    with (
        patch.dict("sys.modules", {"ray": None}),
        pytest.raises(ImportError, match="backend='ray'\\) needs ray: pip install ray"),
    ):
        fused(backend="ray")
