"""The data of the discovery benchmark: one row per modality, with the truth that only the scoring may see."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from scge_pyg.datasets import CIFAR10Nodes, DigitsNodes, FashionMNISTNodes, MNISTNodes, PhotoPatches
from scge_pyg.datasets.layouts import blue_noise_points, foveated_points, hexagonal_points

__all__ = ["ROWS", "Modality", "Row"]

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_FAINT = 0.02


@dataclass(frozen=True)
class Modality:
    """Samples in their true node order.

    Attributes:
        x: Samples ``[S, N, C]``.
        cells: True cells ``[N, 2]``, or None where the nodes lie on no grid.
        pos: True places ``[N, 2]``, or None where there are none.
        mask: Nodes to score ``[N]``.
    """

    x: Tensor
    cells: Tensor | None
    pos: Tensor | None
    mask: Tensor


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: Name for ``--rows``.
        what: Name in the table.
        samples: Number of samples.
        load: Samples of run s: subset s, in true node order.
        kind: How it is scored: grid, irregular, noise or speed.
        goals: Lowest value wanted for each measure.
        quick: Whether ``--quick`` includes it.
        peers: Whether other methods run on it too.
        alone: Whether every run gets a process of its own, to measure its memory.
        note: What to know about it.
    """

    name: str
    what: str
    samples: int
    load: Callable[[int], Modality]
    kind: str = "grid"
    goals: tuple[tuple[str, float], ...] = ()
    quick: bool = True
    peers: bool = False
    alone: bool = False
    note: str = ""


def _scored(x: Tensor, cells: Tensor) -> Modality:
    """Score pixels whose standard deviation on these very samples exceeds 0.02 in some channel."""
    return Modality(x, cells, cells.float(), (x.std(0) > _FAINT).any(1))


def _photos(
    height: int, width: int, samples: int, outline: Callable[[int], Tensor] | None = None
) -> Callable[[int], Modality]:
    def load(run: int) -> Modality:
        mask = None if outline is None else outline(run)
        data = PhotoPatches(height, width, num_samples=samples, seed=run, mask=mask)
        assert data.cells is not None
        return Modality(data.x, data.cells, data.pos, torch.ones(data.num_nodes, dtype=torch.bool))

    return load


def _disc(run: int) -> Tensor:
    row, column = torch.meshgrid(*[torch.arange(32) - 15.5] * 2, indexing="ij")
    return row.square() + column.square() <= 16**2


def _l_shape(run: int) -> Tensor:
    mask = torch.ones(32, 32, dtype=torch.bool)
    mask[:18, 14:] = False
    return mask


def _holes(share: float) -> Callable[[int], Tensor]:
    def outline(run: int) -> Tensor:
        order = torch.randperm(1024, generator=torch.Generator().manual_seed(run))
        mask = torch.ones(1024, dtype=torch.bool)
        mask[order[: round(1024 * share)]] = False
        return mask.view(32, 32)

    return outline


def _irregular(points: Callable[..., Tensor], side: int) -> Callable[[int], Modality]:
    def load(run: int) -> Modality:
        data = PhotoPatches(side, side, num_samples=4000, seed=run, points=points(500, (side, side), seed=run))
        return Modality(data.x, None, data.pos, torch.ones(500, dtype=torch.bool))

    return load


@cache
def _images(kind: type[MNISTNodes] | type[FashionMNISTNodes] | type[CIFAR10Nodes]) -> tuple[Tensor, Tensor]:
    data = kind(_CACHE / kind.name)
    assert data.cells is not None
    return data.x, data.cells


def _subset(
    kind: type[MNISTNodes] | type[FashionMNISTNodes] | type[CIFAR10Nodes], samples: int
) -> Callable[[int], Modality]:
    def load(run: int) -> Modality:
        x, cells = _images(kind)
        if samples < x.shape[0]:
            x = x[torch.randperm(x.shape[0], generator=torch.Generator().manual_seed(run))[:samples]]
        return _scored(x, cells)

    return load


