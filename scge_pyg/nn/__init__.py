"""Layers on a shared graph."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.nn.dense.lowering import lower_to_conv
    from scge_pyg.nn.fixed.norm import NodeBatchNorm
    from scge_pyg.nn.fixed.on_shared_graph import OnSharedGraph
    from scge_pyg.nn.fixed.pool import ClusterPool, ClusterUnpool, NodeMean
    from scge_pyg.nn.layer.scge_conv import SCGEConv
    from scge_pyg.nn.layer.settle import settle
    from scge_pyg.nn.layer.transfer import transfer
    from scge_pyg.nn.node_calibration import NodeCalibration
    from scge_pyg.nn.trained.fit_embedding import fit_embedding
    from scge_pyg.nn.trained.hebbian import HebbianLoss
    from scge_pyg.nn.trained.node_embedding import NodeEmbedding
    from scge_pyg.nn.trained.wiring_schedule import WiringSchedule
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "ClusterPool",
    "ClusterUnpool",
    "HebbianLoss",
    "NodeBatchNorm",
    "NodeCalibration",
    "NodeEmbedding",
    "NodeMean",
    "OnSharedGraph",
    "SCGEConv",
    "WiringSchedule",
    "fit_embedding",
    "lower_to_conv",
    "settle",
    "transfer",
]
