"""The folds' best epochs, and how long the best settings train on all rows."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import (
    BayesSearchCV,
    KerasClassifier,
    best_epoch,
    best_params,
    fused,
    results_frame,
)
from tests.searches import X, y

QUICK = {"units": 4, "epochs": 12, "patience": 2, "random_state": 0}
SCORES = {"accuracy": "accuracy", "best_epoch": best_epoch}


def search_rates(estimator=None, name="learning_rate", **options):
    """Return a fitted grid search over rates that stop early and late."""
    estimator = KerasClassifier(**QUICK) if estimator is None else estimator
    settings = {"scoring": SCORES, "refit": "accuracy", "cv": 3, **options}
    with fused():
        return GridSearchCV(estimator, {name: [0.003, 0.3]}, **settings).fit(X, y)


@pytest.fixture(scope="module")
def search():
    """Return a fitted search of networks alone."""
    return search_rates()


def read_folds(search, row):
    """Return the best epoch of each fold."""
    return [search.cv_results_[f"split{i}_test_best_epoch"][row] for i in range(3)]


def test_best_epochs_are_written_down(search):
    """A search that scores them has the best epoch of each fold."""
    folds = read_folds(search, 0) + read_folds(search, 1)
    assert all(1 <= epoch <= 12 and epoch == int(epoch) for epoch in folds)
    assert len(set(folds)) > 1
    assert "mean_best_epoch" in results_frame(search)


def test_epochs_are_the_median_times_a_factor(search):
    """Each setting has its own, and neither stops early nor holds rows out."""
    rates = search.cv_results_["param_learning_rate"].tolist()
    for params in best_params(search, 2, refit_full=1.5):
        middle = np.median(read_folds(search, rates.index(params["learning_rate"])))
        assert params["epochs"] == max(1, round(1.5 * middle))
        assert params["early_stopping"] is False
        assert params["validation_split"] == 0.0
    plain = best_params(search, 2)
    assert [sorted(params) for params in plain] == [["learning_rate"]] * 2
    (once,) = best_params(search, 1, refit_full=True)
    first = rates.index(once["learning_rate"])
    assert once["epochs"] == round(np.median(read_folds(search, first)))


def test_the_settings_train_on_all_rows(search):
    """A validation share that was set before is not held out either."""
    (params,) = best_params(search, 1, refit_full=1.2)
    network = KerasClassifier(**QUICK, validation_split=0.3).set_params(**params)
    network.fit(X, y)
    assert network.n_epochs_ == params["epochs"]
    assert list(network.history_) == ["loss"]


def test_pipelines():
    """The parameters have the prefix of the network."""
    pipeline = make_pipeline(StandardScaler(), KerasClassifier(**QUICK))
    found = search_rates(pipeline, "kerasclassifier__learning_rate")
    (params,) = best_params(found, 1, refit_full=1.2)
    assert params["kerasclassifier__early_stopping"] is False
    clone(pipeline).set_params(**params).fit(X, y)


def test_bayesian_search():
    """Any search that takes several scores writes them down."""
    search = BayesSearchCV(
        KerasClassifier(**QUICK),
        {"learning_rate": (0.003, 0.3, "log-uniform")},
        n_iter=2,
        cv=2,
        random_state=0,
        scoring=SCORES,
        refit="accuracy",
    ).fit(X, y)
    assert best_params(search, 1, refit_full=2)[0]["epochs"] >= 2


def test_epochs_of_members():
    """Of several members the median counts."""
    several = KerasClassifier(**QUICK, n_members=3).fit(X, y)
    assert best_epoch(several) == several.best_epoch_


def test_best_epochs_rank_nothing():
    """Beside one other score, it is that one by which settings are the best."""
    search = search_rates(refit=False)
    scores = search.cv_results_["mean_test_accuracy"]
    best = search.cv_results_["params"][int(np.argmax(scores))]
    assert best_params(search, 1) == [best]


def test_searches_that_wrote_nothing_down():
    """Without the scores, the error says how to have them."""
    search = search_rates(scoring="accuracy", refit=True)
    with pytest.raises(ValueError, match=r"'best_epoch': skkeras_tune.best_epoch"):
        best_params(search, 1, refit_full=1.2)


def test_other_numbers_of_networks():
    """With two networks, it is not clear whose epochs are meant."""
    pair = VotingClassifier(
        [("a", KerasClassifier(**QUICK)), ("b", KerasClassifier(**QUICK))],
        voting="soft",
    )

    def score(estimator, X, y):
        return 3.0

    scores = {"accuracy": "accuracy", "best_epoch": score}
    search = search_rates(pair, "a__learning_rate", scoring=scores)
    with pytest.raises(ValueError, match=r"an estimator with one network.* Got 2"):
        best_params(search, 1, refit_full=1.2)


@pytest.mark.parametrize("factor", [-1.0, np.inf, np.nan, "1.2", None])
def test_other_factors(search, factor):
    """The factor is a finite number that is not negative."""
    with pytest.raises(ValueError, match="refit_full must be a bool or a float"):
        best_params(search, 1, refit_full=factor)


def test_no_network():
    """What is not fitted, or no network, is named."""
    with pytest.raises(NotFittedError):
        best_epoch(KerasClassifier())
    with pytest.raises(TypeError, match="best_epoch needs a fitted KerasClassifier"):
        best_epoch(LogisticRegression().fit(X, y))
