"""Laplacians of a shared graph, and a bound of their spectrum."""

from __future__ import annotations

from typing import NamedTuple

import scipy.sparse as sp
import torch
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from torch import Tensor
from torch_geometric.utils import coalesce, remove_self_loops

from scge_pyg.graph import SharedGraph

__all__ = ["NORMALIZATIONS", "Laplacian", "laplacian_of", "undirected_edges"]

NORMALIZATIONS = (None, "sym")
_TOLERANCE, _MARGIN = 1e-3, 1.01  # of the largest eigenvalue


class Laplacian(NamedTuple):
    """A symmetric matrix in rows, and a bound of its eigenvalues, which lie in ``[0, lambda_max]``.

    Attributes:
        pointer: ``[N + 1]``: where each row begins.
        column: ``[E + N]``.
        value: ``[E + N]`` float64.
        lambda_max: Bound of the largest eigenvalue, above 0.
    """

    pointer: Tensor
    column: Tensor
    value: Tensor
    lambda_max: float


def undirected_edges(graph: SharedGraph, where: str) -> tuple[Tensor, Tensor]:
    """Edges ``[2, E]`` without self-loops, sorted, and float64 weights ``[E]``, on the CPU.

    Raises:
        ValueError: If the weights differ in the two directions of an edge.

    Example:
        >>> undirected_edges(SharedGraph.from_grid((2,)), "here")[1]
        tensor([1., 1.], dtype=torch.float64)
    """
    edges, weight = remove_self_loops(graph.edge_index.cpu(), graph.edge_weight.detach().cpu().double())
    edges, weight = coalesce(edges, weight, graph.num_nodes)
    back, other = coalesce(edges.flip(0), weight, graph.num_nodes)
    if not torch.equal(edges, back) or not torch.allclose(weight, other, rtol=1e-5, atol=0.0):
        raise ValueError(
            f"{where}: graph must have the same weight in both directions of each edge, as an undirected graph has; "
            f"build one with SharedGraph.from_edge_index, or average the two weights"
        )
    return edges, (weight + other) / 2


def laplacian_of(graph: SharedGraph, normalization: str | None = None, where: str = "laplacian_of") -> Laplacian:
    r"""The combinatorial Laplacian :math:`D - A`, or the normalised :math:`I - D^{-1/2} A D^{-1/2}`, of the weights.

    A node without neighbours has a row of zeros in both, so that each connected part has one eigenvalue 0, as in
    scipy and networkx; ``torch_geometric.utils.get_laplacian`` gives it an eigenvalue of 1 in the second. Weights that
    differ in the two directions of an edge are refused, as the Laplacian would have complex eigenvalues.

    The bound is Lanczos' largest eigenvalue and one in a hundred more, but never above what is certain: the largest
    :math:`d_i + d_j` of an edge for the first, 2 for the second.

    Cost: O(E) and some tens of products with a vector.

    Args:
        graph: The graph; its edge weights count.
        normalization: ``None`` or ``"sym"``.
        where: Who asks, for errors.

    Raises:
        ValueError: If the graph has no edges, or its weights differ in the two directions of an edge.

    Example:
        >>> path = SharedGraph.from_grid((3,))
        >>> found = laplacian_of(path)
        >>> found.value.tolist(), found.lambda_max
        ([1.0, -1.0, -1.0, 2.0, -1.0, -1.0, 1.0], 3.0)
    """
    if not isinstance(graph, SharedGraph):
        raise TypeError(f"{where}: graph must be a SharedGraph, got {type(graph).__name__}")
    if normalization not in NORMALIZATIONS:
        raise ValueError(f"{where}: normalization must be None or 'sym', got {normalization!r}")
    nodes = graph.num_nodes
    edges, weight = undirected_edges(graph, where)
    if not bool((weight > 0).any()):
        raise ValueError(
            f"{where}: graph must have edges with weights above 0, got {graph!r}; there is nothing to filter"
        )
    source, target = edges
    degree = torch.zeros(nodes, dtype=torch.double).index_add(0, target, weight)
    diagonal = degree
    certain = float((degree[source] + degree[target]).max())
    if normalization == "sym":
        root = degree.clamp_min(torch.finfo(degree.dtype).tiny).rsqrt()
        weight = weight * root[source] * root[target]
        diagonal = (degree > 0).double()
        certain = 2.0
    own = torch.arange(nodes)
    row = torch.cat([target, own])
    column = torch.cat([source, own])
    (row, column), value = coalesce(torch.stack([row, column]), torch.cat([-weight, diagonal]), nodes)
    pointer = torch.zeros(nodes + 1, dtype=torch.long)
    pointer[1:] = torch.bincount(row, minlength=nodes).cumsum(0)
    matrix = sp.csr_matrix((value.numpy(), column.numpy(), pointer.numpy()), shape=(nodes, nodes))
    return Laplacian(pointer, column, value, min(_largest(matrix) * _MARGIN, certain))


def _largest(matrix: sp.csr_matrix) -> float:
    """The largest eigenvalue, or infinity where Lanczos doesn't find it."""
    nodes = matrix.shape[0]
    start = torch.randn(nodes, dtype=torch.double, generator=torch.Generator().manual_seed(0)).numpy()
    if nodes < 4:  # too small for Lanczos
        return float(torch.linalg.eigvalsh(torch.from_numpy(matrix.toarray()))[-1])
    try:
        return float(eigsh(matrix, 1, which="LA", v0=start, tol=_TOLERANCE, return_eigenvectors=False)[0])
    except ArpackNoConvergence:
        return float("inf")
