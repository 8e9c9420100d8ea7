"""BayesSearchCV over pipelines with Keras networks."""

import pickle
import threading

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import KerasClassifier
from tests.searches import WEIGHTS, X, build_search, expect_failures, y


def build_network_search(**options):
    """Return a small search over a pipeline with a network."""
    network = KerasClassifier(epochs=2, early_stopping=False, random_state=0)
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)])
    space = {
        "network__hidden_layer_sizes": [(8,), (8, 4)],
        "network__learning_rate": (1e-3, 1e-1, "log-uniform"),
        "network__activation": ["relu"],
    }
    return build_search(pipeline, space, n_iter=2, cv=2, **options)


def test_networks_are_searched():
    """A pipeline with a network is searched over shapes and rates, and predicts."""
    search = build_network_search().fit(X, y)
    network = search.best_estimator_.named_steps["network"]
    assert network.hidden_layer_sizes in [(8,), (8, 4)]
    assert search.predict_proba(X).shape == (150, 3)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict_proba(X), search.predict_proba(X))


def test_networks_may_fail():
    """A network that cannot be built costs its candidate, not the search."""
    search = build_network_search(error_score=np.nan)
    search.search_spaces = {"network__activation": ["no such function", "relu"]}
    with expect_failures():
        search.fit(X, y)
    assert search.best_params_ == {"network__activation": "relu"}


def test_workers_give_the_same_search():
    """Two processes find what one finds, with a callback that cannot be pickled."""
    lock = threading.Lock()
    alone = build_network_search().fit(X, y)
    search = build_network_search(n_jobs=2)
    search.fit(X, y, callback=lambda result: lock.locked())
    assert search.cv_results_["params"] == alone.cv_results_["params"]
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    np.testing.assert_allclose(
        search.predict_proba(X), alone.predict_proba(X), atol=1e-6
    )


def test_weights_are_routed_to_networks():
    """With metadata routing, weights pass the pipeline and reach the network."""
    with config_context(enable_metadata_routing=True):
        search = build_network_search()
        scale, network = (step for _, step in search.estimator.steps)
        scale.set_fit_request(sample_weight=False)
        network.set_fit_request(sample_weight=True)
        scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
        search.set_params(scoring=scorer)
        search.fit(X, y, sample_weight=WEIGHTS)
        alone = clone(search.estimator).set_params(**search.best_params_)
        alone.fit(X, y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(search.predict_proba(X), alone.predict_proba(X))
