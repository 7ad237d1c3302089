"""Simulated arrays: beads and partners on an outline, counted through a kernel over their distance."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from draws import Array
from numpy.random import Generator
from scipy.spatial import cKDTree

__all__ = ["KERNELS", "OUTLINES", "BeadArray", "bead_array", "on_outline", "sparse_counts"]

OUTLINES = ("square", "oblong", "ellipse", "ell", "horseshoe", "triangle")
KERNELS = ("gaussian", "exponential", "cauchy")
_ROWS = 4096


class BeadArray(NamedTuple):
    """Counts ``[N, M]`` between beads and partners at ``bead [N, 2]`` and ``partner [M, 2]``, one spacing apart."""

    counts: sp.csr_matrix
    bead: Array
    partner: Array


def on_outline(outline: str, count: int, rng: Generator) -> Array:
    """Uniform places ``[count, 2]`` on a region of unit density.

    Raises:
        ValueError: For an outline of another name.
    """
    if outline not in OUTLINES:
        raise ValueError(f"on_outline: outline must be one of {', '.join(OUTLINES)}, got {outline!r}")
    stretch = np.array([2.0, 1.0]) if outline in ("oblong", "ellipse") else np.ones(2)
    found: list[Array] = []
    tried = 0
    while sum(map(len, found)) < count:
        u = rng.random((4 * count, 2))
        x, y = (2 * u - 1).T
        inside = {
            "square": x < 2,
            "oblong": x < 2,
            "ellipse": x**2 + y**2 < 1,
            "ell": (x < 0) | (y < 0),
            "horseshoe": (x**2 + y**2 < 1) & (x**2 + y**2 > 0.25) & ((x < 0) | (abs(y) > 0.3)),
            "triangle": x < y,
        }[outline]
        found.append(u[inside])
        tried += 4 * count
    share = sum(map(len, found)) / tried
    places = np.concatenate(found)[:count] * stretch
    return np.asarray(places * math.sqrt(count / (share * stretch.prod())))


def _kernel(name: str, square: Array) -> Array:
    """Contact at squared distances in widths: normal, exponential in the distance, or with a tail of power -3."""
    if name == "gaussian":
        return np.asarray(np.exp(-square / 2))
    if name == "exponential":
        return np.asarray(np.exp(-np.sqrt(2 * square)))
    return np.asarray((1 + square) ** -1.5)


def bead_array(
    outline: str,
    kernel: str,
    rng: Generator,
    *,
    beads: int = 800,
    partners: int = 800,
    a_bead: float = 300,
    width: float = 0.1,
    background: float = 0.0,
    yields: float = 0.3,
) -> BeadArray:
    """An array of Poisson counts.

    Args:
        outline: Name of the region.
        kernel: Name of the kernel.
        rng: Source of randomness.
        beads: Number of beads.
        partners: Number of partners.
        a_bead: Mean number of counts a bead.
        width: Width of the kernel over the square root of the area.
        background: Share of contacts that go to any partner.
        yields: Standard deviation of the logarithm of the yields of beads and of partners.
    """
    side = math.sqrt(beads)
    both = on_outline(outline, beads + partners, rng) * side / math.sqrt(beads + partners)
    both = both[rng.permutation(len(both))]
    bead, partner = both[:beads], both[beads:]
    square = ((bead[:, None] - partner[None]) ** 2).sum(2) / (width * side) ** 2
    contact = _kernel(kernel, square) * np.exp(yields * rng.standard_normal(partners))
    contact = (1 - background) * contact / contact.sum(1, keepdims=True) + background / partners
    expected = a_bead * np.exp(yields * rng.standard_normal((beads, 1)) - yields**2 / 2) * contact
    return BeadArray(sp.csr_matrix(rng.poisson(expected)), bead, partner)


def sparse_counts(bead: Array, partner: Array, a_bead: int, width: float, rng: Generator) -> sp.csr_matrix:
    """Exactly ``a_bead`` counts a bead through a Gaussian kernel of ``width``: each to the partner nearest to a draw.

    Cost: a search in a tree for each count, in blocks of beads.
    """
    tree = cKDTree(partner)
    blocks = []
    for start in range(0, len(bead), _ROWS):
        own = bead[start : start + _ROWS]
        draws = np.repeat(own, a_bead, 0) + width * rng.standard_normal((len(own) * a_bead, 2))
        met = tree.query(draws)[1]
        index = (np.repeat(np.arange(len(own)), a_bead), met)
        blocks.append(sp.csr_matrix((np.ones(len(met), np.int32), index), (len(own), len(partner))))
    return sp.vstack(blocks).tocsr()
