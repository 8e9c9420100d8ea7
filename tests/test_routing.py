"""Routed parameters reach their destination."""

import pytest

from skkeras_tune.routing import ROUTES, is_routed, model_options, route_options


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
