"""How well a graph, its cells and its coordinates agree with a known truth."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.metrics.cells import cell_accuracy
    from scge_pyg.metrics.coordinates import continuity, procrustes_error, trustworthiness
    from scge_pyg.metrics.edges import EdgeScores, edge_scores, grid_edges
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "EdgeScores",
    "cell_accuracy",
    "continuity",
    "edge_scores",
    "grid_edges",
    "procrustes_error",
    "trustworthiness",
]
