"""What is found of one connected part of the node set."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from scge_pyg.discovery.judgement.court import Verdict
from scge_pyg.discovery.judgement.judge import Choice
from scge_pyg.discovery.lattices.snapping import Cells

__all__ = ["FEWEST", "UNJUDGED", "Part"]

FEWEST = 8  # nodes below which neither dimension nor geometry is judged
UNJUDGED = 0.5  # confidence of a place that nothing was judged by, at most


@dataclass(frozen=True)
class Part:
    """The geometry of one connected part.

    Attributes:
        pos: Coordinates ``[n, c]``; without columns where there is no geometry.
        edges: Undirected edges ``[2, E]``.
        weight: Strength of each edge, ``[E]``.
        dim: Intrinsic dimension; 0 where there is no geometry.
        confidence: Trust in each place, ``[n]``.
        sign: Polarity of each node, ``[n]``: 1, -1, or 0 where that is undecided.
        cells: Cells on a lattice, or ``None``.
        choice: Coupling and columns that were chosen, or ``None`` where nodes are too few.
        verdict: What held-out samples say about the map or lattice.
        rows: Nodes that sat in judgement, ``[n]``.
        coupling: Name of the coupling that the edges come from.
        seconds: Time of each stage.
    """

    pos: np.ndarray
    edges: np.ndarray
    weight: np.ndarray
    dim: int
    confidence: np.ndarray
    sign: np.ndarray
    cells: Cells | None
    choice: Choice | None
    verdict: Verdict | None
    rows: np.ndarray
    coupling: str
    seconds: dict[str, float] = field(default_factory=dict)

    def without_map(self) -> Part:
        """The edges alone."""
        pos, confidence = np.zeros((len(self.pos), 0)), np.zeros(len(self.pos))
        return replace(self, pos=pos, confidence=confidence, dim=0, cells=None)
