"""`LayerSampler`: FastGCN's sampling of whole layers, unbiased, with the variance that importance saves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import add_remaining_self_loops, scatter

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import whole_number
from scge_pyg.nn.fixed.tables import Tabled

__all__ = ["LayerSampler", "SampledLayer"]


class SampledLayer(NamedTuple):
    r"""One layer of a sampled network: a bipartite graph from drawn nodes to the nodes that are wanted.

    Attributes:
        source: ``[t]`` nodes that were drawn, perhaps some twice.
        target: ``[R]`` nodes whose values are wanted.
        edge_index: ``[2, E]``, from positions in ``source`` to positions in ``target``.
        edge_weight: ``[E]``: :math:`\hat A_{vu} / (t\, q_u)`.
    """

    source: Tensor
    target: Tensor
    edge_index: Tensor
    edge_weight: Tensor

    def propagate(self, h: Tensor) -> Tensor:
        r"""Estimates :math:`\frac1t \sum_j \hat A_{v u_j} h_{u_j} / q_{u_j}` ``[..., R, C]`` by ``h [..., t, C]``."""
        told = h.index_select(-2, self.edge_index[0]) * self.edge_weight[:, None].to(h)
        return scatter(told, self.edge_index[1], h.dim() - 2, len(self.target), "sum")


class LayerSampler(Tabled):
    r"""Draws the nodes of each layer at once, independently of who listens to them.

    .. math::
        \mathbf{h}^{(\ell + 1)}_v \approx \frac{1}{t_\ell} \sum_{j=1}^{t_\ell}
            \frac{\hat A_{v u_j}}{q_{u_j}} \mathbf{h}^{(\ell)}_{u_j} \mathbf{W}^{(\ell)}, \quad u_j \sim q, \qquad
        q_u \propto \lVert \hat A_{\cdot u} \rVert

    It is unbiased for one layer without its nonlinearity, and consistent for several. The variance is :math:`\sum_u
    \lVert \hat A_{\cdot u} \rVert^2 x_u^2 / q_u` but for what doesn't depend on q, so where nothing is known of x the
    least is at the norm of the column. The paper and the note's (137) settle for its square, and that is worth
    nothing: with :math:`x_u^2` alike everywhere it has the variance of uniform sampling, :math:`N \sum_u \lVert \hat
    A_{\cdot u} \rVert^2`. What the norm saves hangs on how much columns differ: much with ``"rw"`` and hubs, little
    with ``"sym"``, which evens columns out, nothing on a torus. A wanted node may meet none of the drawn ones, and is
    estimated as 0 then; the mean is right all the same.

    Args:
        graph: The graph; its edge weights count.
        sizes: :math:`t_\ell` of each layer, that of the input first.
        importance: Whether q follows the columns, or is uniform.
        normalization: ``"sym"`` for GCN's matrix, ``"rw"`` for the mean over neighbours; both with self-loops.

    Cost: O(E) once; a call O(sum of the drawn nodes' degrees).

    Source: Chen, Ma, Xiao, FastGCN, ICLR 2018; note 003, section 14.

    Example:
        >>> sampler = LayerSampler(SharedGraph.from_grid((8, 8)), [40, 20])
        >>> first, second = sampler(torch.tensor([3, 60]), generator=torch.Generator().manual_seed(0))
        >>> x = torch.randn(64, 5)
        >>> second.propagate(first.propagate(x[first.source]).relu()).shape
        torch.Size([2, 5])
    """

    pointer: Tensor
    target: Tensor
    weight: Tensor
    probability: Tensor

    def __init__(
        self, graph: SharedGraph, sizes: Sequence[int], *, importance: bool = True, normalization: str = "sym"
    ) -> None:
        super().__init__()
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"LayerSampler: graph must be a SharedGraph, got {type(graph).__name__}")
        self.sizes = tuple(whole_number("LayerSampler", "sizes", size, 1) for size in sizes)
        if not self.sizes:
            raise ValueError("LayerSampler: sizes must hold one number of nodes a layer, got none")
        if normalization not in ("sym", "rw"):
            raise ValueError(f"LayerSampler: normalization must be 'sym' or 'rw', got {normalization!r}")
        self.num_nodes, self.importance, self.normalization = graph.num_nodes, importance, normalization
        edges, weight = _normalized(graph, normalization)
        order = edges[0].argsort(stable=True)
        self.register_table("pointer", _pointers(edges[0], graph.num_nodes))
        self.register_table("target", edges[1][order])
        self.register_table("weight", weight[order])
        norm = scatter(weight.double().square(), edges[0], 0, graph.num_nodes, "sum").sqrt()
        even = torch.full_like(norm, 1 / graph.num_nodes)
        self.register_table("probability", norm / norm.sum() if importance else even)

    def forward(self, nodes: Tensor, generator: torch.Generator | None = None) -> list[SampledLayer]:
        """Layers for values of ``nodes [R]``, that of the input first."""
        if nodes.dim() != 1 or nodes.is_floating_point() or not len(nodes):
            raise ValueError(f"LayerSampler: nodes must be int64 [R], got {nodes.dtype} {list(nodes.shape)}")
        if not 0 <= int(nodes.min()) <= int(nodes.max()) < self.num_nodes:
            raise ValueError(
                f"LayerSampler: nodes must lie in 0..{self.num_nodes - 1}, got {int(nodes.min())} to {int(nodes.max())}"
            )
        layers = []
        for size in reversed(self.sizes):
            drawn = torch.multinomial(self.probability, size, replacement=True, generator=generator)
            layers.append(self._layer(drawn, nodes))
            nodes = drawn
        return layers[::-1]

    def _layer(self, drawn: Tensor, wanted: Tensor) -> SampledLayer:
        first, count = self.pointer[drawn], self.pointer[drawn + 1] - self.pointer[drawn]
        total = int(count.sum())
        source = torch.repeat_interleave(count, output_size=total)
        place = torch.arange(total, device=drawn.device) - (count.cumsum(0) - count)[source] + first[source]
        # a node that is wanted twice gets its values at both places
        sorted_nodes, order = wanted.sort(stable=True)
        low = torch.searchsorted(sorted_nodes, self.target[place])
        times = torch.searchsorted(sorted_nodes, self.target[place], right=True) - low
        edge = torch.repeat_interleave(times)
        number = torch.arange(len(edge), device=drawn.device) - (times.cumsum(0) - times)[edge]
        target = order[low[edge] + number]
        weight = self.weight[place[edge]] / (len(drawn) * self.probability[drawn[source[edge]]]).to(self.weight)
        return SampledLayer(drawn, wanted, torch.stack([source[edge], target]), weight)

    def extra_repr(self) -> str:
        kind = f"importance={self.importance}, normalization={self.normalization}"
        return f"nodes={self.num_nodes}, sizes={list(self.sizes)}, {kind}"


def _normalized(graph: SharedGraph, normalization: str) -> tuple[Tensor, Tensor]:
    """Edges with self-loops, and the entries of the matrix."""
    if normalization == "sym":
        edges, weight = gcn_norm(graph.edge_index, graph.edge_weight, graph.num_nodes)
        return edges, weight
    edges, weight = add_remaining_self_loops(graph.edge_index, graph.edge_weight, 1.0, graph.num_nodes)
    total = scatter(weight, edges[1], 0, graph.num_nodes, "sum")
    return edges, weight / total[edges[1]]


def _pointers(row: Tensor, rows: int) -> Tensor:
    """Where each row begins ``[rows + 1]`` in entries sorted by row."""
    pointer = torch.zeros(rows + 1, dtype=torch.long, device=row.device)
    pointer[1:] = torch.bincount(row, minlength=rows).cumsum(0)
    return pointer
