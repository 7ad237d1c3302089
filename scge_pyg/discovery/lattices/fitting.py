"""A lattice where the coupling is one, checked against the edges and against held-out samples."""

from __future__ import annotations

import math

import numpy as np

from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.coupling.thresholds import SIGNIFICANT
from scge_pyg.discovery.lattices.from_map import cells_of_map
from scge_pyg.discovery.lattices.settling import Cells, mend_cells
from scge_pyg.discovery.lattices.snapping import find_cells
from scge_pyg.discovery.maps.joining import join_pieces
from scge_pyg.discovery.maps.sketch import signal_distance
from scge_pyg.discovery.maps.wiring import mutual_top
from scge_pyg.discovery.signals.signals import Signals
from scge_pyg.graph.drawing.wiring import Wiring, edges_of, strength_of

__all__ = [
    "are_moved",
    "beside",
    "compact",
    "differ_alike",
    "edges_on_lattice",
    "grow_lattice",
    "in_a_row",
    "mend_lattice",
    "side_by_side_cells",
    "snap_lattice",
    "solid",
    "unevenness",
]

_OWN_EDGES = 0.9  # share of the wiring that joins neighbouring cells: 1.0 on true lattices, 0.6 to 0.8 on false ones
_NO_JUMPS = 0.95
_SOLID = 0.65  # neighbours a node and axis: 0.67 on 3 x 3, at most 0.6 where a plane was strung out
_EVEN, _SAMPLED = 0.065, 2.6
_UNEVEN = 0.12  # deviation of the log ratio of gaps that follow each other: 0.07 at most if regular, 0.18 if thrown


def grow_lattice(coupling: Coupling, wiring: Wiring, dim: int, generator: np.random.Generator) -> Cells | None:
    """Cells of all nodes of one part by likelihood, or ``None`` where the wiring is no grid.

    The search is entered where the wiring has the degrees and cycles of a grid, and its result refused where a tenth of
    the wiring does not join neighbouring cells, or where the nodes of a chain are not evenly spaced.

    Args:
        coupling: Direct coupling of the nodes.
        wiring: Its edges.
        dim: Intrinsic dimension, at most 3.
        generator: Source of randomness.
    """
    cells = find_cells(coupling.matrix, wiring, np.arange(coupling.matrix.shape[0]), dim, generator)
    return cells if cells is not None and compact(cells) and _holds(cells, coupling, wiring) else None


def mend_lattice(coupling: Coupling, wiring: Wiring, cells: Cells, generator: np.random.Generator) -> Cells | None:
    """The same from cells that are mostly right, -1 where a node has none, instead of a search.

    The wiring may have further edges where all neighbouring cells are joined: it grants each node as many, and nodes
    on the rim have fewer such neighbours, 60 pairs of 72 edges on 6 x 6.
    """
    mended = mend_cells(coupling.matrix, wiring, cells, generator)
    return mended if mended is not None and solid(mended) and _holds(mended, coupling, wiring, True) else None


def _holds(cells: Cells, coupling: Coupling, wiring: Wiring, further: bool = False) -> bool:
    """Whether the wiring joins neighbours, or these and ``further`` cells; nodes of a chain are evenly spaced."""
    own, wanted = int(beside(cells, wiring.edges).sum()), wiring.edges.shape[1]
    if further:
        wanted = min(wanted, side_by_side_cells(cells).shape[1])
    axial = own > 0 and own / wanted >= _OWN_EDGES
    return axial and (len(cells.shape) > 1 or unevenness(coupling, cells) <= _UNEVEN)


