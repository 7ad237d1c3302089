"""Who is near whom, as probabilities: Gaussian neighbourhoods of one perplexity, and steps along a graph."""

from __future__ import annotations

import math

import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import shortest_path
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import positive_number

__all__ = ["conditional_affinities", "graph_distances", "joint_affinities"]

_MOST_NODES = 5000  # of what is made for all pairs
_HALVINGS = 60


def graph_distances(graph: SharedGraph, where: str = "graph_distances") -> Tensor:
    """Steps ``[N, N]`` float64 along the fewest edges.

    Raises:
        ValueError: If there are more than 5,000 nodes, or several connected parts.

    Cost: O(N E).

    Example:
        >>> graph_distances(SharedGraph.from_grid((3,))).tolist()
        [[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    """
    if not isinstance(graph, SharedGraph):
        raise TypeError(f"{where}: graph must be a SharedGraph, got {type(graph).__name__}")
    nodes = graph.num_nodes
    if nodes > _MOST_NODES:
        raise ValueError(f"{where}: all pairs are kept, so at most {_MOST_NODES} nodes will do, got {nodes}")
    source, target = graph.edge_index[:, graph.edge_weight > 0].cpu().numpy()
    steps = shortest_path(csr_matrix(([1.0] * len(source), (source, target)), (nodes, nodes)), unweighted=True)
    found = torch.from_numpy(steps)
    if not bool(torch.isfinite(found).all()):
        raise ValueError(
            f"{where}: graph must be connected, and some nodes can't be reached from others; lay out each of "
            f"graph.parts() by itself"
        )
    return found


def conditional_affinities(square: Tensor, perplexity: float) -> Tensor:
    r"""Probabilities :math:`p_{j \mid i}` ``[N, N]`` of Gaussian neighbourhoods, by row.

    .. math::
        p_{j \mid i} \propto \exp(-d_{ij}^2 / 2 \sigma_i^2), \quad p_{i \mid i} = 0, \qquad
        -\sum_j p_{j \mid i} \log p_{j \mid i} = \log \text{perplexity}

    with :math:`\sigma_i` by bisection, all rows at once.

    Args:
        square: Squared distances ``[N, N]``.
        perplexity: Between 1 and N - 1.

    Source: Hinton, Roweis (2002); note 003, (273) and (276).

    Example:
        >>> square = torch.tensor([[0.0, 1.0, 4.0], [1.0, 0.0, 1.0], [4.0, 1.0, 0.0]])
        >>> conditional_affinities(square, 1.5)[1].tolist()
        [0.5, 0.0, 0.5]
    """
    perplexity = positive_number("conditional_affinities", "perplexity", perplexity)
    nodes = len(square)
    if square.dim() != 2 or square.shape[1] != nodes or nodes < 3 or not bool(torch.isfinite(square).all()):
        raise ValueError(
            f"conditional_affinities: square must be finite [N, N] of at least 3 points, got {list(square.shape)}"
        )
    if not 1 < perplexity < nodes - 1:
        raise ValueError(
            f"conditional_affinities: perplexity must lie between 1 and N - 1 = {nodes - 1}, got {perplexity}"
        )
    own = torch.eye(nodes, dtype=torch.bool, device=square.device)
    nearest = square.masked_fill(own, math.inf).amin(1, keepdim=True)
    above = (square - nearest).masked_fill(own, math.inf)
    scale = above.masked_fill(own, 0).mean(1, keepdim=True).clamp_min(torch.finfo(square.dtype).tiny)
    low, high = torch.full_like(nearest, -40.0), torch.full_like(nearest, 40.0)  # log of the precision, times scale
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        p = torch.softmax(-above / scale * middle.exp(), 1)
        entropy = torch.special.entr(p).sum(1, keepdim=True)
        wide = entropy > math.log(perplexity)
        low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
    return p


def joint_affinities(square: Tensor, perplexity: float) -> Tensor:
    r"""t-SNE's symmetric :math:`p_{ij} = (p_{j \mid i} + p_{i \mid j}) / 2 N` ``[N, N]``, which sum to 1.

    The note's 27.3 divides by 2 alone, a slip: then they sum to N.

    Example:
        >>> joint_affinities(torch.ones(4, 4) - torch.eye(4), 2.0).sum()
        tensor(1.)
    """
    p = conditional_affinities(square, perplexity)
    return (p + p.T) / (2 * len(p))
