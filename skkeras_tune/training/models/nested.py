"""Nested arrays in, a flat dict of arrays and a hashable structure out, and back.

A program takes arrays by name. Where a model takes several, or is compared with
several, their names say where they stand.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_KINDS: tuple[type, ...] = (OrderedDict, dict, list, tuple)


@dataclass(frozen=True)
class Branch:
    """A list, tuple or dict in a structure; whatever else stands there is a leaf.

    Attributes
    ----------
    kind : type
    items : tuple of (key or place, structure)
    """

    kind: type
    items: tuple[tuple[Any, Any], ...]


def describe(values: Any, read: Callable[[Any], Any]) -> Any:
    """Return the structure of nested values, with what `read` says of each leaf."""
    items = _list_items(values)
    if items is None:
        return read(values)
    kind = next(kind for kind in _KINDS if isinstance(values, kind))
    return Branch(kind, tuple((key, describe(value, read)) for key, value in items))


def flatten(values: Any, name: str) -> dict[str, Any]:
    """Return the leaves of nested values by name, which of a leaf is `name` itself."""
    items = _list_items(values)
    if items is None:
        return {name: values}
    flat: dict[str, Any] = {}
    for place, (_, value) in enumerate(items):
        flat |= flatten(value, f"{name}.{place}")
    return flat


def pack(structure: Any, leaves: Mapping[str, Any], name: str) -> Any:
    """Return leaves, named as `flatten` does, in their structure."""
    return fill(structure, lambda where, _: leaves[where], name)


def fill(structure: Any, make: Callable[[str, Any], Any], name: str = "") -> Any:
    """Return nested values made of the name of each leaf, and of what it is there."""
    if not isinstance(structure, Branch):
        return make(name, structure)
    pairs = [
        (key, fill(part, make, f"{name}.{place}"))
        for place, (key, part) in enumerate(structure.items)
    ]
    is_dict = issubclass(structure.kind, dict)
    return structure.kind(pairs if is_dict else [value for _, value in pairs])


def _list_items(values: Any) -> list[tuple[Any, Any]] | None:
    """Return the parts of nested values, or None of a leaf."""
    if isinstance(values, dict):
        return list(values.items())
    return list(enumerate(values)) if isinstance(values, list | tuple) else None
