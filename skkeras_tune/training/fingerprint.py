"""Any value in, a digest of its content out, the same in every process.

Functions and classes of the user's own count by their code and by all that it names,
so that a changed one has another digest; those of installed packages by their names.
"""

import copy
import copyreg
import dataclasses
import functools
import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import (
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any

import keras
import numpy as np
from scipy.sparse import issparse

from skkeras_tune.frozen import freeze
from skkeras_tune.training.own_code import (
    find_imports,
    is_installed,
    list_globals,
    walk,
)

_DIGITS = 32
_PLAIN = (bool, int, float, complex, str, type(None), type(...), type(NotImplemented))
#: What Python notes of a class besides what the user wrote into it.
_NOTES = frozenset(
    {
        "__abstractmethods__", "__annotate__", "__annotate_func__",
        "__annotations__", "__annotations_cache__", "__dict__", "__doc__",
        "__firstlineno__", "__module__", "__orig_bases__", "__parameters__",
        "__qualname__", "__static_attributes__", "__weakref__", "_abc_impl",
    }
)  # fmt: skip
_CODE_PARTS = (
    "co_code", "co_exceptiontable", "co_names", "co_varnames", "co_freevars",
    "co_cellvars", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount",
    "co_flags", "co_consts",
)  # fmt: skip


class NoFingerprint(Exception):  # noqa: N818  a reason, which callers act on
    """Says of a value that another process could not recognise it."""


def fingerprint(value: Any) -> str:
    """Return a digest of 32 hexadecimal digits.

    Raises
    ------
    NoFingerprint
        If there is something in the value that cannot be described, such as an open
        file, or that contains itself.
    """
    try:
        return _Reader().read(value).hex()[:_DIGITS]
    except RecursionError as error:
        message = f"a {type(value).__name__} contains itself"
        raise NoFingerprint(message) from error


class _Reader:
    """Reads one value, and each function, class and module in it once."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._held: list[Any] = []  # so that no other object takes their ids

    def read(self, value: Any) -> bytes:
        if type(value) in _PLAIN:
            return _digest(type(value).__name__, _encode(repr(value)))
        if type(value) is bytes:
            return _digest("bytes", value)
        if type(value) in (np.ndarray, np.memmap) or isinstance(value, np.generic):
            return self._read_array(np.asarray(value))
        if isinstance(value, set | frozenset):
            return _digest("set", *sorted(map(self.read, value)))
        if type(value) in (dict, MappingProxyType):
            return self._read_mapping(value)
        return self._read_parts(value)

    def _read_array(self, array: Any) -> bytes:
        kind = _encode(f"{array.dtype.descr!r} {array.shape!r}")
        if array.dtype.hasobject or array.dtype.kind == "T":  # NumPy's new strings
            return _digest("objects", kind, *map(self.read, array.ravel().tolist()))
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        return _digest("array", kind, content.data)

    def _read_mapping(self, mapping: Mapping[Any, Any]) -> bytes:
        entries = sorted((self.read(key), key) for key in mapping)
        pairs = (part for digest, key in entries for part in (digest, mapping[key]))
        return self._join("mapping", pairs)

    def _read_parts(self, value: Any) -> bytes:
        if isinstance(value, FunctionType | type | ModuleType):
            if is_installed(value):
                return _digest("name", _encode(_name(value)))
            if id(value) in self._numbers:
                return _digest("again", _encode(str(self._numbers[id(value)])))
            self._numbers[id(value)] = len(self._numbers)
            self._held.append(value)
        return self._join(*_describe(value))

    def _join(self, kind: str, parts: Iterable[Any]) -> bytes:
        return _digest(kind, *map(self.read, parts))


def _digest(kind: str, *parts: Any) -> bytes:
    """Hash some bytes; where each part ends is hashed too."""
    digest = hashlib.sha256(f"{kind} {len(parts)}".encode())
    for part in parts:
        digest.update(f" {len(part)} ".encode())
        digest.update(part)
    return digest.digest()


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _name(value: Any) -> str:
    if isinstance(value, ModuleType):
        module, name = value.__name__, ""
    else:
        module, name = value.__module__, value.__qualname__
    package = sys.modules.get(module.partition(".")[0])
    return f"{module} {name} {getattr(package, '__version__', '')}"


def _describe(value: Any) -> tuple[str, Iterable[Any]]:
    """Return the kind of a value, and values that tell it from others of its kind."""
    if type(value) in (list, tuple):
        return type(value).__name__, value
    if isinstance(value, FunctionType):
        return "function", _function_parts(value)
    if isinstance(value, type):
        return "class", _class_parts(value)
    if isinstance(value, ModuleType):
        return "module", (value.__name__, _public_values(vars(value)))
    if isinstance(value, CodeType):
        return "code", (getattr(value, name) for name in _CODE_PARTS)
    if isinstance(value, property):
        return "property", (value.fget, value.fset, value.fdel)
    if isinstance(value, functools.cached_property):  # with a lock, in Python 3.11
        return "cached", (value.func,)
    if isinstance(value, classmethod | staticmethod):
        return type(value).__name__, (value.__func__,)
    return _describe_instance(value)


def _describe_instance(value: Any) -> tuple[str, Iterable[Any]]:
    if issparse(value):
        rows = value.tocsr()
        return "sparse", (rows.shape, rows.data, rows.indices, rows.indptr)
    if hasattr(value, "get_config"):
        return "frozen", (_freeze(value),)
    if dataclasses.is_dataclass(value):
        return "fields", (type(value), _field_values(value))
    return "object", _reduced_parts(value)


def _field_values(value: Any) -> dict[str, Any]:
    """Return what an instance of a data class holds, but for cached properties."""
    fields = dataclasses.fields(value)
    if is_installed(type(value)):  # whose author says what counts: no dates, no caches
        return {f.name: getattr(value, f.name) for f in fields if f.compare}
    held = {f.name: getattr(value, f.name) for f in fields if hasattr(value, f.name)}
    held |= getattr(value, "__dict__", {})
    cached = functools.cached_property
    return {
        name: part
        for name, part in held.items()
        if not isinstance(inspect.getattr_static(type(value), name, None), cached)
    }


def _freeze(value: Any) -> Any:
    try:
        return freeze(value)
    except Exception as error:
        raise NoFingerprint(f"{value!r} cannot be saved: {error}") from error


def _reduced_parts(value: Any) -> list[Any]:
    """Return what pickle would save of a value, but for callbacks of scikit-learn's."""
    if hasattr(value, "_skl_callbacks"):  # which listen, and decide nothing of it
        value = copy.copy(value).set_callbacks()
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        reduced = reduce(value) if reduce else value.__reduce_ex__(2)
    except Exception as error:
        raise NoFingerprint(f"{value!r} cannot be pickled") from error
    if isinstance(reduced, str):
        wrapped = getattr(value, "__wrapped__", None)  # by functools.lru_cache
        return [getattr(value, "__module__", None), reduced, wrapped]
    return [list(part) if isinstance(part, Iterator) else part for part in reduced]


def _function_parts(function: FunctionType) -> Iterator[Any]:
    code, values = function.__code__, function.__globals__
    cells = [c.cell_contents for c in function.__closure__ or () if _is_full(c)]
    names = sorted(list_globals(code))
    found = {name: values[name] for name in names if name in values}
    imported = find_imports(code, values.get("__package__") or "")
    yield code
    yield function.__defaults__
    yield function.__kwdefaults__
    yield cells
    yield found
    yield imported
    yield _private_values([*cells, *found.values(), *imported.values()], code)
    yield _public_values(vars(function))


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # of a function that is still being defined
        return False


def _private_values(values: Iterable[Any], code: CodeType) -> dict[str, Any]:
    """Return what code names of the private content of the user's modules."""
    names = {name for part in walk(code) for name in part.co_names}
    found: dict[str, Any] = {}
    seen: dict[str, ModuleType] = {}
    waiting = list(values)
    while waiting:
        module = waiting.pop()
        if not isinstance(module, ModuleType) or module.__name__ in seen:
            continue
        if is_installed(module):
            continue
        seen[module.__name__] = module
        named = {n: v for n, v in vars(module).items() if n in names}
        waiting += named.values()
        found |= {
            f"{module.__name__} {name}": value
            for name, value in named.items()
            if name[:1] == "_" and name[:2] != "__"
        }
    return found


def _class_parts(cls: type) -> Iterator[Any]:
    yield cls.__name__
    # Keras puts its functional model in the place of its base when one is built.
    yield [keras.Model if _is_keras_model(base) else base for base in cls.__bases__]
    slots = (GetSetDescriptorType, MemberDescriptorType)
    yield {
        name: value
        for name, value in vars(cls).items()
        if name not in _NOTES and not isinstance(value, slots)
    }


def _is_keras_model(cls: type) -> bool:
    return issubclass(cls, keras.Model) and is_installed(cls)


def _public_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name[:1] != "_"}