def snap_lattice(pos: np.ndarray, edges: np.ndarray, coupling: Coupling) -> Cells | None:
    """Cells of all nodes read off their map, or ``None`` where it is no grid or its edges jump over cells.

    Args:
        pos: Map ``[N, d]`` with unit spacing.
        edges: Edges ``[2, E]`` of the graph; those across corners are no jumps.
        coupling: Direct coupling, by which the nodes of a chain must be evenly spaced.
    """
    cell = cells_of_map(pos)
    if cell is None or (np.abs(cell[edges[0]] - cell[edges[1]]).max(1) <= 1).mean() < _NO_JUMPS:
        return None
    shape = tuple(int(n) for n in cell.max(0) + 1)
    cells = Cells(cell, shape, (False,) * cell.shape[1], np.ones(len(cell)), 0.0)
    return cells if compact(cells) and (cell.shape[1] > 1 or unevenness(coupling, cells) <= _UNEVEN) else None


def compact(cells: Cells) -> bool:
    """Whether occupied cells lie side by side as on a solid board; nodes strung along its lines do not."""
    cell = cells.cell[cells.cell[:, 0] >= 0]
    extent = np.array(cells.shape)
    board = np.zeros(cells.shape, dtype=bool)
    board[tuple(cell.T)] = True
    joined = sum(
        int((board & np.roll(board, 1, axis))[(slice(None),) * axis + (slice(0 if wraps else 1, None),)].sum())
        for axis, wraps in enumerate(cells.periodic)
    )
    return joined >= _SOLID * len(extent) * len(cell)


def solid(cells: Cells) -> bool:
    """Whether cells are compact or fill a box, which has few inner sides where it is small: 2 x 2, 2 x 3, 2 x 2 x 4."""
    return math.prod(cells.shape) == int((cells.cell[:, 0] >= 0).sum()) or compact(cells)


def in_a_row(cells: Cells) -> list[np.ndarray]:
    """Nodes in three cells that follow each other, ``[3, T]`` for each axis."""
    board, found = _board(cells), []
    for axis in range(board.ndim):
        rows = np.moveaxis(board, axis, 0).reshape(board.shape[axis], -1)
        three = np.stack([rows[:-2].ravel(), rows[1:-1].ravel(), rows[2:].ravel()])
        found.append(three[:, (three >= 0).all(0)])
    return found


def _board(cells: Cells) -> np.ndarray:
    """The node in each cell, -1 where there is none."""
    board = np.full(cells.shape, -1)
    placed = np.flatnonzero(cells.cell[:, 0] >= 0)
    board[tuple(cells.cell[placed].T)] = placed
    return board


def unevenness(coupling: Coupling, cells: Cells) -> float:
    """Deviation of the log ratio of two gaps that follow each other along an axis; any order of places can be numbered.

    Gaps are distances of signals, :math:`\\sqrt{1 - r}`. Regular fields come to 0.08, places moved by a tenth of the
    spacing to 0.2, by more to 0.25 and above.
    """
    ratios = [np.zeros(0)]
    for three in in_a_row(cells):
        first, second = (signal_distance(1 - coupling.dissimilarity(three[k : k + 2])) for k in (0, 1))
        ratios.append(np.log(second / first))
    every = np.concatenate(ratios)
    return float(every.std()) if len(every) else 0.0


def are_moved(coupling: Coupling, cells: Cells, effective: float) -> bool:
    r"""Whether the gaps are those of places beside their cells: more uneven than :math:`\sqrt{0.065^2 + 2.6^2 / S}`.

    The second term is what S samples leave uncertain. Photographs come to 0.087 with 1,000 samples and to 0.04 with
    5,000, whole or with holes; moved by a tenth of the spacing to 0.1 and more.

    Args:
        coupling: Direct coupling of the nodes.
        cells: Their cells.
        effective: Effective number of samples S.
    """
    return unevenness(coupling, cells) > math.hypot(_EVEN, _SAMPLED / math.sqrt(max(effective, 1.0)))


