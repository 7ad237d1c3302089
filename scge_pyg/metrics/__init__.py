"""How well a graph, its cells and its coordinates agree with a known truth."""

from scge_pyg.metrics.cells import cell_accuracy
from scge_pyg.metrics.coordinates import continuity, procrustes_error, trustworthiness
from scge_pyg.metrics.edges import EdgeScores, edge_scores, grid_edges

__all__ = [
    "EdgeScores",
    "cell_accuracy",
    "continuity",
    "edge_scores",
    "grid_edges",
    "procrustes_error",
    "trustworthiness",
]
