"""Nested arrays go into a flat dict and a hashable structure, and come back."""

from collections import OrderedDict

import pytest

from skkeras_tune.training.models.nested import describe, fill, flatten, pack

NESTED = {
    "leaf": 1,
    "list": [1, 2],
    "tuple": (1, [2, 3]),
    "dict": {"b": 1, "a": {"c": (2,)}},
    "ordered": OrderedDict(b=1, a=2),
    "alike": {"a": [1], "a.0": 2},
}


@pytest.mark.parametrize("name", NESTED)
def test_what_is_flattened_is_packed_again(name):
    """Values, kinds and the order of keys are as they were."""
    values = NESTED[name]
    structure = describe(values, str)
    again = pack(structure, flatten(values, "x"), "x")
    assert again == values
    assert type(again) is type(values)
    assert repr(again) == repr(values)


def test_names_say_where_leaves_stand():
    """A leaf has the name itself, others the places on the way to them."""
    assert flatten(5, "x") == {"x": 5}
    assert flatten({"b": (5, 6), "a": 7}, "x") == {"x.0.0": 5, "x.0.1": 6, "x.1": 7}


def test_structures_are_values():
    """They are hashable, and equal where kinds and leaves are."""
    assert len({describe([1, (2,)], str), describe([1, (2,)], str)}) == 1
    assert describe([1, (2,)], str) != describe([1, [2]], str)
    assert describe([1, 2], type) == describe([3, 4], type)


def test_structures_are_filled():
    """Leaves that are tuples are leaves still."""
    shapes = describe(["ab", "c"], lambda leaf: (len(leaf),))
    assert fill(shapes, lambda name, shape: (name, shape), "x") == [
        ("x.0", (2,)),
        ("x.1", (1,)),
    ]
