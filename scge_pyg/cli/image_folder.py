"""Measurements in a folder of equally large images: pixels are nodes, files are samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scge_pyg.tables.measurements import Measurements, rows_per_block, to_tensor
from scge_pyg.usage import UsageError, need

__all__ = ["read_images"]

_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_GRAY_MODES = frozenset({"1", "L", "LA", "I", "F"})


def read_images(folder: Path) -> Measurements:
    """All images in ``folder`` and its subfolders, in the order of their names.

    Gray unless any of them has colours, then all RGB; transparency is dropped.
    """
    need("PIL.Image", extra="io", purpose="reading images")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES and not p.name.startswith("."))
    if not paths:
        raise UsageError(f"{folder} holds no images ({', '.join(sorted(_SUFFIXES))})")
    size, color = _survey(paths)
    width, height = size
    channels = 3 if color else 1
    step = rows_per_block(width * height * channels)

    def read() -> Iterator[Tensor]:
        for start in range(0, len(paths), step):
            block = [_pixels(path, color) for path in paths[start : start + step]]
            yield torch.stack(block).view(len(block), height * width, channels)

    return Measurements(read, height * width, channels, num_samples=len(paths), shape=(height, width))


def _survey(paths: list[Path]) -> tuple[tuple[int, int], bool]:
    """Common size and whether there are colours, from the headers alone."""
    from PIL import Image

    size, color = (0, 0), False
    for path in paths:
        try:
            with Image.open(path) as image:
                if path == paths[0]:
                    size = image.size
                elif image.size != size:
                    raise UsageError(
                        f"images must be equally large: {path} is {image.size[0]}x{image.size[1]}, "
                        f"{paths[0]} is {size[0]}x{size[1]} (width x height)"
                    )
                color |= image.mode not in _GRAY_MODES and not image.mode.startswith("I;")
        except OSError as error:
            raise UsageError(f"{path} is not a readable image ({error})") from error
    return size, color


def _pixels(path: Path, color: bool) -> Tensor:
    from PIL import Image

    try:
        with Image.open(path) as image:
            deep = image.mode in ("I", "F") or image.mode.startswith("I;")
            picture = image.convert("RGB") if color else image if deep else image.convert("L")
            return to_tensor(np.asarray(picture)).float()
    except OSError as error:
        raise UsageError(f"{path} is not a readable image ({error})") from error
