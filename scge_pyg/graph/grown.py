"""A graph with further nodes behind its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from scge_pyg.graph.fit import Fit
from scge_pyg.graph.lattice import Lattice

if TYPE_CHECKING:
    from scge_pyg.graph.geometry import Geometry

__all__ = ["Newcomers", "grown"]


class Newcomers(NamedTuple):
    """M further nodes; the L of them that have a place are joined to nodes of the graph.

    Attributes:
        names: Their names.
        pos: Their places ``[M, d]``, NaN where they have none.
        confidence: Trust in each place ``[M]``.
        sign: -1 where a node is inverted ``[M]``.
        part: Part of the graph that each belongs to ``[M]``.
        near: Nodes that each of those with a place is joined to ``[L, k]``.
        weight: Weights of these edges ``[L, k]``.
    """

    names: list[str]
    pos: NDArray[np.float64]
    confidence: NDArray[np.float64]
    sign: NDArray[np.float64]
    part: NDArray[np.int64]
    near: NDArray[np.int64]
    weight: NDArray[np.float64]


def grown(graph: Geometry, new: Newcomers) -> dict[str, Any]:
    """Arguments of the graph with the new nodes: parts keep dimensions, lattices and fits, new nodes have no cell."""
    count, more = graph.num_nodes, len(new.names)
    live = np.isfinite(new.pos).all(1)
    row = np.repeat(count + np.flatnonzero(live), new.near.shape[1])
    pairs = torch.from_numpy(np.stack([row, new.near.ravel()])).to(graph.edge_index)
    weight = torch.from_numpy(np.clip(new.weight, 0, None).ravel()).to(graph.edge_weight).repeat(2)
    sizes = np.bincount(graph.component[graph.component >= 0].cpu().numpy())
    coming = np.bincount(new.part[live], minlength=len(sizes))
    order = sorted(range(len(graph.part_dim)), key=lambda part: -(sizes + coming)[part])  # parts by falling size

    def on(name: str, values: Any) -> torch.Tensor:
        own: torch.Tensor = getattr(graph, name)
        return torch.cat([own, torch.from_numpy(values).to(own)])

    fits = [_longer(graph.part_fit[part], int(coming[part])) for part in order]
    return {
        "pos": on("pos", new.pos),
        "edge_index": torch.cat([graph.edge_index, pairs, pairs.flip(0)], 1),
        "edge_weight": torch.cat([graph.edge_weight, weight]),
        "lag": torch.cat([graph.lag, pairs.new_zeros(2 * pairs.shape[1])]),
        "part_dim": [graph.part_dim[part] for part in order],
        "live": on("live", live),
        "confidence": on("confidence", np.where(live, new.confidence, 0)),
        "sign": on("sign", np.where(live, new.sign, 0)),
        "lattice": None if graph.lattice is None else _with_more(graph.lattice, more),
        "other_lattices": [_with_more(lattice, more) for lattice in graph.other_lattices],
        "names": [*(graph.names or map(str, range(count))), *new.names],
        "fit": _longer(graph.fit, more),
        "part_fit": fits,
        "partner_pos": graph.partner_pos,
    }


def _with_more(lattice: Lattice, more: int) -> Lattice:
    cell = torch.cat([lattice.cell, lattice.cell.new_full((more, lattice.cell.shape[1]), -1)])
    return Lattice(cell, lattice.shape, lattice.periodic, lattice.origin, lattice.stride)


def _longer(fit: Fit | None, more: int) -> Fit | None:
    """The fit with unknown gains of further nodes."""
    if fit is None:
        return None
    return replace(fit, node_gain=torch.cat([fit.node_gain, fit.node_gain.new_full((more,), torch.nan)]))
