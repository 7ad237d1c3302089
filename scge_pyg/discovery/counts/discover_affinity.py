"""`discover(affinity=...)`: places of nodes from contacts or similarities between them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from scge_pyg.discovery.clock import Clock
from scge_pyg.discovery.counts.balancing import biases
from scge_pyg.discovery.counts.discover_counts import advice_of_counts, found_parts
from scge_pyg.discovery.counts.parts import rows_and_columns
from scge_pyg.discovery.counts.reading import Table, canonical_table, read_matrix
from scge_pyg.discovery.counts.result import graph_of_counts
from scge_pyg.graph.checks import checked_names
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["discover_affinity"]

_SYMMETRIC = 1e-6  # of the largest value
_LINKS = 8
_EDGES = (
    "affinity holds nothing but 0 and 1: whether two nodes are joined hardly tells a plane from a line; "
    "SharedGraph.from_edge_index lays out a known graph"
)


def discover_affinity(
    affinity: Any,
    *,
    balance: bool = False,
    names: Sequence[str] | None = None,
    dim: int | None = None,
    seed: int = 0,
    progress: bool | None = None,
    stacklevel: int = 2,
) -> SharedGraph:
    """Find the places of nodes from how much they have to do with each other.

    Whole numbers, not all 0 and 1, are contacts: they are placed as counts between rows and columns that share their
    places, judged by thinning, and parts are told by contacts beyond chance. Other values are similarities: the chance
    of a pair is in proportion to its value, pairs are held out whole, and parts are what the eight strongest links of
    each node hold together. Values below 0 are no similarity; the diagonal is left out.

    Cost: as for counts; sparse matrices stay sparse.

    Args:
        affinity: Symmetric values ``[N, N]``, dense or sparse.
        balance: Divide out uneven yields of the nodes (:func:`scge_pyg.discovery.counts.balancing.biases`).
        names: One name a node. Default: the index of a data frame.
        dim: Number of columns of the map, 1 to 4. Default: judged.
        seed: Seed of the halves.
        progress: Show a progress bar. Default: when work is long enough to wait for.
        stacklevel: Of the warnings.

    Raises:
        TypeError: If ``affinity`` is no matrix of numbers.
        ValueError: If it is not square and symmetric, fewer than three nodes have contacts, values are negative
            where they are to be balanced, or names don't fit.

    Warns:
        UserWarning: If nodes have no contacts, values are negative, or 0 and 1 alone, or there is no geometry.
    """
    clock = Clock()
    _check_names(affinity)
    matrix, labels = read_matrix("affinity", affinity)
    names = checked_names("discover", labels if names is None else names, matrix.shape[0])
    table = _table(matrix, balance)
    clock("reading")
    counted = bool((table.counts.data == np.rint(table.counts.data)).all()) and table.counts.data.max() > 1
    log_yield = np.log(biases(table.counts)) if balance else None
    own = table.counts if counted else _as_weights(table.counts, log_yield)
    groups = rows_and_columns(own, shared=True) if counted else _hanging_together(own)
    clock("parts")
    parts = found_parts(own, groups, dim, seed, progress, clock, True, log_yield if counted else None)
    found = Table(own, table.rows, table.cols, table.shape)
    graph = graph_of_counts(found, parts, names, clock.seconds, "contacts" if counted else "similarities", shared=True)
    below = int((matrix.data < -_SYMMETRIC * np.abs(matrix.data).max()).sum())  # others are rounding
    said = [f"{below} of {matrix.nnz} values of affinity are negative and count as 0"] if below else []
    said += [] if (table.counts.data != 1).any() else [_EDGES]
    for text in [*said, *advice_of_counts(graph, found, dim, "affinity")]:
        warnings.warn(f"discover: {text}", UserWarning, stacklevel=stacklevel + 1)
    return graph


def _check_names(affinity: Any) -> None:
    """A data frame names the same nodes along both axes."""
    if not (hasattr(affinity, "index") and hasattr(affinity, "columns")):
        return
    rows, cols = list(map(str, affinity.index)), list(map(str, affinity.columns))
    if rows != cols and rows != list(map(str, range(len(rows)))):
        wrong = next((pair for pair in zip(rows, cols, strict=False) if pair[0] != pair[1]), ("nothing", "more"))
        raise ValueError(
            f"discover: rows and columns of affinity must have the same names in one order, got {wrong[0]!r} beside "
            f"{wrong[1]!r}; reorder the frame, or pass frame.to_numpy()"
        )


def _table(matrix: sp.csr_matrix, balance: bool) -> Table:
    """Values between live nodes in canonical order."""
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"discover: affinity must be square [N, N], got {list(matrix.shape)}; counts between two kinds of "
            f"things go into counts="
        )
    largest = np.abs(matrix.data).max(initial=0.0)
    apart = np.abs((matrix - matrix.T).data).max(initial=0.0)
    if apart > _SYMMETRIC * largest:
        raise ValueError(
            f"discover: affinity must be symmetric, got values that differ by up to {apart:g} from those across the "
            f"diagonal; pass (w + w.T) / 2 if their mean is meant"
        )
    below = int((matrix.data < 0).sum())
    if balance and below:
        raise ValueError(f"discover: balance=True needs an affinity of at least 0, got {below} values below")
    matrix = sp.csr_matrix((matrix + matrix.T) * 0.5)
    matrix.setdiag(0.0)
    matrix.data = np.maximum(matrix.data, 0.0)
    matrix.eliminate_zeros()
    if below and not matrix.nnz:
        raise ValueError(
            f"discover: affinity must have values above 0, got {below} below alone; numpy.exp(w) makes similarities of "
            f"distances with a minus"
        )
    return canonical_table("affinity", matrix, shared=True)


def _as_weights(values: sp.csr_matrix, log_yield: np.ndarray | None) -> sp.csr_matrix:
    """Similarities, balanced if yields are given, scaled as if each pair were one count on average."""
    if log_yield is not None:
        divided = sp.diags(np.exp(-log_yield))
        values = sp.csr_matrix(divided @ values @ divided)
        values = sp.csr_matrix((values + values.T) * 0.5)  # the product rounds by its order
    values = sp.csr_matrix(values * (values.nnz / values.sum()))
    values.sort_indices()
    return values


def _hanging_together(values: sp.csr_matrix) -> list[tuple[np.ndarray, np.ndarray]]:
    """Nodes of each part that the eight strongest links of each node hold together, by falling size."""
    row = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))
    order = np.lexsort((values.indices, -values.data, row))
    strong = np.arange(len(row)) - values.indptr[row] < _LINKS
    links = (np.ones(int(strong.sum())), (row[strong], values.indices[order][strong]))
    label = connected_components(sp.csr_matrix(links, values.shape), directed=False)[1]
    size, first = np.bincount(label), np.unique(label, return_index=True)[1]
    nodes = [np.flatnonzero(label == part) for part in np.lexsort((first, -size)).tolist()]
    return [(own, own) for own in nodes]
