"""Searches that end in time."""

import time

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn import model_selection
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import FitFailedWarning

from skkeras_tune import BayesSearchCV
from skkeras_tune.search.budget import Budget, current_budget, spend
from skkeras_tune.search.timed import GridSearchCV, RandomizedSearchCV
from skkeras_tune.training.deadline import current_deadline, note_cut


class Slow(ClassifierMixin, BaseEstimator):
    """A classifier that takes its time."""

    def __init__(self, rate=1.0, seconds=0.05):
        self.rate = rate
        self.seconds = seconds

    def fit(self, X, y):
        time.sleep(self.seconds)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


RATES = list(range(1, 200))


def build(kind):
    """Return a search that would take far too long."""
    options = {"cv": 2, "refit": False}
    return {
        "grid": lambda: GridSearchCV(Slow(), {"rate": RATES}, **options),
        "random": lambda: RandomizedSearchCV(
            Slow(), {"rate": loguniform(1, 100)}, n_iter=10**6, **options
        ),
        "bayes": lambda: BayesSearchCV(
            Slow(),
            {"rate": (1.0, 100.0)},
            n_iter=10**6,
            n_points=4,
            optimizer_kwargs={"n_initial_points": 10**6},
            **options,
        ),
    }[kind]()


@pytest.mark.parametrize("kind", ["grid", "random", "bayes"])
def test_a_search_ends_in_time(kind, iris):
    """Candidates are evaluated while there is time, and the rest left out."""
    search = build(kind)
    with spend(Budget(4.0)):
        search.fit(*iris)
    assert 1 < len(search.cv_results_["params"]) < 100
    assert search.best_params_ in search.cv_results_["params"]


class FailsAtFirst(Slow):
    """Cannot be fitted with some rates, the first that are tried among them."""

    def fit(self, X, y):
        if self.rate % 3 != 1:
            raise RuntimeError("out of paper")
        return super().fit(X, y)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@pytest.mark.parametrize("error_score", [np.nan, -1.0])
def test_candidates_that_fail_alone_in_their_batch(iris, error_score):
    """They stay in the table with the error score, and the search goes on."""
    rates = {"rate": list(range(12))}
    search = GridSearchCV(FailsAtFirst(), rates, cv=2, error_score=error_score)
    search.batch_size = 1
    with spend(Budget(600.0)), pytest.warns(FitFailedWarning, match="out of paper"):
        search.fit(*iris)
    scores = dict(
        zip(
            [params["rate"] for params in search.cv_results_["params"]],
            search.cv_results_["mean_test_score"],
            strict=True,
        )
    )
    assert sorted(scores) == list(range(12))
    failed = {rate for rate, score in scores.items() if not score > 0}
    assert failed == {rate for rate in range(12) if rate % 3 != 1}
    assert search.best_params_["rate"] % 3 == 1


def test_a_search_whose_candidates_all_fail(iris):
    """The error shows what they failed with, as without a budget."""
    search = GridSearchCV(FailsAtFirst(), {"rate": [0, 2, 3]}, cv=2)
    with (
        spend(Budget(600.0)),
        pytest.warns(FitFailedWarning),
        pytest.raises(ValueError, match=r"All the 6 fits failed[\s\S]*out of paper"),
    ):
        search.fit(*iris)


def test_a_candidate_that_was_cut_had_too_little_time():
    """Though it ends a moment before the deadline, with its last whole batch."""
    budget = Budget(600.0)
    with budget.evaluate(1):
        note_cut()
    assert budget.is_too_short


def test_no_batch_takes_all_the_time():
    """A third of the time to search in is the most, and its end is the end of all."""
    budget = Budget(100.0)
    with budget.evaluate(1):
        assert current_deadline().seconds_left == pytest.approx(70 / 3, abs=0.1)
    set_costs(budget, [1.0, 1.0], [0.0, 0.0])
    with budget.evaluate(2):
        assert current_deadline().seconds_left == pytest.approx(98 / 3, abs=0.1)
    set_costs(budget, [1.0, 45.0], [0.0, 0.0])
    budget._start -= 30.0
    with budget.evaluate(1):
        assert current_deadline().seconds_left == pytest.approx(10, abs=0.1)


class CutIfSlow(Slow):
    """Is ended early by the deadline at a rate of 0."""

    def fit(self, X, y):
        if self.rate == 0:
            note_cut()
        return super().fit(X, y)


def test_others_are_tried_after_one_that_was_cut(iris):
    """A search that begins with a candidate too slow for its time has more to say."""
    search = GridSearchCV(CutIfSlow(), {"rate": [0, 1, 2]}, cv=2)
    search._order = list
    budget = Budget(600.0)
    with spend(budget):
        search.fit(*iris)
    assert len(search.cv_results_["params"]) == 3
    assert not budget.is_too_short
    assert measure_reserve(budget) == pytest.approx(180)


