"""What HyperbandSearchCV refuses, and how it goes on when candidates fail."""

from contextlib import nullcontext

import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skkeras_tune import HyperbandSearchCV, KerasClassifier, KerasRegressor, fused
from tests.searches import expect_failures

NETWORK = {"units": 8, "random_state": 0}
SPACE = {"units": list(range(3, 30))}


def build_search(estimator=None, space=None, **options):
    estimator = KerasClassifier(**NETWORK) if estimator is None else estimator
    settings = {"max_epochs": 3, "cv": 2, "random_state": 0}
    space = SPACE if space is None else space
    return HyperbandSearchCV(estimator, space, **{**settings, **options})


# --- bad input


@pytest.mark.parametrize(
    "make",
    [
        LogisticRegression,
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        lambda: BaggingClassifier(KerasClassifier()),
        lambda: make_pipeline(KerasClassifier(), "passthrough"),
    ],
)
def test_an_estimator_without_epochs(iris, make):
    """An estimator whose training cannot go on is named in the error."""
    with pytest.raises(ValueError, match=r"trains in epochs and can go on.* Got"):
        build_search(make()).fit(*iris)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_epochs": 0}, r"'max_epochs' parameter .* Got 0 instead"),
        ({"max_epochs": 1.5}, r"'max_epochs' parameter .* Got 1.5 instead"),
        ({"factor": 1}, r"'factor' parameter .* Got 1 instead"),
        ({"hyperband_iterations": 0}, r"'hyperband_iterations' parameter"),
        ({"resource": "units"}, r"'resource' .* here 'epochs'. Got 'units' instead"),
        ({"resource": 3}, r"'resource' parameter .* Got 3 instead"),
        ({"random_state": "seed"}, r"'random_state' parameter"),
        ({"space": {}}, r"must name at least one parameter. Got \{\} instead"),
        ({"space": [{}]}, r"must name at least one parameter"),
        ({"space": []}, r"must name at least one parameter"),
        ({"space": {"epochs": [3]}}, r"cannot search over 'epochs'"),
        ({"space": [{"units": [3]}, {"epochs": [3]}]}, r"cannot search over 'epochs'"),
        ({"space": {"fit__epochs": [3]}}, r"cannot search over 'fit__epochs'"),
        ({"space": {"unit": [3]}, "max_epochs": 1}, r"Invalid parameter 'unit'"),
        ({"scoring": "no such score"}, r"'scoring' parameter"),
        ({"cv": 1}, r"'cv' parameter of HyperbandSearchCV .* Got 1 instead"),
    ],
)
def test_bad_parameters(iris, options, message):
    """A parameter out of range is named, with what it got."""
    with pytest.raises(ValueError, match=message):
        build_search(**options).fit(*iris)


@pytest.mark.parametrize("space", ["units", None, 3])
def test_a_space_that_is_none(iris, space):
    """The space has to be a dict or a list of dicts."""
    search = HyperbandSearchCV(KerasClassifier(), space)
    with pytest.raises(ValueError, match="'param_distributions' parameter"):
        search.fit(*iris)


def test_the_epochs_are_set_by_the_search(iris):
    """Epochs from elsewhere would overrule those of the rungs, and are refused."""
    with pytest.raises(ValueError, match=r"Got fit\(epochs=...\)"):
        build_search().fit(*iris, epochs=5)
    pipeline = make_pipeline(StandardScaler(), KerasClassifier(**NETWORK))
    space = {"kerasclassifier__units": list(range(3, 30))}
    with pytest.raises(ValueError, match=r"Got fit\(kerasclassifier__epochs=...\)"):
        build_search(pipeline, space).fit(*iris, kerasclassifier__epochs=5)
    routed = KerasClassifier(**NETWORK, fit__epochs=5)
    with pytest.raises(ValueError, match="the estimator has fit__epochs"):
        build_search(routed).fit(*iris)


@pytest.mark.parametrize("name", ["epochs", "fit__epochs"])
def test_the_epochs_of_a_pipeline_are_not_searched(name, iris):
    """Whatever would set the epochs of the network is refused by its full name."""
    pipeline = make_pipeline(StandardScaler(), KerasClassifier(**NETWORK))
    space = [{"kerasclassifier__units": [3]}, {f"kerasclassifier__{name}": [3]}]
    with pytest.raises(ValueError, match=f"search over 'kerasclassifier__{name}'"):
        build_search(pipeline, space).fit(*iris)


def test_the_resource_may_be_named(iris):
    """The full name of the epochs is taken, their short name in a pipeline is not."""
    pipeline = make_pipeline(StandardScaler(), KerasClassifier(**NETWORK))
    space = {"kerasclassifier__units": [3, 4, 5]}
    options = {"max_epochs": 1, "refit": False}
    name = "kerasclassifier__epochs"
    assert build_search(pipeline, space, resource=name, **options).fit(*iris)
    with pytest.raises(ValueError, match="here 'kerasclassifier__epochs'"):
        build_search(pipeline, space, resource="epochs", **options).fit(*iris)


