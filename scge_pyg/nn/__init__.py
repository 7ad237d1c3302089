"""Layers on a shared graph."""

from scge_pyg.nn.lowering import lower_to_conv
from scge_pyg.nn.node_embedding import NodeEmbedding
from scge_pyg.nn.norm import NodeBatchNorm
from scge_pyg.nn.on_shared_graph import OnSharedGraph
from scge_pyg.nn.pool import ClusterPool, ClusterUnpool, NodeMean
from scge_pyg.nn.scge_conv import SCGEConv

__all__ = [
    "ClusterPool",
    "ClusterUnpool",
    "NodeBatchNorm",
    "NodeEmbedding",
    "NodeMean",
    "OnSharedGraph",
    "SCGEConv",
    "lower_to_conv",
]
