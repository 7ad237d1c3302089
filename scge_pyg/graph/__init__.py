"""Samples to geometry: statistics of the nodes' signals, the graph they imply, and its coordinates."""

from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.neighbors import knn
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["Lattice", "SharedGraph", "knn"]
