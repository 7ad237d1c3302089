"""Find the geometry of measurements with no known graph, and run PyTorch Geometric models on it."""

from scge_pyg.graph import SharedGraph, discover
from scge_pyg.nn import NodeEmbedding, OnSharedGraph, SCGEConv, lower_to_conv

__all__ = ["NodeEmbedding", "OnSharedGraph", "SCGEConv", "SharedGraph", "discover", "lower_to_conv"]
__version__ = "0.1.0"