@pytest.mark.parametrize("kind", ["grid", "random", "bayes"])
def test_too_little_time_is_enough_for_one(kind, iris):
    """One candidate is evaluated, whatever the time."""
    search = build(kind)
    budget = Budget(0.01)
    with spend(budget):
        search.fit(*iris)
    assert len(search.cv_results_["params"]) == 1
    assert budget.is_too_short


def test_a_grid_is_searched_in_a_mixed_order(iris):
    """What time leaves of a grid is spread over it; without a budget it is in order."""
    search = build("grid")
    with spend(Budget(2.0)):
        search.fit(*iris)
    rates = search.cv_results_["param_rate"].tolist()
    assert rates != sorted(rates)
    search = GridSearchCV(Slow(seconds=0), {"rate": [1, 2, 3]}, cv=2).fit(*iris)
    assert search.cv_results_["param_rate"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", ["grid", "random"])
def test_without_a_budget_they_are_scikit_learns(kind, iris):
    """Outside of a budget they give what scikit-learn's give."""
    space = {"rate": [1, 2, 3]}
    ours = {"grid": GridSearchCV, "random": RandomizedSearchCV}[kind]
    theirs = getattr(model_selection, ours.__name__)
    options = {} if kind == "grid" else {"n_iter": 2, "random_state": 0}
    searches = [
        make(Slow(seconds=0), space, cv=2, **options).fit(*iris)
        for make in (ours, theirs)
    ]
    first, second = (search.cv_results_["params"] for search in searches)
    assert first == second
    assert clone(searches[0]).get_params().keys() == searches[1].get_params().keys()


def test_batches_grow_from_one_candidate():
    """Nothing is known of the time before one has been evaluated."""
    budget = Budget(100.0)
    for size in (1, 2, 4, 8, 8):
        assert budget.choose_size(8) == size
        with budget.evaluate(size):
            pass
    assert not budget.is_too_short


def set_costs(budget, training, programs):
    """Let batches have taken so long."""
    budget.costs = budget.training_costs = training
    budget.program_costs = programs


def measure_reserve(budget, n_candidates=100):
    """Return the seconds that a budget keeps for the last fit."""
    return budget.end.at - budget.end_search(n_candidates).at


def test_time_is_kept_for_the_last_fit():
    """What a candidate takes is kept for the fit of the winner."""
    budget = Budget(100.0)
    assert measure_reserve(budget) == pytest.approx(30)
    set_costs(budget, [50.0, 10.0], [0.0, 0.0])
    assert measure_reserve(budget) == pytest.approx(20)
    set_costs(budget, [80.0], [0.0])
    assert measure_reserve(budget) == pytest.approx(60)
    assert budget.choose_size(8) == 0


def test_time_is_kept_for_the_last_programs():
    """What programs took to compile in a batch is kept for those of the last fit.

    Those of the first batch do not count once there are others.
    """
    budget = Budget(100.0)
    for seconds in (20.0, 5.0, 4.0):
        with budget.evaluate(1):
            current_deadline().note_program(seconds)
    assert measure_reserve(budget) == pytest.approx(2 * 5, abs=0.1)


def test_no_program_is_counted_twice():
    """The time without the programs is what training takes."""
    budget = Budget(100.0)
    for _ in range(2):
        time.sleep(0.2)
        with budget.evaluate(1):
            current_deadline().note_program(0.19)
    assert budget.costs[1] >= 0.2
    assert budget.training_costs[1] == pytest.approx(budget.costs[1] - 0.19)


def test_time_is_kept_for_the_members_of_an_ensemble():
    """Of few folds they cost more candidates, and no more models than there are."""
    reserves = []
    for n_folds, n_candidates in ((5, 100), (3, 100), (3, 1)):
        budget = Budget(100.0, n_models=8, n_folds=n_folds)
        set_costs(budget, [9.0, 2.0], [9.0, 1.0])
        reserves.append(measure_reserve(budget, n_candidates))
    assert reserves == pytest.approx([8 + 2 * 4, 8 + 2 * 8, 2 + 2 * 2])


def test_time_is_kept_for_the_networks_of_each_model():
    """A model that averages several networks costs their trainings, not programs."""
    budget = Budget(100.0, n_models=1, n_folds=3, n_networks=4)
    set_costs(budget, [9.0, 2.0], [9.0, 1.0])
    assert measure_reserve(budget, 100) == pytest.approx(2 + 2 * 4)


def test_what_happens_between_batches_is_counted():
    """A search that thinks about its next candidates spends time, too."""
    budget = Budget(100.0)
    for _ in range(2):
        time.sleep(0.2)
        with budget.evaluate(1):
            pass
    assert min(budget.costs) >= 0.2


def test_a_budget_belongs_to_its_context():
    """Nothing heeds a budget outside of it."""
    budget = Budget(1.0)
    with spend(budget):
        assert current_budget() is budget
    assert current_budget() is None
