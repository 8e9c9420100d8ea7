"""Within `fused`, whatever runs through joblib gives what it gives without."""

import re
import threading
import time
import warnings

import joblib
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import BayesSearchCV, KerasClassifier, KerasRegressor, fused
from skkeras_tune.fusion.memory import resolve_memory
from skkeras_tune.fusion.request import current_task
from skkeras_tune.training.programs.cache import ProgramCache

QUICK = {"epochs": 3, "units": 6, "learning_rate": 0.01, "random_state": 0}
RATES = {"learning_rate": [0.001, 0.01]}


def build(**changes):
    """Return a small classifier."""
    return KerasClassifier(**{**QUICK, **changes})


def both(function):
    """Return what a function gives without fusion and within, and the report."""
    expected = function()
    with fused() as fusion:
        found = function()
    assert not list_threads()
    return expected, found, fusion.report()


def list_threads():
    """Return the threads that a fusion has left."""
    return [t for t in threading.enumerate() if t.name.startswith("skkeras_tune")]


def assert_same_search(found, expected):
    """Two searches have the same results, but for their times."""
    assert found.cv_results_.keys() == expected.cv_results_.keys()
    for name, values in expected.cv_results_.items():
        if "time" in name:
            continue
        if "score" in name and "rank" not in name:
            assert_allclose(found.cv_results_[name], values, rtol=1e-5, atol=1e-6)
        elif name == "params":
            assert found.cv_results_[name] == values
        else:
            assert_array_equal(found.cv_results_[name], values)
    assert found.best_params_ == expected.best_params_


SEARCHES = {
    "grid": lambda model: GridSearchCV(model, RATES, cv=3),
    "random": lambda model: RandomizedSearchCV(
        model, {"learning_rate": [0.001, 0.01, 0.1]}, n_iter=2, cv=3, random_state=0
    ),
    "halving grid": lambda model: HalvingGridSearchCV(
        model, RATES, cv=3, factor=2, random_state=0, min_resources=60
    ),
    "halving random": lambda model: HalvingRandomSearchCV(
        model, RATES, cv=3, factor=2, random_state=0, min_resources=60
    ),
    "bayes": lambda model: BayesSearchCV(
        model,
        {"learning_rate": (0.001, 0.1, "log-uniform")},
        n_iter=4,
        n_points=2,
        cv=3,
        random_state=0,
    ),
}


@pytest.mark.parametrize(
    ("kind", "n_jobs", "engine"),
    [
        *[(kind, None, engine) for kind in SEARCHES for engine in ("auto", "compiled")],
        ("grid", 1, "auto"),
        ("grid", 2, "auto"),
    ],
)
def test_searches(iris, kind, n_jobs, engine):
    """A search ends with the same results and predictions, whatever its n_jobs."""
    X, y = iris
    search = SEARCHES[kind](build(engine=engine))
    expected, found, report = both(
        lambda: clone(search).set_params(n_jobs=n_jobs).fit(X, y)
    )
    assert_same_search(found, expected)
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-5)
    for name, values in expected.best_estimator_.history_.items():
        assert_allclose(found.best_estimator_.history_[name], values, rtol=1e-5)
    assert report.n_fused >= 6


CURVES = {
    "cross_validate": lambda m, X, y: cross_validate(
        m, X, y, cv=4, return_train_score=True
    )["train_score"],
    "cross_val_predict": lambda m, X, y: cross_val_predict(
        m, X, y, method="predict_proba"
    ),
    "learning_curve": lambda m, X, y: learning_curve(
        m, X, y, train_sizes=[0.5, 1.0], cv=3, shuffle=True, random_state=0
    )[1],
    "validation_curve": lambda m, X, y: validation_curve(
        m, X, y, param_name="l2", param_range=[0.0, 0.1], cv=3
    )[1],
    "permutation_test_score": lambda m, X, y: permutation_test_score(
        m, X, y, n_permutations=4, cv=3, random_state=0
    )[1],
}


