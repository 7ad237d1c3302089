"""The map itself: geodesics over the strongest links, flattened, then a robust local stress."""

from __future__ import annotations

import numpy as np

from scge_pyg.discovery.maps.sketch import Links, scale_geodesics, signal_distance
from scge_pyg.graph.drawing.reach import pairs_within
from scge_pyg.graph.drawing.stress import robust_stress

__all__ = ["draw_places", "unexplained", "without_noise"]

_LANDMARKS = 384
_REACH = 3.0  # in median links: what holds the map in shape locally


def without_noise(pairs: np.ndarray, correlation: np.ndarray, num_nodes: int, noise: float = 1.0) -> Links:
    r"""Links with lengths :math:`\sqrt{1 - r - \nu}` in units of their median, noise taken out.

    Noise of its own at every sensor keeps even the closest ones at a distance, so that short lengths look alike. Its
    share :math:`\nu` is at most ``noise``, and nine tenths of the second percentile of :math:`1 - r` over the links.

    Args:
        pairs: Links ``[2, L]``.
        correlation: Correlation of their ends ``[L]``, at least 0 where signs were aligned.
        num_nodes: Number of nodes N.
        noise: Largest share of a node's variance that can be noise of its own.
    """
    nugget = min(noise, 0.9 * float(np.quantile(1 - correlation, 0.02)))
    length = signal_distance(correlation, nugget)
    return Links(pairs, length / np.median(length), num_nodes)


def unexplained(gain: np.ndarray) -> float:
    r"""Share of variance that held-out predictions leave at the best predicted nodes: what noise there is, is less.

    Four fifths of :math:`e^{-2 g}` with the 80th percentile of the gains g.

    Args:
        gain: Held-out gain of each node in nats, ``[n]``.

    Example:
        >>> round(unexplained(np.full(10, 0.5 * np.log(10.0))), 3)
        0.08
    """
    return 0.8 * float(np.exp(-2 * np.quantile(gain, 0.8)))


def draw_places(links: Links, columns: int) -> np.ndarray:
    r"""Coordinates ``[N, columns]`` of a connected set of links, in units of the median link.

    Landmark scaling of geodesics flattens the whole; in two or more columns a local stress
    (:func:`scge_pyg.graph.drawing.stress.robust_stress`) over all pairs at most three links apart, each weighted by the
    inverse square of its geodesic length, then takes the curl out of the borders. On a line it could only get stuck.

    Cost: :math:`O(384\, N \log N)` for the geodesics, and one sparse factorisation a round.
    """
    pos = scale_geodesics(links, columns, _LANDMARKS)
    if columns == 1 or links.num_nodes <= columns + 1:
        return pos
    pairs, length = pairs_within(links.matrix(), _REACH, pos)
    return robust_stress(pos, pairs, length, 1 / length**2)
