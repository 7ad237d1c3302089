"""How alike the nodes have become, and what propagation without end leaves."""

from __future__ import annotations

import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch_geometric.utils import scatter

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.layer.batching import as_batch, as_given
from scge_pyg.zoo.operators.laplacian import undirected_edges

__all__ = ["graph_smoothness", "node_smoothness", "propagation_limit"]

_BLOCK = 4_000_000  # pairs at a time


def node_smoothness(x: Tensor) -> Tensor:
    r"""Mean distance of each node's direction to those of all others, :math:`\mathrm{SMV}_i` in [0, 1].

    .. math::
        \mathrm{SMV}_i = \frac{1}{N - 1} \sum_{j \ne i} \frac12 \left\lVert \frac{\mathbf{x}_i}{\lVert \mathbf{x}_i
            \rVert} - \frac{\mathbf{x}_j}{\lVert \mathbf{x}_j \rVert} \right\rVert

    A row of zeros has no direction and counts as the origin, half a unit from all others. 0 is complete smoothing.

    Args:
        x: Features ``[N, C]`` of at least two nodes.

    Cost: O(N^2 C) time in blocks of 4 million pairs.

    Source: Liu, Gao, Ji (2020), eq. 3 to 5; note 003, section 26.1.

    Example:
        >>> node_smoothness(torch.tensor([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]]))
        tensor([0.5000, 0.5000, 1.0000])
    """
    if not isinstance(x, Tensor) or x.dim() != 2 or len(x) < 2 or not x.is_floating_point():
        got = f"{x.dtype} {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"node_smoothness: x must be a float tensor [N, C] of at least 2 nodes, got {got}")
    if not bool(torch.isfinite(x).all()):
        raise ValueError("node_smoothness: x must be finite, got NaN or infinity; fill it first")
    direction = torch.nn.functional.normalize(x, dim=1)
    step = max(1, _BLOCK // len(x))
    exact = "donot_use_mm_for_euclid_dist"  # or directions that are nearly one come out a thousandth apart
    sums = [torch.cdist(part, direction, compute_mode=exact).sum(1) for part in direction.split(step)]
    return torch.cat(sums) / (2 * (len(x) - 1))


def graph_smoothness(x: Tensor) -> Tensor:
    r"""Mean of :func:`node_smoothness` over the nodes.

    Example:
        >>> graph_smoothness(torch.ones(3, 2))
        tensor(0.)
    """
    return node_smoothness(x).mean()


def propagation_limit(graph: SharedGraph, x: Tensor, normalization: str = "sym") -> Tensor:
    r"""What is left after infinitely many steps, :math:`\lim_k \hat{\mathbf{A}}^k \mathbf{x}`, with self-loops added.

    .. math::
        \text{"sym": } \hat{\mathbf{A}} = \tilde{\mathbf{D}}^{-1/2} \tilde{\mathbf{A}} \tilde{\mathbf{D}}^{-1/2}, \quad
        \frac{\sqrt{\tilde d_i} \sum_j \sqrt{\tilde d_j}\, \mathbf{x}_j}{\sum_j \tilde d_j}; \qquad
        \text{"rw": } \hat{\mathbf{A}} = \tilde{\mathbf{D}}^{-1} \tilde{\mathbf{A}}, \quad
        \frac{\sum_j \tilde d_j \mathbf{x}_j}{\sum_j \tilde d_j}

    with sums over the nodes j of the connected part of i: one vector is left of each part, and the theorem, stated for
    connected graphs, holds in each.

    Args:
        graph: The graph; its edge weights count, alike in both directions.
        x: Features ``[B, N, C]``, flat ``[B * N, C]`` or ``[N, C]``.
        normalization: ``"sym"`` or ``"rw"``.

    Raises:
        ValueError: If weights differ in the two directions of an edge.

    Cost: O(E + B N C).

    Source: Liu, Gao, Ji (2020), theorems 1 and 2; note 003, section 26.2.

    Example:
        >>> propagation_limit(SharedGraph.from_grid((3,)), torch.tensor([[7.0], [0.0], [0.0]]), "rw").flatten()
        tensor([2., 2., 2.])
    """
    if normalization not in ("sym", "rw"):
        raise ValueError(f"propagation_limit: normalization must be 'sym' or 'rw', got {normalization!r}")
    batch = as_batch(x, graph.num_nodes, None, "propagation_limit")
    edges, weight = undirected_edges(graph, "propagation_limit")
    degree = scatter(weight.to(batch), edges[1].to(batch.device), 0, graph.num_nodes, "sum") + 1
    part = _parts(edges[:, weight > 0], graph.num_nodes).to(batch.device)
    count = int(part.max()) + 1
    told, heard = (degree.sqrt(), degree.sqrt()) if normalization == "sym" else (degree, torch.ones_like(degree))
    total = scatter(told[:, None] * batch, part, 1, count, "sum")
    mass = scatter(degree, part, 0, count, "sum")
    return as_given(heard[:, None] * (total / mass[:, None])[:, part], x)


def _parts(edge_index: Tensor, num_nodes: int) -> Tensor:
    """Connected part of each node ``[N]``; a node without neighbours is one of its own."""
    source, target = edge_index.numpy()
    matrix = coo_matrix(([1] * len(source), (source, target)), shape=(num_nodes, num_nodes))
    return torch.from_numpy(connected_components(matrix, directed=False)[1]).long()
