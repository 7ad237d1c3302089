"""Recordings whose geometry is known: an EEG, handwritten digits, loop detectors on roads."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
from draws import Array, Draw, Family

from scge_pyg.datasets import DigitsNodes

__all__ = ["RECORDINGS", "electrode_places", "without_fifth"]

_EEG = "eeg_eeglab/eeglab_data.fdt"
_TRAFFIC = "metr_la/los_speed.csv"
_EYES = (1, 5)


def electrode_places(path: Path) -> Array:
    """Places on the unit sphere ``[N, 3]`` of a polar ``.locs`` file: number, angle in degrees, radius, label.

    The radius is 0 at the vertex and 0.5 on the equator; the angle runs from the nose to the right.
    """
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    angle, polar = np.deg2rad([float(row[1]) for row in rows]), np.pi * np.array([float(row[2]) for row in rows])
    return np.stack([np.sin(polar) * np.cos(angle), -np.sin(polar) * np.sin(angle), np.cos(polar)], 1)


def without_fifth(x: Array, run: int) -> Array:
    """The samples without their contiguous fifth ``run`` modulo 5."""
    bounds = np.linspace(0, len(x), 6).round().astype(int)
    start, stop = bounds[run % 5], bounds[run % 5 + 1]
    return np.concatenate([x[:start], x[stop:]])


def _folder() -> Path:
    return Path(os.environ["SCGE_DATA"])


def _eeg(name: str, average: bool, seed: int) -> Draw:
    """30 channels of an EEG without those at the eyes, as recorded or against the average of all."""
    file = _folder() / _EEG
    places = electrode_places(file.with_name("eeglab_chan32.locs"))
    head = np.delete(np.arange(len(places)), _EYES)
    x = np.fromfile(file, dtype="<f4").reshape(-1, len(places))[:, head].astype(float)
    x = without_fifth(x - x.mean(1, keepdims=True) if average else x, seed)
    return Draw(x, places[head], {"dim": 2, "columns": 3, "pieces": 1}, {"samples": len(x)}, name)


def _digits(name: str, samples: int, seed: int) -> Draw:
    """Handwritten digits, all or a random part of them; pixels that vary in the samples are scored."""
    data = DigitsNodes()
    assert data.cells is not None
    chosen = np.random.default_rng(seed).permutation(len(data.x))[:samples]
    x = data.x[chosen, :, 0].double().numpy()
    cells = data.cells.numpy()
    truth = {"dim": 2, "columns": 2, "pieces": 1, "cells": cells, "scored": x.std(0) > 0}
    return Draw(x, cells.astype(float), truth, {"samples": samples}, name)


def _traffic(name: str, seed: int) -> Draw:
    """Speeds at 207 loop detectors, of which a road graph is known; a speed of 0 is a missing one."""
    file = _folder() / _TRAFFIC
    x = np.loadtxt(file, delimiter=",", skiprows=1)
    road = np.loadtxt(file.with_name("los_adj.csv"), delimiter=",") > 0
    truth = {"dim": 2, "adjacency": (road | road.T) & ~np.eye(len(road), dtype=bool)}
    return Draw(without_fifth(np.where(x == 0, np.nan, x), seed), None, truth, {}, name)


def _eeg_family(name: str, what: str, average: bool, trust: float) -> Family:
    draw = partial(_eeg, name, average)
    wanted = ("pieces", "trust")
    return Family(name, what, "recordings", draw, wanted, draws=5, share=1.0, trust=trust, near=5, needs=_EEG)


RECORDINGS = (
    _eeg_family("eeg-raw", "EEG, 30 channels, raw", False, 0.97),
    _eeg_family("eeg-average", "EEG, 30 channels, average reference", True, 0.92),
    Family("digits-1797", "digits 8x8, all", "cells", partial(_digits, "digits-1797", 1797), ("cells",), 5, 1.0),
    Family("digits-1297", "digits 8x8, 1,297", "cells", partial(_digits, "digits-1297", 1297), ("cells",), 5, 1.0),
    Family("traffic", "207 loop detectors on roads", "open", partial(_traffic, "traffic"), draws=5, needs=_TRAFFIC),
)
