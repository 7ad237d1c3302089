"""Whom each node may listen to: a padded table of candidate sources that is refreshed from time to time."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from scge_pyg.graph import knn
from scge_pyg.graph.real import real
from scge_pyg.nn.fixed.tables import Tabled

__all__ = ["FixedPlaces", "Neighborhood", "edge_table", "edges_like", "support_table"]


class FixedPlaces(Tabled):
    """Places ``[N, d]`` that do not move, in units of ``spacing``; zero for nodes that aren't live.

    Args:
        pos: Coordinates ``[N, d]``.
        live: Nodes that have a place ``[N]``.
        spacing: Node spacing along each axis ``[d]``.
    """

    places: Tensor

    def __init__(self, pos: Tensor, live: Tensor, spacing: Tensor) -> None:
        super().__init__()
        places = torch.where(live.unsqueeze(1), pos.double() / spacing.to(pos.device), 0.0)
        self.register_table("places", places.to(torch.get_default_dtype()))

    def forward(self) -> Tensor:
        """The places ``[N, d]``."""
        return self.places


class Neighborhood(Tabled):
    """Candidate sources of each target, ``index [N_t, M]`` with ``valid [N_t, M]``.

    The table has a fixed shape, so refreshing it recompiles nothing, and it is part of the ``state_dict``: a loaded
    layer hears whom the saved one heard.

    Args:
        index: Candidates; any number where not valid.
        valid: Which entries count.
        nearest: Whether the candidates are the nearest sources, so that :meth:`search` finds them anew.

    Example:
        >>> import torch
        >>> table = Neighborhood(torch.tensor([[0, 1], [1, 0]]), torch.tensor([[True, True], [True, False]]))
        >>> table
        Neighborhood(targets=2, candidates=2)
    """

    index: Tensor
    valid: Tensor

    def __init__(self, index: Tensor, valid: Tensor, nearest: bool = False) -> None:
        super().__init__()
        self.nearest = nearest
        self.register_buffer("index", index.long())
        self.register_buffer("valid", valid.bool())
        self._tables = ("index", "valid")

    @torch.no_grad()
    def search(self, query: Tensor, points: Tensor, hears: Tensor, speaks: Tensor) -> None:
        """Put the nearest live sources of each live target into the table; a target that isn't live stays alone.

        A table of another kind stays as it is.

        Cost: :math:`O(N_t N_s d)` time in blocks.

        Args:
            query: Places of the targets ``[N_t, d]``.
            points: Places of the sources ``[N_s, d]``.
            hears: Live targets ``[N_t]``.
            speaks: Live sources ``[N_s]``.
        """
        if not self.nearest:
            return
        nodes, rows = speaks.nonzero().squeeze(1), hears.nonzero().squeeze(1)
        count = min(self.index.shape[1], nodes.numel())
        dtype = torch.promote_types(query.dtype, points.dtype)
        found = nodes[knn(query[rows].detach().to(dtype), points[nodes].detach().to(dtype), count)[1]]
        # new tensors: a backward pass may still need the old ones
        index, valid = self.index.clone(), self.valid.clone()
        index[rows, :count] = found
        valid[rows] = torch.arange(valid.shape[1], device=rows.device) < count
        self.index, self.valid = index, valid

    def extra_repr(self) -> str:
        return f"targets={self.index.shape[0]}, candidates={self.index.shape[1]}"


@real
def edge_table(edge_index: Tensor, num_targets: int) -> tuple[Tensor, Tensor]:
    """Edges ``[2, E]`` as padded rows, ``index`` and ``valid [N_t, K]`` with K the largest number of sources.

    Example:
        >>> index, valid = edge_table(torch.tensor([[0, 2, 1], [1, 1, 0]]), 2)
        >>> index.tolist(), valid.tolist()
        ([[1, 0], [0, 2]], [[True, False], [True, True]])
    """
    source, target = edge_index[:, torch.argsort(edge_index[1], stable=True)]
    count = torch.bincount(target, minlength=num_targets)
    place = torch.arange(target.numel(), device=target.device) - (count.cumsum(0) - count)[target]
    width = max(1, int(count.max()) if count.numel() else 1)
    index = torch.zeros(num_targets, width, dtype=torch.long, device=target.device)
    index[target, place] = source
    return index, torch.arange(width, device=target.device) < count.unsqueeze(1)


@real
def edges_like(edge_index: Tensor, wanted: Tensor, num_sources: int) -> Tensor:
    """Order of ``edge_index [2, E]`` that puts its edges where ``wanted`` has them, and any others last.

    Example:
        >>> edges_like(torch.tensor([[0, 1, 2], [0, 0, 1]]), torch.tensor([[2, 1], [1, 0]]), 3).tolist()
        [2, 1, 0]
    """
    have, want = (edges[1] * num_sources + edges[0] for edges in (edge_index, wanted))
    value, place = want.sort()
    slot = torch.searchsorted(value, have).clamp_max(max(0, value.numel() - 1))
    if not value.numel():
        return torch.arange(have.numel())
    known = value[slot] == have
    rank = torch.where(known, place[slot], value.numel() + torch.arange(have.numel()))
    return rank.argsort()


@real
def support_table(query: Tensor, points: Tensor, hears: Tensor, speaks: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Sources inside a box around each target, ``|offset| < reach`` along every axis, as padded rows.

    Args:
        query: Places of the targets ``[N_t, d]``.
        points: Places of the sources ``[N_s, d]``.
        hears: Live targets ``[N_t]``.
        speaks: Live sources ``[N_s]``.
        reach: Half the box along each axis ``[d]``.
    """
    targets, sources = hears.nonzero().squeeze(1), speaks.nonzero().squeeze(1)
    trees = [
        cKDTree((at[nodes].detach().cpu().double() / reach).numpy())
        for at, nodes in ((query, targets), (points, sources))
    ]
    hits = trees[0].sparse_distance_matrix(trees[1], 1 - 1e-6, p=np.inf, output_type="coo_matrix")
    source, target = torch.from_numpy(hits.col).long(), torch.from_numpy(hits.row).long()
    edges = torch.stack([sources.cpu()[source], targets.cpu()[target]])
    order = torch.argsort(edges[1] * points.shape[0] + edges[0])
    return edge_table(edges[:, order], query.shape[0])
