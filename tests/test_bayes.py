"""BayesSearchCV: what is searched, and what a search leaves behind."""

import copy
import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
import skopt
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from skopt.plots import plot_convergence, plot_evaluations
from skopt.space import Categorical, Integer, Real
from skopt.utils import expected_minimum_random_sampling

import skkeras_tune
from skkeras_tune import BayesSearchCV
from skkeras_tune.search import bayes
from tests.searches import QUICK, REGRESSION_SPACE, Fragile, X, build_search, y


def test_it_is_scikit_optimizes():
    """The public name is one class, which is a skopt.BayesSearchCV."""
    assert skkeras_tune.BayesSearchCV is bayes.BayesSearchCV
    assert issubclass(BayesSearchCV, skopt.BayesSearchCV)


def test_candidates_are_drawn_from_all_kinds_of_dimensions():
    """Tuples, dimensions and lists give floats, ints and categories in bounds."""
    space = {
        "C": (0.1, 10.0),
        "tol": Real(1e-5, 1e-3, "log-uniform"),
        "max_iter": Integer(500, 600),
        "solver": Categorical(["lbfgs", "newton-cg"]),
        "fit_intercept": [True, False],
    }
    search = build_search(space=space, n_iter=5).fit(X, y)
    for candidate in search.cv_results_["params"]:
        assert 0.1 <= candidate["C"] <= 10.0
        assert 1e-5 <= candidate["tol"] <= 1e-3
        assert 500 <= candidate["max_iter"] <= 600
        assert candidate["solver"] in ("lbfgs", "newton-cg")
        assert [type(candidate[name]) for name in sorted(candidate)] == [
            float,
            bool,
            int,
            str,
            float,
        ]


@pytest.mark.parametrize(
    "categories",
    [
        [(1,), (2, 3)],
        [[1], [2, 3]],
        [(1,), (2, 3), (4, 5)],
        [None, (1,), [2], "three", 4, 5.0, True],
    ],
    ids=["tuples", "lists", "rectangular", "mixed"],
)
def test_candidates_hold_the_objects_given(categories):
    """Categories of any type reach the estimator as the very objects given."""
    n_iter = len(categories)
    search = build_search(Fragile(), {"cuts": categories}, n_iter=n_iter).fit(X, y)
    tried = {id(candidate["cuts"]) for candidate in search.cv_results_["params"]}
    assert tried == {id(category) for category in categories}
    assert search.best_estimator_.cuts == search.best_params_["cuts"]


def test_steps_of_a_pipeline_are_searched():
    """Estimators may be categories, and are not fitted themselves."""
    pipeline = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())])
    scalers = [StandardScaler(), MinMaxScaler(), "passthrough"]
    search = build_search(pipeline, {"scale": scalers, "model__C": (0.1, 1.0)})
    search.fit(X, y)
    assert all(p["scale"] in scalers for p in search.cv_results_["params"])
    assert not hasattr(scalers[0], "mean_")


def test_the_same_seed_gives_the_same_search():
    """The same random_state gives the same candidates, by draws and by surrogate."""
    space = {**REGRESSION_SPACE, "solver": ["lbfgs", "newton-cg"]}
    options = {"n_iter": 4, "optimizer_kwargs": {"n_initial_points": 2}}
    first, second = (build_search(space=space, **options).fit(X, y) for _ in range(2))
    assert first.cv_results_["params"] == second.cv_results_["params"]
    assert first.best_score_ == second.best_score_


def test_global_random_state_is_untouched():
    """A search with a seed neither reads nor changes NumPy's global state."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    build_search(optimizer_kwargs=QUICK).fit(X, y)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_scores_are_those_of_a_grid_search():
    """Each candidate's scores are what GridSearchCV gives for it."""
    search = build_search(return_train_score=True).fit(X, y)
    grid = GridSearchCV(
        LogisticRegression(),
        [{"C": [candidate["C"]]} for candidate in search.cv_results_["params"]],
        cv=3,
        return_train_score=True,
    ).fit(X, y)
    for key in grid.cv_results_:
        if "score" in key and "time" not in key:
            np.testing.assert_array_equal(
                search.cv_results_[key], grid.cv_results_[key]
            )
    assert search.best_params_ == grid.best_params_


def test_training_scores_are_ranked():
    """As in scikit-optimize, training scores have ranks too."""
    search = build_search(return_train_score=True).fit(X, y)
    best = search.cv_results_["mean_train_score"].argmax()
    assert search.cv_results_["rank_train_score"][best] == 1


def test_no_candidate_is_tried_twice():
    """A space that is smaller than n_iter is gone through once, with a warning."""
    search = build_search(space={"C": [0.1, 1.0, 10.0]}, n_iter=5)
    with pytest.warns(UserWarning, match="holds only 3 of the 5 candidates asked for"):
        search.fit(X, y)
    tried = [candidate["C"] for candidate in search.cv_results_["params"]]
    assert sorted(tried) == [0.1, 1.0, 10.0]


