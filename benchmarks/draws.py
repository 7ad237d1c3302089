"""What a family of inputs is, and one draw of it: samples, and the truth that only the scoring may see."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Draw", "Family", "seeded"]

Array: TypeAlias = NDArray[Any]

_BY_NODE = ("cells", "part", "scored", "sign")
_BY_PAIR = ("adjacency", "distance")


@dataclass(frozen=True)
class Draw:
    """Samples of one draw, and what is true of them.

    Attributes:
        x: Samples ``[S, N]`` float64; NaN where missing.
        places: True places ``[N, D]``, or None where there are none.
        truth: What is known, by name: ``dim``, ``columns``, ``pieces``; ``cells [N, d]`` on a grid; ``sign [N]``;
            ``part [N]`` where several parts stand side by side; ``scored [N]`` where some nodes don't count;
            ``adjacency [N, N]`` of a graph; ``distance [N, N]`` where there are no places.
        params: What was drawn besides the samples, for the records.
        name: The family.
    """

    x: Array
    places: Array | None = None
    truth: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    def shuffled(self, order: Array) -> Draw:
        """The same draw with old node ``order[i]`` at place i."""
        truth = dict(self.truth)
        truth |= {key: truth[key][order] for key in _BY_NODE if key in truth}
        truth |= {key: truth[key][np.ix_(order, order)] for key in _BY_PAIR if key in truth}
        places = None if self.places is None else self.places[order]
        return replace(self, x=self.x[:, order], places=places, truth=truth)


@dataclass(frozen=True)
class Family:
    """A kind of input, and what is wanted of ``discover`` on each draw.

    Attributes:
        name: Name for ``--families``.
        what: Name in the table.
        group: The table.
        draw: Draw s, the same for the same s.
        wanted: Checks that a draw must pass, by name; none where there is no right answer.
        draws: Draws in a full run.
        share: Share of the draws that must pass all checks.
        trust: Lowest trustworthiness wanted.
        near: Neighbours a node that trustworthiness and edges are scored with.
        reference: The family whose draw s is this one before it was distorted.
        forced: ``dim`` for ``discover``, or None.
        needs: A file below the folder SCGE_DATA names.
        quick: Whether ``--quick`` includes it.
    """

    name: str
    what: str
    group: str
    draw: Callable[[int], Draw]
    wanted: tuple[str, ...] = ()
    draws: int = 100
    share: float = 0.99
    trust: float = 0.0
    near: int = 8
    reference: str | None = None
    forced: int | None = None
    needs: str | None = None
    quick: bool = True


def seeded(name: str, draw: Callable[[np.random.Generator], Draw], stream: str | None = None) -> Callable[[int], Draw]:
    """Draw s of a family: ``draw`` with a generator of its own for each ``stream`` (default: ``name``) and s."""
    number = zlib.crc32((stream or name).encode())

    def numbered(seed: int) -> Draw:
        return replace(draw(np.random.default_rng([number, seed])), name=name)

    return numbered
