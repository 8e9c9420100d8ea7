"""Any value in, a digest of its content out, the same in every process.

Functions and classes of the user's own count by their code and by all that it names,
so that a changed one has another digest; those of installed packages by their names.
"""

import copyreg
import dataclasses
import dis
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
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

_DIGITS = 32
_PLAIN = (bool, int, float, complex, str, type(None), type(...), type(NotImplemented))
_INSTALLED = frozenset({"site-packages", "dist-packages"})
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
#: How code reads a global; the last is that of Python 3.12's class bodies.
_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})


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


def is_installed(value: Any) -> bool:
    """Tell whether a function, class or module has a name in an installed package.

    What is installed changes with its version only.
    """
    is_module = isinstance(value, ModuleType)
    module = value.__name__ if is_module else (value.__module__ or "")
    package = module.partition(".")[0]
    is_local = "<" in getattr(value, "__qualname__", "")  # or a lambda
    if is_local or package == "__main__":  # whose file is joblib's in its workers
        return False
    if package in sys.stdlib_module_names or package == __name__.partition(".")[0]:
        return True
    found = sys.modules.get(package)
    places = [getattr(found, "__file__", None) or "", *getattr(found, "__path__", ())]
    return any(_INSTALLED.intersection(Path(place).parts) for place in places)


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
    if isinstance(value, classmethod | staticmethod):
        return type(value).__name__, (value.__func__,)
    return _describe_instance(value)


def _describe_instance(value: Any) -> tuple[str, Iterable[Any]]:
    if issparse(value):
        rows = value.tocsr()
        return "sparse", (rows.shape, rows.data, rows.indices, rows.indptr)
    if dataclasses.is_dataclass(value):
        fields = [f for f in dataclasses.fields(value) if f.compare]
        return "fields", (type(value), *(getattr(value, f.name) for f in fields))
    if hasattr(value, "get_config"):
        return "frozen", (_freeze(value),)
    return "object", _reduced_parts(value)


def _freeze(value: Any) -> Any:
    try:
        return freeze(value)
    except Exception as error:
        raise NoFingerprint(f"{value!r} cannot be saved: {error}") from error


def _reduced_parts(value: Any) -> list[Any]:
    """Return what pickle would save of a value."""
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        reduced = reduce(value) if reduce else value.__reduce_ex__(2)
    except Exception as error:
        raise NoFingerprint(f"{value!r} cannot be pickled") from error
    if isinstance(reduced, str):
        return [getattr(value, "__module__", None), reduced]
    return [list(part) if isinstance(part, Iterator) else part for part in reduced]


def _function_parts(function: FunctionType) -> Iterator[Any]:
    yield function.__code__
    yield function.__defaults__
    yield function.__kwdefaults__
    yield [cell.cell_contents for cell in function.__closure__ or () if _is_full(cell)]
    values = function.__globals__
    names = sorted(_list_globals(function.__code__))
    yield {name: values[name] for name in names if name in values}
    yield _public_values(vars(function))


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # of a function that is still being defined
        return False


def _list_globals(code: CodeType) -> set[str]:
    """Name the globals that a function reads, in the functions inside it too."""
    names = {
        step.argval for step in dis.get_instructions(code) if step.opname in _LOADS
    }
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _list_globals(constant)
    return {name for name in names if not name.startswith("__")}


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
