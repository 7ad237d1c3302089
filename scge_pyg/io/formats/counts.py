"""Counts and affinities in files: triplets, Matrix Market, dense tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scge_pyg.io.libraries import suffix
from scge_pyg.io.matrices import read_matrix
from scge_pyg.io.signals import Signals

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "a matrix of counts"
SUFFIXES = (".mtx",)


def matches(source: Any) -> bool:
    """Whether ``source`` is a Matrix Market file; tables are counts where ``kind=`` says so."""
    return suffix(source) in SUFFIXES


def read(path: Path, kind: str = "counts", key: str | None = None) -> Signals:
    """Counts between nodes and partners, or contacts of the nodes, see :func:`scge_pyg.io.matrices.read_matrix`.

    Args:
        path: The file.
        kind: ``"counts"`` or ``"affinity"``.
        key: Name of the array in an archive.

    Raises:
        ValueError: If it is no matrix.
    """
    if kind not in ("counts", "affinity"):
        raise ValueError(f"read: kind must be 'counts' or 'affinity', got {kind!r}")
    return read_matrix(path, key=key, kind=kind)
