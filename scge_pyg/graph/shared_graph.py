"""`SharedGraph`: the geometry of one modality, shared by all of its samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch_geometric.data import Data

from scge_pyg.graph import checks
from scge_pyg.graph.edges import connected_parts, count_pairs, merge_edges
from scge_pyg.graph.exports import as_data, as_networkx, moved, summary
from scge_pyg.graph.fit import Fit
from scge_pyg.graph.graph_file import pack, unpack
from scge_pyg.graph.grouping import coarsen_graph
from scge_pyg.graph.known import drawn, full_grid, nearest_edges
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.neighbors import knn
from scge_pyg.graph.part_lattices import checked_lattices
from scge_pyg.graph.parts import dimensions, split
from scge_pyg.graph.tensor_file import read_tensors, write_tensors

if TYPE_CHECKING:
    import networkx

__all__ = ["SharedGraph"]

_FORMAT = "scge_pyg.SharedGraph"


class SharedGraph:
    r"""Coordinates, edges and, where there are some, the lattices of a node set.

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
        other_lattices: Those of further parts, each over all nodes, in any order: ``graph.lattice`` is that of the
            largest part that has one, ``graph.other_lattices`` are the rest by part.
        names: One name a node.
        sign: -1 for nodes that are inverted against their neighbours, 0 where that is undecided, 1 for others, ``[N]``
            int64. Default: 1 where live, else 0.
        lag: Steps by which the target of each edge follows its source, ``[E]`` int64 in the order of ``edge_index`` as
            given. Default: zeros.
        fit: What the geometry was judged by.

    Raises:
        TypeError: If coordinates, edges, names or lattices are of another type.
        ValueError: If shapes disagree, an edge leaves the node set, a live node has no coordinates, or one of several
            lattices shares nodes or a part with another, or reaches over several parts.

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
        other_lattices: Sequence[Lattice] = (),
        names: Sequence[str] | None = None,
        sign: Tensor | None = None,
        lag: Tensor | None = None,
        fit: Fit | None = None,
    ) -> None:
        where = type(self).__name__
        pos = checks.checked_pos(where, pos)
        num_nodes, columns = pos.shape
        edge_index = checks.checked_edges(where, edge_index, num_nodes)
        live = checks.checked_live(where, live, pos)
        weight = pos.new_ones(edge_index.shape[1]) if edge_weight is None else edge_weight.to(pos.dtype)
        lag = torch.zeros_like(edge_index[0]) if lag is None else lag
        checks.check_edge_values(where, edge_index, weight, lag)
        if fit is not None:
            checks.check_per_node(where, "fit.node_gain", fit.node_gain.shape, num_nodes)

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

    @classmethod
    def from_grid(cls, shape: Sequence[int], periodic: Sequence[bool] | None = None) -> SharedGraph:
        """The full row-major grid of ``shape``, each cell joined to its neighbours along the axes.

        Along a periodic axis the neighbours wrap around; ``pos`` stays the plain cell coordinates.
        """
        return cls(**full_grid(shape, periodic))

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
        pos = checks.as_coordinates("from_pos", pos)
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
        return cls(**drawn(edge_index, num_nodes, edge_weight, dim, seed))

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

    def parts(self) -> list[SharedGraph]:
        """One graph for each connected part of at least two nodes, largest first; single nodes are left out.

        The nodes of the k-th part are those where ``graph.component == k``, in their old order, and stand where they
        stood; columns of ``pos`` at the end that no longer tell nodes apart are dropped. Each part has its own ``dim``
        and, if most of its nodes have a cell in one of ``lattices``, its own, which begins at cell zero. Parts carry no
        ``fit``.

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
        nodes, or ``num_nodes``. On a lattice, nodes without a cell fall away, and so do those of ``other_lattices``:
        other parts of the graph are coarsened by themselves, as :meth:`parts`.

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

    def to(self, device: torch.device | str) -> SharedGraph:
        """The same graph with every tensor on ``device``."""
        return SharedGraph(**moved(self, device))

    def to_data(self, x: Tensor | None = None) -> Data:
        """A PyG ``Data`` over all N nodes; dead nodes have ``pos`` zero and ``live`` False.

        Args:
            x: Node features ``[N, C]`` or ``[N]`` of one sample.
        """
        return as_data(self, x)

    def to_networkx(self) -> networkx.Graph:
        """An undirected ``networkx.Graph`` with ``weight`` on edges.

        Nodes have ``live``, ``confidence``, ``sign``, ``pos`` if there is a geometry, and ``name`` if they have names.
        """
        return as_networkx(self)

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
        return summary(self)