def test_before_fit(iris):
    """A search that is not fitted cannot predict."""
    with pytest.raises(NotFittedError):
        build_search().predict(iris[0])


# --- candidates that fail


@pytest.mark.parametrize("error_score", [np.nan, -100.0])
def test_a_candidate_that_fails_leaves(diabetes, error_score):
    """It is scored `error_score`, and others go on to the next rung."""
    space = {"learning_rate": [1e-3, 3e-3, 1e-2, 1e30, 1e32]}
    search = build_search(
        KerasRegressor(**NETWORK, optimizer="sgd"), space, error_score=error_score
    )
    with fused(), expect_failures():
        search.fit(*diabetes)
    results = search.cv_results_
    rates = np.array([p["learning_rate"] for p in results["params"]])
    failed = rates > 1
    assert failed.sum() == 2
    np.testing.assert_array_equal(results["mean_test_score"][failed], error_score)
    assert (results["mean_test_score"][~failed] > -10).all()
    assert rates[results["rung"] == 1].max() < 1
    assert search.best_params_["learning_rate"] < 1


class Frail(KerasClassifier):
    """A network that fails from some number of epochs on."""

    def __init__(self, fails_at=99, **kwargs):
        super().__init__(**kwargs)
        self.fails_at = fails_at

    def fit(self, X, y, **options):
        if self.epochs >= self.fails_at:
            raise ValueError(f"no more than {self.fails_at}")
        return super().fit(X, y, **options)


def test_failing_in_a_later_rung(iris):
    """A bracket in which all fail ends, and the search goes on with the others."""
    search = build_search(
        Frail(**NETWORK), {"fails_at": [9], "units": list(range(3, 30))}, max_epochs=9
    )
    with (
        fused(),
        pytest.warns(FitFailedWarning) as caught,
        pytest.warns(UserWarning, match="test scores are non-finite"),
    ):
        search.fit(*iris)
    results = search.cv_results_
    is_last = results["epochs"] == 9
    assert np.isnan(results["mean_test_score"][is_last]).all()
    assert np.isfinite(results["mean_test_score"][~is_last]).all()
    assert search.best_params_["epochs"] < 9
    failures = [str(w.message) for w in caught if w.category is FitFailedWarning]
    assert "6 fits failed out of a total of 34" in failures[0]
    assert "no more than 9" in failures[0]
    assert len(results["params"]) == 9 + 3 + 1 + 5 + 1 + 3


def test_all_fail(iris):
    """When nothing can be trained, the error has the details."""
    search = build_search(Frail(**NETWORK, fails_at=0))
    with pytest.raises(
        ValueError, match=r"All the 10 fits failed(.|\n)*no more than 0"
    ):
        search.fit(*iris)


def test_errors_may_be_raised(iris):
    """With ``error_score="raise"`` the first failure ends the search."""
    search = build_search(Frail(**NETWORK, fails_at=3), error_score="raise")
    with pytest.raises(ValueError, match="no more than 3"):
        search.fit(*iris)


def fail_or_score(estimator, X, y):
    if estimator.units > 15:
        raise ValueError("too wide")
    return {"one": 1.0, "two": 1.0 / estimator.units}


def test_scores_that_fail(iris):
    """A scorer that fails gives `error_score`, and its candidate leaves."""
    search = build_search(
        Frail(**NETWORK),
        [{"units": [3, 4, 5, 20]}, {"fails_at": [1], "units": [3]}],
        scoring=fail_or_score,
        refit="two",
    )
    with expect_failures(), pytest.warns(UserWarning, match="Scoring failed"):
        search.fit(*iris)
    results = search.cv_results_
    widths = np.array([p["units"] for p in results["params"]])
    failed = (widths == 20) | ["fails_at" in p for p in results["params"]]
    np.testing.assert_array_equal(np.isnan(results["mean_test_two"]), failed)
    assert search.best_params_["units"] == 3


class Interrupting(FunctionTransformer):
    """A step that is interrupted."""

    def fit(self, X, y=None):
        raise KeyboardInterrupt


@pytest.mark.parametrize("context", [fused, nullcontext])
def test_an_interrupt_ends_the_search(iris, context):
    """Ctrl-C ends the search, whatever `error_score` says."""
    pipeline = make_pipeline(Interrupting(), KerasClassifier(**NETWORK))
    search = build_search(pipeline, {"kerasclassifier__units": list(range(3, 30))})
    with pytest.raises(KeyboardInterrupt), context():
        search.fit(*iris)


class Jitter(FunctionTransformer):
    """A step that draws from a generator of its own, which no seed reaches."""

    def transform(self, X):
        return X + np.random.default_rng().normal(size=X.shape)

    def fit_transform(self, X, y=None):
        return self.transform(X)


def test_steps_that_cannot_be_repeated(iris):
    """A training whose rows change between rungs fails, and the error says why."""
    pipeline = make_pipeline(Jitter(), KerasClassifier(**NETWORK))
    space = {"kerasclassifier__units": list(range(3, 30))}
    search = build_search(pipeline, space, error_score="raise")
    with pytest.raises(ValueError, match="Training cannot go on: the rows are not"):
        search.fit(*iris)
