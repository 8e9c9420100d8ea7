"""Routed parameters reach their destination."""

import re

import pytest

from skkeras_tune.routing import (
    ROUTES,
    is_routed,
    model_options,
    naming_options,
    route_options,
)


@pytest.mark.parametrize("route", ROUTES)
def test_routes_are_recognised(route):
    """A parameter is routed when its name begins with a route and two underscores."""
    assert is_routed(f"{route}__x")
    assert is_routed(f"{route}__x__y")
    assert not is_routed(route)
    assert not is_routed(f"{route}_x")


@pytest.mark.parametrize("name", ["other__x", "__x", "x", "hidden_layer_sizes"])
def test_other_names_are_not_routed(name):
    """Other names are not routed."""
    assert not is_routed(name)


def test_routes_find_their_parameters():
    """Each route takes its own parameters, without the prefix."""
    params = {
        "loss__delta": 2.0,
        "model__units": 3,
        "model__inner__units": 4,
        "score__normalize": False,
        "units": 5,
    }
    assert route_options(params, "loss") == {"delta": 2.0}
    assert model_options(params) == {"units": 3}
    assert route_options(params, "score") == {"normalize": False}


@pytest.mark.parametrize(
    ("owner", "options", "message"),
    [
        (None, {"patience": 3}, "loss__patience=3 is for loss=, which is None"),
        (None, {"stop__patience": 3}, "loss__stop__patience=3 is for loss="),
        ([], {"patience": 3}, "loss__patience=3 is for loss=, which is []"),
        ([int], {"1__x": 3}, "has no part '1' to take the option loss__1__x=3"),
        ({"a": int}, {"b__x": 3}, "has no part 'b' to take the option loss__b__x=3"),
        (int, {"base__x": 3}, "has no part 'base' to take the option loss__base__x=3"),
    ],
)
def test_options_that_nothing_takes_are_refused(owner, options, message):
    """An option of what is not there is refused: it would change nothing."""
    with (
        pytest.raises(ValueError, match=re.escape(message)),
        naming_options("loss", owner, options),
    ):
        pass


@pytest.mark.parametrize(
    ("owner", "options"),
    [
        ([int, int], {"1__x": 3, "y": 4}),
        ({"a": int}, {"a__x": 3, "y": 4}),
        (int, {"base": float, "base__x": 3}),
        (None, {}),
    ],
)
def test_options_of_parts_are_taken(owner, options):
    """A part is an item of a list or dict, or another option that is a class."""
    with naming_options("loss", owner, options):
        pass
