"""The fields of a graph, checked against each other, and the figures that follow from them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from scge_pyg.graph import checks
from scge_pyg.graph.edges import connected_parts, count_pairs, merge_edges
from scge_pyg.graph.fit import Fit
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.neighbors import knn
from scge_pyg.graph.part_fits import checked_fits
from scge_pyg.graph.part_lattices import checked_lattices
from scge_pyg.graph.parts import dimensions
from scge_pyg.graph.real import real

__all__ = ["Geometry"]


class Geometry:
    """Coordinates, edges and cells of one node set; :class:`SharedGraph` says what each is."""

    @real
    def __init__(
        self,
        pos: Tensor,
        edge_index: Tensor,
        edge_weight: Tensor | None = None,
        *,
        dim: int | None = None,
        part_dim: Sequence[int] | None = None,
        live: Tensor | None = None,
        confidence: Tensor | None = None,
        lattice: Lattice | None = None,
        other_lattices: Sequence[Lattice] = (),
        names: Sequence[str] | None = None,
        sign: Tensor | None = None,
        lag: Tensor | None = None,
        fit: Fit | None = None,
        part_fit: Sequence[Fit | None] | None = None,
        partner_pos: Tensor | None = None,
    ) -> None:
        where = type(self).__name__
        pos = checks.checked_pos(where, pos)
        num_nodes, columns = pos.shape
        edge_index = checks.checked_edges(where, edge_index, num_nodes)
        live = checks.checked_live(where, live, pos)
        weight = pos.new_ones(edge_index.shape[1]) if edge_weight is None else edge_weight.to(pos.dtype)
        lag = torch.zeros_like(edge_index[0]) if lag is None else lag
        checks.check_edge_values(where, edge_index, weight, lag)

        self.pos = pos.masked_fill(~live.unsqueeze(1), torch.nan)
        self.edge_index, self.edge_weight, self.lag = merge_edges(edge_index, weight, lag, num_nodes)
        self.live = live
        self.component = connected_parts(self.edge_index, live)
        self.dim, self.part_dim = dimensions(where, dim, part_dim, self.component, columns)
        self.confidence = checks.checked_confidence(where, confidence, live, pos.dtype)
        self.lattice, self.other_lattices = checked_lattices(where, lattice, other_lattices, self.component)
        self.names = checks.checked_names(where, names, num_nodes)
        self.sign = checks.checked_sign(where, sign, live)
        self.fit = fit
        self.part_fit = checked_fits(where, fit, part_fit, self.component, len(self.part_dim))
        self.partner_pos = checks.checked_partners(where, partner_pos, columns)

    @property
    def num_nodes(self) -> int:
        """Number of nodes N, live or not."""
        return self.pos.shape[0]

    @property
    def num_edges(self) -> int:
        """Number of directed edges E."""
        return self.edge_index.shape[1]

    @property
    def num_undirected_edges(self) -> int:
        """Number of distinct pairs of nodes that an edge joins."""
        return count_pairs(self.edge_index)

    @property
    def lattices(self) -> tuple[Lattice, ...]:
        """The lattice of each part that has one, by part: ``lattice`` first."""
        return () if self.lattice is None else (self.lattice, *self.other_lattices)

    @property
    def spacing(self) -> float:
        """Median distance between nearest live nodes, in the units of ``pos``."""
        self.check_geometry("spacing")
        if self.lattice is not None:
            return min(self.lattice.stride)
        live = self.pos[self.live]
        return float(knn(live, live, 1, exclude_self=True)[0].median())

    def check_geometry(self, where: str) -> None:
        """Raise a ``ValueError`` in the name of ``where``, which needs coordinates, unless the graph has some."""
        checks.check_geometry(where, self.dim)
