"""Samples to geometry: statistics of the nodes' signals, the graph they imply, and its coordinates."""

from scge_pyg.graph.coupling import direct_coupling, local_coupling, partial_correlation
from scge_pyg.graph.dimension import intrinsic_dimension
from scge_pyg.graph.discovery import discover
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.moments import Moments
from scge_pyg.graph.neighbors import knn
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = [
    "Lattice",
    "Moments",
    "SharedGraph",
    "direct_coupling",
    "discover",
    "intrinsic_dimension",
    "knn",
    "local_coupling",
    "partial_correlation",
]
