"""`SharedGraph`: the geometry of one modality, shared by all of its samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch_geometric.data import Data

from scge_pyg.graph.checks import (
    as_coordinates,
    check_edge_values,
    checked_edges,
    checked_live,
    checked_names,
    checked_pos,
    checked_sign,
    whole_number,
)
from scge_pyg.graph.edges import connected_parts, count_pairs, grid_edges, merge_edges
from scge_pyg.graph.exports import as_networkx
from scge_pyg.graph.fit import Fit
from scge_pyg.graph.graph_file import pack, unpack
from scge_pyg.graph.grouping import coarsen_graph
from scge_pyg.graph.known import drawn_pos, nearest_edges
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.neighbors import knn
from scge_pyg.graph.parts import dimensions, split
from scge_pyg.graph.tensor_file import read_tensors, write_tensors

if TYPE_CHECKING:
    import networkx

__all__ = ["SharedGraph"]

_FORMAT = "scge_pyg.SharedGraph"
_MOST_DIMENSIONS = 4  # of a layout from edges alone


class SharedGraph:
    r"""Coordinates, edges and, where there is one, the lattice of a node set.

    Its connected parts are numbered by falling size (ties: the part of the smallest node) in ``component [N]``, which
    follows from ``edge_index`` and is -1 where not live. A graph without a geometry has ``dim`` 0 and coordinates
    without columns: it is its edges.

    Args:
        pos: Coordinates ``[N, d]`` with about unit distance between nearest nodes; NaN where not live.
        edge_index: Edges ``[2, E]`` in PyG's COO convention, both directions.
        edge_weight: Weights ``[E]``, at least 0; of an edge given twice the largest stays. Default: ones.
        dim: Intrinsic dimension of the largest part, at most ``d``. Default: that in ``part_dim``, or else ``d``.
        part_dim: Dimension of each part of at least two nodes, by ``component``. Default: ``dim`` for all.
        live: Nodes that carry a signal, ``[N]`` bool. Default: those with finite coordinates.
        confidence: Trust in each node's place, ``[N]`` in [0, 1]. Default: 1 where live.
        lattice: Integer cells, if the geometry, or that of one part, is a regular grid.
        names: One name a node.
        sign: -1 for nodes that are inverted against their neighbours, 0 where that is undecided, 1 for others, ``[N]``
            int64. Default: 1 where live, else 0.
        lag: Steps by which the target of each edge follows its source, ``[E]`` int64 in the order of ``edge_index`` as
            given. Default: zeros.
        fit: What the geometry was judged by.

    Raises:
        TypeError: If coordinates, edges or names are of another type.
        ValueError: If shapes disagree, an edge leaves the node set, or a live node has no coordinates.

    Example:
        >>> graph = SharedGraph.from_grid((2, 3))
        >>> graph
        SharedGraph(num_nodes=6, live=6, dim=2, edges=7 (undirected), components=1, lattice=2x3)
        >>> graph.lattice.shape
        (2, 3)
    """

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
        names: Sequence[str] | None = None,
        sign: Tensor | None = None,
        lag: Tensor | None = None,
        fit: Fit | None = None,
    ) -> None:
        where = type(self).__name__
        pos = checked_pos(where, pos)
        num_nodes, columns = pos.shape
        edge_index = checked_edges(where, edge_index, num_nodes)
        live = checked_live(where, live, pos)
        weight = pos.new_ones(edge_index.shape[1]) if edge_weight is None else edge_weight.to(pos.dtype)
        lag = torch.zeros_like(edge_index[0]) if lag is None else lag
        check_edge_values(where, edge_index, weight, lag)
        confidence = live.to(pos.dtype) if confidence is None else confidence.to(pos.dtype)
        for name, length in {
            "confidence": confidence.shape,
            "lattice.cell": (num_nodes,) if lattice is None else lattice.cell.shape[:1],
            "fit.node_gain": (num_nodes,) if fit is None else fit.node_gain.shape,
        }.items():
            if tuple(length) != (num_nodes,):
                raise ValueError(f"{where}: {name} must be [{num_nodes}], one entry a node, got {list(length)}")

        self.pos = pos.masked_fill(~live.unsqueeze(1), torch.nan)
        self.edge_index, self.edge_weight, self.lag = merge_edges(edge_index, weight, lag, num_nodes)
        self.live = live
        self.component = connected_parts(self.edge_index, live)
        self.dim, self.part_dim = dimensions(where, dim, part_dim, self.component, columns)
        self.confidence = confidence
        self.lattice = lattice
        self.names = checked_names(where, names, num_nodes)
        self.sign = checked_sign(where, sign, live)
        self.fit = fit

    # Constructors ---------------------------------------------------------------------------------------------

    @classmethod
    def from_grid(cls, shape: Sequence[int], periodic: Sequence[bool] | None = None) -> SharedGraph:
        """The full row-major grid of ``shape``, each cell joined to its neighbours along the axes.

        Along a periodic axis the neighbours wrap around; ``pos`` stays the plain cell coordinates.
        """
        shape = tuple(int(n) for n in shape)
        if not shape or min(shape) < 1:
            raise ValueError(f"from_grid: shape must hold positive sizes such as (32, 32), got {shape}")
        cell = torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij"), -1).flatten(0, -2)
        lattice = Lattice(cell, shape, periodic)
        return cls(lattice.pos, grid_edges(lattice), lattice=lattice)

    @classmethod
    def from_pos(cls, pos: Tensor | ArrayLike, k: int | None = None) -> SharedGraph:
        r"""Known coordinates ``[N, d]``: each node is joined to its ``k`` nearest, in both directions.

        Weights are :math:`\exp(-(r_{ij}/\bar r)^2)` with :math:`\bar r` the median distance to the nearest node.
        Rows with NaN are nodes that are not live.

        Args:
            pos: Coordinates in any unit; they are kept as given. Tensors keep their precision; arrays and lists come
                in torch's default one.
            k: Neighbours a node, at most ``N - 1``. Default: ``2 d``, as on a grid.
        """
        pos = as_coordinates("from_pos", pos)
        return cls(pos, *nearest_edges(pos, k))

    @classmethod
    def from_edge_index(
        cls,
        edge_index: Tensor,
        num_nodes: int,
        edge_weight: Tensor | None = None,
        *,
        dim: int | None = None,
        seed: int = 0,
    ) -> SharedGraph:
        """A known graph: coordinates are laid out from its edges, taken in both directions.

        Args:
            edge_index: Edges ``[2, E]``.
            num_nodes: Number of nodes N; nodes without an edge are set aside.
            edge_weight: Weights ``[E]``. Default: ones.
            dim: Intrinsic dimension, 1 to 4. Default: estimated.
            seed: Seed of the layout.

        Example:
            >>> ring = torch.stack([torch.arange(12), (torch.arange(12) + 1) % 12])
            >>> SharedGraph.from_edge_index(ring, 12)
            SharedGraph(num_nodes=12, live=12, dim=1, edges=12 (undirected), components=1, lattice=None)
        """
        num_nodes = whole_number("from_edge_index", "num_nodes", num_nodes, 1)
        edge_index = checked_edges("from_edge_index", edge_index, num_nodes)
        if dim is not None:
            dim = whole_number("from_edge_index", "dim", dim, 1, _MOST_DIMENSIONS)
        weight = torch.ones(edge_index.shape[1], device=edge_index.device) if edge_weight is None else edge_weight
        joined = edge_index[0] != edge_index[1]
        both = torch.cat([edge_index[:, joined], edge_index[:, joined].flip(0)], 1)
        pos, dim = drawn_pos(both, num_nodes, dim, seed)
        return cls(pos.to(weight).to(torch.get_default_dtype()), both, weight[joined].repeat(2), dim=dim)

    # Geometry -------------------------------------------------------------------------------------------------

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
    def spacing(self) -> float:
        """Median distance between nearest live nodes, in the units of ``pos``."""
        self.check_geometry("spacing")
        if self.lattice is not None:
            return min(self.lattice.stride)
        live = self.pos[self.live]
        return float(knn(live, live, 1, exclude_self=True)[0].median())

    def check_geometry(self, where: str) -> None:
        """Raise a ``ValueError`` in the name of ``where``, which needs coordinates, unless the graph has some."""
        if self.dim == 0:
            raise ValueError(
                f"{where}: this graph has no geometry (dim is 0), so its nodes have no places; run PyG operators on "
                "its edges with OnSharedGraph(conv, graph), or draw a map all the same with discover(x, dim=...)"
            )

    def parts(self) -> list[SharedGraph]:
        """One graph for each connected part of at least two nodes, largest first; single nodes are left out.

        The nodes of the k-th part are those where ``graph.component == k``, in their old order, and stand where they
        stood; columns of ``pos`` at the end that no longer tell nodes apart are dropped. Each part has its own ``dim``
        and, if most of its nodes have a cell, its own lattice, which begins at cell zero. Parts carry no ``fit``.

        Example:
            >>> chains = SharedGraph.from_edge_index(torch.tensor([[0, 1, 3, 4, 5], [1, 2, 4, 5, 6]]), 8)
            >>> [part.num_nodes for part in chains.parts()]
            [4, 3]
            >>> (chains.component == 1).nonzero().squeeze(1).tolist()
            [0, 1, 2]
        """
        return [SharedGraph(**options) for options in split(self)]

    def coarsen(self, num_nodes: int | None = None, *, stride: int | None = None) -> tuple[SharedGraph, Tensor]:
        """A coarser graph in the same frame, and the cluster of each node.

        With ``stride``, blocks of ``stride`` cells along each axis of the lattice become one node, which sits on
        the first cell of its block as the outputs of a strided ``torch.nn.Conv2d`` do. Without a lattice, the live
        nodes are grouped around k-means centres: one for each block of ``stride`` spacings along each axis that holds
        nodes, or ``num_nodes``. On a lattice, nodes without a cell fall away; other parts of the graph are coarsened by
        themselves, as :meth:`parts`.

        Args:
            num_nodes: Number of coarse nodes. Default: a quarter of the live ones.
            stride: Cells, or without a lattice spacings, per block and axis.

        Returns:
            The coarse graph and ``cluster [N]`` int64, -1 for nodes that are in none.

        Raises:
            ValueError: If the graph has no geometry, or the sizes fit no grouping.
        """
        self.check_geometry("coarsen")
        options, cluster = coarsen_graph(self, num_nodes, stride)
        return SharedGraph(**options), cluster

    # Conversions ----------------------------------------------------------------------------------------------

    def to(self, device: torch.device | str) -> SharedGraph:
        """The same graph with every tensor on ``device``."""
        return SharedGraph(
            self.pos.to(device),
            self.edge_index.to(device),
            self.edge_weight.to(device),
            dim=self.dim,
            part_dim=self.part_dim,
            live=self.live.to(device),
            confidence=self.confidence.to(device),
            lattice=None if self.lattice is None else self.lattice.to(device),
            names=self.names,
            sign=self.sign.to(device),
            lag=self.lag.to(device),
            fit=None if self.fit is None else replace(self.fit, node_gain=self.fit.node_gain.to(device)),
        )

    def to_data(self, x: Tensor | None = None) -> Data:
        """A PyG ``Data`` over all N nodes; dead nodes have ``pos`` zero and ``live`` False.

        Args:
            x: Node features ``[N, C]`` or ``[N]`` of one sample.
        """
        if x is not None and x.shape[0] != self.num_nodes:
            raise ValueError(f"to_data: x must be [{self.num_nodes}, C], one sample, got {list(x.shape)}")
        return Data(
            x=x.unsqueeze(1) if x is not None and x.dim() == 1 else x,
            pos=self.pos.nan_to_num(),
            edge_index=self.edge_index,
            edge_weight=self.edge_weight,
            live=self.live,
            num_nodes=self.num_nodes,
        )

    def to_networkx(self) -> networkx.Graph:
        """An undirected ``networkx.Graph`` with ``weight`` on edges.

        Nodes have ``live``, ``confidence``, ``sign``, ``pos`` if there is a geometry, and ``name`` if they have names.
        """
        return as_networkx(self)

    # Files ----------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the graph as safetensors with a JSON header; the file appears whole or not at all."""
        write_tensors(path, _FORMAT, *pack(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SharedGraph:
        """Read a graph that :meth:`save` wrote. Raises ``ValueError`` for a corrupt or foreign file."""
        tensors, header = read_tensors(path, _FORMAT)
        try:
            return cls(**unpack(tensors, header))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"load: {path} holds a damaged graph ({error})") from error

    def __repr__(self) -> str:
        lattice = None if self.lattice is None else "x".join(map(str, self.lattice.shape))
        components = int(self.component.max()) + 1 if self.num_nodes else 0
        edges = f"{self.num_undirected_edges} (undirected)"
        return (
            f"{type(self).__name__}(num_nodes={self.num_nodes}, live={int(self.live.sum())}, dim={self.dim}, "
            f"edges={edges}, components={components}, lattice={lattice})"
        )
