"""Places of nodes in geometries of one to four columns, about one spacing apart, regular or thrown at random."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from draws import Array
from numpy.random import Generator
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

__all__ = [
    "Shape",
    "clustered",
    "curve",
    "cylinder",
    "jittered",
    "line",
    "longest_gap",
    "ring",
    "sphere",
    "torus",
    "volume",
]


class Shape(NamedTuple):
    """Places ``[N, columns]`` of a geometry of ``dim`` dimensions; integer cells ``[N, dim]`` where regular."""

    places: Array
    dim: int
    cells: Array | None = None


def longest_gap(places: Array) -> float:
    """The longest edge of the minimum spanning tree: links of that length join all places into one piece."""
    return float(minimum_spanning_tree(cdist(places, places)).data.max(initial=0.0))


def clustered(nodes: int, length: float, rng: Generator) -> Array:
    """Clusters of about 15 places on a square of unit density, spread until no gap is longer than ``length``."""
    side, centres = math.sqrt(nodes), nodes // 15
    spread = 0.2 * side / math.sqrt(centres)
    while True:
        centre = side * rng.random((centres, 2))
        places = centre[rng.integers(centres, size=nodes)] + spread * rng.standard_normal((nodes, 2))
        places = side - np.abs(places % (2 * side) - side)
        if longest_gap(places) < length:
            return places
        spread *= 1.05


def jittered(shape: tuple[int, ...], sd: float, rng: Generator) -> Shape:
    """The cells of a grid, each place moved by normal noise of standard deviation ``sd`` along each axis."""
    cells = np.argwhere(np.ones(shape))
    return Shape(cells + sd * rng.standard_normal(cells.shape), len(shape), cells)


def _steps(shape: tuple[int, ...], regular: bool, rng: Generator) -> tuple[Array, Array | None]:
    """Cells of a grid of this shape as floats, or as many uniform points of the box."""
    cells = np.argwhere(np.ones(shape))
    return (cells.astype(float), cells) if regular else (rng.random(cells.shape) * shape, None)


def _circle(step: Array, around: int) -> Array:
    """Arc length along a circle of circumference ``around`` as places ``[N, 2]``."""
    angle = 2 * np.pi * step / around
    return around / (2 * np.pi) * np.stack([np.cos(angle), np.sin(angle)], 1)


def line(regular: bool, rng: Generator) -> Shape:
    """60 to 120 places on a line."""
    places, cells = _steps((int(rng.integers(60, 121)),), regular, rng)
    return Shape(places, 1, cells)


def curve(nodes: int, rng: Generator) -> Shape:
    """Places along a spiral of two turns in the plane, one at random in each piece of length 1."""
    turn = np.linspace(0.25, 2.25, 2001)
    spiral = turn[:, None] * _circle(turn, 1)
    along = np.concatenate([[0.0], np.linalg.norm(np.diff(spiral, axis=0), axis=1).cumsum()])
    at = (np.arange(nodes) + rng.random(nodes)) / nodes * along[-1]
    return Shape(np.stack([np.interp(at, along, axis) for axis in nodes / along[-1] * spiral.T], 1), 1)


def ring(regular: bool, rng: Generator) -> Shape:
    """40 to 120 places on a circle in two columns."""
    around = int(rng.integers(40, 121))
    step, cells = _steps((around,), regular, rng)
    return Shape(_circle(step[:, 0], around), 1, cells)


def sphere(regular: bool, rng: Generator) -> Shape:
    """150 to 400 places on a sphere in three columns, regular ones along a golden spiral."""
    nodes = int(rng.integers(150, 401))
    if regular:
        height = 1 - (2 * np.arange(nodes) + 1) / nodes
        turn = np.pi * (3 - math.sqrt(5)) * np.arange(nodes)
        flat = np.sqrt(1 - height**2)
        direction = np.stack([flat * np.cos(turn), flat * np.sin(turn), height], 1)
    else:
        direction = rng.standard_normal((nodes, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return Shape(math.sqrt(nodes / (4 * np.pi)) * direction, 2)


def torus(regular: bool, rng: Generator) -> Shape:
    """A flat torus in four columns: two circles of 12 to 18 spacings each."""
    shape = (int(rng.integers(12, 19)), int(rng.integers(12, 19)))
    step, cells = _steps(shape, regular, rng)
    return Shape(np.hstack([_circle(step[:, 0], shape[0]), _circle(step[:, 1], shape[1])]), 2, cells)


def cylinder(regular: bool, rng: Generator) -> Shape:
    """A cylinder in three columns: 12 to 18 spacings around, 10 to 20 along."""
    shape = (int(rng.integers(12, 19)), int(rng.integers(10, 21)))
    step, cells = _steps(shape, regular, rng)
    return Shape(np.hstack([_circle(step[:, 0], shape[0]), step[:, 1:]]), 2, cells)


def volume(regular: bool, rng: Generator) -> Shape:
    """A box of 5 to 7 spacings along each of three axes."""
    shape = tuple(int(n) for n in rng.integers(5, 8, size=3))
    places, cells = _steps(shape, regular, rng)
    return Shape(places, 3, cells)
