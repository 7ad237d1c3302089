"""`discover(counts=...)`: places of rows and columns from the counts between them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from scge_pyg.discovery.clock import Clock
from scge_pyg.discovery.counts.part import FEWEST, CountPart, discover_part_of_counts, edges_alone
from scge_pyg.discovery.counts.parts import rows_and_columns
from scge_pyg.discovery.counts.reading import Table, read_matrix, table_of_counts
from scge_pyg.discovery.counts.result import graph_of_counts
from scge_pyg.graph.checks import checked_names
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["advice_of_counts", "discover_counts", "found_parts"]

_MET = (
    "counts holds nothing but 0 and 1: which rows and columns met at all hardly tells a plane from a line, and less "
    "what hangs together; pass how often they met, or dim="
)
_LONG = 2**20  # counts that are not zero, above which a progress bar is shown on a terminal


def discover_counts(
    counts: Any,
    *,
    names: Sequence[str] | None = None,
    dim: int | None = None,
    seed: int = 0,
    progress: bool | None = None,
    stacklevel: int = 2,
) -> SharedGraph:
    r"""Find the places of rows and columns from the counts between them, such as beads by partners.

    A count of row n falls on column m with a chance that falls with their distance, or on any column in proportion to
    its total. The likelihood of that is maximised from landmark scaling of geodesics between rows alike
    (:func:`scge_pyg.discovery.counts.placing.place`); the number of columns, the kernel and the verdict come from
    counts that were left out (:func:`scge_pyg.discovery.counts.judging.judge`).

    Rows and columns go in canonical order, so that shuffling them permutes the result.

    Cost: :math:`O(\text{nnz})` for each of 400 to 800 steps, and :math:`O(\sum_m n_m^2)` for rows alike; memory
    :math:`O(\text{nnz})`.

    Args:
        counts: Whole numbers ``[N, M]``, dense or sparse.
        names: One name a row. Default: the index of a data frame.
        dim: Number of columns of the map, 1 to 4. Default: judged.
        seed: Seed of the halves.
        progress: Show a progress bar. Default: when work is long enough to wait for.
        stacklevel: Of the warnings.

    Returns:
        The graph of the N rows; ``partner_pos [M, d]`` are the places of the columns.

    Raises:
        TypeError: If ``counts`` is no matrix of numbers.
        ValueError: If values are negative or no whole numbers, fewer than three rows or columns have counts, or names
            don't fit.

    Warns:
        UserWarning: If rows or columns have no counts, counts are 0 and 1 alone, or there is no geometry.
    """
    clock = Clock()
    matrix, labels = read_matrix("counts", counts)
    names = checked_names("discover", labels if names is None else names, matrix.shape[0])
    table = table_of_counts("counts", matrix)
    clock("reading")
    groups = rows_and_columns(table.counts)
    clock("parts")
    parts = found_parts(table.counts, groups, dim, seed, progress, clock)
    graph = graph_of_counts(table, parts, names, clock.seconds)
    said = [] if (table.counts.data != 1).any() else [_MET]
    for text in [*said, *advice_of_counts(graph, table, dim, "counts")]:
        warnings.warn(f"discover: {text}", UserWarning, stacklevel=stacklevel + 1)
    return graph


def found_parts(
    counts: sp.csr_matrix,
    groups: list[tuple[np.ndarray, np.ndarray]],
    dim: int | None,
    seed: int,
    progress: bool | None,
    clock: Clock,
    shared: bool = False,
    log_yield: np.ndarray | None = None,
) -> list[tuple[np.ndarray, np.ndarray, CountPart]]:
    """What each part is; rows that meet nothing of their part are parts of their own."""
    hidden = not progress if progress is not None else (None if counts.nnz > _LONG else True)
    found = []
    with tqdm(desc="discover", unit=" steps", leave=False, disable=hidden) as bar:
        for rows, cols in groups:
            own = sp.csr_matrix(counts[rows][:, cols]) if len(groups) > 1 else counts
            full = np.flatnonzero(np.diff(own.indptr))
            met = full if shared else np.flatnonzero(np.bincount(own.indices, minlength=own.shape[1]))
            own = own[full][:, met]
            own.sort_indices()
            if min(own.shape) < FEWEST:
                part = _few(own)
            else:
                part = discover_part_of_counts(
                    own,
                    dim,
                    seed,
                    shared=shared,
                    log_yield=None if log_yield is None else log_yield[cols[met]],
                    tick=bar.update,
                    clock=clock,
                )
            found += [(rows[full], cols[met], part)] if len(full) else []
            alone = np.setdiff1d(np.arange(len(rows)), full)
            found += [(rows[[k]], cols[:0], _nothing(sp.csr_matrix((1, 0)))) for k in alone.tolist()]
    return sorted(found, key=lambda entry: -len(entry[0]))


def _few(counts: sp.csr_matrix) -> CountPart:
    """A handful of rows: links if there are some."""
    if min(counts.shape) < 3:
        return _nothing(counts)
    return edges_alone(counts)


def _nothing(counts: sp.csr_matrix) -> CountPart:
    count = counts.shape[0]
    none = np.zeros((2, 0), dtype=np.int64)
    return CountPart(
        *(np.zeros((count, 0)), np.zeros((counts.shape[1], 0)), none, np.zeros(0), 0, np.zeros(count), None),
        np.full(count, np.nan),
    )


def advice_of_counts(graph: SharedGraph, table: Table, dim: int | None, name: str) -> list[str]:
    """Warnings about a graph that was found from counts, each with its figures."""
    found = []
    dead = [table.shape[0] - len(table.rows), table.shape[1] - len(table.cols)]
    if dead[0]:
        found.append(f"{dead[0]} of {table.shape[0]} rows of {name} have no counts; they are not live")
    if dead[1] and name == "counts":
        found.append(f"{dead[1]} of {table.shape[1]} columns of {name} have no counts; they have no place")
    fit = graph.fit
    if fit is None:
        found.append(f"fewer than {FEWEST} rows hang together: neither their dimension nor a geometry was judged")
    elif fit.verdict == "no geometry":
        ratio = f"ratio {fit.ratio:.2f} +- {fit.error:.2f}" if fit.ratio_known else "ratio not defined"
        found.append(
            f"no low-dimensional geometry: places predict a count by {fit.gain:.3f} nats beyond the margins, factors "
            f"or rows alike without places by {fit.ceiling:.3f} ({ratio})"
            + ("" if dim else f"; the graph is edges without a map (discover({name}=..., dim=2) draws one)")
        )
    return found
