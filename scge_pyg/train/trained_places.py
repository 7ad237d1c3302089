"""Which places of a model are trained, and which of its layers stand on them."""

from __future__ import annotations

import torch

from scge_pyg.nn import NodeEmbedding, SCGEConv
from scge_pyg.nn.fixed.neighbor_attention import NeighborAttention

__all__ = ["products_on_places", "table_of"]


def table_of(model: torch.nn.Module) -> NodeEmbedding:
    """The largest :class:`NodeEmbedding` of a model: that of the samples' own nodes.

    Raises:
        ValueError: If the model has none.

    Example:
        >>> table_of(torch.nn.Sequential(SCGEConv(1, 1, NodeEmbedding(9, 2))))
        NodeEmbedding(9, 2)
    """
    tables = [part for part in model.modules() if isinstance(part, NodeEmbedding)]
    if not tables:
        raise ValueError(
            f"{type(model).__name__} has no trained places; build it on a NodeEmbedding, for instance with places=2"
        )
    return max(tables, key=lambda table: table.num_nodes)


def products_on_places(model: torch.nn.Module) -> list[NeighborAttention]:
    """The attention of each layer that scores neighbours by trained places."""
    layers = [part for part in model.modules() if isinstance(part, SCGEConv)]
    products = [layer.product for layer in layers if any(isinstance(end, NodeEmbedding) for end in _ends(layer))]
    return [product for product in products if isinstance(product, NeighborAttention)]


def _ends(layer: SCGEConv) -> tuple[object, object]:
    return layer.source, layer.target
