"""The skeleton of convolutional autoencoders on any node set: levels of ever fewer nodes, and a dense bottleneck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from scge_pyg.graph import Lattice, SharedGraph
from scge_pyg.graph.upright import upright
from scge_pyg.models.autoencoders.base import AutoEncoder
from scge_pyg.nn import NodeEmbedding, SCGEConv
from scge_pyg.nn.fixed.tables import Tabled
from scge_pyg.nn.fixed.tap_table import active_nodes

__all__ = ["HierarchicalAutoEncoder", "bottleneck", "coarsened", "last_bias", "node_levels", "regroup", "spaced"]


def bottleneck(values: int, hidden: int, latent: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Dense layers from ``values`` numbers to the code, and their mirror image."""
    down = nn.Sequential(nn.Linear(values, hidden), nn.ReLU(), nn.Linear(hidden, latent))
    up = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, values), nn.ReLU())
    return down, up


def last_bias(layers: nn.Sequential) -> nn.Parameter:
    """The bias of the last convolution, dense, lowered, or on nodes.

    Example:
        >>> last_bias(nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Conv2d(3, 4, 1))).shape
        torch.Size([4])
    """
    bias = [layer for layer in layers.modules() if hasattr(layer, "out_channels")][-1].bias
    assert isinstance(bias, nn.Parameter)
    return bias


def coarsened(graph: SharedGraph) -> tuple[SharedGraph, Tensor]:
    r"""``graph.coarsen(stride=2)`` for layers of an even number of taps.

    On a lattice, coarse nodes sit in the middle of their blocks, so that a layer of four taps an axis is
    ``Conv2d(kernel_size=4, stride=2, padding=1)``.

    Returns:
        The coarse graph and the coarse node of each node, as :meth:`SharedGraph.coarsen`.

    Example:
        >>> coarsened(SharedGraph.from_grid((4, 6)))[0].pos[0].tolist()
        [0.5, 0.5]
    """
    coarse, cluster = graph.coarsen(stride=2)
    if graph.lattice is None or coarse.lattice is None:
        return coarse, cluster
    fine, cells = graph.lattice, coarse.lattice
    origin = [o + 0.5 * s for o, s in zip(fine.origin, fine.stride, strict=True)]
    centred = Lattice(cells.cell, cells.shape, cells.periodic, origin, cells.stride)
    return SharedGraph(centred.pos.to(graph.pos.dtype), coarse.edge_index, lattice=centred), cluster


def node_levels(nodes: SharedGraph | NodeEmbedding, count: int) -> tuple[Tensor, list[SharedGraph | NodeEmbedding]]:
    """The nodes that take part ``[N]`` bool, and ``count + 1`` ever coarser node sets, the first one of these nodes.

    A graph leaves out nodes that are dead or have no cell on its lattice; without a lattice its coordinates are turned
    along their rows (:func:`scge_pyg.graph.upright.upright`). An embedding leaves out nodes without a place; its coarse
    sets are k-means centres of the present places of the finer one.
    """
    if isinstance(nodes, NodeEmbedding):
        tables = [nodes if bool(nodes.live.all()) else _Living(nodes)]
        for _ in range(count):
            tables.append(tables[-1].coarsen(max(1, round(tables[-1].num_nodes / 4))))
        return nodes.live.cpu(), list[SharedGraph | NodeEmbedding](tables)
    active = active_nodes(nodes)
    lattice = nodes.lattice
    if lattice is not None:
        lattice = Lattice(lattice.cell[active], lattice.shape, lattice.periodic, lattice.origin, lattice.stride)
    none = torch.zeros(2, 0, dtype=torch.long, device="cpu")  # layers read places, not edges
    pos = nodes.pos[active] if lattice is not None else upright(nodes.pos[active])
    graph = SharedGraph(pos, none, dim=nodes.dim, lattice=lattice)
    levels: list[SharedGraph | NodeEmbedding] = [graph]
    for _ in range(count):
        graph, _ = coarsened(graph)
        levels.append(graph)
    return active.cpu(), levels


class _Coarser(NodeEmbedding):
    """The same table, its places measured in a larger spacing, as the taps of a coarser level are."""

    def __init__(self, table: NodeEmbedding, spacing: float) -> None:
        super().__init__(table.num_nodes, table.dim, live=table.live)
        self.weight, self.spacing = table.weight, spacing

    def forward(self) -> Tensor:
        return super().forward() / self.spacing


def spaced(
    source: SharedGraph | NodeEmbedding, target: SharedGraph | NodeEmbedding, level: int
) -> tuple[SharedGraph | NodeEmbedding, SharedGraph | NodeEmbedding]:
    """Two neighbouring levels, ``level`` the number of the finer: tables are measured in the spacing of their level."""
    if level and isinstance(source, NodeEmbedding) and isinstance(target, NodeEmbedding):
        return _Coarser(source, 2.0**level), _Coarser(target, 2.0**level)
    return source, target


