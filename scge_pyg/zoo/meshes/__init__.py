"""Triangle meshes: shapes, refinement, and learned physics on them."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.zoo.meshes.remeshing import Remeshed, remesh, sizing_of_edges
    from scge_pyg.zoo.meshes.simulator import MeshSimulator
    from scge_pyg.zoo.meshes.triangle_mesh import TriangleMesh, icosphere, sheet
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["MeshSimulator", "Remeshed", "TriangleMesh", "icosphere", "remesh", "sheet", "sizing_of_edges"]
