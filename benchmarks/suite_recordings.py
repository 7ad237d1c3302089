"""Recordings that only the suite uses: images, spoken digits cut into windows, sea temperatures."""

from __future__ import annotations

import io
import os
import tarfile
import wave
from functools import cache, partial
from pathlib import Path

import numpy as np
from draws import Array, Draw, Family
from scipy.io import netcdf_file

from scge_pyg.datasets import CIFAR10Nodes, FashionMNISTNodes, MNISTNodes

__all__ = ["SUITE_RECORDINGS", "windows"]

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_SPEECH, _SEA = "fsdd/fsdd_recordings.tar.gz", "sst/sst_ndjfm_anom.nc"
_WINDOW, _WINDOWS, _FAINT = 64, 5000, 0.02

Images = type[MNISTNodes] | type[FashionMNISTNodes] | type[CIFAR10Nodes]


def windows(archive: Path, length: int) -> Array:
    """All wave files of an archive cut into windows ``[S, length]`` in [-1, 1]; what is left at an end is dropped."""
    cut = []
    with tarfile.open(archive) as files:
        for member in sorted((m for m in files if m.name.endswith(".wav")), key=lambda m: m.name):
            content = files.extractfile(member)
            assert content is not None
            with wave.open(io.BytesIO(content.read())) as sound:
                value = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
            cut.append(value[: len(value) // length * length].reshape(-1, length))
    return np.concatenate(cut) / 2.0**15


@cache
def _speech() -> Array:
    return windows(Path(os.environ["SCGE_DATA"]) / _SPEECH, _WINDOW)


def _spoken(seed: int) -> Draw:
    """5,000 windows of 64 steps, 8 ms, of spoken digits; the nodes are the steps, a chain."""
    every = _speech()
    chosen = np.random.default_rng(seed).permutation(len(every))[:_WINDOWS]
    step = np.arange(_WINDOW)[:, None]
    return Draw(every[chosen], step.astype(float), {"dim": 1, "columns": 1, "pieces": 1, "cells": step}, name="fsdd")


def _sea(seed: int) -> Draw:
    """Temperatures of 450 cells of 5 degrees in 50 winters; places are on a sphere of cells."""
    with netcdf_file(Path(os.environ["SCGE_DATA"]) / _SEA, mmap=False) as file:
        value = np.array(file.variables["sst"][:], dtype=float)
        latitude, longitude = (np.deg2rad(np.array(file.variables[k][:])) for k in ("latitude", "longitude"))
    sea = (value < 1e19).all(0)
    row, column = np.nonzero(sea)
    flat = np.cos(latitude[row])
    places = np.stack([flat * np.cos(longitude[column]), flat * np.sin(longitude[column]), np.sin(latitude[row])], 1)
    truth = {"dim": 2, "columns": 3, "pieces": 1, "cells": np.stack([row, column], 1)}
    return Draw(value[:, sea], places / np.deg2rad(5), truth, name="sst")


@cache
def _images(kind: Images) -> tuple[Array, Array]:
    data = kind(_CACHE / kind.name)
    assert data.cells is not None
    return data.x.numpy(), data.cells.numpy()


def _pictures(kind: Images, name: str, samples: int, seed: int) -> Draw:
    """A random part of a set of images, ``[S, N, C]``; pixels that vary by more than 0.02 are scored."""
    x, cells = _images(kind)
    x = x[np.sort(np.random.default_rng(seed).permutation(len(x))[:samples])].astype(float)
    truth = {"dim": 2, "columns": 2, "pieces": 1, "cells": cells, "scored": (x.std(0) > _FAINT).any(1)}
    return Draw(x, cells.astype(float), truth, {"samples": samples}, name)


def _image_family(kind: Images, name: str, what: str, samples: int) -> Family:
    draw = partial(_pictures, kind, name, samples)
    return Family(name, what, "recordings", draw, needs=kind.name, quick=False)


SUITE_RECORDINGS = (
    Family("fsdd", "spoken digits, windows of 64 steps", "recordings", _spoken, needs=_SPEECH),
    Family("sst", "sea temperatures, 50 winters", "recordings", _sea, needs=_SEA),
    _image_family(MNISTNodes, "mnist", "MNIST, 10,000", 10_000),
    _image_family(FashionMNISTNodes, "fashion_mnist", "Fashion-MNIST, 10,000", 10_000),
    _image_family(CIFAR10Nodes, "cifar10", "CIFAR-10 RGB, 1,000", 1_000),
)