def differ_alike(signals: Signals, cells: Cells) -> bool:
    r"""Whether the gaps along a chain differ on both sides of the samples alike, by more than a regular chain's do.

    Noise of each sensor's own adds to all gaps and hides their differences, and few samples make some; only true ones
    are shared by both sides. With the variogram :math:`\gamma = 1 - r`, refused are

    .. math::
        \operatorname{cov}(l_1, l_2) - 2 \sigma > \Bigl(0.065\, \frac{\gamma_2 - \gamma_1}{\gamma_1}\Bigr)^2, \qquad
        l = \tfrac12 \log \frac{\gamma(i + 1, i + 2)}{\gamma(i, i + 1)}

    over the N nodes, with :math:`\sigma` the standard error of that covariance. Noise of its own leaves
    :math:`\gamma_2 - \gamma_1`, two steps less one, but adds to :math:`\gamma_1`; the factor is at most 1.

    Args:
        signals: Signals of the nodes.
        cells: Cells with one axis.
    """
    order = np.argsort(cells.cell[:, 0], kind="stable")
    steps = [np.stack([order[:-k], order[k:]]) for k in (1, 2)]
    sides = [signals.score[:, signals.split.side(which)] for which in (0, 1)]
    one, two = (np.stack([_variogram(side, pairs) for side in sides]) for pairs in steps)
    ratio = np.log(one[:, 1:] / one[:, :-1]) / 2
    ratio -= ratio.mean(1, keepdims=True)
    shared = ratio[0] * ratio[1]
    error = float(shared.std()) / math.sqrt(max(1, len(shared)))
    clear = min(1.0, max(0.0, float(two.mean() / one.mean()) - 1))
    return float(shared.mean()) - 2 * error > (_EVEN * clear) ** 2


def _variogram(score: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """One minus the correlation of pairs ``[2, E]`` of scores, ``[E]``."""
    length = np.sqrt((score**2).sum(1))
    product = np.einsum("es,es->e", score[pairs[0]], score[pairs[1]])
    return np.asarray(np.maximum(1 - product / (length[pairs[0]] * length[pairs[1]]), 1e-4))


def edges_on_lattice(coupling: Coupling, cells: Cells) -> np.ndarray:
    """Edges ``[2, E]`` that coupling and cells agree on.

    They are the significant partners in neighbouring cells, and as many further neighbouring cells as hold the nodes
    together, strongly coupled ones first. Only where the occupied cells themselves are apart, or a node has none, do
    edges join others: weaker partners, and what even they leave apart row by row.
    """
    num_nodes = coupling.matrix.shape[0]
    pairs = mutual_top(coupling.matrix, 4 * cells.cell.shape[1])
    pairs = pairs[:, strength_of(coupling.matrix, pairs) > SIGNIFICANT * coupling.noise]
    edges = pairs[:, beside(cells, pairs)]
    weak = edges_of(coupling.matrix)
    row_by_row = np.lexsort(cells.cell.T[::-1])
    last = np.stack([row_by_row[:-1], row_by_row[1:]])
    joins = np.concatenate([side_by_side_cells(cells), weak, last], 1)
    strength = strength_of(coupling.matrix, joins)
    level = 2.0 * beside(cells, joins) + np.repeat([1, 0], [joins.shape[1] - last.shape[1], last.shape[1]])
    return join_pieces(edges, joins, level + strength / (1 + strength.max(initial=0.0)), num_nodes)


def side_by_side_cells(cells: Cells) -> np.ndarray:
    """Pairs of nodes ``[2, P]`` in neighbouring cells."""
    board = _board(cells)
    pairs = [np.stack([board, np.roll(board, -1, axis)]).reshape(2, -1) for axis in range(board.ndim)]
    every = np.concatenate(pairs, 1)
    return every[:, (every >= 0).all(0) & beside(cells, every)]


def beside(cells: Cells, pairs: np.ndarray) -> np.ndarray:
    """Whether pairs ``[2, P]`` lie in neighbouring cells, ``[P]``; nodes without a cell lie beside none."""
    step = np.abs(cells.cell[pairs[0]] - cells.cell[pairs[1]])
    for axis, (size, wraps) in enumerate(zip(cells.shape, cells.periodic, strict=True)):
        if wraps:
            step[:, axis] = np.minimum(step[:, axis], size - step[:, axis])
    placed = (cells.cell[pairs] >= 0).all(2).all(0)
    return placed & (step.sum(1) == 1)
