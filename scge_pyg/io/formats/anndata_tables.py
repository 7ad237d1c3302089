"""Annotated matrices of cells by genes: anndata and ``.h5ad``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scge_pyg.importing import import_extra
from scge_pyg.io.layouts.layout import Layout
from scge_pyg.io.libraries import is_of, suffix
from scge_pyg.io.signals import Signals

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "an AnnData"
SUFFIXES = (".h5ad",)


class _SparseRows:
    """A sparse matrix that is made dense some rows at a time."""

    def __init__(self, matrix: Any) -> None:
        self.matrix, self.shape, self.dtype = matrix.tocsr(), matrix.shape, matrix.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        return np.asarray(self.matrix[rows].toarray())


def matches(source: Any) -> bool:
    """Whether ``source`` is an ``AnnData`` or an ``.h5ad`` file."""
    return is_of(source, "anndata", "AnnData") or suffix(source) in SUFFIXES


def read(source: Any, nodes: str = "var", layer: str | None = None) -> Signals:
    """Variables as nodes, each cell a sample; or cells as nodes, each variable a sample.

    Args:
        source: The object or the file.
        nodes: ``"var"`` or ``"obs"``.
        layer: Name of a layer instead of ``X``.

    Raises:
        ValueError: If ``nodes`` is neither, the layer unknown, or there is no ``X``.
    """
    if isinstance(source, Path):
        anndata = import_extra("anndata", "readers", "reading .h5ad")
        source = anndata.read_h5ad(source)
    if source.isbacked:
        source = source.to_memory()
    if nodes not in ("obs", "var"):
        raise ValueError(f"read: nodes must be 'obs' or 'var', got {nodes!r}")
    if layer is not None and layer not in source.layers:
        raise ValueError(
            f"read: there is no layer={layer!r}; there are {', '.join(map(repr, source.layers)) or 'none'}"
        )
    matrix = source.X if layer is None else source.layers[layer]
    if matrix is None:
        raise ValueError(f"read: this AnnData has no X; choose a layer= of {', '.join(map(repr, source.layers))}")
    matrix = matrix if nodes == "var" else matrix.T
    names = tuple(map(str, source.var_names if nodes == "var" else source.obs_names))
    if len(set(names)) < len(names):
        raise ValueError(f"read: {nodes}_names repeat; call {nodes}_names_make_unique() first")
    samples = _SparseRows(matrix) if hasattr(matrix, "tocsr") else np.asarray(matrix)
    return Signals(samples, names, layout=_layout(source, names) if nodes == "obs" else None)


def _layout(source: Any, names: tuple[str, ...]) -> Layout | None:
    """Claimed places of the cells, ``obsm["spatial"]``."""
    places = source.obsm.get("spatial")
    places = None if places is None else np.asarray(places, float)
    fits = places is not None and places.ndim == 2 and places.shape[1] in (2, 3)
    return Layout(names, places) if fits and places is not None else None
