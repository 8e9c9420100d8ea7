"""An estimator knows its parameters, and which of them its user set."""

import pytest

from skkeras_tune.estimators.parameter_names import (
    list_defaults,
    list_given,
    refuse_unknown,
    refuse_unused,
)


class Parent:
    """A class with a constructor."""

    def __init__(self, units=10, dropout=0.0, **kwargs):
        pass


class Child(Parent):
    """A class with another default, and a parameter more."""

    def __init__(self, units=20, rate=0.1, **kwargs):
        pass


class Heir(Child):
    """A class that inherits its constructor."""


OWN = {"model": None, "units": 10, "dropout": 0.0}


def function(width, meta):
    """A model function with a parameter of its own."""


def test_later_constructors_win():
    """Defaults are those of all constructors, the last one's where several differ."""
    expected = {"units": 20, "dropout": 0.0, "rate": 0.1}
    assert list_defaults([Parent, Child, Heir]) == expected


@pytest.mark.parametrize("params", [{}, {"units": 10}, {"units": 5, "width": 3}])
def test_what_is_passed_is_given(params):
    """A parameter that is passed is set, to its default too."""
    assert list_given(params, OWN, OWN) == set(params)


@pytest.mark.parametrize("current", [OWN, {**OWN, "units": 5}])
def test_of_a_whole_set_the_changes_are_given(current):
    """Whoever passes all parameters sets those that differ from what they were."""
    changed = {**current, "dropout": 0.5, "width": 3}
    assert list_given(changed, OWN, current) == {"dropout", "width"}


@pytest.mark.parametrize("name", ["units", "shuffle", "optimizer__momentum", "width"])
def test_known_names_may_be_set(name):
    """Known are the estimator's own names, Keras's, routes and the function's."""
    refuse_unknown([name], OWN, function, "Estimator()")


@pytest.mark.parametrize("name", ["unit", "optimiser__momentum", "depth"])
def test_other_names_are_refused(name):
    """Any other name is refused, with those that are known."""
    message = rf"Invalid parameter '{name}' for estimator Estimator\(\)\. .*'units'"
    with pytest.raises(ValueError, match=message):
        refuse_unknown(["units", name], OWN, function, "Estimator()")


@pytest.mark.parametrize(
    ("params", "given", "source"),
    [
        ({}, {"units"}, None),
        ({"width": 3, "model__width": 3}, {"width"}, function),
        ({"fit__epochs": 3, "shuffle": False}, {"fit__epochs"}, None),
    ],
)
def test_what_is_read_passes(params, given, source):
    """Parameters of the network, of the function and of the routes are read."""
    refuse_unused(
        {**OWN, "model": source, **params}, OWN, frozenset(given), source, "Estimator"
    )


@pytest.mark.parametrize(
    ("params", "given", "source", "hint"),
    [
        ({"units": 5}, {"units"}, function, "'units': 5"),
        ({"depth": 3}, {"depth"}, function, "'depth': 3"),
        ({"model__width": 3}, {"model__width"}, None, "'model__width': 3"),
        ({"build_fn": 1}, {"build_fn"}, None, "Pass build_fn as model"),
    ],
)
def test_what_is_not_read_is_refused(params, given, source, hint):
    """The built-in network's parameters, set beside a model, are refused too."""
    message = f"Estimator got parameters that neither it nor its model .*{hint}"
    with pytest.raises(TypeError, match=message):
        refuse_unused(
            {**OWN, "model": source, **params},
            OWN,
            frozenset(given),
            source,
            "Estimator",
        )
