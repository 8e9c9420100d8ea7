"""Networks are found wherever scikit-learn's estimators hold them."""

import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import KerasClassifier, KerasRegressor
from skkeras_tune.nesting import find_fitted, find_last, list_networks

QUICK = {"epochs": 1, "units": 3, "random_state": 0}


def nest():
    """Return a network at the end of a pipeline in others."""
    inner = Pipeline([("scale", StandardScaler()), ("net", KerasRegressor(**QUICK))])
    return make_pipeline(TransformedTargetRegressor(inner))


PREFIX = "transformedtargetregressor__regressor__net__"

HOLDERS = {
    "a network": (KerasClassifier(), [""]),
    "nested": (nest(), [PREFIX]),
    "a search": (GridSearchCV(KerasClassifier(), {}), ["estimator__"]),
    "two": (
        VotingClassifier([("a", KerasClassifier()), ("b", KerasClassifier())]),
        ["a__", "b__"],
    ),
    "others": (make_pipeline(StandardScaler(), LogisticRegression()), []),
    "a class": (KerasClassifier, []),
    "nothing": (None, []),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_networks_are_listed_by_their_prefixes(holder):
    """A parameter's name is the prefix and its name in the network."""
    estimator, expected = HOLDERS[holder]
    assert list(list_networks(estimator)) == expected
    for prefix in expected:
        assert estimator.get_params()[f"{prefix}epochs"] == 100 or prefix == PREFIX


def test_the_last_network_is_the_object_itself():
    """What is set of it is set of the estimator."""
    estimator = nest()
    prefix, network = find_last(estimator)
    assert prefix == PREFIX
    network.set_params(epochs=7)
    assert estimator.get_params()[f"{prefix}epochs"] == 7


@pytest.mark.parametrize("kind", [Ridge, lambda: BaggingRegressor(KerasRegressor())])
def test_who_does_not_train_a_network_last(kind):
    """An estimator that fits none, or copies of one, has no last network."""
    assert find_last(make_pipeline(StandardScaler(), kind())) is None


def test_a_fitted_network_is_found_where_it_was_listed(diabetes):
    """The fitted one has the settings of that which was not fitted."""
    estimator = nest()
    (listed,) = list_networks(estimator).values()
    found = find_fitted(estimator.fit(*diabetes), "best_epoch_", "the test")
    assert found.get_params() == listed.get_params()
