"""`OnSharedGraph`: any PyG operator on one graph that all samples share."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.batching import as_batch, as_given

__all__ = ["OnSharedGraph"]


class OnSharedGraph(torch.nn.Module):
    r"""Runs a PyG operator, or a whole PyG model, on the graph of a modality.

    The batch is taken as :math:`B` disjoint copies of the graph,

    .. math::
        \mathbf{Y} = \mathrm{conv}(\mathbf{X}, \{(j + bN,\ i + bN) : (j, i) \in \mathcal{E},\ 0 \le b < B\}),

    so the result equals a loop over the samples for every operator that works node by node and edge by edge.
    Operators whose ``forward`` takes ``edge_weight`` get the graph's weights. Those that take ``edge_attr`` get them
    as one feature per edge if they were built with ``edge_dim=1``, and nothing otherwise.

    The graph moves with the module, but is not part of its ``state_dict``.

    Cost: that of the operator on :math:`B N` nodes and :math:`B E` edges.

    Args:
        conv: The operator; its ``forward`` takes ``x`` and ``edge_index`` first.
        graph: The graph that all samples share.

    Shapes:
        - **input:** :math:`(B, N, C)`, PyG's flat :math:`(B N, C)`, or one sample :math:`(N, C)`
        - **output:** :math:`(B, N, C')`, :math:`(B N, C')` or :math:`(N, C')`

    Raises:
        TypeError: If ``conv`` takes no ``edge_index``, or ``graph`` is no graph.
        ValueError: If ``conv`` caches its graph, or wants edge features of more than one dimension.

    Example:
        >>> import torch
        >>> from torch_geometric.nn import GATConv
        >>> from scge_pyg import OnSharedGraph, SharedGraph
        >>> layer = OnSharedGraph(GATConv(3, 8), SharedGraph.from_grid((4, 5)))
        >>> layer(torch.randn(2, 20, 3)).shape
        torch.Size([2, 20, 8])
    """

    edge_index: Tensor
    edge_weight: Tensor

    def __init__(self, conv: torch.nn.Module, graph: SharedGraph) -> None:
        super().__init__()
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"OnSharedGraph: graph must be a SharedGraph, got {type(graph).__name__}")
        taken = inspect.signature(conv.forward).parameters
        if "edge_index" not in taken:
            raise TypeError(
                f"OnSharedGraph: {type(conv).__name__}.forward takes no edge_index, only ({', '.join(taken)}); "
                f"modules that act on each node need no graph and can be used as they are"
            )
        if getattr(conv, "cached", False):
            raise ValueError(
                f"OnSharedGraph: {type(conv).__name__}(cached=True) keeps the graph of the first batch; "
                f"use cached=False, since batches may differ in size"
            )
        edge_dim = getattr(conv, "edge_dim", None)
        if edge_dim not in (None, 1):
            raise ValueError(
                f"OnSharedGraph: the graph has one weight per edge, but {type(conv).__name__} was built with "
                f"edge_dim={edge_dim}; use edge_dim=1 or None"
            )
        self.conv = conv
        self.num_nodes = graph.num_nodes
        self._pass_weight = "edge_weight" in taken and getattr(conv, "supports_edge_weight", True)
        self._pass_attribute = "edge_attr" in taken and edge_dim == 1
        self.register_buffer("edge_index", graph.edge_index, persistent=False)
        self.register_buffer("edge_weight", graph.edge_weight, persistent=False)

    def reset_parameters(self) -> None:
        """Reset the operator."""
        reset = getattr(self.conv, "reset_parameters", None)
        if reset is not None:
            reset()

    def forward(self, x: Tensor, **kwargs: Any) -> Any:
        """Apply the operator to ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``.

        Further keyword arguments reach the operator. Where it returns a tuple, such as attention weights, the
        first item comes back in the layout of ``x`` and the others as they are, for the disjoint copies.
        """
        batch = as_batch(x, self.num_nodes, None, f"OnSharedGraph({type(self.conv).__name__})")
        copies = batch.shape[0]
        shift = torch.arange(copies, device=self.edge_index.device) * self.num_nodes
        edge_index = (self.edge_index.unsqueeze(1) + shift.view(1, -1, 1)).flatten(1)
        weight = self.edge_weight.to(x.dtype).repeat(copies)
        if self._pass_weight:
            kwargs.setdefault("edge_weight", weight)
        if self._pass_attribute:
            kwargs.setdefault("edge_attr", weight.unsqueeze(1))
        out = self.conv(batch.flatten(0, 1), edge_index, **kwargs)
        first, *others = out if isinstance(out, tuple) else (out,)
        y = as_given(first.unflatten(0, (-1, self.num_nodes)), x)
        return (y, *others) if others else y

    def extra_repr(self) -> str:
        return f"nodes={self.num_nodes}, edges={self.edge_index.shape[1]}"
