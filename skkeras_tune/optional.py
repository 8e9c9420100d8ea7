"""Packages that only some functions need: a name in, the imported module out."""

import importlib
from types import ModuleType


def import_optional(name: str, caller: str) -> ModuleType:
    """Import a package that need not be installed.

    Raises
    ------
    ImportError
        Naming who needs the package and how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        message = f"{caller} needs {package}: pip install {package}"
        raise ImportError(message) from error