@pytest.mark.parametrize("kind", CURVES)
def test_functions(iris, kind):
    """The functions that fit many times give the same scores and predictions."""
    expected, found, report = both(lambda: CURVES[kind](build(), *iris))
    assert_allclose(found, expected, atol=1e-5)
    assert report.n_fused >= 3


METAS = {
    "bagging": lambda: BaggingClassifier(build(), 3, random_state=0),
    "voting": lambda: VotingClassifier(
        [("a", build()), ("b", build(units=5)), ("c", LogisticRegression())],
        voting="soft",
    ),
    "stacking": lambda: StackingClassifier(
        [("a", build()), ("b", RandomForestClassifier(5, random_state=0))], cv=3
    ),
    "one against rest": lambda: OneVsRestClassifier(build()),
    "calibrated": lambda: CalibratedClassifierCV(build(engine="compiled"), cv=3),
}


@pytest.mark.parametrize("kind", METAS)
def test_meta_estimators(iris, kind):
    """Meta-estimators predict the same."""
    X, y = iris
    expected, found, report = both(lambda: METAS[kind]().fit(X, y).predict_proba(X))
    # Calibration multiplies by up to 18 what a group's program rounds differently.
    assert_allclose(found, expected, atol=1e-4 if kind == "calibrated" else 1e-5)
    assert report.n_fused >= 2


@pytest.mark.parametrize("loss", ["Binary", "Categorical"])
def test_smoothing_of_labels_differs_within_a_group(iris, loss):
    """Labels smoothed, and not, train in one program."""
    X, y = iris
    model = build(loss=getattr(keras.losses, f"{loss}Crossentropy"))
    grid = {"loss__label_smoothing": [0.0, 0.1, 0.3]}
    if loss == "Binary":
        y = y == 0
    search = GridSearchCV(model, grid, cv=3, scoring="neg_log_loss", refit=False)
    expected, found, report = both(lambda: clone(search).fit(X, y))
    assert_same_search(found, expected)
    assert [group.n_fits for group in report.groups] == [9]
    assert len(set(expected.cv_results_["mean_test_score"])) == 3


def test_precision_of_the_caller(iris):
    """Keras's default precision, which it keeps for each thread, is the caller's."""
    keras.config.set_dtype_policy("float64")
    try:
        expected, found, report = both(
            lambda: cross_validate(build(), *iris, cv=2, return_estimator=True)
        )
    finally:
        keras.config.set_dtype_policy("float32")
    for key in ("engine_", "engine_reason_"):
        one, other = (
            {getattr(model, key) for model in each["estimator"]}
            for each in (expected, found)
        )
        assert one == other
    assert report.n_fused == 0
    assert_allclose(found["test_score"], expected["test_score"])


def double(x):
    """Return 2 x."""
    return 2 * x


def build_doubling(meta):
    """Build a classifier with an activation that only a scope knows."""
    inputs = keras.Input((meta["n_features_in_"],))
    doubling = keras.saving.get_registered_object("doubling")
    hidden = keras.layers.Dense(4, activation=doubling)(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))


def test_custom_objects_of_the_caller(iris):
    """The objects of a Keras scope around the search are known in its tasks."""
    model = KerasClassifier(build_doubling, epochs=2, random_state=0)
    scope = keras.saving.custom_object_scope({"doubling": double})
    with scope, fused():
        scores = cross_val_score(model, *iris, cv=2, error_score="raise")
    assert (scores > 0).all()


def test_feature_selection(iris):
    """A sequential selection ends with the same features."""
    selector = SequentialFeatureSelector(build(), n_features_to_select=1, cv=3)
    expected, found, report = both(lambda: clone(selector).fit(*iris).get_support())
    assert_array_equal(found, expected)
    assert report.n_fused == 4 * 3


def test_pipelines(iris):
    """Steps before the network run as always, each with its own parameters."""
    columns = ColumnTransformer([("scale", StandardScaler(), [0, 1])], remainder="drop")
    grid = {"standardscaler__with_mean": [True, False], "kerasclassifier__l2": [0, 0.1]}
    pipeline = make_pipeline(columns, StandardScaler(), build())
    expected, found, report = both(
        lambda: GridSearchCV(pipeline, grid, cv=3).fit(*iris)
    )
    assert_same_search(found, expected)
    assert [group.n_fits for group in report.groups] == [12]


