"""What a user should know about a graph that was read off places, in words."""

from __future__ import annotations

import numpy as np

from scge_pyg.discovery.lattices.settling import Cells
from scge_pyg.discovery.parts.on_places import placed_part
from scge_pyg.discovery.parts.part import FEWEST, Part

__all__ = ["advice_on_places"]

_NAMED = 8
_Parts = list[tuple[np.ndarray, Part]]


def advice_on_places(places: np.ndarray, order: np.ndarray, parts: _Parts, judged: bool) -> list[str]:
    """Warnings about places ``[n, d]``, each with its figures.

    Args:
        places: Places of the rows.
        order: Which node each row is ``[n]``.
        parts: Rows of each part and what became of them.
        judged: Whether there were samples to judge them by.

    Example:
        >>> advice_on_places(np.array([[0.0], [1.0], [1.0]]), np.array([4, 5, 6]), [], False)
        ['1 node stands exactly where another does: 6 (on 5); a layer cannot tell them apart']
    """
    found = _of_shared_places(places, order)
    for rows, part in parts:
        found += _of_verdict(len(rows), part)
        found += _of_cells(order[rows], part, judged)
        if judged:
            found += _of_lost_cells(places[rows], part) + _of_few(len(rows), part)
    return found


def _of_shared_places(places: np.ndarray, order: np.ndarray) -> list[str]:
    """Nodes on one and the same place."""
    by_node = np.argsort(order)
    _, first, which = np.unique(places[by_node], axis=0, return_index=True, return_inverse=True)
    other = first[which.ravel()]
    again = np.flatnonzero(other != np.arange(len(places)))
    if not len(again):
        return []
    named = [f"{order[by_node[k]]} (on {order[by_node[other[k]]]})" for k in again[:_NAMED]]
    return [
        f"{_nodes(len(again), 'stands', 'stand')} exactly where another does: {_listed(named, len(again))}; "
        f"a layer cannot tell them apart"
    ]


def _of_verdict(count: int, part: Part) -> list[str]:
    """Which places the samples refused."""
    verdict = part.verdict
    if verdict is None or verdict.verdict == "geometry":
        return []
    why = f"ratio {verdict.ratio:.2f} +- {verdict.error:.2f}"
    if verdict.factors:
        why += f", but {verdict.factors} factors without places explain as much"
    if verdict.verdict == "undecided":
        why = "too short a recording to judge"
    return [
        f"the places of {count} nodes are no geometry of these samples ({verdict.verdict}): "
        f"neighbours on them predict a node by {verdict.gain:.3f} nats, the best partners without a map by "
        f"{verdict.ceiling:.3f}, random ones by {verdict.chance:.3f} ({why}); the graph is edges without "
        f"places. Train the table longer, with HebbianLoss beside the task, or see what discover(x) finds"
    ]


def _of_cells(nodes: np.ndarray, part: Part, judged: bool) -> list[str]:
    """Nodes beside a lattice."""
    astray = np.zeros(0, dtype=int) if part.cells is None else np.sort(nodes[part.cells.cell[:, 0] < 0])
    if part.cells is None or not len(astray):
        return []
    mend = "" if judged else ", or mend it by samples, to_graph(x)"
    return [
        f"{len(astray)} of {len(nodes)} nodes {'has' if len(astray) == 1 else 'have'} no cell on the lattice "
        f"{_shape(part.cells)}: {_listed([str(node) for node in astray[:_NAMED]], len(astray))}; convolutions on it "
        f"leave them out. Train the table longer{mend}"
    ]


def _of_lost_cells(places: np.ndarray, part: Part) -> list[str]:
    """A lattice of the places that the couplings of the samples don't confirm."""
    if part.cells is not None or part.verdict is None or part.verdict.verdict != "geometry":
        return []
    cells = placed_part(places).cells
    if cells is None:
        return []
    return [
        f"the places of {len(places)} nodes form a lattice {_shape(cells)}, and couplings of these samples do not: "
        f"fewer than nine tenths of its neighbours are coupled, or their distances are uneven. The graph has the "
        f"places without cells; more samples may show them, and to_graph() alone takes the places at their word"
    ]


def _of_few(count: int, part: Part) -> list[str]:
    """Nodes too few to be judged."""
    if part.choice is not None:
        return []
    return [
        f"the places of {count} nodes are too few to judge by samples, which takes {FEWEST}; the graph has them as "
        f"they are, be they noise"
    ]


def _nodes(count: int, one: str, many: str) -> str:
    return f"1 node {one}" if count == 1 else f"{count} nodes {many}"


def _listed(named: list[str], count: int) -> str:
    return ", ".join(named) + (f" and {count - _NAMED} more" if count > _NAMED else "")


def _shape(cells: Cells) -> str:
    return "x".join(map(str, cells.shape))
