"""Operators of the survey on a shared graph."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.zoo.operators.cluster_sampler import ClusterSampler
    from scge_pyg.zoo.operators.dagnn_conv import DAGNNConv
    from scge_pyg.zoo.operators.dirac_operator import DiracOperator, potential_well
    from scge_pyg.zoo.operators.gwnn_conv import GWNNConv
    from scge_pyg.zoo.operators.layer_sampler import LayerSampler
    from scge_pyg.zoo.operators.mesh_graph_net import MeshGraphNet, edge_offsets, world_edges
    from scge_pyg.zoo.operators.recurrent_aggregation import RecurrentAggregation
    from scge_pyg.zoo.operators.rs_conv import RSConv
    from scge_pyg.zoo.operators.sgwt import SGWT
    from scge_pyg.zoo.operators.sgwt_conv import SGWTConv
    from scge_pyg.zoo.operators.simple_view import SimpleView, depth_images
    from scge_pyg.zoo.operators.smoothness import graph_smoothness, node_smoothness, propagation_limit
    from scge_pyg.zoo.operators.squeeze_excitation import SqueezeExcitation
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "SGWT",
    "ClusterSampler",
    "DAGNNConv",
    "DiracOperator",
    "GWNNConv",
    "LayerSampler",
    "MeshGraphNet",
    "RSConv",
    "RecurrentAggregation",
    "SGWTConv",
    "SimpleView",
    "SqueezeExcitation",
    "depth_images",
    "edge_offsets",
    "graph_smoothness",
    "node_smoothness",
    "potential_well",
    "propagation_limit",
    "world_edges",
]
