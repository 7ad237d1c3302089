"""From parts in canonical order to one `SharedGraph` over the nodes of the samples."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.part import Part
from scge_pyg.discovery.signals.prepare import Signals
from scge_pyg.graph.edges import connected_parts
from scge_pyg.graph.fit import Fit
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["assemble"]

_GAP = 64.0  # spacings between parts: further than any kernel reaches


def assemble(
    signals: Signals,
    parts: list[tuple[np.ndarray, Part]],
    live: np.ndarray,
    names: tuple[str, ...] | None,
    num_samples: int,
    seconds: dict[str, float],
) -> SharedGraph:
    """Put the parts side by side along the first axis and back into the order of the samples.

    A twin shares all but the cell of its original, and runs with or against it. ``dim`` and ``fit`` are those of the
    largest part; the first lattice, by falling size, keeps the origin of its cells at zero.

    Args:
        signals: Signals of all distinct live nodes.
        parts: Rows of each part and its geometry, by falling size.
        live: Nodes that vary, ``[N]``.
        names: Names of the nodes.
        num_samples: Samples that were used.
        seconds: Time of the stages before the parts.
    """
    num_nodes = len(live)
    rows = signals.num_nodes
    columns = max((part.pos.shape[1] for _, part in parts), default=0)
    pos, confidence = np.zeros((rows, columns)), np.zeros(rows)
    sign = np.ones(rows, dtype=np.int64)
    own_dim = np.zeros(rows, dtype=np.int64)
    edges, weights, lattices = [], [], []
    right, left = 0.0, 0.0
    anchored = next((k for k, (_, part) in enumerate(parts) if part.cells is not None), 0)
    for turn, k in enumerate([anchored, *(k for k in range(len(parts)) if k != anchored)] if parts else []):
        nodes, part = parts[k]
        low = part.pos.min(0) if part.cells is None else np.zeros(part.pos.shape[1])
        shifted = part.pos - low
        if columns:
            shift = right + _GAP if turn else 0.0
            shifted = np.pad(shifted, [(0, 0), (0, columns - part.pos.shape[1])])
            shifted[:, 0] += shift - (shifted[:, 0].min() if turn else 0.0)
            pos[nodes] = shifted
            right = max(right, float(shifted[:, 0].max()))
            left = min(left, float(shifted[:, 0].min()))
        confidence[nodes], sign[nodes], own_dim[nodes] = part.confidence, part.sign, part.dim
        edges.append(nodes[part.edges])
        weights.append(part.weight)
        if part.cells is not None:
            lattices.append((len(nodes), _lattice(signals, nodes, part, num_nodes, pos)))
    half = np.concatenate([signals.order[np.concatenate([*edges, np.zeros((2, 0), np.int64)], 1)], signals.twins], 1)
    weight = np.r_[np.concatenate([*weights, np.zeros(0)]), np.ones(signals.twins.shape[1])]

    def scatter(values: np.ndarray, fill: float) -> Tensor:
        full = np.full((num_nodes, *values.shape[1:]), fill, dtype=values.dtype)
        full[signals.order] = values
        full[signals.twins[0]] = full[signals.twins[1]]
        return torch.from_numpy(full)

    turned = scatter(sign, 0)
    turned[signals.twins[0]] *= torch.from_numpy(signals.twin_sign)
    known = np.zeros(num_nodes, dtype=bool)
    known[signals.order] = True
    known[signals.twins[0]] = True
    places = scatter(pos, np.nan)
    stray = live & ~known
    places[torch.from_numpy(stray)] = 0.0
    if columns and stray.any():
        places[torch.from_numpy(stray), 0] = torch.from_numpy(right + _GAP * (1.0 + np.arange(stray.sum())))
    found = [lattice for _, lattice in lattices]
    edge_index = torch.from_numpy(np.concatenate([half, half[::-1]], 1))
    component = connected_parts(edge_index, torch.from_numpy(live))
    own = [int(d) for d in _of_each_part(scatter(own_dim, 0), component)]
    return SharedGraph(
        places.float() if columns and own else places[:, :0].float(),
        edge_index,
        torch.from_numpy(np.tile(weight, 2)).float(),
        part_dim=own if columns else None,
        dim=None if columns and own else 0,
        live=torch.from_numpy(live),
        confidence=scatter(confidence, 0.0).float(),
        lattice=found[0] if found else None,
        names=names,
        sign=turned,
        fit=_fit(signals, parts, num_nodes, num_samples, seconds),
    )


def _of_each_part(values: Tensor, component: Tensor) -> Tensor:
    """The value of one node of each component that has at least two."""
    count = torch.bincount(component[component >= 0])
    found = torch.zeros(len(count), dtype=values.dtype)
    found[component[component >= 0]] = values[component >= 0]
    return found[count > 1]


def _lattice(signals: Signals, nodes: np.ndarray, part: Part, num_nodes: int, pos: np.ndarray) -> Lattice:
    """Cells of one part, over all nodes."""
    assert part.cells is not None
    cell = np.full((num_nodes, part.cells.cell.shape[1]), -1, dtype=np.int64)
    cell[signals.order[nodes]] = part.cells.cell
    return Lattice(torch.from_numpy(cell), part.cells.shape, part.cells.periodic)


def _fit(
    signals: Signals, parts: list[tuple[np.ndarray, Part]], num_nodes: int, num_samples: int, seconds: dict[str, float]
) -> Fit | None:
    """What the largest part was judged by, with the gains of all judged nodes."""
    if not parts or parts[0][1].judgement is None:
        return None
    judged = parts[0][1].judgement
    gain = np.full(num_nodes, np.nan)
    for nodes, part in parts:
        if part.judgement is not None:
            gain[signals.order[nodes[part.judgement.rows]]] = part.judgement.node_gain
    total = dict(seconds)
    for _, part in parts:
        for stage, spent in part.seconds.items():
            total[stage] = total.get(stage, 0.0) + spent
    return Fit(
        coupling=judged.coupling,
        gain=judged.gain,
        ceiling=judged.ceiling,
        chance=judged.chance,
        ratio=judged.ratio,
        error=judged.error,
        verdict=judged.verdict,
        columns=judged.columns,
        gain_by_columns=judged.gain_by_columns,
        node_gain=torch.from_numpy(gain),
        num_samples=num_samples,
        effective_samples=signals.effective,
        seconds=total,
    )
