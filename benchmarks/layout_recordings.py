"""Recordings whose layout is known: simulated caps and grids of sensors, and an EEG."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from draws import Array
from fields import matern
from geometry_recordings import electrode_places
from numpy.random import Generator
from scipy.signal import lfilter
from scipy.spatial.distance import cdist

__all__ = ["RECORDINGS", "Recorded", "recorded", "spacing_of"]

_SHAPES = {32: (4, 8), 64: (8, 8), 128: (8, 16)}
_FIELDS = ("matern", "monopoles", "dipoles")
_SAMPLES = 6000
_BURN_IN = 200
_EEG = "eeg_eeglab/eeglab_data.fdt"
_EYES = (1, 5)
_WINDOW = 7680  # a minute


class Recorded(NamedTuple):
    """Samples ``[S, N]``, true places ``[N, d]`` and what was drawn."""

    x: Array
    places: Array
    params: dict[str, object]


RECORDINGS = ("eeg", "cap-32", "cap-64", "cap-128", "grid-32", "grid-64", "grid-128")


def recorded(name: str, seed: int) -> Recorded:
    """Draw ``seed`` of a recording; that of the EEG is a minute of it, every other one against its average."""
    if name == "eeg":
        return _eeg(seed)
    kind, size = name.split("-")
    rng = np.random.default_rng([seed, int(size), len(kind)])
    places = _grid(int(size)) if kind == "grid" else _cap(int(size), rng)
    field = _FIELDS[seed % len(_FIELDS)]
    x = _matern(places, rng) if field == "matern" else _conducted(places, kind == "cap", field == "dipoles", rng)
    own = np.exp(rng.normal(0, 0.3, len(places)))
    noise = rng.uniform(0.05, 0.5)
    x += noise * x.std(0).mean() * own * rng.standard_normal(x.shape)
    average = bool(rng.random() < 0.5)
    if average:
        x -= x.mean(1, keepdims=True)
    x *= np.exp(rng.normal(0, 0.3, len(places)))
    return Recorded(x, places, {"field": field, "noise": round(noise, 3), "average": average})


def spacing_of(places: Array) -> float:
    """Median distance of a place to the nearest other one."""
    return float(np.median(np.sort(cdist(places, places), 1)[:, 1]))


def _grid(size: int) -> Array:
    return np.argwhere(np.ones(_SHAPES[size])).astype(float)


def _cap(size: int, rng: Generator) -> Array:
    """Places on a half sphere about one apart, a little irregular, in rows from front to back."""
    step = np.sqrt(2 * np.pi / size)
    turn = np.pi * (1 + np.sqrt(5)) * (np.arange(size) + 0.5)
    up = 1 - (np.arange(size) + 0.5) / size
    around = np.sqrt(1 - up**2)
    places = np.stack([around * np.cos(turn), around * np.sin(turn), up], 1)
    places += rng.normal(0, 0.15 * step, places.shape)
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    return np.asarray(places[np.lexsort((places[:, 0], -np.round(places[:, 1] / step)))] / step)


def _autoregressive(memory: Array, rng: Generator) -> Array:
    """Signals ``[samples, n]`` of variance 1, each with a memory of its own."""
    noise = rng.standard_normal((_SAMPLES + _BURN_IN, len(memory)))
    signals = [lfilter([np.sqrt(1 - m**2)], [1, -m], noise[:, j])[_BURN_IN:] for j, m in enumerate(memory.tolist())]
    return np.stack(signals, 1)


def _matern(places: Array, rng: Generator) -> Array:
    """A stationary field 1.5 to 4 spacings long, rough to smooth."""
    length, smooth = rng.uniform(1.5, 4), float(rng.choice([0.5, 1.5, 2.5]))
    covariance = matern(cdist(places, places), length, smooth) + 1e-9 * np.eye(len(places))
    memory = np.full(len(places), rng.uniform(0.3, 0.95))
    return np.asarray(_autoregressive(memory, rng) @ np.linalg.cholesky(covariance).T)


def _conducted(places: Array, cap: bool, dipoles: bool, rng: Generator) -> Array:
    """Sources of uneven power one to two and a half spacings below the sensors, blurred by volume conduction."""
    count = 6 * len(places)
    depth = rng.uniform(1, 2.5, count)
    if cap:
        radius = np.linalg.norm(places, axis=1).mean()
        way = rng.standard_normal((count, 3))
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        way[:, 2] = np.abs(way[:, 2]) - 0.1
        offset = places[:, None] - way * (radius - depth)[:, None]
        square = (offset**2).sum(-1)
    else:
        offset = places[:, None] - rng.uniform(places.min(0) - 1, places.max(0) + 1, (count, 2))
        square = (offset**2).sum(-1) + depth**2
    mixing = 1 / square
    if dipoles:
        radial = 0.3 * rng.standard_normal(count) * (1 if cap else depth)
        mixing = ((offset * rng.standard_normal((count, places.shape[1]))).sum(-1) + radial) / square**1.5
    mixing = mixing * np.exp(rng.normal(0, 0.7, count))
    return np.asarray(_autoregressive(rng.uniform(0.3, 0.95, count), rng) @ mixing.T)


def _eeg(seed: int) -> Recorded:
    file = Path(os.environ["SCGE_DATA"]) / _EEG
    places = electrode_places(file.with_name("eeglab_chan32.locs"))
    head = np.delete(np.arange(len(places)), _EYES)
    x = np.fromfile(file, dtype="<f4").reshape(-1, len(places))[:, head].astype(float)
    start = int(np.random.default_rng(seed).integers(len(x) - _WINDOW))
    x, average = x[start : start + _WINDOW], bool(seed % 2)
    if average:
        x = x - x.mean(1, keepdims=True)
    return Recorded(x, places[head], {"field": "EEG", "start": start, "average": average})