def test_candidates_are_tried_in_steps_of_n_points():
    """n_points candidates are evaluated in each step, and n_iter in all."""
    seen = []
    search = build_search(n_iter=5, n_points=2, optimizer_kwargs=QUICK)
    search.fit(X, y, callback=lambda result: seen.append(len(result.x_iters)))
    assert seen == [2, 4, 5]
    assert len({candidate["C"] for candidate in search.cv_results_["params"]}) == 5


@pytest.mark.parametrize(
    ("n_points", "given", "function", "n_initial"),
    [
        (1, {}, "gp_hedge", 10),
        (4, {}, "LCB", 8),
        (16, {}, "LCB", 16),
        (4, {"acq_func": "EI", "n_initial_points": 5}, "EI", 5),
    ],
)
def test_several_at_a_time_have_defaults_of_their_own(
    n_points, given, function, n_initial
):
    """Confidence bounds after whole steps at random; what the user says goes first."""
    search = build_search(n_iter=2, n_points=n_points, optimizer_kwargs=given)
    (optimizer,) = search.fit(X, y).optimizers_
    assert optimizer.acq_func == function
    assert optimizer.n_initial_points_ == n_initial
    assert search.optimizer_kwargs is given


def test_spaces_are_searched_with_their_own_numbers():
    """Several spaces are searched in turn, each with its own number of iterations."""
    spaces = [
        ({"C": (0.1, 1.0), "solver": ["newton-cg"]}, 1),
        {"C": (10.0, 20.0)},
        ({"C": (1.0, 2.0)}, 2),
    ]
    search = build_search(space=spaces, n_iter=3).fit(X, y)
    values = [candidate["C"] for candidate in search.cv_results_["params"]]
    assert np.searchsorted([1.0, 2.0, 20.0], values).tolist() == [0, 2, 2, 2, 1, 1]
    assert [len(r.x_iters) for r in search.optimizer_results_] == [1, 3, 2]
    assert search.total_iterations == 6


def test_total_iterations_of_a_single_space():
    """A dict counts as one space, however many parameters it has."""
    space = {"C": (0.1, 1.0), "tol": (1e-4, 1e-3)}
    assert build_search(space=space, n_iter=7).total_iterations == 7


def test_search_spaces_are_not_changed():
    """A fit leaves the spaces, and the dimensions in them, as they were."""
    space = {"C": Real(0.1, 1.0), "cuts": Categorical([(1,), (2,)]), "fails": ["never"]}
    before = copy.deepcopy(space)
    build_search(Fragile(), space, n_iter=2).fit(X, y)
    assert space == before
    assert [space[name].name for name in ("C", "cuts")] == [None, None]
    assert [space[name].transform_ for name in ("C", "cuts")] == ["identity", "onehot"]


def test_a_search_without_target():
    """An estimator without a target is searched too."""
    search = build_search(KMeans(n_init=1, random_state=0), {"n_clusters": (2, 4)})
    assert search.fit(X).predict(X).shape == (len(X),)


def test_a_search_is_an_estimator():
    """A search is cross-validated like any other estimator."""
    assert cross_val_score(build_search(n_iter=2), X, y, cv=3).min() > 0.8


def test_a_fitted_search_can_be_pickled():
    """A search that was pickled predicts the same, and keeps its results."""
    space = {**REGRESSION_SPACE, "cuts": [(1,), [2, 3], None]}
    search = build_search(Fragile(), space, optimizer_kwargs=QUICK).fit(X, y)
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))
    assert loaded.best_params_ == search.best_params_
    assert loaded.optimizer_results_[0].x == search.optimizer_results_[0].x


def test_a_search_can_be_fitted_again():
    """A second fit starts anew."""
    search = build_search()
    first = search.fit(X, y).cv_results_["params"]
    assert search.fit(X, y).cv_results_["params"] == first


def test_a_search_can_be_fitted_after_a_failure():
    """A fit that failed leaves nothing behind that hinders the next."""
    search = build_search()
    attributes = set(vars(search))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        search.fit(X, y[:-1])
    assert set(vars(search)) == attributes
    assert search.fit(X, y).best_score_ > 0.9


def test_results_of_skopt_are_usable():
    """The tools of scikit-optimize read the results, which agree with the search."""
    space = {**REGRESSION_SPACE, "cuts": [(1,), (2, 3)], "fails": ["never"]}
    search = build_search(Fragile(), space, optimizer_kwargs=QUICK).fit(X, y)
    (result,) = search.optimizer_results_
    assert result.space.dimension_names == sorted(space) == ["C", "cuts", "fails"]
    assert dict(zip(sorted(space), result.x, strict=True)) == search.best_params_
    assert result.fun == -search.best_score_
    point, _ = expected_minimum_random_sampling(result, 100, random_state=0)
    assert point in result.space
    assert plot_convergence(result).get_title() == "Convergence plot"
    figure = plot_evaluations(result).figure
    assert any(axes.has_data() for axes in figure.axes)
    plt.close("all")


def test_results_need_a_fit():
    """Before fit there are no results."""
    with pytest.raises(NotFittedError, match="not fitted yet"):
        _ = build_search().optimizer_results_
