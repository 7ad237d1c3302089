"""Families that try lattices: photographs at places on and off a grid, small grids, and grids side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from draws import Array, Draw, Family, seeded
from families_geometry import conditions, observed
from fields import markov, precision
from numpy.random import Generator
from places import jittered
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from scge_pyg.datasets import PhotoPatches
from scge_pyg.datasets.layouts import blue_noise_points, foveated_points, hexagonal_points

__all__ = ["LATTICES"]

_NODES, _SPACINGS, _SAMPLES = 500, (1.25, 1.8, 2.7), 4000
_GRIDS = ((3, 4), (4, 4), (4, 5), (5, 5), (5, 6), (6, 6), (4, 8), (6, 8), (7, 7), (8, 8))


def _layout(points: Callable[..., torch.Tensor], filled: float, spacing: float, rng: Generator) -> tuple[Array, int]:
    """500 places in a square patch of which they fill a share, and the side of the patch."""
    side = 1 + round(spacing * math.sqrt(_NODES / filled))
    return points(_NODES, (side, side), seed=int(rng.integers(2**31))).double().numpy(), side


def _thrown(spacing: float, rng: Generator) -> tuple[Array, int]:
    side = 1 + round(spacing * math.sqrt(_NODES))
    return (side - 1) * rng.random((_NODES, 2)), side


def _photographs(places: Array, side: int, rng: Generator) -> Array:
    """Patches of the photographs, read between pixels by linear interpolation, ``[S, N]``."""
    seed, points = int(rng.integers(2**31)), torch.from_numpy(places).float().clamp(0, side - 1)
    return PhotoPatches(side, side, _SAMPLES, seed, points=points).x[..., 0].double().numpy()


def _read(layout: Callable[[Generator], tuple[Array, int]], rng: Generator) -> Draw:
    places, side = layout(rng)
    return Draw(_photographs(places, side, rng), places, {"dim": 2, "columns": 2, "pieces": 1})


def _read_jittered(spacing: float, rng: Generator) -> Draw:
    sd = float(rng.choice([0.1, 0.2, 0.3]))
    places, _, cells = jittered((22, 23), sd, rng)
    places = spacing * (places + 1)
    side = math.ceil(24 * spacing) + 1
    truth = {"dim": 2, "columns": 2, "pieces": 1, "cells": cells}
    return Draw(_photographs(places, side, rng), places, truth, {"jitter": sd})


def _grid(shape: tuple[int, int], rng: Generator) -> Draw:
    """A grid under a Matern field, smoothed noise or a Markov field, 5,000 samples."""
    cells = np.argwhere(np.ones(shape))
    kind = str(rng.choice(["matern", "smoothed", "markov"]))
    params: dict[str, Any] = {"kind": kind}
    if kind == "matern":
        params |= conditions(rng, length=(1.5, 3), samples=(5000, 5000))
        x = observed(cells.astype(float), params, rng)
    elif kind == "smoothed":
        noise = rng.standard_normal((5000, shape[0] + 12, shape[1] + 12))
        x = gaussian_filter(noise, (0, 1, 1))[:, 6:-6, 6:-6].reshape(5000, -1)
    else:
        x = markov(precision(cdist(cells, cells) == 1, float(rng.uniform(0.1, 1))), 5000, rng)
    return Draw(x, cells.astype(float), {"dim": 2, "columns": 2, "pieces": 1, "cells": cells}, params)


def _beside(other: str, rng: Generator) -> Draw:
    """Photographs 32x32 beside a chain of 20 to 40 nodes, or beside photographs 12x20 of their own."""

    def patches(height: int, width: int) -> tuple[Array, Array]:
        data = PhotoPatches(height, width, _SAMPLES, int(rng.integers(2**31)))
        return data.x[..., 0].double().numpy(), np.argwhere(np.ones((height, width)))

    first, cells = patches(32, 32)
    if other == "chain":
        nodes = int(rng.integers(20, 41))
        places = np.stack([np.arange(nodes), np.zeros(nodes, dtype=np.int64)], 1)
        second, beside = observed(places, conditions(rng, samples=(_SAMPLES, _SAMPLES)), rng), places
    else:
        second, beside = patches(12, 20)
    truth = {"dim": 2, "columns": 2, "pieces": 2, "cells": np.concatenate([cells, beside])}
    truth["part"] = np.repeat([0, 1], [len(cells), len(beside)])
    return Draw(np.hstack([first, second]), None, truth)


def _families() -> list[Family]:
    disc = math.pi / 4
    families = []
    for spacing in _SPACINGS:
        for kind, layout in (
            ("blue", partial(_layout, blue_noise_points, 1.0, spacing)),
            ("thrown", partial(_thrown, spacing)),
        ):
            name = f"photos-{kind}-{spacing:g}"
            what = f"photographs, {'blue noise' if kind == 'blue' else 'uniform places'}, {spacing:g} pixels apart"
            wanted = ("near", "trust", "fast")
            draw = seeded(name, partial(_read, layout))
            families.append(Family(name, what, "photographs", draw, wanted, draws=5, share=1.0, trust=0.995))
    for spacing in _SPACINGS:
        for kind, draw_one in (
            ("hexagonal", partial(_read, partial(_layout, hexagonal_points, disc, spacing))),
            ("foveated", partial(_read, partial(_layout, foveated_points, disc, spacing))),
            ("moved", partial(_read_jittered, spacing)),
        ):
            name = f"{kind}-{spacing:g}"
            what = f"photographs, {'jittered' if kind == 'moved' else kind} places, {spacing:g} pixels apart"
            families.append(Family(name, what, "false lattices", seeded(name, draw_one), ("lattice",), share=1.0))
    for shape in _GRIDS:
        name = f"grid-{shape[0]}x{shape[1]}"
        draw = seeded(name, partial(_grid, shape))
        families.append(Family(name, name.replace("-", " "), "grids", draw, ("doubted",), draws=20, share=1.0))
    for other in ("chain", "grid"):
        name = f"beside-{other}"
        draw = seeded(name, partial(_beside, other))
        what = f"photographs 32x32 beside a {other}"
        families.append(Family(name, what, "side by side", draw, ("parts",), draws=5, share=1.0))
    return families


LATTICES = tuple(_families())