@torch.no_grad()
def regroup(model: nn.Module, levels: Sequence[SharedGraph | NodeEmbedding]) -> None:
    """Place the coarse levels of a model anew: k-means centres of the finer level's present places.

    Each coarse node takes the centre next to it (the assignment of least total distance), so that the dense layers
    still find it where they learned it.

    Cost: :math:`O(N M d + M^3)` for M coarse nodes.

    Raises:
        ValueError: If the levels stand on a :class:`SharedGraph`.
    """
    for finer, level in pairwise(levels):
        if not isinstance(finer, NodeEmbedding) or not isinstance(level, NodeEmbedding):
            raise ValueError(
                f"{type(model).__name__}.regroup: the places of a SharedGraph are fixed; use a NodeEmbedding"
            )
        centres = finer.coarsen(level.num_nodes).weight.detach()
        distance = torch.cdist(level.weight.detach(), centres)
        nearest = linear_sum_assignment(distance.double().numpy(force=True))[1]
        level.weight.copy_(centres[torch.from_numpy(nearest).to(centres.device)])
    for layer in model.modules():
        if isinstance(layer, SCGEConv):
            layer.refresh()


class _Living(NodeEmbedding):
    """The live nodes of a table, on the same parameter."""

    def __init__(self, table: NodeEmbedding) -> None:
        super().__init__(table.weight.shape[0], table.dim)
        self.weight = table.weight


class HierarchicalAutoEncoder(AutoEncoder, Tabled):
    r"""Layers between ever coarser node sets down to a dense bottleneck, and their mirror image.

    Nodes that take no part (dead, or without a cell) are reconstructed as constants that are learned.

    Args:
        nodes: The modality.
        in_channels: Channels of a node.
        latent: Size of the code.
        channels: Channels of each coarser level.
        hidden: Width of the dense layer before and after the code.
        layer: Makes the layer from one level to the next finer or coarser one, from its channels in and out, source,
            target, and the number of the finer of the two levels.
    """

    active: Tensor

    def __init__(
        self,
        nodes: SharedGraph | NodeEmbedding,
        in_channels: int,
        latent: int,
        channels: Sequence[int],
        hidden: int,
        layer: Callable[[int, int, Any, Any, int], nn.Module],
    ) -> None:
        super().__init__(nodes.num_nodes, in_channels, latent)
        self._check_positive(hidden=hidden)
        self._given = (nodes,)  # a table is a parameter of the layers on it
        active, self.levels = node_levels(nodes, len(channels))
        self.register_table("active", active)
        resting = self.num_nodes - int(active.sum())
        self.rest = nn.Parameter(torch.zeros(resting, in_channels)) if resting else None
        widths = [in_channels, *channels]
        down: list[nn.Module] = []
        for level in range(len(channels)):
            ends = self.levels[level], self.levels[level + 1]
            down += [layer(widths[level], widths[level + 1], *ends, level), nn.ReLU()]
        self.dense_down, self.dense_up = bottleneck(self.levels[-1].num_nodes * widths[-1], hidden, latent)
        up: list[nn.Module] = []
        for level in range(len(channels), 0, -1):
            ends = self.levels[level], self.levels[level - 1]
            up += [layer(widths[level], widths[level - 1], *ends, level - 1), nn.ReLU()]
        self.down, self.up = nn.Sequential(*down), nn.Sequential(*up[:-1])

    @property
    def nodes(self) -> SharedGraph | NodeEmbedding:
        """The modality, as it was given: the table of a :class:`scge_pyg.nn.WiringSchedule`."""
        return self._given[0]

    def _output_biases(self) -> list[tuple[nn.Parameter, Tensor | slice]]:
        biases: list[tuple[nn.Parameter, Tensor | slice]] = [(last_bias(self.up), self.active)]
        return biases if self.rest is None else [*biases, (self.rest, ~self.active)]

    def _to_code(self) -> nn.Sequential:
        return self.dense_down

    def _encode(self, x: Tensor) -> Tensor:
        z: Tensor = self.dense_down(self.down(x if self.rest is None else x[:, self.active]).flatten(1))
        return z

    def _decode(self, z: Tensor) -> Tensor:
        y: Tensor = self.up(self.dense_up(z).unflatten(1, (self.levels[-1].num_nodes, -1)))
        if self.rest is None:
            return y
        x = y.new_zeros(len(y), self.num_nodes, self.in_channels)
        x[:, self.active] = y
        x[:, ~self.active] = self.rest.to(y.dtype)
        return x
