"""BayesSearchCV: its parameters are checked in fit, and kept."""

import re

import numpy as np
import pytest
from sklearn.base import clone
from skopt.space import Real

from tests.searches import REGRESSION_SPACE, Fragile, X, build_search, y


@pytest.mark.parametrize("space", [{}, [], [{}], [({}, 3)], [5]])
def test_spaces_must_not_be_empty(space):
    """A search without a space is refused, in fit and not before."""
    message = f"'search_spaces' parameter .* Got {re.escape(repr(space))} instead"
    search = build_search(space=space)
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("search_spaces", 5, "an instance of 'dict' or an instance of 'list'"),
        ("search_spaces", ({"C": (1, 2)},), "an instance of 'dict'"),
        ("n_iter", 0, r"an int in the range \[1, inf\)"),
        ("n_iter", 2.5, r"an int in the range \[1, inf\)"),
        ("n_points", 0, r"an int in the range \[1, inf\)"),
        ("fit_params", [1], "an instance of 'dict' or None"),
        ("optimizer_kwargs", "RF", "an instance of 'dict' or None"),
        ("random_state", -1, "an instance of 'numpy.random.mtrand.RandomState'"),
        ("refit", max, "an instance of 'str'"),
        ("error_score", "nan", "a str among {'raise'}"),
    ],
)
def test_malformed_parameters_are_refused(parameter, value, expected):
    """A bad parameter is named, with what it must be and what it is."""
    message = (
        f"The '{parameter}' parameter of BayesSearchCV must be .*{expected}.* "
        f"Got {re.escape(repr(value))} instead"
    )
    search = build_search().set_params(**{parameter: value})
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)


@pytest.mark.parametrize("number", [0, -1, 2.5])
def test_numbers_beside_spaces_must_be_positive(number):
    """A bad number of iterations beside a space is refused, with its value."""
    search = build_search(space=[(REGRESSION_SPACE, number)])
    message = rf"number of iterations beside a space .* Got {number} instead"
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)


def test_unknown_parameters_are_refused():
    """A parameter that the estimator lacks is refused before any fit."""
    search = build_search(space={"depth": (1, 8)}, error_score=np.nan)
    with pytest.raises(ValueError, match=r"Got \['depth'\] instead: Invalid parameter"):
        search.fit(X, y)


def test_malformed_dimensions_are_refused():
    """A dimension that makes no sense is refused before any fit."""
    search = build_search(space={"C": (3.0, 1.0)}, error_score=np.nan)
    message = r"The 'C' dimension .* Got \(3.0, 1.0\) instead: the lower bound"
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)


def test_iid_is_deprecated():
    """The parameter iid is ignored, with scikit-optimize's warning."""
    with pytest.warns(UserWarning, match="`iid` parameter has been deprecated"):
        build_search(iid=True)


def test_parameters_survive_clone_and_fit():
    """A clone has the parameters of its original, and fit changes none of them."""
    spaces = [({"C": Real(0.1, 1.0), "fails": ["never"]}, 2)]
    search = build_search(
        Fragile(cuts=[(1,)]),
        spaces,
        optimizer_kwargs={"n_initial_points": 1},
        fit_params={"note": "x"},
    )
    before = search.get_params()
    search.fit(X, y)
    after, cloned = search.get_params(), clone(search).get_params()
    for name, value in before.items():
        assert after[name] is value
    for name in before.keys() - {"estimator"}:
        assert cloned[name] == before[name]
    assert clone(search).fit(X, y).best_params_ == search.best_params_
