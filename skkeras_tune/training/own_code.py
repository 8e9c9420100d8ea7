"""The code of a function in; what it names, and what of that is the user's own, out."""

import dis
import importlib
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

_INSTALLED = frozenset({"site-packages", "dist-packages"})
#: How code reads a global; the last is that of Python 3.12's class bodies.
_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})


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
    return _is_installed_in(places)


def _is_installed_in(places: Iterable[str]) -> bool:
    return any(_INSTALLED.intersection(Path(place).parts) for place in places)


def list_globals(code: CodeType) -> set[str]:
    """Name the globals that a function reads, in the functions inside it too."""
    steps = (step for part in walk(code) for step in dis.get_instructions(part))
    names = {step.argval for step in steps if step.opname in _LOADS}
    return {name for name in names if not name.startswith("__")}


def walk(code: CodeType) -> Iterator[CodeType]:
    """Go through the code of a function and of those inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from walk(constant)


def find_imports(code: CodeType, package: str) -> dict[str, Any]:
    """Return what a function imports from modules of the user's, by name.

    They are imported here, or a first fit would not find what the next one finds.
    """
    found = {}
    for path, names in _list_imports(code):
        try:
            path = resolve_name(path, package)
        except ImportError:  # of a relative one outside of a package
            continue
        for name in names:
            found[f"{path} {name}"] = _import_name(path, name)
        if not names:  # which binds the first part of the path, or `as` its last
            found[path] = _import_own(path)
            found[path.partition(".")[0]] = _import_own(path.partition(".")[0])
    return found


def _list_imports(code: CodeType) -> Iterator[tuple[str, tuple[str, ...]]]:
    """List modules, with dots if they are relative, and names taken from them."""
    for part in walk(code):
        steps = [s for s in dis.get_instructions(part) if s.opname != "EXTENDED_ARG"]
        # The level and the names are loaded right before the module.
        for level, names, step in zip(steps, steps[1:], steps[2:], strict=False):
            if step.opname == "IMPORT_NAME":
                yield "." * level.argval + step.argval, names.argval or ()


def _import_name(path: str, name: str) -> Any:
    module = _import_own(path)
    if module is None or hasattr(module, name):
        return getattr(module, name, None)
    return _import_own(f"{path}.{name}")


def _import_own(path: str) -> ModuleType | None:
    """Import a module of the user's; None if it is installed, missing or broken."""
    package = path.partition(".")[0]
    if package in sys.stdlib_module_names:
        return None
    try:
        if package not in sys.modules and _is_installed_in(_list_places(package)):
            return None
        if package in sys.modules and is_installed(sys.modules[package]):
            return None
        return importlib.import_module(path)
    except Exception:  # which the function meets as well, if it comes to it
        return None


def _list_places(package: str) -> list[str]:
    """Return where a package lies that need not be imported yet."""
    spec = find_spec(package)
    if spec is None:
        return []
    return [spec.origin or "", *(spec.submodule_search_locations or ())]
