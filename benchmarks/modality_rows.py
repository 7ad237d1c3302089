"""The kinds of recording of the modality benchmark, brought to node sets by the package's own converters.

Run s draws sample subset s, or simulates with seed s.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from sklearn.datasets import load_diabetes, load_sample_images, load_wine
from torch import Tensor

from scge_pyg.datasets import AGNewsNodes, FSDDNodes, MNISTNodes
from scge_pyg.transforms import SoundToLogMel, TableToNodes, VideoToNodes, VolumeToNodes

__all__ = ["CACHE", "ROWS", "Recording", "Row", "digits", "grid", "some", "speech"]

CACHE = Path(os.environ.get("SCGECACHE", "results/cache"))
_LUMA = (0.299, 0.587, 0.114)
_MEL = SoundToLogMel(8000, mels=24, frames=14, window=256, hop=64)
_SPOKEN = 13 * 64 + 256  # steps of 14 frames


@dataclass(frozen=True)
class Recording:
    """Samples ``[S, N, C]`` in their true node order, true cells ``[N, D]`` if there are any, names of the nodes."""

    x: Tensor
    cells: Tensor | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Row:
    """One row of the table: how to load run s, the dimension that is true, and the share of exact cells wanted."""

    name: str
    what: str
    load: Callable[[int], Recording]
    dim: int | None = None
    cells: float | None = None
    counts: bool = False


def some(x: Tensor, count: int, run: int) -> Tensor:
    """A random part of the samples."""
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(run))[:count]]


def grid(*shape: int) -> Tensor:
    return torch.cartesian_prod(*map(torch.arange, shape)).view(-1, len(shape))


@cache
def speech() -> Tensor:
    return FSDDNodes(CACHE / "fsdd").x


def _waveform(run: int) -> Recording:
    """5,000 windows of 784 steps, 98 ms."""
    return Recording(some(speech(), 5000, run), grid(784))


@cache
def _spectrograms() -> Tensor:
    return _MEL(FSDDNodes(CACHE / "fsdd", length=_SPOKEN).x.transpose(1, 2))[:, 0]


def _spectrogram(run: int) -> Recording:
    """5,000 pieces of 24 mels x 14 frames of 32 ms every 8 ms."""
    return Recording(some(_spectrograms(), 5000, run), grid(*_MEL.shape))


@cache
def digits() -> Tensor:
    return MNISTNodes(CACHE / "mnist").x


def _image(run: int) -> Recording:
    """10,000 handwritten digits; pixels that don't vary have no cell to find and are cut off before."""
    x = some(digits(), 10_000, run)
    kept = x.std(0)[:, 0] > 0.02
    return Recording(x[:, kept], grid(28, 28)[kept])


def _volume(run: int) -> Recording:
    """5,000 volumes of 12x12x12 voxels: white noise smoothed by a Gaussian of 1.5 voxels."""
    rng = np.random.default_rng(run)
    noise = rng.standard_normal((5000, 20, 20, 20), dtype=np.float32)
    smooth = gaussian_filter(noise, (0, 1.5, 1.5, 1.5))[:, 4:-4, 4:-4, 4:-4]
    return Recording(VolumeToNodes()(torch.from_numpy(smooth).unsqueeze(1)), grid(12, 12, 12))


def _video(speed: float, run: int) -> Recording:
    """5,000 clips of 8 frames, 10x10 pixels, of a window that drifts over photographs at a velocity of its own.

    Velocities are normal in both directions; ``speed`` is the mean of their size, in pixels a frame.
    """
    rng = np.random.default_rng(run)
    photos = np.stack(load_sample_images().images) @ np.array(_LUMA) / 255
    time, row, column = np.meshgrid(np.arange(8), np.arange(10), np.arange(10), indexing="ij")
    clips = np.empty((5000, 8, 10, 10), dtype=np.float32)
    for clip in clips:
        velocity = speed / np.sqrt(np.pi / 2) * rng.standard_normal(2)
        start = 25 + rng.random(2) * (np.array(photos.shape[1:]) - 60)
        place = (start[0] + row + velocity[0] * time, start[1] + column + velocity[1] * time)
        clip[:] = map_coordinates(photos[rng.integers(2)], place, order=1, mode="reflect")
    video = torch.from_numpy(clips).unsqueeze(2)
    return Recording(VideoToNodes(8)(video)[:, 0], grid(8, 10, 10))


@cache
def _news() -> AGNewsNodes:
    return AGNewsNodes(CACHE / "ag_news", train=False, num_words=1000, stop_words="english")


def _words(run: int) -> Recording:
    """6,000 of the 7,600 test texts, the 1,000 most frequent words without English stop words."""
    return Recording(some(_news().x, 6000, run), names=_news().names)


def _table(load: Callable[..., Any]) -> Callable[[int], Recording]:
    def rows(run: int) -> Recording:
        frame = load(as_frame=True).data
        convert = TableToNodes(categorical=["sex"] if "sex" in frame else []).fit(frame)
        return Recording(some(convert(frame), len(frame) * 9 // 10, run), names=convert.names)

    return rows


ROWS = (
    Row("waveform", "sound, 784 steps (5,000 windows)", _waveform, 1, 1.0),
    Row("spectrogram", "log-mel spectrogram, 24 x 14 (5,000)", _spectrogram, 2),
    Row("image", "MNIST, active pixels (10,000)", _image, 2),
    Row("volume", "smooth volume, 12 x 12 x 12 (5,000)", _volume, 3, 0.99),
    Row("video-slow", "video patches 8 x 10 x 10, drift of half a pixel a frame (5,000)", partial(_video, 0.5), 3),
    Row("video", "video patches 8 x 10 x 10, drift of a pixel a frame (5,000)", partial(_video, 1.0), 3),
    Row("video-fast", "video patches 8 x 10 x 10, drift of 1.5 pixels a frame (5,000)", partial(_video, 1.5), 3),
    Row("news", "AG news, 1,000 words (6,000 texts)", _words),
    Row("news-counts", "AG news, counts of words by texts", _words, counts=True),
    Row("diabetes", "diabetes table (397)", _table(partial(load_diabetes, scaled=False))),
    Row("wine", "wine table (160)", _table(load_wine)),
)
