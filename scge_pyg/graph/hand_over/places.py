"""Places in a unit of the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scge_pyg.graph.geometry import Geometry

__all__ = ["Scale", "called", "kept_nodes", "places"]

Scale = float | tuple[str, float] | None
"""What one spacing between neighbours is, a number or ``("spacing", 20.0)``; or ``("diameter", 180.0)`` of all."""


def places(where: str, graph: Geometry, scale: Scale = None) -> NDArray[np.float64]:
    """Coordinates ``[N, d]`` float64, centred and scaled; NaN where not live.

    Args:
        where: Name of the caller, for errors.
        graph: The graph.
        scale: Unit of one spacing between nearest nodes, or the largest distance of two nodes. Default: coordinates as
            they are, with about unit spacing.

    Raises:
        ValueError: If the graph has no geometry, or ``scale`` is none.
    """
    graph.check_geometry(where)
    pos = graph.pos.detach().cpu().double().numpy()
    if scale is None:
        return pos
    what, size = scale if isinstance(scale, tuple) and len(scale) == 2 else ("spacing", scale)
    known = what in ("spacing", "diameter") and isinstance(size, int | float) and not isinstance(size, bool)
    if not known or not np.isfinite(float(size)) or float(size) <= 0:
        raise ValueError(
            f"{where}: scale must be a number above 0, the size of one spacing, or ('diameter', size), got {scale!r}"
        )
    pos = pos - np.nanmean(pos, 0)
    now = graph.spacing if what == "spacing" else _diameter(pos[~np.isnan(pos).any(1)])
    return pos * (float(size) / now)


def _diameter(pos: NDArray[np.float64]) -> float:
    """The largest distance of two points; of many, between those that are outermost in some direction."""
    if len(pos) > 1000:
        rng = np.random.default_rng(0)
        along = pos @ rng.standard_normal((pos.shape[1], 200))
        pos = pos[np.unique(np.r_[along.argmin(0), along.argmax(0)])]
    return float(np.linalg.norm(pos[:, None] - pos[None], axis=-1).max())


def kept_nodes(graph: Geometry) -> list[int]:
    """Nodes that have a place."""
    return [int(node) for node in graph.live.nonzero().flatten().tolist()]


def called(graph: Geometry) -> tuple[str, ...]:
    """Names of the nodes, their numbers where they have none."""
    return tuple(map(str, range(graph.num_nodes))) if graph.names is None else graph.names
