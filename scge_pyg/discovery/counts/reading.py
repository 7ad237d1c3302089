"""From a matrix of any kind to whole numbers in canonical order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from scge_pyg.discovery.counts.order import canonical_orders
from scge_pyg.io import Signals

__all__ = ["Table", "canonical_table", "read_matrix", "table_of_counts"]


@dataclass(frozen=True)
class Table:
    """Counts of live rows and columns in canonical order.

    Attributes:
        counts: Counts ``[n, m]`` without empty rows and columns.
        rows: Which row of the input each is, ``[n]``.
        cols: Which column, ``[m]``.
        shape: Rows and columns of the input.
    """

    counts: sp.csr_matrix
    rows: np.ndarray
    cols: np.ndarray
    shape: tuple[int, int]


def read_matrix(name: str, matrix: Any) -> tuple[sp.csr_matrix, tuple[str, ...] | None]:
    """A matrix as compressed sparse rows in float64, and the names of its rows if it has some.

    Args:
        name: Name of the argument, for errors.
        matrix: A tensor (dense or sparse), an array, a scipy sparse matrix, a data frame, nested lists or what
            :func:`scge_pyg.io.read` gives.

    Raises:
        TypeError: If it is none of these, or holds no numbers.
        ValueError: If it has not two axes, or values are not finite.
    """
    names = None
    if isinstance(matrix, Signals):
        names, matrix = matrix.names, matrix.matrix
    if isinstance(matrix, Tensor):
        matrix = _of_tensor(matrix)
    elif hasattr(matrix, "index") and hasattr(matrix, "to_numpy"):
        names = None if _counted(matrix.index) else tuple(map(str, matrix.index))
        matrix = matrix.to_numpy()
    if not sp.issparse(matrix):
        try:
            matrix = np.asarray(matrix)
            matrix = matrix.astype(np.float64) if matrix.dtype.kind in "biuf" else matrix
        except (TypeError, ValueError):
            matrix = np.asarray(None)
    if matrix.dtype.kind not in "biuf":
        raise TypeError(
            f"discover: {name} must be a matrix of numbers (tensor, array, scipy or torch sparse, data frame), "
            f"got {matrix.dtype if matrix.size else type(matrix).__name__}"
        )
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"discover: {name} must have two axes and be not empty, got shape {list(matrix.shape)}")
    found = sp.csr_matrix(
        matrix.astype(np.float64)
    )  # first: repeated entries are summed, which narrow integers don't hold
    found.sum_duplicates()
    found.eliminate_zeros()
    if not np.isfinite(found.data).all():
        raise ValueError(f"discover: {name} must be finite, got {int((~np.isfinite(found.data)).sum())} other values")
    return found, names


def _of_tensor(matrix: Tensor) -> Any:
    """The same without torch; sparse ones stay so."""
    matrix = matrix.detach().cpu()
    if matrix.layout == torch.strided:
        return matrix.to(torch.float64).numpy()
    flat = matrix.to_sparse_coo().to(torch.float64).coalesce()
    row, col = flat.indices().numpy()
    return sp.csr_matrix((flat.values().numpy(), (row, col)), tuple(flat.shape))


def _counted(index: Any) -> bool:
    """Whether an index of a data frame only numbers the rows."""
    return list(index) == list(range(len(index)))


def table_of_counts(name: str, matrix: sp.csr_matrix, shared: bool = False) -> Table:
    """Counts of live rows and columns in canonical order.

    Raises:
        ValueError: If a value is negative or no whole number, or fewer than three rows have counts.
    """
    wrong = matrix.data[(matrix.data < 0) | (matrix.data != np.rint(matrix.data))]
    if len(wrong):
        raise ValueError(
            f"discover: {name} must be whole numbers of at least 0, got {len(wrong)} others, such as {wrong[0]:g}; "
            f"real-valued similarities of nodes go into affinity="
        )
    return canonical_table(name, matrix, shared)


def canonical_table(name: str, matrix: sp.csr_matrix, shared: bool = False) -> Table:
    """Values of rows and columns that are not empty, in canonical order.

    Args:
        name: Name of the argument, for errors.
        matrix: Values ``[N, M]`` of at least 0.
        shared: Whether rows and columns are the same nodes.

    Raises:
        ValueError: If fewer than three rows or columns have any.
    """
    rows = np.flatnonzero(np.diff(matrix.indptr))
    cols = rows if shared else np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))
    if len(rows) < 3 or len(cols) < 3:
        raise ValueError(
            f"discover: {name} must have at least 3 rows and columns with counts, got {len(rows)} and {len(cols)}"
        )
    live = sp.csr_matrix(matrix[rows][:, cols])
    by_row, by_col = canonical_orders(live, shared)
    live = sp.csr_matrix(live[by_row][:, by_col])
    live.sort_indices()
    return Table(live, rows[by_row], cols[by_col], matrix.shape)
