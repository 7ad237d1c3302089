"""From parts of the counts to one `SharedGraph` over the rows."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.counts.part import CountPart
from scge_pyg.discovery.counts.reading import Table
from scge_pyg.graph.edges import connected_parts
from scge_pyg.graph.fit import Fit
from scge_pyg.graph.part_fits import of_nodes
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["graph_of_counts"]

_GAP = 64.0  # spacings between parts: further than any kernel reaches


def graph_of_counts(
    table: Table,
    parts: list[tuple[np.ndarray, np.ndarray, CountPart]],
    names: tuple[str, ...] | None,
    seconds: dict[str, float],
    kind: str = "counts",
    *,
    shared: bool = False,
) -> SharedGraph:
    """Put the parts side by side along the first axis and back into the order of the input.

    ``dim`` and ``fit`` are those of the largest part, ``part_fit`` has one for each. Where rows do not meet rows,
    ``partner_pos`` holds the places of the columns, NaN where they have no counts.

    Args:
        table: Counts in canonical order.
        parts: Rows and columns of each part, and what was found of it, by falling number of rows.
        names: Names of the rows.
        seconds: Time of each stage.
        kind: What the values are.
        shared: Whether rows meet rows.
    """
    num_rows, num_cols = table.counts.shape
    columns = max(part.pos.shape[1] for _, _, part in parts)
    pos, partner = np.zeros((num_rows, columns)), np.zeros((num_cols, columns))
    confidence, own_dim = np.zeros(num_rows), np.zeros(num_rows, dtype=np.int64)
    part_of = np.zeros(num_rows, dtype=np.int64)
    edges, weights = [], []
    right = -_GAP
    for number, (rows, cols, part) in enumerate(parts):
        part_of[rows] = number
        own = part.pos.shape[1]
        left = np.r_[part.pos[:, 0], part.partner_pos[:, 0]].min() if own else 0.0
        pos[rows, :own], partner[cols, :own] = part.pos, part.partner_pos
        if columns:
            shift = right + _GAP - left if len(parts) > 1 else 0.0
            pos[rows, 0] += shift
            partner[cols, 0] += shift
            right = float(np.r_[pos[rows, 0], partner[cols, 0]].max(initial=right))
        confidence[rows], own_dim[rows] = part.confidence, part.dim
        edges.append(rows[part.edges])
        weights.append(part.weight)

    def scatter(values: np.ndarray, places: np.ndarray, count: int, fill: float) -> Tensor:
        full = np.full((count, *values.shape[1:]), fill, dtype=values.dtype)
        full[places] = values
        return torch.from_numpy(full)

    half = table.rows[np.concatenate(edges, 1)]
    live = scatter(np.ones(num_rows, dtype=bool), table.rows, table.shape[0], False)
    edge_index = torch.from_numpy(np.concatenate([half, half[::-1]], 1))
    component = connected_parts(edge_index, live)
    part_dim = _of_each_part(scatter(own_dim, table.rows, table.shape[0], 0), component)
    placed = bool(columns and part_dim)
    fits = _fits(table, parts, kind, seconds)
    part_fit = [fits[number] for number in _of_each_part(scatter(part_of, table.rows, table.shape[0], 0), component)]
    return SharedGraph(
        scatter(pos, table.rows, table.shape[0], np.nan).float()[:, : columns if placed else 0],
        edge_index,
        torch.from_numpy(np.tile(np.concatenate(weights), 2)).float(),
        part_dim=part_dim if placed else None,
        dim=None if placed else 0,
        live=live,
        confidence=scatter(confidence, table.rows, table.shape[0], 0.0).float(),
        names=names,
        fit=fits[0],
        part_fit=[fit and of_nodes(fit, component == number) for number, fit in enumerate(part_fit)],
        partner_pos=scatter(partner, table.cols, table.shape[1], np.nan).float() if placed and not shared else None,
    )


def _of_each_part(values: Tensor, component: Tensor) -> list[int]:
    """The value of one node of each component that has at least two."""
    count = torch.bincount(component[component >= 0])
    found = torch.zeros(len(count), dtype=values.dtype)
    found[component[component >= 0]] = values[component >= 0]
    return [int(value) for value in found[count > 1]]


def _fits(
    table: Table, parts: list[tuple[np.ndarray, np.ndarray, CountPart]], kind: str, seconds: dict[str, float]
) -> list[Fit | None]:
    """What each part was judged by, all with the gains of all judged rows and the time of all parts together."""
    gain = np.full(table.shape[0], np.nan)
    for rows, _, part in parts:
        gain[table.rows[rows]] = part.row_gain
    total = float(table.counts.sum())
    return [
        None
        if part.judged is None
        else Fit(
            coupling=f"{kind}, {part.judged.kernel.name} kernel",
            gain=part.judged.gain,
            ceiling=part.judged.ceiling,
            chance=0.0,
            ratio=part.judged.ratio,
            error=part.judged.error,
            verdict=part.judged.verdict,
            columns=part.pos.shape[1],
            gain_by_columns=part.judged.gain_by_columns,
            node_gain=torch.from_numpy(gain),
            num_samples=int(total),
            effective_samples=total / table.counts.shape[0],
            seconds=seconds,
        )
        for _, _, part in parts
    ]