def fit_after_a_call(X, y, *, seconds):
    """Fit when a call within the task has ended, which the task notices late."""
    parallel = joblib.Parallel(return_as="generator")
    for _ in parallel(joblib.delayed(np.sum)(X) for _ in range(2)):
        time.sleep(seconds)
    return build().fit(X, y).predict_proba(X)


def fit_in_a_call(X, y, *, seconds):
    """Fit between the results of a call within the task."""
    parallel = joblib.Parallel(return_as="generator")
    found = []
    for _ in parallel(joblib.delayed(np.sum)(X) for _ in range(2)):
        time.sleep(seconds)
        found.append(build().fit(X, y).predict_proba(X))
    return found[0]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("function", [fit_after_a_call, fit_in_a_call])
def test_a_task_that_has_yet_to_go_on_is_waited_for(iris, function, n_jobs):
    """Training begins with all, though a task wakes late from a call of its own."""
    expected = build().fit(*iris).predict_proba(iris[0])
    with fused(n_jobs=n_jobs) as fusion:
        found = joblib.Parallel()(
            joblib.delayed(function)(*iris, seconds=seconds) for seconds in (0, 0.3)
        )
    for each in found:
        assert_allclose(each, expected, atol=1e-5)
    # Later fits of one may begin before the other notices that its own has ended.
    assert fusion.report().groups[0].n_fits == 2


def test_transformed_targets(diabetes):
    """A regressor within TransformedTargetRegressor gives the same predictions."""
    X, y = diabetes
    model = TransformedTargetRegressor(
        KerasRegressor(**QUICK), transformer=StandardScaler()
    )
    expected, found, _ = both(lambda: cross_val_predict(model, X, y, cv=4))
    assert_allclose(found, expected, atol=1e-4)


def test_nested_searches(iris):
    """A search within cross_validate is fused over the outer folds too."""
    search = GridSearchCV(build(), RATES, cv=2)
    expected, found, report = both(lambda: cross_val_score(search, *iris, cv=3))
    assert_allclose(found, expected)
    assert report.groups[0].n_fits == 12
    assert report.n_fused == 12 + 3  # the refits, which may come one by one


def test_tasks_without_networks_pass_through(iris):
    """Other estimators run as they are."""
    forest = RandomForestClassifier(5, random_state=0)
    expected, found, report = both(lambda: cross_val_score(forest, *iris))
    assert_array_equal(found, expected)
    assert report.n_fused == 0
    with fused():
        assert joblib.Parallel()(joblib.delayed(abs)(-i) for i in range(300)) == list(
            range(300)
        )


def test_a_fit_outside_of_joblib_trains_alone(iris):
    """In the body of the context a fit needs nobody to wait for."""
    with fused() as fusion:
        assert build().fit(*iris).engine_ == "compiled"
    assert fusion.report().n_fused == 0


# --- groups


def test_members_of_a_group_may_differ_in_numbers(iris):
    """Numbers make no groups; structure does, and the report says which."""
    grid = [
        {"learning_rate": [0.01, 0.1], "dropout": [0.1, 0.2], "patience": [1, 2]},
        {"batch_size": [16, 64]},
    ]
    with fused() as fusion:
        GridSearchCV(build(), grid, cv=2, refit=False).fit(*iris)
    report = fusion.report()
    assert sorted(group.n_fits for group in report.groups) == [2, 2, 16]
    assert "batch_size" in report.differing
    text = str(report)
    assert "20 fits in 3 groups" in text
    assert "batch_size=16" in text


def test_near_widths_share_a_program(iris, monkeypatch):
    """Networks of near widths train in one group, with the same scores."""
    # Where each has a program already, none is needed.
    monkeypatch.setattr(ProgramCache, "__iter__", lambda _: iter(()))
    grid = {"hidden_layer_sizes": [(3,), (4,), (8,)]}
    search = GridSearchCV(build(), grid, cv=2, scoring="neg_log_loss")
    expected, found, report = both(lambda: clone(search).fit(*iris))
    assert_same_search(found, expected)
    assert [group.n_fits for group in report.groups] == [6]


