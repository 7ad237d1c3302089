"""`SharedGraph`: the geometry of one modality, shared by all of its samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage

from scge_pyg.graph.checks import as_coordinates
from scge_pyg.graph.exports import as_data, as_networkx, moved, summary
from scge_pyg.graph.fit import Fit
from scge_pyg.graph.graph_file import pack, unpack
from scge_pyg.graph.grouping import coarsen_graph
from scge_pyg.graph.hand_over.methods import HandsOver
from scge_pyg.graph.known import drawn, full_grid, nearest_edges
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.parts import split
from scge_pyg.graph.placing import placed
from scge_pyg.graph.real import real
from scge_pyg.graph.tensor_file import read_tensors, write_tensors

if TYPE_CHECKING:
    import networkx

__all__ = ["SharedGraph"]

_FORMAT = "scge_pyg.SharedGraph"


class SharedGraph(HandsOver):
    r"""Coordinates, edges and, where there are some, the lattices of a node set.

    Its connected parts are numbered by falling size (ties: the part of the smallest node) in ``component [N]``, which
    follows from ``edge_index`` and is -1 where not live. A graph without a geometry has ``dim`` 0 and coordinates
    without columns: it is its edges.

    :meth:`save` writes it as safetensors. Inside other objects, such as a ``Data``, ``torch.load(weights_only=True)``
    reads it without running code of the file.

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
        fit: What the geometry was judged by: that of the largest part.
        part_fit: What each part of at least two nodes was judged by, over its nodes, by ``component``; None where it
            was not. Default: ``fit`` for the largest part.
        partner_pos: Places ``[M, d]``, in the same frame, of what the nodes were counted against; NaN where unknown.
            :meth:`parts` and :meth:`coarsen` keep all of them.

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

    @classmethod
    @real
    def from_grid(cls, shape: Sequence[int], periodic: Sequence[bool] | None = None) -> SharedGraph:
        """The full row-major grid of ``shape``, each cell joined to its neighbours along the axes.

        Along a periodic axis the neighbours wrap around; ``pos`` stays the plain cell coordinates.
        """
        return cls(**full_grid(shape, periodic))

    @classmethod
    @real
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
    @real
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

    @real
    def parts(self) -> list[SharedGraph]:
        """One graph for each connected part of at least two nodes, largest first; single nodes are left out.

        The nodes of the k-th part are those where ``graph.component == k``, in their old order, and stand where they
        stood; columns of ``pos`` at the end that no longer tell nodes apart are dropped. Each part has its own ``dim``
        and, if most of its nodes have a cell in one of ``lattices``, its own, which begins at cell zero. Its ``fit``
        is that in ``part_fit``. ``partner_pos`` is that of the whole graph, partners of all parts, in as many columns.

        Example:
            >>> chains = SharedGraph.from_edge_index(torch.tensor([[0, 1, 3, 4, 5], [1, 2, 4, 5, 6]]), 8)
            >>> [part.num_nodes for part in chains.parts()]
            [4, 3]
            >>> (chains.component == 1).nonzero().squeeze(1).tolist()
            [0, 1, 2]
        """
        return [SharedGraph(**options) for options in split(self)]

    @real
    def coarsen(self, num_nodes: int | None = None, *, stride: int | None = None) -> tuple[SharedGraph, Tensor]:
        """A coarser graph in the same frame, and the cluster of each node.

        With ``stride``, blocks of ``stride`` cells along each axis of the lattice become one node, which sits on
        the first cell of its block as the outputs of a strided ``torch.nn.Conv2d`` do. Without a lattice, the live
        nodes are grouped around k-means centres: one for each block of ``stride`` spacings along each axis that holds
        nodes, or ``num_nodes``. On a lattice, nodes without a cell fall away, and so do those of ``other_lattices``:
        other parts of the graph are coarsened by themselves, as :meth:`parts`. ``partner_pos`` stays.

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
        if self.partner_pos is not None:
            options["partner_pos"] = self.partner_pos[:, : options["pos"].shape[1]]
        return SharedGraph(**options), cluster

    @real
    def place(self, x: Tensor | ArrayLike, names: Sequence[str]) -> SharedGraph:
        """The graph with nodes that come later put on the map, where the nodes on it stay as they are.

        Correlation as a function of distance is read off the 24 nodes of the map that go best with a new node; it goes
        where its correlations with the strongest of them fit that function best, and is joined to its nearest nodes.
        Its confidence is the correlation between what the function says and what was measured. It gets no cell of a
        lattice.

        Args:
            x: Samples ``[S, K]`` of old and new nodes together, NaN where missing.
            names: Name of each column; columns that are no node of the graph are the new ones.

        Returns:
            The graph with the new nodes behind the old ones, in the order of ``names``.

        Raises:
            ValueError: If the graph has no geometry or no names, shapes disagree, or too few nodes are known.

        Example:
            >>> noise = torch.randn(1000, 14, generator=torch.Generator().manual_seed(0))
            >>> x = noise.unfold(1, 5, 1).sum(2)  # ten nodes; each has four of five parts in common with the next
            >>> line = SharedGraph.from_pos([[0.0], [1.0], [2.0], [3.0], [4.0], [6.0], [7.0], [8.0], [9.0]])
            >>> line.names = tuple("abcdeghij")
            >>> grown = line.place(x, "abcdefghij")
            >>> grown.names[9], round(grown.pos[9].item())
            ('f', 5)
        """
        return SharedGraph(**placed(self, x, names))

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
    @real
    def load(cls, path: str | os.PathLike[str]) -> SharedGraph:
        """Read a graph that :meth:`save` wrote. Raises ``ValueError`` for a corrupt or foreign file."""
        tensors, header = read_tensors(path, _FORMAT)
        try:
            return cls(**unpack(tensors, header))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"load: {path} holds a damaged graph ({error})") from error

    def __repr__(self) -> str:
        return summary(self)


# torch.load(weights_only=True) makes these, and what a PyG Data is made of
torch.serialization.add_safe_globals([SharedGraph, Lattice, Fit, GlobalStorage, DataTensorAttr, DataEdgeAttr])
