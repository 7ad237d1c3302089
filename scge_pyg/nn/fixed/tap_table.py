r"""The fixed geometry of a layer: which sources the kernel points of each target meet, as sparse tables.

A kernel has one weight matrix for each of its points :math:`c_p`, the taps. The weight of source node :math:`j` at
tap :math:`p` of target node :math:`i` is a product of hats over the axes, with the tap spacing :math:`s`, and a tap
is the weighted mean of the sources that it meets:

.. math::
    h_{pij} = \prod_a \max\left(0,\ 1 - \frac{|e_{ja} - q_{ia} - c_{pa}|}{s_a}\right), \qquad
    \phi_{pij} = \frac{h_{pij}}{\max\left(\frac{1}{2},\ \sum_{j'} h_{pij'}\right)}

On a lattice every :math:`h` is 0 or 1 and every tap meets at most one node, so :math:`\phi = h` and the layer is the
ordinary convolution, with zeros beyond the border. Between lattice points the hats interpolate linearly, and the
mean makes up for nodes that lie denser or sparser than the taps. A tap with less than half a node in reach fades to
zero, as it does at a border.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scge_pyg.graph import Lattice, SharedGraph, knn
from scge_pyg.graph.real import real

__all__ = ["ENOUGH", "TapTable", "active_nodes", "build_taps", "shared_lattices", "sorted_table", "tap_spacing"]

_NEGLIGIBLE = 1e-5
ENOUGH = 0.5  # of a node: a tap that meets less fades


class TapTable(NamedTuple):
    """The nonzero interpolation weights, sorted by tap, then target, then source.

    Args:
        tap: Tap of each entry ``[nnz]``.
        target: Target node of each entry ``[nnz]``.
        source: Source node of each entry ``[nnz]``.
        phi: Weight of each entry ``[nnz]``, float64, above 0.
        size: Numbers of taps, targets and sources.
    """

    tap: Tensor
    target: Tensor
    source: Tensor
    phi: Tensor
    size: tuple[int, int, int]

    @property
    def pointer(self) -> Tensor:
        """Where the entries of each (tap, target) begin, ``[taps * targets + 1]``."""
        taps, targets, _ = self.size
        count = torch.bincount(self.tap * targets + self.target, minlength=taps * targets)
        return torch.cat([count.new_zeros(1), count.cumsum(0)])

    def transposed(self) -> TapTable:
        """The table of the adjoint map: sources and targets exchanged, tap by tap."""
        taps, targets, sources = self.size
        return sorted_table(self.tap, self.source, self.target, self.phi, (taps, sources, targets))


@real
def sorted_table(tap: Tensor, target: Tensor, source: Tensor, weight: Tensor, size: tuple[int, int, int]) -> TapTable:
    """Entries in the order of a table; those of the same tap, target and source are added."""
    _, targets, sources = size
    key, inverse = torch.unique((tap * targets + target) * sources + source, return_inverse=True)
    total = torch.zeros(key.numel(), dtype=torch.float64).index_add_(0, inverse, weight)
    row = key // sources
    return TapTable(row // targets, row % targets, key % sources, total, size)


def shared_lattices(source: SharedGraph, target: SharedGraph) -> tuple[Lattice, Lattice] | None:
    """The lattices of both ends, if they have them in the same dimension: then cells decide who meets whom."""
    if source.lattice is None or target.lattice is None or source.lattice.dim != target.lattice.dim:
        return None
    return source.lattice, target.lattice


def active_nodes(graph: SharedGraph) -> Tensor:
    """Nodes that others can listen to, ``[N]`` bool: live and, where there is a lattice, placed on it."""
    return graph.live if graph.lattice is None else graph.live & graph.lattice.placed


@real
def tap_spacing(source: SharedGraph, target: SharedGraph) -> Tensor:
    """Distance between neighbouring taps along each axis: the node spacing of the finer of the two node sets.

    Without a lattice it is the median distance of nodes to their ``2 * dim`` nearest, which on a grid are the
    neighbours along the axes. The nearest alone would be closer than that wherever places are irregular.
    """
    lattices = shared_lattices(source, target)
    if lattices is not None:
        return torch.tensor([lattice.stride for lattice in lattices], dtype=torch.float64).amin(0)
    found = [_node_spacing(graph) for graph in (source, target) if int(graph.live.sum()) > 1]
    spacing = min((s for s in found if s > 0), default=1.0)
    return torch.full((source.pos.shape[1],), spacing, dtype=torch.float64)


def _node_spacing(graph: SharedGraph) -> float:
    live = graph.pos[graph.live].detach()
    return float(knn(live, live, min(2 * graph.dim, live.shape[0] - 1), exclude_self=True)[0].median())


def _places(lattice: Lattice) -> Tensor:
    stride = torch.tensor(lattice.stride, dtype=torch.float64)
    return torch.tensor(lattice.origin, dtype=torch.float64) + stride * lattice.cell.cpu()


def _meet_on_lattice(source: Lattice, place: Tensor, active: Tensor, spacing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Entries (row of ``place``, source node, hat weight) for the sources of a lattice around each place."""
    stride = torch.tensor(source.stride, dtype=torch.float64)
    cell = (place - torch.tensor(source.origin, dtype=torch.float64)) / stride
    nearest = cell.round()
    cell = torch.where((cell - nearest).abs() < _NEGLIGIBLE, nearest, cell)
    size = torch.tensor(source.shape)
    periodic = torch.tensor(source.periodic)
    node_of = torch.full((math.prod(source.shape),), -1)
    placed = source.placed.cpu()
    node_of[source.flat_index.cpu()] = placed.nonzero().squeeze(1)
    rows, nodes, weights = [], [], []
    for corner in torch.cartesian_prod(*[torch.arange(2)] * source.dim).view(-1, source.dim):
        at = cell.floor() + corner
        weight = (1 - (cell - at).abs() * stride / spacing).clamp_min(0).prod(1)
        index = torch.where(periodic, at.long() % size, at.long())
        inside = ((index >= 0) & (index < size)).all(1) & (weight > _NEGLIGIBLE)
        flat = torch.zeros(int(inside.sum()), dtype=torch.long)
        for axis, extent in enumerate(source.shape):
            flat = flat * extent + index[inside, axis]
        node, row = node_of[flat], inside.nonzero().squeeze(1)
        keep = (node >= 0) & active[node.clamp_min(0)]
        rows.append(row[keep])
        nodes.append(node[keep])
        weights.append(weight[inside][keep])
    return torch.cat(rows), torch.cat(nodes), torch.cat(weights)