def test_a_search_that_is_run_again_trains_nothing_twice(iris, tmp_path):
    """Results are remembered in groups as they are alone."""
    search = GridSearchCV(build(memory=tmp_path), RATES, cv=3, refit=False)
    with fused() as first:
        once = clone(search).fit(*iris)
    with fused() as second:
        again = clone(search).fit(*iris)
    assert (first.report().n_fused, second.report().n_fused) == (6, 0)
    assert_array_equal(
        again.cv_results_["mean_test_score"], once.cv_results_["mean_test_score"]
    )
    with fused() as third:
        search.set_params(cv=4).fit(*iris)
    assert third.report().n_fused == 8


def test_what_cannot_be_fused_is_told(iris):
    """Fits in Keras's loop are counted with their reason."""
    model = build(optimizer="ftrl")
    with fused() as fusion:
        cross_validate(model, *iris, cv=3, error_score="raise")
    report = fusion.report()
    assert report.apart == {"the optimizer Ftrl has no compiled form": 3}
    assert "3: the optimizer Ftrl" in str(report)


def test_memory_bounds_the_tasks_in_flight(iris):
    """With little memory for rows, fewer fits wait at a time."""
    X, y = iris
    wide = np.repeat(X, 200, axis=1)
    n_bytes = 100 * 800 * 4
    with fused(max_memory=8 * n_bytes) as fusion:
        scores = cross_val_score(build(), wide, y, cv=12)
    sizes = [group.n_fits for group in fusion.report().groups]
    assert sum(sizes) == 12
    assert max(sizes) < 6
    assert_allclose(scores, cross_val_score(build(), wide, y, cv=12), atol=1e-6)


# --- failures


class FailsOnSome(TransformerMixin, BaseEstimator):
    """Raises an error for some parameter."""

    def __init__(self, fails=False):
        self.fails = fails

    def fit(self, X, y=None):
        """Fail, if told to."""
        if self.fails:
            raise RuntimeError("out of paper")
        return self

    def transform(self, X):
        """Return X."""
        return X


def test_failures_stay_apart(iris):
    """A bad parameter, a loss that diverges and a failing step fail alone."""
    pipeline = make_pipeline(FailsOnSome(), build(optimizer="sgd"))
    name = "kerasclassifier__learning_rate"
    grid = [
        {name: [0.01]},
        {name: [-1.0]},
        {name: [1e30]},
        {name: [0.01], "failsonsome__fails": [True]},
    ]
    search = GridSearchCV(pipeline, grid, cv=2, refit=False, error_score=-1.0)
    with pytest.warns(FitFailedWarning):
        expected, found, _ = both(lambda: clone(search).fit(*iris))
    scores = found.cv_results_["mean_test_score"]
    assert_allclose(scores, expected.cv_results_["mean_test_score"])
    assert scores[0] > 0
    assert set(scores[1:]) == {-1.0}


def test_an_error_that_is_raised_ends_the_call(iris):
    """With error_score="raise" the error is the user's, and nothing is left behind."""
    search = GridSearchCV(
        build(optimizer="sgd"),
        {"learning_rate": [0.01, 1e30], "epochs": [3, 500]},
        cv=2,
        error_score="raise",
    )
    with fused(), pytest.raises(ValueError, match="Lower the learning rate"):
        search.fit(*iris)
    assert not list_threads()


def test_an_error_ends_the_calls_within_other_tasks():
    """Tasks that wait for tasks of their own are told that these are given up."""
    is_running, is_nested = threading.Event(), threading.Event()

    def fail():
        is_running.set()
        is_nested.wait()
        raise ValueError("one of them")

    def wait_for_the_end():
        is_nested.set()
        while not current_task().call.is_cancelled:
            time.sleep(0.001)

    def nest():
        is_running.wait()  # the tasks within take both places
        joblib.Parallel()(joblib.delayed(wait_for_the_end)() for _ in range(4))

    def run():
        with fused(n_jobs=2), pytest.raises(ValueError, match="one of them"):
            joblib.Parallel()(joblib.delayed(task)() for task in (nest, fail))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert not list_threads()


