"""Containment by construction: PyG's attention operators and multi-head self-attention as layers on a node set."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.layer.content import ContentScore

__all__ = ["FromAttention"]

Layer = TypeVar("Layer", bound="FromAttention")


class FromAttention:
    """Constructors of :class:`scge_pyg.SCGEConv` from attention operators; weights are copied.

    All are pure attention: no kernel, and no score of the places.
    """

    @classmethod
    def from_gat(cls: type[Layer], conv: Any, graph: SharedGraph) -> Layer:
        """The layer that equals PyG's ``GATConv`` on the edges of ``graph``.

        Raises:
            ValueError: If ``conv`` has dropout, edge features or two inputs.

        Example:
            >>> import torch
            >>> from torch_geometric.nn import GATConv
            >>> from scge_pyg import SCGEConv, SharedGraph
            >>> graph, conv = SharedGraph.from_grid((4, 5)), GATConv(3, 8, heads=2)
            >>> x = torch.randn(20, 3)
            >>> torch.allclose(SCGEConv.from_gat(conv, graph)(x), conv(x, graph.edge_index), atol=1e-5)
            True
        """
        _check(conv, "from_gat", edge_dim=None, dropout=0.0)
        weight = _heads(conv.lin.weight, conv.heads)
        layer = _attention(cls, conv, graph, weight, "gat", conv.add_self_loops, conv.res)
        score: ContentScore = layer.product.content
        score.negative_slope = conv.negative_slope
        with torch.no_grad():
            score.source.weight.copy_(torch.einsum("hf,hfc->hc", conv.att_src[0], weight))
            score.target.weight.copy_(torch.einsum("hf,hfc->hc", conv.att_dst[0], weight))
            _copy(layer.bias, conv.bias)
        result: Layer = layer
        return result

    @classmethod
    def from_gatv2(cls: type[Layer], conv: Any, graph: SharedGraph) -> Layer:
        """The layer that equals PyG's ``GATv2Conv`` on the edges of ``graph``. See :meth:`from_gat`."""
        _check(conv, "from_gatv2", edge_dim=None, dropout=0.0)
        weight = _heads(conv.lin_l.weight, conv.heads)
        layer = _attention(cls, conv, graph, weight, "gatv2", conv.add_self_loops, conv.res)
        score: ContentScore = layer.product.content
        score.negative_slope = conv.negative_slope
        with torch.no_grad():
            score.source.weight.copy_(conv.lin_l.weight)
            score.target.weight.copy_(conv.lin_r.weight)
            biases = [0.0 if linear.bias is None else linear.bias for linear in (conv.lin_l, conv.lin_r)]
            score.target.bias.copy_(torch.zeros_like(score.target.bias) + biases[0] + biases[1])
            assert score.vector is not None
            score.vector.copy_(conv.att[0])
            values = None if conv.lin_l.bias is None else _merged(conv.lin_l.bias, conv)
            _copy(layer.bias, conv.bias, values)
        result: Layer = layer
        return result

    @classmethod
    def from_transformer(cls: type[Layer], conv: Any, graph: SharedGraph) -> Layer:
        """The layer that equals PyG's ``TransformerConv`` on the edges of ``graph``.

        Raises:
            ValueError: If ``conv`` has dropout, edge features, two inputs or ``beta``, or some live node has no edge
                (PyG gives such a node no value bias, this layer does).

        Example:
            >>> import torch
            >>> from torch_geometric.nn import TransformerConv
            >>> from scge_pyg import SCGEConv, SharedGraph
            >>> graph, conv = SharedGraph.from_grid((4, 5)), TransformerConv(3, 8, heads=2)
            >>> x = torch.randn(20, 3)
            >>> torch.allclose(SCGEConv.from_transformer(conv, graph)(x), conv(x, graph.edge_index), atol=1e-5)
            True
        """
        _check(conv, "from_transformer", edge_dim=None, dropout=0.0, lin_beta=None)
        if torch.unique(graph.edge_index[1]).numel() < graph.num_nodes:
            raise ValueError("from_transformer: every node of the graph must have an edge")
        weight = _heads(conv.lin_value.weight, conv.heads)
        layer = _attention(cls, conv, graph, weight, "dot", False, conv.lin_skip if conv.root_weight else None)
        score: ContentScore = layer.product.content
        with torch.no_grad():
            _copy_linear(score.source, conv.lin_key)
            _copy_linear(score.target, conv.lin_query)
            values = None if conv.lin_value.bias is None else _merged(conv.lin_value.bias, conv)
            skip = conv.lin_skip.bias if conv.root_weight else None
            _copy(layer.bias, skip, values)
        result: Layer = layer
        return result

    @classmethod
    def from_multihead_attention(cls: type[Layer], attention: nn.MultiheadAttention, num_nodes: int) -> Layer:
        """The layer that equals self-attention over N tokens, ``attention(x, x, x)``: k = N and ``content="dot"``.

        The output projection joins the value matrices; the heads are averaged.

        Raises:
            ValueError: If ``attention`` has dropout, other widths for keys or values, or extra keys.

        Example:
            >>> import torch
            >>> from scge_pyg import SCGEConv
            >>> attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
            >>> x = torch.randn(3, 10, 8)
            >>> layer = SCGEConv.from_multihead_attention(attention, num_nodes=10)
            >>> torch.allclose(layer(x), attention(x, x, x)[0], atol=1e-5)
            True
        """
        name = "from_multihead_attention"
        _check(attention, name, dropout=0.0, bias_k=None, bias_v=None, add_zero_attn=False)
        if attention.in_proj_weight is None:
            raise ValueError(f"{name}: kdim and vdim must equal embed_dim")
        width, heads = attention.embed_dim, attention.num_heads
        build: Any = cls
        layer: Any = build(
            width,
            width,
            SharedGraph.from_grid((num_nodes,)),
            k=num_nodes,
            kernel=None,
            content="dot",
            heads=heads,
            concat=False,
            tau=math.inf,
            bias=attention.in_proj_bias is not None,
        )
        # the score has the width of a head, not of the output
        layer.product.content = ContentScore("dot", width, heads, width // heads)
        layer = layer.to(attention.in_proj_weight)
        query, key, value = attention.in_proj_weight.chunk(3)
        out = attention.out_proj.weight.unflatten(1, (heads, -1))
        with torch.no_grad():
            for linear, rows in ((layer.product.content.target, query), (layer.product.content.source, key)):
                linear.weight.copy_(rows)
            layer.weight.copy_(heads * torch.einsum("ehd,hdc->che", out, _heads(value, heads)).flatten(1).unsqueeze(0))
            values = None
            if attention.in_proj_bias is not None:
                query_bias, key_bias, value_bias = attention.in_proj_bias.chunk(3)
                layer.product.content.target.bias.copy_(query_bias)
                layer.product.content.source.bias.copy_(key_bias)
                values = attention.out_proj.weight @ value_bias
            if layer.bias is not None:
                _copy(layer.bias, attention.out_proj.bias, values)
        result: Layer = layer
        return result


def _check(conv: Any, name: str, **wanted: Any) -> None:
    for key, value in wanted.items():
        if getattr(conv, key, value) != value and getattr(conv, key) is not value:
            raise ValueError(f"{name}: {key} must be {value}, got {getattr(conv, key)}")
    if isinstance(getattr(conv, "in_channels", 0), tuple):
        raise ValueError(f"{name}: in_channels must be one number, got {conv.in_channels}: the layer has one node set")


def _heads(weight: Tensor, heads: int) -> Tensor:
    """Rows of a linear layer by head, ``[H, F, C]``."""
    return weight.detach().unflatten(0, (heads, -1))


def _merged(values: Tensor, conv: Any) -> Tensor:
    """What a value bias ``[H * F]`` adds to the output, whose attention weights sum to 1."""
    return values if conv.concat else values.unflatten(0, (conv.heads, -1)).mean(0)


def _attention(
    cls: type[FromAttention], conv: Any, graph: SharedGraph, weight: Tensor, content: str, self_loops: bool, root: Any
) -> Any:
    """The layer on the edges of ``graph`` with values ``weight [H, F, C]`` and root weight of the linear ``root``."""
    build: Any = cls
    layer: Any = build(
        conv.in_channels,
        conv.out_channels,
        graph,
        kernel=None,
        content=content,
        heads=conv.heads,
        concat=conv.concat,
        neighbors="edges",
        self_loops=self_loops,
        root_weight=root is not None,
    )
    layer = layer.to(weight)
    with torch.no_grad():
        layer.weight.copy_(weight.permute(2, 0, 1).flatten(1).unsqueeze(0))
        if root is not None:
            layer.root.copy_(root.weight.T)
    return layer


def _copy_linear(mine: nn.Linear, other: Any) -> None:
    mine.weight.copy_(other.weight)
    if other.bias is not None:
        mine.bias.copy_(other.bias)


def _copy(bias: Tensor, *parts: Tensor | None) -> None:
    """The sum of what is there."""
    bias.zero_()
    for part in parts:
        if part is not None:
            bias.add_(part)
