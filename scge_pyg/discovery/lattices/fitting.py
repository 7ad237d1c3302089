"""A lattice where the coupling is one, checked against the edges and against held-out samples."""

from __future__ import annotations

import numpy as np

from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.coupling.thresholds import SIGNIFICANT
from scge_pyg.discovery.lattices.snapping import Cells, find_cells
from scge_pyg.discovery.maps.joining import join_pieces
from scge_pyg.discovery.maps.wiring import attach, mutual_top, wire
from scge_pyg.graph.drawing.wiring import edges_of, strength_of

__all__ = ["beside", "fit_lattice"]

_OWN_EDGES = 0.9  # share of the wiring that joins neighbouring cells: 1.0 on true lattices, 0.6 to 0.8 on false ones


def fit_lattice(coupling: Coupling, dim: int, generator: np.random.Generator) -> tuple[Cells, np.ndarray] | None:
    """Cells of all nodes of one part, and the edges ``[2, E]`` that coupling and cells agree on; ``None`` off lattices.

    The search is entered where the wiring has the degrees and cycles of a grid, and refused where a tenth of the wiring
    does not join neighbouring cells. Edges are the significant partners in neighbouring cells, and as many weaker ones
    as hold the nodes together.

    Args:
        coupling: Direct coupling of the nodes.
        dim: Intrinsic dimension, at most 3.
        generator: Source of randomness.
    """
    num_nodes = coupling.matrix.shape[0]
    wiring = wire(coupling.matrix, coupling.noise, dim)
    cells = find_cells(coupling.matrix, wiring, np.arange(num_nodes), dim, generator)
    if cells is None or beside(cells, wiring.edges).mean() < _OWN_EDGES:
        return None
    pairs = mutual_top(coupling.matrix, 4 * dim)
    pairs = pairs[:, strength_of(coupling.matrix, pairs) > SIGNIFICANT * coupling.noise]
    edges = pairs[:, beside(cells, pairs)]
    weak = edges_of(coupling.matrix)
    weak = weak[:, beside(cells, weak)]
    edges = join_pieces(edges, weak, strength_of(coupling.matrix, weak), num_nodes)
    stray = attach(coupling.matrix, edges, coupling.noise)
    return cells, np.concatenate([edges, stray], 1)


def beside(cells: Cells, pairs: np.ndarray) -> np.ndarray:
    """Whether pairs ``[2, P]`` lie in neighbouring cells, ``[P]``; nodes without a cell lie beside none."""
    step = np.abs(cells.cell[pairs[0]] - cells.cell[pairs[1]])
    for axis, (size, wraps) in enumerate(zip(cells.shape, cells.periodic, strict=True)):
        if wraps:
            step[:, axis] = np.minimum(step[:, axis], size - step[:, axis])
    placed = (cells.cell[pairs] >= 0).all(2).all(0)
    return placed & (step.sum(1) == 1)
