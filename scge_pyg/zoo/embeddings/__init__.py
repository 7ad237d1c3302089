"""Embeddings of the nodes of a graph, as layouts and as features."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.zoo.embeddings.affinities import conditional_affinities, graph_distances, joint_affinities
    from scge_pyg.zoo.embeddings.deepwalk import DeepWalk, edge_features
    from scge_pyg.zoo.embeddings.hierarchical_softmax import HierarchicalSoftmax
    from scge_pyg.zoo.embeddings.sne import SNE, sne_loss, tsne_gradient, tsne_loss
    from scge_pyg.zoo.embeddings.tsnet import TsNET, tsnet_loss
    from scge_pyg.zoo.embeddings.walks import Node2VecWalks
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "SNE",
    "DeepWalk",
    "HierarchicalSoftmax",
    "Node2VecWalks",
    "TsNET",
    "conditional_affinities",
    "edge_features",
    "graph_distances",
    "joint_affinities",
    "sne_loss",
    "tsne_gradient",
    "tsne_loss",
    "tsnet_loss",
]
