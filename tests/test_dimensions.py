"""Search spaces, as users write them, become skopt's dimensions."""

import re

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from skopt.space import Categorical, Integer, Real

from skkeras_tune.search.choice import Choice
from skkeras_tune.search.dimensions import (
    build_dimension,
    build_space,
    list_search_spaces,
)

SPACE = {"C": (0.1, 10.0)}
BAD_SPACES = "must be a non-empty dict, or a list of non-empty dicts and (dict, int)"


def test_a_dict_is_one_space():
    """A dict is a single space, with the search's number of iterations."""
    assert list_search_spaces(SPACE, 5) == [(SPACE, 5)]


def test_spaces_have_their_own_numbers():
    """Of several spaces, each takes the number beside it, or the search's."""
    spaces = [SPACE, (SPACE, np.int64(2))]
    assert list_search_spaces(spaces, 5) == [(SPACE, 5), (SPACE, 2)]


@pytest.mark.parametrize(
    "spaces", [{}, [], [{}], [5], [(SPACE, 3, 4)], [(SPACE,)], [({}, 3)], ["C"]]
)
def test_malformed_spaces_are_refused(spaces):
    """Spaces that are empty or no dicts are refused, and shown."""
    message = re.escape(BAD_SPACES) + f".*Got {re.escape(repr(spaces))} instead"
    with pytest.raises(ValueError, match=message):
        list_search_spaces(spaces, 5)


@pytest.mark.parametrize("number", [0, -1, 2.5, True, "3", None])
def test_malformed_numbers_are_refused(number):
    """A number beside a space that is no positive int is refused, and shown."""
    message = rf"an int in the range \[1, inf\). Got {number!r} instead"
    with pytest.raises(ValueError, match=message):
        list_search_spaces([(SPACE, number)], 5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 8), Integer(1, 8)),
        ((0.1, 1), Real(0.1, 1)),
        ((1e-4, 1e-1, "log-uniform"), Real(1e-4, 1e-1, "log-uniform")),
        ((1, 64, "log-uniform", 2), Integer(1, 64, "log-uniform", 2)),
        (Real(0, 1), Real(0, 1)),
        (Integer(1, 8), Integer(1, 8)),
        (["adam", "sgd"], Choice(["adam", "sgd"])),
        ([16, 32, 64], Choice([16, 32, 64])),
        ([True, False], Choice([True, False])),
        ([16], Choice([16])),
        (np.array([16, 32, 64]), Choice([16, 32, 64])),
        ([(64,), (128, 64)], Choice([(64,), (128, 64)])),
        (((64,), (128, 64)), Choice([(64,), (128, 64)])),
        ([[64], [128, 64]], Choice([[64], [128, 64]])),
        ([None, 5], Choice([None, 5])),
        ([None, "l2", (1, 2), [3]], Choice([None, "l2", (1, 2), [3]])),
        (Categorical(["a", "b"], [0.2, 0.8]), Choice(["a", "b"], [0.2, 0.8])),
    ],
    ids=repr,
)
def test_values_become_dimensions(value, expected):
    """Tuples are bounds, lists are categories, and dimensions are taken as they are."""
    assert build_dimension("x", value) == expected


@pytest.mark.parametrize("value", [[16, 32], [0.0, 0.5], np.array([16, 32])], ids=repr)
def test_two_numbers_in_a_list_are_categories(value):
    """A list of two numbers is no range, as scikit-optimize 0.10 has it."""
    assert build_dimension("x", value) == Choice(value)


def test_a_dimension_is_named_after_its_parameter():
    """A dimension without a name takes the parameter's; one with a name keeps it."""
    assert build_dimension("C", Real(0, 1)).name == "C"
    assert build_dimension("C", Real(0, 1, name="penalty")).name == "penalty"
    assert build_dimension("C", Categorical([1, 2], name="penalty")).name == "penalty"


@pytest.mark.parametrize(
    "given",
    [Real(1, 2), Integer(1, 2), Categorical(["a", "b", "c"]), Choice([(1,), (2,)])],
    ids=repr,
)
def test_given_dimensions_are_not_changed(given):
    """What scikit-optimize does to its dimensions is done to copies."""
    transform, encoded = given.transform_, given.transform([given.bounds[0]])
    built = build_dimension("x", given)
    built.set_transformer("normalize")
    assert given.name is None
    assert given.transform_ == transform
    np.testing.assert_array_equal(given.transform([given.bounds[0]]), encoded)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "Invalid dimension"),
        ("relu", "Invalid dimension"),
        (5, "Invalid dimension"),
        (None, "Invalid dimension"),
        (range(3), "Invalid dimension"),
        ((3, 1), "lower bound 3 has to be less than the upper bound 1"),
        ((0.0, 1.0, "log-uniform"), "should not contain 0"),
        ((0, np.inf), "its bounds must be finite"),
        (Real(-np.inf, 0), "its bounds must be finite"),
        ([np.arange(2), np.arange(3)], "arrays cannot be told apart by =="),
        ([np.arange(2), np.arange(2)], "arrays cannot be told apart by =="),
    ],
    ids=repr,
)
def test_malformed_dimensions_are_refused(value, reason):
    """A dimension that makes no sense is refused, with its name, value and reason."""
    message = (
        r"The 'units' dimension .* must be a skopt dimension.* "
        f"Got {re.escape(repr(value))} instead: .*{reason}"
    )
    with pytest.raises(ValueError, match=message):
        build_dimension("units", value)


def test_a_space_is_built_for_an_estimator():
    """Every parameter's dimension is built under the parameter's name."""
    space = build_space(
        {"C": (0.1, 10.0), "solver": ["lbfgs", "saga"]}, LogisticRegression()
    )
    assert space == {"C": Real(0.1, 10.0), "solver": Choice(["lbfgs", "saga"])}


def test_a_space_may_replace_steps_and_set_their_parameters():
    """A parameter that a new step brings is known, and the pipeline stays as it is."""
    pipeline = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())])
    models = [SVC(), SVC(kernel="linear")]
    space = build_space({"model": models, "model__gamma": (0.1, 1.0)}, pipeline)
    assert space["model"].categories == tuple(models)
    assert isinstance(pipeline.named_steps["model"], LogisticRegression)
    assert models[0].gamma == "scale"


def test_unknown_parameters_are_refused():
    """A name that the estimator does not have is refused, with those it has."""
    message = (
        r"must name parameters of its estimator. Got \['depth'\] instead: "
        r"Invalid parameter 'depth' .* Valid parameters are: \['C'"
    )
    with pytest.raises(ValueError, match=message):
        build_space({"depth": (1, 8)}, LogisticRegression())


def test_parameters_of_unknown_steps_are_refused():
    """A name below a step that has no parameters is refused."""
    pipeline = Pipeline([("scale", "passthrough"), ("model", LogisticRegression())])
    with pytest.raises(ValueError, match=r"Got \['scale__with_mean'\] instead"):
        build_space({"scale__with_mean": [True, False]}, pipeline)
