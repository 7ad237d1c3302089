"""What a geometry is: coordinates, edges, cells, what they were judged by, and their coarsening."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.graph.drawing.dimension import intrinsic_dimension
    from scge_pyg.graph.fit import Fit
    from scge_pyg.graph.joint import joint
    from scge_pyg.graph.lattice import Lattice
    from scge_pyg.graph.neighbors import knn
    from scge_pyg.graph.shared_graph import SharedGraph
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["Fit", "Lattice", "SharedGraph", "intrinsic_dimension", "joint", "knn"]
