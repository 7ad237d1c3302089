"""Layers on a shared graph."""

from scge_pyg.nn.fit_embedding import fit_embedding
from scge_pyg.nn.hebbian import HebbianLoss
from scge_pyg.nn.lowering import lower_to_conv
from scge_pyg.nn.node_embedding import NodeEmbedding
from scge_pyg.nn.norm import NodeBatchNorm
from scge_pyg.nn.on_shared_graph import OnSharedGraph
from scge_pyg.nn.pool import ClusterPool, ClusterUnpool, NodeMean
from scge_pyg.nn.scge_conv import SCGEConv

__all__ = [
    "ClusterPool",
    "ClusterUnpool",
    "HebbianLoss",
    "NodeBatchNorm",
    "NodeEmbedding",
    "NodeMean",
    "OnSharedGraph",
    "SCGEConv",
    "fit_embedding",
    "lower_to_conv",
]