def _digits(run: int) -> Modality:
    data = DigitsNodes()
    assert data.cells is not None
    return _scored(data.x, data.cells)


def _noise(run: int) -> Modality:
    x = torch.randn(2000, 256, 1, generator=torch.Generator().manual_seed(run))
    return Modality(x, None, None, torch.ones(256, dtype=torch.bool))


def _goals(cells: float, edges: float = 0.99) -> tuple[tuple[str, float], ...]:
    return ("cells", cells), ("precision", edges), ("recall", edges)


_ALL = "all samples in every run; only the permutation varies"
_SHAPES = _goals(1.0)
_PLACES = (("no_lattice", 1.0), ("two_dimensional", 1.0), ("degree", 3.0), ("near", 0.98), ("trust", 0.97))

ROWS = (
    Row("photos-32x32", "photo patches 32x32", 1000, _photos(32, 32, 1000), goals=_SHAPES, peers=True),
    Row("photos-24x40", "photo patches 24x40", 1000, _photos(24, 40, 1000), goals=_SHAPES),
    Row("photos-8x60", "photo patches 8x60", 1000, _photos(8, 60, 1000), goals=_SHAPES),
    Row("photos-disc", "photo patches, a disc of 812 pixels", 1000, _photos(32, 32, 1000, _disc), goals=_SHAPES),
    Row("photos-l", "photo patches, an L of 700 pixels", 1000, _photos(32, 32, 1000, _l_shape), goals=_SHAPES),
    Row("holes-10", "photo patches 32x32, 10 % removed", 5000, _photos(32, 32, 5000, _holes(0.1)), goals=_goals(0.98)),
    Row("holes-20", "photo patches 32x32, 20 % removed", 5000, _photos(32, 32, 5000, _holes(0.2)), goals=_goals(0.9)),
    Row("cifar10-1000", "CIFAR-10 RGB", 1000, _subset(CIFAR10Nodes, 1000), goals=_goals(1.0), peers=True),
    Row("cifar10-500", "CIFAR-10 RGB", 500, _subset(CIFAR10Nodes, 500), goals=_goals(1.0)),
    Row("cifar10-200", "CIFAR-10 RGB", 200, _subset(CIFAR10Nodes, 200), goals=_goals(0.99)),
    Row("mnist-10000", "MNIST", 10000, _subset(MNISTNodes, 10000), goals=_goals(0.98), peers=True),
    Row("mnist-60000", "MNIST", 60000, _subset(MNISTNodes, 60000), goals=_goals(0.998), quick=False, note=_ALL),
    Row(
        "fashion-10000",
        "Fashion-MNIST",
        10000,
        _subset(FashionMNISTNodes, 10000),
        goals=_goals(0.985, 0.97),
        peers=True,
    ),
    Row(
        "fashion-60000",
        "Fashion-MNIST",
        60000,
        _subset(FashionMNISTNodes, 60000),
        goals=_goals(0.998, 0.97),
        quick=False,
        note=_ALL,
    ),
    Row("digits", "digits 8x8", 1797, _digits, goals=_goals(0.8, 0.87), peers=True, note=_ALL),
    Row(
        "photos-64x64", "photo patches 64x64", 5000, _photos(64, 64, 5000), goals=_goals(0.99), quick=False, alone=True
    ),
    Row("blue-noise", "500 places, blue noise in 40x40", 4000, _irregular(blue_noise_points, 40), "irregular", _PLACES),
    Row("foveated", "500 places, foveated in 72x72", 4000, _irregular(foveated_points, 72), "irregular", _PLACES),
    Row("hexagonal", "500 places, hexagonal in 40x40", 4000, _irregular(hexagonal_points, 40), "irregular", _PLACES),
    Row(
        "noise", "independent Gaussian noise, 256 nodes", 2000, _noise, "noise", (("no_lattice", 1.0), ("warned", 1.0))
    ),
    Row("speed", "photo patches 32x32", 5000, _photos(32, 32, 5000), "speed"),
)
