"""Cases that try to break the package: what is drawn, what must hold, and all kinds by name.

A case takes a source of choices, so that the same kinds run seeded by the hundred thousand (``fuzz.py``) and under
hypothesis in the tests, which makes what fails small. What is wrong is raised: an ``AssertionError`` says what, any
other exception is one that the package should not have let out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from scge_pyg import SharedGraph

__all__ = ["Draw", "Seeded", "check_graph", "check_says", "strange_value"]

T = TypeVar("T")


class Draw(Protocol):
    """A source of choices."""

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        ...

    def choice(self, options: Sequence[T]) -> T:
        """One of some."""
        ...

    def often(self, percent: int) -> bool:
        """True in about so many of a hundred draws."""
        ...

    def numbers(self) -> np.random.Generator:
        """Random numbers from a seed that is drawn."""
        ...


class Seeded:
    """Choices of one seed."""

    def __init__(self, *seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self._rng.integers(low, high, endpoint=True))

    def choice(self, options: Sequence[T]) -> T:
        """One of some."""
        return options[self.integer(0, len(options) - 1)]

    def often(self, percent: int) -> bool:
        """True in about so many of a hundred draws."""
        return self.integer(0, 99) >= 100 - percent

    def numbers(self) -> np.random.Generator:
        """Random numbers from a seed that is drawn."""
        return np.random.default_rng(self.integer(0, 2**32))


def check_graph(graph: SharedGraph) -> None:
    """What holds of every graph, wherever it is from."""
    live, pos = graph.live, graph.pos
    assert pos.shape[0] == graph.num_nodes == live.shape[0]
    assert torch.isfinite(pos[live]).all(), "a live node has no finite place"
    assert not torch.isfinite(pos[~live]).any(), "a node that isn't live has a place"
    assert torch.isfinite(graph.edge_weight).all(), "a weight isn't finite"
    assert (graph.edge_weight >= 0).all(), "a weight is negative"
    assert ((graph.confidence >= 0) & (graph.confidence <= 1)).all(), "a confidence is out of range"
    assert (graph.confidence[~live] == 0).all(), "a node that isn't live is trusted"
    assert graph.sign.abs().le(1).all()
    if graph.num_edges:
        assert 0 <= int(graph.edge_index.min()) <= int(graph.edge_index.max()) < graph.num_nodes
    for lattice in graph.lattices:
        cell = lattice.cell[lattice.placed]
        assert ((cell >= 0) & (cell < torch.tensor(lattice.shape))).all(), "a cell is outside the lattice"
    for part in graph.parts():
        assert 2 <= part.num_nodes <= graph.num_nodes
    assert repr(graph)
    assert torch.isfinite(graph.to_data().pos).all()


def check_says(error: Exception, word: str) -> None:
    """An error names what refuses."""
    assert word in str(error), f"the message doesn't say what is refused: {type(error).__name__}: {error}"


def strange_value(draw: Draw, depth: int = 0) -> Any:
    """Something that JSON or YAML holds, seldom what belongs there."""
    plain = (0, 1, -1, 2**63, 10**40, 0.5, -1e308, float("nan"), float("inf"), "", "x", "1", "nan", "007", True, None)
    if depth > 2 or not draw.often(30):
        return draw.choice(plain)
    inside = [strange_value(draw, depth + 1) for _ in range(draw.integer(0, 3))]
    return inside if draw.often(50) else {f"k{place}": value for place, value in enumerate(inside)}
