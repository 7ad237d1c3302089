"""`SCGEForecaster`: a shared network whose nodes hear their neighbours on a discovered geometry."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.models.forecasting.shared import SharedForecaster
from scge_pyg.nn import NodeEmbedding, SCGEConv

__all__ = ["SCGEForecaster"]


class SCGEForecaster(SharedForecaster):
    r"""A :class:`SharedForecaster` in which nodes listen to their neighbours on the map, by what these say.

    Each block mixes by an :class:`SCGEConv` with ``content``: attention weights are the window's, and as they see the
    nodes' embedding, they also learn which neighbour matters to whom. What is far is heard through a few summaries,

    .. math::
        m(\mathbf{n})_i = \mathrm{SCGEConv}(\mathbf{n})_i + \sum_k b_{ik} \sum_j a_{jk} \mathbf{V} \mathbf{n}_j,
        \qquad \sum_j a_{jk} = \sum_k b_{ik} = 1, \quad a, b \ge 0

    whose shares :math:`a` and :math:`b` are learned. Discover the graph on the part of the series that is trained on.

    Args:
        window: Steps W that it sees.
        horizon: Steps H that it predicts, all at once.
        graph: The modality, or a :class:`NodeEmbedding`, whose places are then trained with the rest.
        k: Nearest nodes that a node listens to, itself among them. Default: itself and those that the graph's edges
            lead to; 8 for a :class:`NodeEmbedding`.
        heads: Attention heads, each as wide as the network; their mean is taken. Default: 4.
        content: Score of :class:`SCGEConv`. Default: ``"gat"``.
        kernel: Kernel of :class:`SCGEConv`. Default: none, one matrix for all offsets.
        summaries: Summaries of all nodes, 0 for none. Default: 8.
        **options: Further arguments of :class:`SharedForecaster`: ``channels``, ``layers``, ``identity``, ``period``,
            ``waves`` and ``dropout``.

    Shapes:
        - **input:** windows :math:`(B, N, W)`, flat :math:`(B N, W)` or one :math:`(N, W)`; with a ``period``,
          ``time`` :math:`(B)`
        - **output:** the same layout with H steps

    Raises:
        ValueError: If a size is not positive, or the input doesn't fit (:class:`Forecaster`).
        TypeError: If ``graph`` is something else.

    Example:
        >>> import torch
        >>> from scge_pyg import SharedGraph
        >>> model = SCGEForecaster(12, 3, SharedGraph.from_grid((4, 5)))
        >>> model(torch.rand(2, 20, 12)).shape
        torch.Size([2, 20, 3])
    """

    def __init__(
        self,
        window: int,
        horizon: int,
        graph: SharedGraph | NodeEmbedding,
        *,
        k: int | None = None,
        heads: int = 4,
        content: str | None = "gat",
        kernel: str | None = None,
        summaries: int = 8,
        **options: Any,
    ) -> None:
        if not isinstance(graph, SharedGraph | NodeEmbedding):
            raise TypeError(
                f"SCGEForecaster: graph must be a SharedGraph or a NodeEmbedding, got {type(graph).__name__}; pass "
                f"discover(x), or SharedGraph.from_edge_index(edge_index, num_nodes) for edges that are known"
            )
        if isinstance(summaries, bool) or not isinstance(summaries, int) or summaries < 0:
            raise ValueError(f"SCGEForecaster: summaries must be an integer of at least 0, got {summaries!r}")
        k = 8 if k is None and isinstance(graph, NodeEmbedding) else k
        near = {"k": k} if k is not None else {"neighbors": "edges"}
        mix = partial(_Heard, nodes=graph, summaries=summaries, heads=heads, content=content, kernel=kernel, **near)
        super().__init__(graph.num_nodes, window, horizon, mix=mix, **options)


class _Heard(torch.nn.Module):
    """What each node hears: of its neighbours, and of summaries of all nodes."""

    def __init__(self, channels: int, nodes: SharedGraph | NodeEmbedding, summaries: int, **options: Any) -> None:
        super().__init__()
        self.near = SCGEConv(channels, channels, nodes, concat=False, **options)
        self.far = torch.nn.Linear(channels, channels) if summaries else None
        self.gathers, self.spreads = (
            torch.nn.Parameter(torch.randn(nodes.num_nodes, summaries)) if summaries else None for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        heard: Tensor = self.near(x)
        if self.far is None or self.gathers is None or self.spreads is None:
            return heard
        summary = self.gathers.softmax(0).mT @ self.far(x)
        return heard + self.spreads.softmax(1) @ summary