def _meet_in_space(source: Tensor, place: Tensor, active: Tensor, spacing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same for sources at any coordinates, by a search in two trees: N log N time, memory for the hits."""
    from scipy.spatial import cKDTree

    nodes = active.nonzero().squeeze(1)
    points, queries = source[nodes] / spacing, place / spacing
    hits = cKDTree(queries.numpy()).sparse_distance_matrix(
        cKDTree(points.numpy()), 1.0, p=np.inf, output_type="coo_matrix"
    )
    row, col = torch.from_numpy(hits.row).long(), torch.from_numpy(hits.col).long()
    weight = (1 - (queries[row] - points[col]).abs()).clamp_min(0).prod(1)
    weight = torch.where(weight > 1 - _NEGLIGIBLE, 1.0, weight)
    keep = weight > _NEGLIGIBLE
    return row[keep], nodes[col[keep]], weight[keep]


@real
def build_taps(source: SharedGraph, target: SharedGraph, points: Tensor) -> TapTable:
    r"""Which sources each tap of each target meets, and with which weight.

    Node sets with a lattice at both ends use its cells, and axes that close on themselves wrap; others use ``pos``.
    Nodes that aren't active are never sources. If ``source is target`` they hear themselves at the centre tap alone;
    as targets of another node set they hear nothing.

    Cost: :math:`O(P N \log N)` time and memory for the entries, once per layer, on the CPU.

    Args:
        source: Source nodes.
        target: Target nodes, in the same frame.
        points: Tap offsets ``[P, d]`` in units of node spacing, from :func:`scge_pyg.nn.layer.kernel.kernel_points`.

    Raises:
        ValueError: If the node sets or the taps differ in dimension.
    """
    if source.pos.shape[1] != target.pos.shape[1]:
        raise ValueError(
            f"nodes: source has {source.pos.shape[1]} coordinates and target {target.pos.shape[1]}; "
            f"a bipartite layer needs both node sets in one frame, as graph.coarsen returns them"
        )
    spacing, lattices = tap_spacing(source, target), shared_lattices(source, target)
    if points.shape[1] != spacing.numel():
        raise ValueError(f"taps have {points.shape[1]} coordinates, the geometry has {spacing.numel()}")
    hears = (target.live if lattices is None else active_nodes(target)).cpu()
    speaks = (source.live if lattices is None else active_nodes(source)).cpu()
    listeners, taps = hears.nonzero().squeeze(1), points.shape[0]
    offset = points.to(torch.float64) * spacing
    if lattices is None:
        places = target.pos.detach().cpu().double()[listeners] + offset.unsqueeze(1)
        row, node, weight = _meet_in_space(source.pos.detach().cpu().double(), places.flatten(0, 1), speaks, spacing)
    else:
        places = _places(lattices[1])[listeners] + offset.unsqueeze(1)
        row, node, weight = _meet_on_lattice(lattices[0], places.flatten(0, 1), speaks, spacing)
    total = torch.zeros(taps * listeners.numel(), dtype=torch.float64).index_add_(0, row, weight)
    weight = weight / total[row].clamp_min(ENOUGH)
    tap, heard = row // max(1, listeners.numel()), listeners[row % max(1, listeners.numel())]
    centre = (offset.abs().amax(1) < _NEGLIGIBLE).nonzero().flatten()
    if source is target and centre.numel():
        alone = (~hears).nonzero().squeeze(1)
        tap = torch.cat([tap, centre.expand(alone.numel())])
        heard, node = torch.cat([heard, alone]), torch.cat([node, alone])
        weight = torch.cat([weight, weight.new_ones(alone.numel())])
    return sorted_table(tap, heard, node, weight, (taps, target.num_nodes, source.num_nodes))
