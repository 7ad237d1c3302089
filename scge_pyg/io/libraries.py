"""Which library an object comes from, without importing it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

__all__ = ["is_of", "suffix"]

_TEXTS = (".csv", ".tsv", ".txt", ".mtx")  # that may be under gzip


def is_of(source: Any, package: str, *names: str) -> bool:
    """Whether an object's class, or one that it inherits from, is one of those of a package.

    Example:
        >>> import numpy
        >>> is_of(numpy.ma.zeros(3), "numpy", "ndarray"), is_of(3.0, "numpy", "ndarray")
        (True, False)
    """
    return any(kind.__module__.partition(".")[0] == package and kind.__name__ in names for kind in type(source).__mro__)


def suffix(source: Any) -> str:
    """Suffix of a path in small letters, without ``.gz`` behind that of a text; empty for other objects.

    Example:
        >>> suffix("a/B.CSV.gz"), suffix(3)
        ('.csv', '')
    """
    if not isinstance(source, str | os.PathLike):
        return ""
    path = Path(os.fspath(source).lower())
    under = Path(path.stem).suffix if path.suffix == ".gz" else ""
    return under if under in _TEXTS else path.suffix
