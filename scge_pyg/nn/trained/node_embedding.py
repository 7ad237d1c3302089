"""`NodeEmbedding`: the trainable places of a node set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.coarsening import coarsen_points, farthest_points
from scge_pyg.nn.fixed.tables import Tabled
from scge_pyg.nn.trained.to_graph import graph_of_places

__all__ = ["NodeEmbedding"]


class NodeEmbedding(Tabled):
    r"""A table :math:`\mathbf{E} \in \mathbb{R}^{N \times d}` with one trainable place for each node of a modality.

    It belongs to the modality, not to the sample, and several layers may share one table. Places are measured in units
    of node spacing, as :attr:`SharedGraph.pos`: kernel points are one unit apart.

    A node that isn't live has no row, so no gradient and no NaN can reach it; its place reads as zero.

    Args:
        num_nodes: Number of nodes N.
        dim: Dimension d of the places.
        live: Nodes that have a place ``[N]``. Default: all.
        seed: Seed of the start: uniform in a cube of volume N, so that the mean spacing is 1.

    Attributes:
        weight: Places of the live nodes ``[L, d]``, a parameter.
        live: ``[N]`` bool, a buffer.

    Raises:
        ValueError: If a size is not positive, or ``live`` has another length or fewer than one node.

    Example:
        >>> import torch
        >>> embedding = NodeEmbedding(1024, 2)
        >>> embedding
        NodeEmbedding(1024, 2)
        >>> embedding().shape
        torch.Size([1024, 2])
        >>> NodeEmbedding.from_grid((4, 5))()[6].tolist()
        [1.0, 1.0]
    """

    live: Tensor
    start: Tensor | None

    def __init__(self, num_nodes: int, dim: int = 2, *, live: Tensor | None = None, seed: int = 0) -> None:
        super().__init__()
        for name, value in (("num_nodes", num_nodes), ("dim", dim)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"NodeEmbedding: {name} must be a positive integer, got {value!r}")
        everyone = torch.ones(num_nodes, dtype=torch.bool, device="cpu")
        live = everyone if live is None else live.detach().clone().bool().cpu()
        if live.shape != (num_nodes,) or not live.any():
            raise ValueError(
                f"NodeEmbedding: live must be a bool tensor [{num_nodes}] with at least one node, got "
                f"{list(live.shape)} with {int(live.sum())}"
            )
        self.num_nodes, self.dim, self.seed = num_nodes, dim, seed
        self.register_buffer("live", live)
        self._tables = ("live",)
        self.register_table("start", None)
        self.weight = torch.nn.Parameter(torch.empty(int(live.sum()), dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Back to the start: the places it was made from, or the random ones of ``seed``."""
        with torch.no_grad():
            if self.start is not None:
                self.weight.copy_(self.start)
                return
            generator = torch.Generator("cpu").manual_seed(self.seed)
            uniform = torch.rand(self.weight.shape, generator=generator, dtype=torch.float64, device="cpu") - 0.5
            self.weight.copy_(uniform * self.weight.shape[0] ** (1 / self.dim))

    def forward(self) -> Tensor:
        """Places of all nodes ``[N, d]``, zero where a node isn't live."""
        if self.weight.shape[0] == self.num_nodes:
            return self.weight
        live = self.live.to(self.weight.device)
        row = (live.cumsum(0) - 1).clamp_min(0)
        return torch.where(live.unsqueeze(1), self.weight.index_select(0, row), 0.0)

    @classmethod
    def from_points(cls, points: Tensor, live: Tensor | None = None) -> NodeEmbedding:
        """Start from known places ``[N, d]``; rows with NaN are nodes that are not live.

        Example:
            >>> NodeEmbedding.from_points(torch.tensor([[0.0, 0.0], [float("nan"), 0.0], [1.0, 0.0]])).live.tolist()
            [True, False, True]
        """
        if points.dim() != 2 or not points.is_floating_point():
            raise ValueError(f"from_points: points must be floats [N, d], got {points.dtype} {list(points.shape)}")
        known = points.isfinite().all(1).cpu()
        live = known if live is None else live.cpu() & known
        embedding = cls(points.shape[0], points.shape[1], live=live)
        embedding.to(points.device if not embedding.weight.is_meta else None, points.dtype)
        embedding.start = points.detach()[embedding.live].clone()
        embedding.reset_parameters()
        return embedding

    @classmethod
    def from_graph(cls, graph: SharedGraph, dim: int | None = None) -> NodeEmbedding:
        """Start from ``graph.pos``; with a larger ``dim``, further axes start at small random values.

        The table has PyTorch's default dtype, as parameters have, whatever the graph's.

        Raises:
            ValueError: If ``dim`` is smaller than that of the coordinates, or the graph has none.
        """
        if not graph.pos.shape[1]:
            raise ValueError(
                f"from_graph: {graph} has no geometry (dim 0, pos without columns) to start from; run a PyG operator "
                f"on its edges, OnSharedGraph(GATConv(...), graph), draw a map anyway with discover(x, dim=2), or "
                f"start at random with NodeEmbedding({graph.num_nodes}, 2)"
            )
        pos = torch.where(graph.live.unsqueeze(1), graph.pos, 0.0).to(torch.get_default_dtype())
        extra = 0 if dim is None else dim - pos.shape[1]
        if extra < 0:
            raise ValueError(f"from_graph: dim must be at least {pos.shape[1]}, that of graph.pos, got {dim}")
        generator = torch.Generator("cpu").manual_seed(0)
        noise = 0.01 * torch.randn(pos.shape[0], extra, generator=generator, device="cpu").to(pos)
        return cls.from_points(torch.cat([pos, noise], 1), graph.live)

    @classmethod
    def from_grid(cls, shape: Sequence[int]) -> NodeEmbedding:
        """Start from the row-major cells of a grid."""
        return cls.from_graph(SharedGraph.from_grid(tuple(shape)))

    def coarsen(self, num_nodes: int, method: str = "kmeans") -> NodeEmbedding:
        """A coarser node set in the same frame, for bipartite layers: k-means centres or farthest points of this one.

        Raises:
            ValueError: If there are fewer live nodes than ``num_nodes``, or the method is another.
        """
        points = self.weight.detach()
        if method == "kmeans":
            return NodeEmbedding.from_points(coarsen_points(points, num_nodes)[0])
        if method == "farthest":
            return NodeEmbedding.from_points(points[farthest_points(points, num_nodes)])
        raise ValueError(f"coarsen: method must be 'kmeans' or 'farthest', got {method!r}")

    def to_graph(self, x: Any = None) -> SharedGraph:
        r"""The geometry that the places have learned, as a graph, on a lattice where they form one.

        * *Columns.* A table may have more than the geometry: those with no spread beyond noise fall away, chains and
          rings get their place along the chain, bent sheets are unrolled; spheres keep their columns. Nine and more
          nodes that stand by themselves, four spacings from all others, are a part of their own.
        * *Lattice.* Cells are read off the places if these stand in rows: up to noise of 0.07 of the spacing,
          with holes, with a tenth of the nodes astray, which then have no cell. A ring of even gaps is a periodic one.
          It takes three nodes in a chain, five in a plane (a square of four is no lattice) and nine in a volume.
        * *Edges* join neighbouring cells; off lattices the ``N dim`` nearest pairs of those that are among each other's
          ``2 dim + 2`` nearest, and what holds their pieces together. Weights are :math:`\exp(-(r_{ij}/\bar r)^2)`
          with :math:`\bar r` the median distance to the nearest node.
        * *Trust.* Nothing judges places alone: any confidence is 0.5. Random places have no lattice, but are places.

        With samples ``x`` the places are judged as :func:`scge_pyg.discover` judges its own: neighbours on them must
        predict samples nearly as well as the best partners without a map (:class:`scge_pyg.graph.fit.Fit`), or else
        the graph has no places (``dim`` is 0, ``graph.fit.verdict`` is not ``"geometry"``). Fewer than 8 nodes are not
        judged, and a warning says so. Cells are mended by the coupling of the samples where these contradict the table,
        from half of the nodes in place; edges and weights are couplings, and confidence that of ``discover``. The
        places may have been learned from the same samples: coefficients are fitted on one half of them and judged on
        the other, places are not.

        Cost: :math:`O(N \log N)`; with samples that of ``discover`` but for its search.

        Args:
            x: Samples as ``discover`` takes them, ``[S, N]`` or ``[S, N, C]``. Default: places alone.

        Returns:
            A graph over the N nodes, unit spacing. Nodes that are not live here, or constant in ``x``, are not live.

        Raises:
            ValueError: If fewer than 2 nodes are live, places are on the meta device, not finite or all one, or ``x``
                is of another number of nodes.

        Warns:
            UserWarning: If samples refuse the places, or the lattice that they form, or there are fewer than 8 nodes,
                which nothing judges; if nodes share a place, or stand on no cell of the lattice.

        Example:
            >>> import torch
            >>> turned = NodeEmbedding.from_grid((4, 5))() @ torch.tensor([[0.8, -0.6], [0.6, 0.8]])
            >>> NodeEmbedding.from_points(0.9 * turned.detach()).to_graph().lattice.shape
            (4, 5)
            >>> print(NodeEmbedding(100, 2).to_graph().lattice)
            None
        """
        if self.weight.shape[0] < 2:
            raise ValueError(f"to_graph: at least 2 nodes must be live, got {self.weight.shape[0]}")
        if self.weight.is_meta:
            raise ValueError(
                "to_graph: the table is on the meta device, where places have no values; give it memory and values "
                "first, table.to_empty(device='cpu') and load_state_dict, or table.reset_parameters()"
            )
        if not bool(torch.isfinite(self.weight).all()):
            raise ValueError("to_graph: the table has NaN or infinite places; its training diverged, try a smaller lr")
        with torch.device("cpu"):  # whatever device new tensors have by default
            places = self().detach().double().numpy(force=True)
            return graph_of_places(places, self.live.numpy(force=True), x)

    def extra_repr(self) -> str:
        dead = self.num_nodes - self.weight.shape[0]
        return f"{self.num_nodes}, {self.dim}{f', dead={dead}' if dead else ''}"
