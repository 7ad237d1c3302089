"""`SCGEForecaster`: a shared network whose nodes hear their neighbours on a discovered geometry."""

from __future__ import annotations

from functools import partial
from typing import Any

from scge_pyg.graph import SharedGraph
from scge_pyg.models.forecasting.shared import SharedForecaster
from scge_pyg.nn import NodeEmbedding, SCGEConv

__all__ = ["SCGEForecaster"]


class SCGEForecaster(SharedForecaster):
    r"""A :class:`SharedForecaster` in which nodes listen to the ``k`` nearest on the map, by what these say.

    Each block mixes by an :class:`SCGEConv` with ``content``: attention weights are the window's, and as they see the
    nodes' embedding, they also learn which neighbour matters to whom. Discover the graph on the part of the series that
    is trained on.

    Args:
        window: Steps W that it sees.
        horizon: Steps H that it predicts, all at once.
        graph: The modality, or a :class:`NodeEmbedding`, whose places are then trained with the rest.
        k: Nodes that a node listens to, itself among them. Default: 8.
        content: Score of :class:`SCGEConv`. Default: ``"gat"``.
        kernel: Kernel of :class:`SCGEConv`. Default: none, one matrix for all offsets.
        conv: Further arguments of :class:`SCGEConv`.
        **options: Further arguments of :class:`SharedForecaster`: ``channels``, ``layers``, ``identity``, ``period``,
            ``waves`` and ``dropout``.

    Shapes:
        - **input:** windows :math:`(B, N, W)`, flat :math:`(B N, W)` or one :math:`(N, W)`; with a ``period``,
          ``time`` :math:`(B)`
        - **output:** the same layout with H steps

    Raises:
        ValueError: If a size is not positive, or the input doesn't fit (:class:`Forecaster`).

    Example:
        >>> import torch
        >>> from scge_pyg import SharedGraph
        >>> model = SCGEForecaster(12, 3, SharedGraph.from_grid((4, 5)), k=4)
        >>> model(torch.rand(2, 20, 12)).shape
        torch.Size([2, 20, 3])
    """

    def __init__(
        self,
        window: int,
        horizon: int,
        graph: SharedGraph | NodeEmbedding,
        *,
        k: int = 8,
        content: str | None = "gat",
        kernel: str | None = None,
        conv: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        chosen = {"k": k, "content": content, "kernel": kernel, **(conv or {})}
        super().__init__(graph.num_nodes, window, horizon, mix=partial(_layer, nodes=graph, options=chosen), **options)


def _layer(channels: int, nodes: SharedGraph | NodeEmbedding, options: dict[str, Any]) -> SCGEConv:
    return SCGEConv(channels, channels, nodes, **options)
