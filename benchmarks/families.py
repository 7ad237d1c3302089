"""All families of inputs that the benchmark of geometries draws from, by name."""

from __future__ import annotations

from dataclasses import replace

from draws import Draw, Family
from families_distorted import DISTORTED
from families_geometry import GEOMETRY
from families_lattice import LATTICES
from families_refused import OPEN, REFUSED, WRONG
from geometry_recordings import RECORDINGS

__all__ = ["FAMILIES", "Draw", "Family"]

_UNIFORM = next(family for family in GEOMETRY if family.name == "uniform-100")
_TWICE = replace(
    _UNIFORM, name="two-orders", what="uniform places, N 100", group="order", wanted=("same",), draws=20, share=1.0
)
FAMILIES = {
    family.name: family for family in (*GEOMETRY, *DISTORTED, *REFUSED, *OPEN, *LATTICES, *RECORDINGS, _TWICE, *WRONG)
}
"""Every family by its name, in the order of the tables."""
