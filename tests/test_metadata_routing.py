"""Weights, groups and validation sets through Pipeline, GridSearchCV and back."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import BayesSearchCV, KerasClassifier

FAST = {"epochs": 2, "random_state": 0}


@pytest.fixture
def routing() -> Iterator[None]:
    """Switch metadata routing on."""
    with config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def halves(cancer):
    """Training rows, and a validation set in the same unscaled units."""
    X, y = cancer
    X = 5 + 3 * X
    return X[:400], y[:400], X[400:], y[400:]


def _first_loss(model):
    return model.history_["val_loss"][0]


@pytest.mark.usefixtures("routing")
def test_weights_through_a_pipeline(cancer):
    """`sample_weight` reaches `fit` where it was requested."""
    X, y = cancer
    weight = np.linspace(0.1, 2, len(y))
    classifier = KerasClassifier(**FAST).set_fit_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    model = make_pipeline(scaler, classifier).fit(X, y, sample_weight=weight)
    direct = KerasClassifier(**FAST).fit(StandardScaler().fit_transform(X), y, weight)
    assert_allclose(model[-1].weights_[0], direct.weights_[0], rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("routing")
def test_validation_sets_are_transformed_by_the_pipeline(halves):
    """`transform_input` scales X_val as it scales X, before the network sees it."""
    X, y, X_val, y_val = halves
    classifier = KerasClassifier(**FAST).set_fit_request(X_val=True, y_val=True)
    model = Pipeline(
        [("scale", StandardScaler()), ("net", classifier)], transform_input=["X_val"]
    )
    model.fit(X, y, X_val=X_val, y_val=y_val)
    scaler = StandardScaler().fit(X)
    direct = KerasClassifier(**FAST).fit(
        scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val
    )
    assert _first_loss(model[-1]) == pytest.approx(_first_loss(direct), rel=1e-5)


@pytest.mark.usefixtures("routing")
def test_groups_split_the_folds_and_the_held_out_rows(cancer):
    """`groups` goes to the splitter of a search and to the network's own split."""
    X, y = cancer
    groups = np.arange(len(y)) // 8
    classifier = KerasClassifier(**FAST).set_fit_request(groups=True)
    model = make_pipeline(StandardScaler(), classifier)
    search = GridSearchCV(
        model,
        {"kerasclassifier__units": [3, 30]},
        cv=GroupKFold(3),
        error_score="raise",
    )
    search.fit(X, y, groups=groups)
    assert search.best_score_ > 0.8
    best = search.best_params_["kerasclassifier__units"]
    whole = KerasClassifier(**FAST, units=best)
    whole.fit(StandardScaler().fit_transform(X), y, groups=groups)
    found = search.best_estimator_[-1]
    assert _first_loss(found) == pytest.approx(_first_loss(whole), rel=1e-4)


@pytest.mark.usefixtures("routing")
def test_weights_to_fit_and_score_of_a_search(cancer):
    """A search weighs both fitting and scoring, when both ask for weights."""
    X, y = cancer
    weight = (np.arange(len(y)) % 2).astype(float)
    classifier = KerasClassifier(**FAST).set_fit_request(sample_weight=True)
    search = GridSearchCV(
        classifier,
        {"units": [5]},
        cv=2,
        scoring=get_scorer("accuracy").set_score_request(sample_weight=True),
        refit=False,
    ).fit(X, y, sample_weight=weight)
    odd = search.cv_results_["mean_test_score"]
    kept = weight > 0
    folds = [
        (train[kept[train]], test[kept[test]])
        for train, test in _stratified_halves(X, y)
    ]
    alone = GridSearchCV(KerasClassifier(**FAST), {"units": [5]}, cv=folds, refit=False)
    assert_allclose(odd, alone.fit(X, y).cv_results_["mean_test_score"])


def _stratified_halves(X, y):
    from sklearn.model_selection import StratifiedKFold

    return StratifiedKFold(2).split(X, y)


@pytest.mark.usefixtures("routing")
def test_a_bayesian_search_routes_too(halves):
    """BayesSearchCV passes on weights and validation sets like the other searches."""
    X, y, X_val, y_val = halves
    classifier = KerasClassifier(**FAST).set_fit_request(
        sample_weight=True, X_val=True, y_val=True
    )
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    model = Pipeline(
        [("scale", scaler), ("net", classifier)], transform_input=["X_val"]
    )
    search = BayesSearchCV(
        model,
        {"net__units": [3, 30]},
        n_iter=2,
        cv=2,
        random_state=0,
        scoring=get_scorer("accuracy").set_score_request(sample_weight=True),
    )
    weight = np.ones(len(y))
    search.fit(X, y, sample_weight=weight, X_val=X_val, y_val=y_val)
    assert search.best_estimator_.score(X_val, y_val) > 0.8


@pytest.mark.usefixtures("routing")
def test_cross_validate_passes_parameters(cancer):
    """cross_validate passes weights as `params`."""
    X, y = cancer
    classifier = KerasClassifier(**FAST).set_fit_request(sample_weight=True)
    scorer = get_scorer("accuracy").set_score_request(sample_weight=False)
    scores = cross_validate(
        classifier,
        X,
        y,
        cv=2,
        params={"sample_weight": np.ones(len(y))},
        scoring=scorer,
    )
    assert np.isfinite(scores["test_score"]).all()


def test_without_routing_the_step_is_named(cancer):
    """With routing off, `step__argument` reaches the network's `fit`, as ever."""
    X, y = cancer
    model = make_pipeline(StandardScaler(), KerasClassifier(**FAST))
    model.fit(X, y, kerasclassifier__sample_weight=np.ones(len(y)))
    plain = make_pipeline(StandardScaler(), KerasClassifier(**FAST)).fit(X, y)
    assert_allclose(model[-1].weights_[0], plain[-1].weights_[0], rtol=1e-4, atol=1e-6)


def test_fit_arguments_of_a_search_are_split_with_the_rows(cancer):
    """With routing off, weights given to a search are cut to each fold's rows."""
    X, y = cancer
    search = GridSearchCV(KerasClassifier(**FAST), {"units": [5]}, cv=2)
    search.fit(X, y, sample_weight=np.ones(len(y)), epochs=3)
    assert search.best_estimator_.n_epochs_ == 3
    assert_array_equal(search.classes_, [0, 1])
