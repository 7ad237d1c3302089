"""`SharedGraph`: the geometry of one modality, shared by all of its samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import coalesce

from scge_pyg.graph.coarsening import block_count, coarsen_lattice, coarsen_points
from scge_pyg.graph.drawing.assembly import choose_map
from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.drawing.wiring import adjacency_of, wiring_from_edges
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.neighbors import knn
from scge_pyg.graph.tensor_file import read_tensors, write_tensors

if TYPE_CHECKING:
    import networkx

__all__ = ["SharedGraph"]

_FORMAT = "scge_pyg.SharedGraph"
_VERSION = 1


class SharedGraph:
    r"""Coordinates, edges and, where there is one, the lattice of a node set.

    Args:
        pos: Coordinates ``[N, d]`` with about unit distance between nearest nodes; NaN where not live.
        edge_index: Edges ``[2, E]`` in PyG's COO convention, both directions.
        edge_weight: Weights ``[E]``, at least 0. Default: ones.
        dim: Intrinsic dimension of the geometry, at most ``d``. Default: ``d``.
        live: Nodes that carry a signal, ``[N]`` bool. Default: those with finite coordinates.
        confidence: Trust in each node's place, ``[N]`` in [0, 1]. Default: 1 where live.
        component: One id per connected geometry, ``[N]`` int64, -1 where not live. Default: from the edges.
        lattice: Integer cells, if the geometry is a regular grid.

    Raises:
        ValueError: If shapes disagree, an edge leaves the node set, or a live node has no coordinates.

    Example:
        >>> graph = SharedGraph.from_grid((2, 3))
        >>> graph
        SharedGraph(num_nodes=6, live=6, dim=2, edges=14, components=1, lattice=2x3)
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
        live: Tensor | None = None,
        confidence: Tensor | None = None,
        component: Tensor | None = None,
        lattice: Lattice | None = None,
    ) -> None:
        if pos.dim() != 2 or not pos.is_floating_point():
            raise ValueError(f"SharedGraph: pos must be a float tensor [N, d], got {pos.dtype} {list(pos.shape)}")
        num_nodes = pos.shape[0]
        if edge_index.dim() != 2 or edge_index.shape[0] != 2 or edge_index.is_floating_point():
            raise ValueError(
                f"SharedGraph: edge_index must be int64 [2, E], got {edge_index.dtype} {list(edge_index.shape)}"
            )
        if edge_index.numel() and not (0 <= int(edge_index.min()) and int(edge_index.max()) < num_nodes):
            raise ValueError(
                f"SharedGraph: edge_index names nodes {int(edge_index.min())}..{int(edge_index.max())}, "
                f"but there are {num_nodes} nodes"
            )
        finite = torch.isfinite(pos).all(1)
        live = finite if live is None else live.bool()
        weight = pos.new_ones(edge_index.shape[1]) if edge_weight is None else edge_weight.to(pos.dtype)
        if weight.shape != edge_index.shape[1:] or not bool((torch.isfinite(weight) & (weight >= 0)).all()):
            raise ValueError("SharedGraph: edge_weight must be [E] with finite entries of at least 0")
        if live.shape != (num_nodes,) or bool((live & ~finite).any()):
            raise ValueError("SharedGraph: live must be [N] bool, and every live node needs finite coordinates")
        if lattice is not None and lattice.cell.shape[0] != num_nodes:
            raise ValueError(f"SharedGraph: lattice has {lattice.cell.shape[0]} nodes, pos has {num_nodes}")

        self.pos = pos.masked_fill(~live.unsqueeze(1), torch.nan)
        self.edge_index, self.edge_weight = coalesce(edge_index.long(), weight, num_nodes=num_nodes, reduce="max")
        self.dim = pos.shape[1] if dim is None else int(dim)
        if not 1 <= self.dim <= pos.shape[1]:
            raise ValueError(f"SharedGraph: dim must lie in 1..{pos.shape[1]}, got {dim}")
        self.live = live
        self.confidence = live.to(pos.dtype) if confidence is None else confidence.to(pos.dtype)
        self.component = self._components() if component is None else component.long()
        if self.confidence.shape != (num_nodes,) or self.component.shape != (num_nodes,):
            raise ValueError(f"SharedGraph: confidence and component must be [{num_nodes}]")
        self.lattice = lattice

    # Constructors ---------------------------------------------------------------------------------------------

    @classmethod
    def from_grid(cls, shape: Sequence[int], periodic: Sequence[bool] | None = None) -> SharedGraph:
        """The full row-major grid of ``shape``, each cell joined to its neighbours along the axes.

        Along a periodic axis the neighbours wrap around; ``pos`` stays the plain cell coordinates.
        """
        shape = tuple(int(n) for n in shape)
        if not shape or min(shape) < 1:
            raise ValueError(f"from_grid: shape must hold positive sizes such as (32, 32), got {shape}")
        index = torch.arange(int(torch.tensor(shape).prod())).view(shape)
        cell = torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij"), -1).flatten(0, -2)
        lattice = Lattice(cell, shape, periodic)
        pairs = []
        for axis, wraps in enumerate(lattice.periodic):
            pairs.append(
                torch.stack(
                    [index.narrow(axis, 0, shape[axis] - 1).flatten(), index.narrow(axis, 1, shape[axis] - 1).flatten()]
                )
            )
            if wraps and shape[axis] > 2:
                last = index.select(axis, shape[axis] - 1).flatten()
                pairs.append(torch.stack([last, index.select(axis, 0).flatten()]))
        half = torch.cat(pairs, 1)
        return cls(lattice.pos, torch.cat([half, half.flip(0)], 1), lattice=lattice)

    @classmethod
    def from_pos(cls, pos: Tensor, k: int | None = None) -> SharedGraph:
        r"""Known coordinates ``[N, d]``: each node is joined to its ``k`` nearest, in both directions.

        Weights are :math:`\exp(-(r_{ij}/\bar r)^2)` with :math:`\bar r` the median distance to the nearest node.
        Rows with NaN are nodes that are not live.

        Args:
            pos: Coordinates in any unit; they are kept as given.
            k: Neighbours a node, at most ``N - 1``. Default: ``2 d``, as on a grid.
        """
        if pos.dim() != 2:
            raise ValueError(f"from_pos: pos must be [N, d], got {list(pos.shape)}")
        pos = pos if pos.is_floating_point() else pos.to(torch.get_default_dtype())
        live = torch.isfinite(pos).all(1)
        nodes = live.nonzero().squeeze(1)
        if nodes.numel() < 2:
            raise ValueError(f"from_pos: at least 2 nodes with finite coordinates are needed, got {nodes.numel()}")
        k = min(2 * pos.shape[1], nodes.numel() - 1) if k is None else k
        distance, index = knn(pos[live], pos[live], k, exclude_self=True)
        spacing = distance[:, 0].median().clamp_min(torch.finfo(pos.dtype).tiny)
        weight = (-(distance / spacing).square()).exp().flatten()
        half = torch.stack([nodes.repeat_interleave(k), nodes[index.flatten()]])
        return cls(pos, torch.cat([half, half.flip(0)], 1), weight.repeat(2))

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
            SharedGraph(num_nodes=12, live=12, dim=1, edges=24, components=1, lattice=None)
        """
        if edge_index.dim() != 2 or edge_index.shape[0] != 2 or edge_index.is_floating_point():
            raise ValueError(
                f"from_edge_index: edge_index must be int64 [2, E], got {edge_index.dtype} {list(edge_index.shape)}"
            )
        if edge_index.numel() and not (0 <= int(edge_index.min()) and int(edge_index.max()) < num_nodes):
            raise ValueError(f"from_edge_index: edge_index names nodes outside 0..{num_nodes - 1}")
        weight = torch.ones(edge_index.shape[1]) if edge_weight is None else edge_weight
        joined = edge_index[0] != edge_index[1]
        both = torch.cat([edge_index[:, joined], edge_index[:, joined].flip(0)], 1)
        wiring = wiring_from_edges(both.cpu().numpy(), num_nodes)
        dim = intrinsic_dimension(adjacency_of(wiring.edges, num_nodes)) if dim is None else dim
        _, chart = choose_map(wiring, num_nodes, dim, seed)
        return cls(
            torch.from_numpy(chart.pos).to(weight).to(torch.get_default_dtype()),
            both,
            weight[joined].repeat(2),
            dim=dim,
            component=torch.from_numpy(chart.component).to(edge_index.device),
        )

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
    def spacing(self) -> float:
        """Median distance between nearest live nodes, in the units of ``pos``."""
        if self.lattice is not None:
            return min(self.lattice.stride)
        live = self.pos[self.live]
        return float(knn(live, live, 1, exclude_self=True)[0].median())

    def _components(self) -> Tensor:
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        nodes = self.live.nonzero().squeeze(1).cpu()
        rank = torch.full((self.num_nodes,), -1)
        rank[nodes] = torch.arange(nodes.numel())
        row, col = rank[self.edge_index.cpu()]
        keep = (row >= 0) & (col >= 0)
        ones = torch.ones(int(keep.sum())).numpy()
        graph = coo_matrix((ones, (row[keep].numpy(), col[keep].numpy())), shape=(nodes.numel(),) * 2)
        component = torch.full((self.num_nodes,), -1)
        component[nodes] = torch.from_numpy(connected_components(graph, directed=False)[1]).long()
        return component.to(self.pos.device)

    def coarsen(self, num_nodes: int | None = None, *, stride: int | None = None) -> tuple[SharedGraph, Tensor]:
        """A coarser graph in the same frame, and the cluster of each node.

        With ``stride``, blocks of ``stride`` cells along each axis of the lattice become one node, which sits on
        the first cell of its block as the outputs of a strided ``torch.nn.Conv2d`` do. Without a lattice, the live
        nodes are grouped around k-means centres: one for each block of ``stride`` spacings along each axis that holds
        nodes, or ``num_nodes``.

        Args:
            num_nodes: Number of coarse nodes. Default: a quarter of the live ones.
            stride: Cells, or without a lattice spacings, per block and axis.

        Returns:
            The coarse graph and ``cluster [N]`` int64, -1 for nodes that are not live.
        """
        if stride is not None and num_nodes is not None:
            raise ValueError("coarsen: give num_nodes or stride, not both")
        if stride is not None and stride < 1:
            raise ValueError(f"coarsen: stride must be at least 1, got {stride}")
        if stride is not None and self.lattice is not None:
            coarse, cluster = coarsen_lattice(self.lattice, stride)
            full = SharedGraph.from_grid(coarse.shape, coarse.periodic)
            index = torch.full((full.num_nodes,), -1, device=self.pos.device)
            index[coarse.flat_index] = torch.arange(coarse.cell.shape[0], device=self.pos.device)
            edges = index[full.edge_index.to(self.pos.device)]
            pos = coarse.pos.to(self.pos.dtype)
            return SharedGraph(pos, edges[:, (edges >= 0).all(0)], lattice=coarse), cluster
        live = self.live.nonzero().squeeze(1)
        count = max(1, live.numel() // 4) if num_nodes is None else num_nodes
        if stride is not None:
            flat = self.pos.shape[1] == self.dim  # what is bent fills few of the blocks around it
            count = block_count(self.pos[live], stride) if flat else max(1, round(live.numel() / stride**self.dim))
        centres, assignment = coarsen_points(self.pos[live], count, stride=stride)
        cluster = torch.full((self.num_nodes,), -1, device=self.pos.device)
        cluster[live] = assignment
        coarse_edges = cluster[self.edge_index]
        coarse_edges = coarse_edges[:, (coarse_edges >= 0).all(0) & (coarse_edges[0] != coarse_edges[1])]
        return SharedGraph(centres, coarse_edges, dim=self.dim), cluster

    # Conversions ----------------------------------------------------------------------------------------------

    def to(self, device: torch.device | str) -> SharedGraph:
        """The same graph with every tensor on ``device``."""
        return SharedGraph(
            self.pos.to(device),
            self.edge_index.to(device),
            self.edge_weight.to(device),
            dim=self.dim,
            live=self.live.to(device),
            confidence=self.confidence.to(device),
            component=self.component.to(device),
            lattice=None if self.lattice is None else self.lattice.to(device),
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
        """An undirected ``networkx.Graph`` with ``pos`` and ``live`` on nodes and ``weight`` on edges."""
        import networkx

        graph = networkx.Graph()
        for node, (pos, live) in enumerate(zip(self.pos.tolist(), self.live.tolist(), strict=True)):
            graph.add_node(node, pos=tuple(pos), live=live)
        for (i, j), weight in zip(self.edge_index.t().tolist(), self.edge_weight.tolist(), strict=True):
            graph.add_edge(i, j, weight=weight)
        return graph

    # Files ----------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the graph as safetensors with a JSON header; the file appears whole or not at all."""
        names = ("pos", "edge_index", "edge_weight", "live", "confidence", "component")
        tensors = {name: getattr(self, name) for name in names}
        header: dict[str, Any] = {"version": _VERSION, "dim": self.dim, "lattice": None}
        if self.lattice is not None:
            tensors["cell"] = self.lattice.cell
            header["lattice"] = {key: getattr(self.lattice, key) for key in ("shape", "periodic", "origin", "stride")}
        write_tensors(path, _FORMAT, tensors, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SharedGraph:
        """Read a graph that :meth:`save` wrote. Raises ``ValueError`` for a corrupt or foreign file."""
        tensors, header = read_tensors(path, _FORMAT)
        try:
            if header["version"] > _VERSION:
                raise ValueError(f"version {header['version']} is newer than this package reads ({_VERSION})")
            lattice = None
            if header["lattice"] is not None:
                lattice = Lattice(tensors.pop("cell"), **header["lattice"])
            return cls(**tensors, dim=header["dim"], lattice=lattice)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"load: {path} holds a damaged graph ({error})") from error

    def __repr__(self) -> str:
        lattice = None if self.lattice is None else "x".join(map(str, self.lattice.shape))
        components = int(self.component.max()) + 1 if self.num_nodes else 0
        return (
            f"{type(self).__name__}(num_nodes={self.num_nodes}, live={int(self.live.sum())}, dim={self.dim}, "
            f"edges={self.num_edges}, components={components}, lattice={lattice})"
        )
