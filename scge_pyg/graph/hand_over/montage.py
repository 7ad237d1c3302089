"""A geometry as a montage of mne, laid over a template by the electrodes that both name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scge_pyg.graph.hand_over.places import Scale, called, kept_nodes, places

if TYPE_CHECKING:
    from scge_pyg.graph.geometry import Geometry

__all__ = ["as_montage"]

_HEAD = 0.095  # metres, the radius that mne gives a head


def as_montage(graph: Geometry, align_to: Any, scale: Scale) -> Any:
    """A ``DigMontage`` of the live nodes; see :meth:`SharedGraph.to_montage`."""
    try:
        import mne
    except ImportError as error:
        raise ImportError("to_montage needs the extra 'readers': pip install 'scge-pyg[readers]'") from error
    names = called(graph)
    kept = kept_nodes(graph)
    marks: dict[str, Any] = {"coord_frame": "head"}
    if align_to is None:
        if scale is None:
            raise ValueError("to_montage: give align_to='standard_1005' or another montage, or scale= in metres")
        pos = places("to_montage", graph, scale)[kept]
        on_head = pos if pos.shape[1] == 3 else _on_sphere(_padded(pos) / _HEAD) * _HEAD
    else:
        template = _template(mne, align_to).get_positions()
        marks = {mark: template[mark] for mark in ("nasion", "lpa", "rpa", "coord_frame")}
        known = {name.lower(): np.asarray(place) for name, place in template["ch_pos"].items()}
        theirs = np.array([known.get(names[node].lower(), np.full(3, np.nan)) for node in kept])
        on_head = _laid_over(places("to_montage", graph)[kept], theirs, np.array(list(known.values())), align_to)
    ch_pos = {names[node]: place for node, place in zip(kept, on_head, strict=True)}
    return mne.channels.make_dig_montage(ch_pos=ch_pos, **marks)


def _template(mne: Any, align_to: Any) -> Any:
    """A montage by its name; mne 1.13 calls ``standard_1005`` ``colin27_1005``."""
    if not isinstance(align_to, str):
        return align_to
    known = mne.channels.get_builtin_montages()
    newer = align_to.replace("standard_", "colin27_")
    if newer not in known and align_to not in known:
        raise ValueError(f"to_montage: align_to must be a montage or one of {', '.join(known)}, got {align_to!r}")
    return mne.channels.make_standard_montage(newer if newer in known else align_to)


def _laid_over(
    own: NDArray[np.float64], theirs: NDArray[np.float64], every: NDArray[np.float64], align_to: Any
) -> NDArray[np.float64]:
    """Places on the head ``[n, 3]``: by shift, turn, mirror and scale onto the electrodes that both know.

    Flat maps meet the template as it looks from above, with arcs from the vertex as radii, and are wrapped back onto
    the sphere that fits all of the template.
    """
    both = ~np.isnan(theirs).any(1)
    if both.sum() < 3:
        raise ValueError(
            f"to_montage: align_to={align_to!r} names {int(both.sum())} of the {len(own)} nodes, three are needed; "
            f"name nodes as it does (graph.names), or give scale= in metres instead of align_to"
        )
    centre, radius = _sphere(every)
    if own.shape[1] == 3:
        return own @ (found := _similarity(own[both], theirs[both]))[0] + found[1]
    flat = _from_above((theirs[both] - centre) / radius)
    turn, shift = _similarity(_padded(own)[both], flat)
    return centre + radius * _on_sphere(_padded(own) @ turn + shift)


def _padded(pos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two columns: a line lies along the second one, from the back to the nose."""
    if pos.shape[1] > 2:
        raise ValueError(
            f"to_montage: places of {pos.shape[1]} columns lie on no head; discover(x, dim=2) draws flat ones"
        )
    return np.pad(pos, ((0, 0), (2 - pos.shape[1], 0)))


def _from_above(unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points on the unit sphere, flattened: direction kept, radius the arc from the vertex."""
    arc = np.arccos(np.clip(unit[:, 2] / np.linalg.norm(unit, axis=1), -1, 1))
    side = np.linalg.norm(unit[:, :2], axis=1)
    return unit[:, :2] * (arc / np.maximum(side, 1e-12))[:, None]


def _on_sphere(flat: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of :func:`_from_above`."""
    arc = np.linalg.norm(flat, axis=1)
    return np.c_[flat * np.sinc(arc / np.pi)[:, None], np.cos(arc)]


def _sphere(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Centre and radius of the sphere through points, by least squares."""
    square = (points**2).sum(1)
    solution = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], square, rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + (solution[:3] ** 2).sum()))


def _similarity(
    source: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn (perhaps with a mirror) and scale ``[d, d]``, and shift, that lay ``source`` best over ``target``."""
    mean, goal = source.mean(0), target.mean(0)
    left, size, right = np.linalg.svd((source - mean).T @ (target - goal))
    turn = left @ right * (size.sum() / ((source - mean) ** 2).sum())
    return turn, goal - mean @ turn