def test_the_context_can_be_used_again(iris):
    """One context serves many calls, also after one that failed."""
    with fused() as fusion:
        with pytest.raises(ValueError, match="learning_rate"):
            cross_validate(build(learning_rate=-1), *iris, error_score="raise")
        first = cross_val_score(build(), *iris)
        assert_array_equal(first, cross_val_score(build(), *iris))
    assert fusion.report().n_fused == 10


def test_the_process_is_left_as_it_was(iris):
    """Neither filters of warnings nor joblib's backend are changed for good."""
    before = list(warnings.filters), joblib.effective_n_jobs(None)
    with fused():
        cross_validate(build(), *iris)
    assert (list(warnings.filters), joblib.effective_n_jobs(None)) == before


SEEN = []


class Looks(TransformerMixin, BaseEstimator):
    """Looks at the filters of warnings, and at scikit-learn's configuration."""

    def fit(self, X, y=None):
        """Write down what there is."""
        SEEN.append((warnings.filters, get_config()["working_memory"]))
        return self

    def transform(self, X):
        """Return X."""
        return X


def test_tasks_share_the_filters_of_warnings(iris):
    """No task changes the process's filters, which other threads would see."""
    SEEN.clear()
    with fused(), config_context(working_memory=77):
        before = warnings.filters
        cross_validate(make_pipeline(Looks(), build()), *iris)
    assert len(SEEN) == 5
    assert all(filters is before and memory == 77 for filters, memory in SEEN)


class Records(TransformerMixin, BaseEstimator):
    """Records the warnings of its own work, a little longer for some rows."""

    def fit(self, X, y=None):
        """Fit nothing."""
        return self

    def transform(self, X):
        """Return X."""
        with warnings.catch_warnings(record=True):
            time.sleep(0.01 * (1 + len(X) % 3))
        return X


def test_warnings_are_shown_after(iris):
    """Steps that record warnings, side by side, leave no record behind."""
    model = make_pipeline(Records(), build())
    for n_folds in (7, 8, 9):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            with fused(n_jobs=4):
                cross_validate(model, *iris, cv=n_folds)
            warnings.warn("seen", UserWarning, stacklevel=1)
        assert "seen" in [str(each.message) for each in found]


BAD = {
    "max_memory": ["2 apples", "", 0, "0", -1],
    "n_jobs": [0, 1.5, "two", True],
    "backend": ["threads", None, ("loky", "dask")],
    "client": ["127.0.0.1:8786"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in BAD for value in BAD[name]]
)
def test_bad_parameters(name, value):
    """The error names the parameter and shows the value."""
    told = f"'{name}' parameter of fused .* {re.escape(repr(value))}"
    with pytest.raises(ValueError, match=told):
        fused(**{name: value})


def test_numbers_of_numpy(iris):
    """Integers of NumPy's are taken."""
    with fused(n_jobs=np.int64(1), max_memory=np.int32(10**9)) as fusion:
        cross_validate(build(), *iris, cv=2)
    assert fusion.report().n_fused == 2


@pytest.mark.parametrize("limit", ["1000000\n", "max\n", "9223372036854771712\n"])
def test_containers_bound_the_memory(limit, tmp_path, monkeypatch):
    """By default it is a quarter of what there is, in a container of its limit."""
    without = resolve_memory(None)
    (tmp_path / "limit").write_text(limit)
    paths = (str(tmp_path / "missing"), str(tmp_path / "limit"))
    monkeypatch.setattr("skkeras_tune.fusion.memory._LIMITS", paths)
    expected = 250_000 if limit.startswith("1") else without
    assert resolve_memory(None) == expected


@pytest.mark.parametrize(
    "memory", [10**9, 1e17, "1e9", "2GB", "1.5 GB", "500M", "64MiB", None]
)
def test_ways_to_give_memory(memory, iris):
    """Numbers of bytes and their usual short forms are taken."""
    with fused(max_memory=memory, n_jobs=1) as fusion:
        cross_validate(build(), *iris, cv=2)
    assert fusion.report().n_fused == 2
