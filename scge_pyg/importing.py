"""What is imported only when it is used: the public names of our packages, and libraries that are extras."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["import_extra", "lazily"]


class _LazyPackage(ModuleType):
    """A package where a public name wins over a module of the same name, which importing would bind to it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in self.__dict__.get("__all__", ())):
            super().__setattr__(name, value)


def lazily(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose public names are imported at their first use (PEP 562).

    Which module has a name is read from the imports under ``if TYPE_CHECKING:`` in the package's source. The modules of
    the package can be reached as attributes too, imported or not.

    Example:
        >>> import scge_pyg.graph
        >>> find, names = lazily("scge_pyg.graph")
        >>> find("Lattice") is scge_pyg.graph.Lattice, "Lattice" in names()
        (True, True)
    """
    module = sys.modules[package]
    module.__class__ = _LazyPackage
    home_of = _homes(inspect.getsource(module))

    def find(name: str) -> Any:
        if name in home_of:
            value = getattr(importlib.import_module(home_of[name]), name)
            setattr(module, name, value)
            return value
        if not name.startswith("_") and importlib.util.find_spec(f"{package}.{name}"):
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find, lambda: sorted({*vars(module), *home_of})


def _homes(source: str) -> dict[str, str]:
    """Module of each name that is imported for type checkers."""
    blocks = [
        node.body
        for node in ast.parse(source).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    imports = [node for body in blocks for node in body if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def import_extra(module: str, extra: str, purpose: str) -> Any:
    """Import a package that isn't a core dependency, or say which extra brings it.

    Raises:
        ImportError: If it isn't there; the message names ``scge-pyg[extra]``.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{purpose} needs the extra '{extra}': pip install 'scge-pyg[{extra}]'") from error
