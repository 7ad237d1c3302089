"""What a geometry is: coordinates, edges, cells, and their coarsening."""

from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.neighbors import knn
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["Lattice", "SharedGraph", "intrinsic_dimension", "knn"]
