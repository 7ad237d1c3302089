"""Measurements in numpy files: ``.npy`` stays on disk and is read in blocks, ``.npz`` holds several arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scge_pyg.tables.columns import Chosen, Pick, check_times, choose
from scge_pyg.tables.measurements import Measurements, Table, rows_per_block, to_tensor
from scge_pyg.usage import UsageError

__all__ = ["read_npy", "read_npz"]

_HEAD_ROWS = 1000


def read_npy(path: Path, *, image: bool = False, pick: Pick | None = None) -> Measurements:
    """A memory-mapped array ``[S, N]`` or ``[S, N, C]``; with ``image``, ``[S, H, W]`` or ``[S, H, W, C]``."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy and zipfile raise what they like on a damaged file
        raise UsageError(f"{path} is not a readable .npy file of numbers ({error})") from error
    return _measurements(array, path, image, pick or Pick())


def read_npz(path: Path, *, key: str | None = None, image: bool = False, pick: Pick | None = None) -> Measurements:
    """The array ``key`` of an archive, or its only one."""
    try:
        with path.open("rb") as file:  # np.load leaves its own file open when the archive is damaged
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise UsageError(f"{path} is not a readable .npz archive: it holds one array; rename it to .npy")
            names = archive.files
            if key is None and len(names) != 1:
                raise UsageError(f"{path} holds {len(names)} arrays ({', '.join(names)}); choose one with --key")
            if key is not None and key not in names:
                raise UsageError(f"{path} has no array '{key}'; it holds {', '.join(names)}")
            array = archive[names[0] if key is None else key]
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{path} is not a readable .npz archive of numbers ({error})") from error
    return _measurements(array, path, image, pick or Pick())


def _measurements(array: NDArray[Any], source: Path, image: bool, pick: Pick) -> Measurements:
    if array.dtype.kind not in "biuf":
        raise UsageError(f"{source} holds values of type {array.dtype}; numbers are needed (float, integer or boolean)")
    sizes = list(array.shape)
    if image and array.ndim not in (3, 4):
        raise UsageError(f"--image reads [S, H, W] or [S, H, W, C]; {source} has shape {sizes}")
    if not image and array.ndim not in (2, 3):
        hint = "; add --image if this is [samples, height, width, channels]" if array.ndim == 4 else ""
        raise UsageError(f"{source} must be [samples, nodes] or [samples, nodes, channels], got shape {sizes}{hint}")
    if 0 in sizes:
        raise UsageError(f"{source} is empty: its shape is {sizes}")
    if image:
        return _images(array)
    chosen = _nodes(array, source, pick)
    num_channels = sizes[2] if array.ndim == 3 else 1
    step = rows_per_block(sizes[1] * num_channels, array.dtype.itemsize)
    places = slice(None) if chosen.kept == tuple(range(sizes[1])) else np.array(chosen.kept)

    def read() -> Iterator[Tensor]:
        for start in range(0, sizes[0], step):
            block = to_tensor(array[start : start + step][:, places])
            yield block.reshape(block.shape[0], -1, num_channels)

    return Measurements(
        read,
        len(chosen.kept),
        num_channels,
        num_samples=sizes[0],
        names=chosen.names,
        table=Table(left_out=chosen.left_out),
    )


def _images(array: NDArray[Any]) -> Measurements:
    num_samples, height, width = array.shape[:3]
    num_channels = array.shape[3] if array.ndim == 4 else 1
    step = rows_per_block(height * width * num_channels, array.dtype.itemsize)

    def read() -> Iterator[Tensor]:
        for start in range(0, num_samples, step):
            block = to_tensor(array[start : start + step])
            yield block.reshape(block.shape[0], height * width, num_channels)

    return Measurements(read, height * width, num_channels, num_samples=num_samples, shape=(height, width))


def _nodes(array: NDArray[Any], source: Path, pick: Pick) -> Chosen:
    """Which columns are nodes; only the first is suspected of numbering the rows, as there are no names."""
    head = np.asarray(array[:_HEAD_ROWS], np.float64) if array.ndim == 2 else None
    chosen = choose(None, array.shape[1], [] if head is None else list(head.T), pick, source)
    for left in chosen.left_out:
        if left.why == "time" and array.ndim == 2:
            check_times(map(float, array[:, left.column]), left, source)
    return chosen
