"""CIFAR-10: 32x32 colour images from the public binary archive, an npz, or a tar of class folders."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from scge_pyg.datasets.raw_node_dataset import RawNodeDataset
from scge_pyg.importing import import_extra

__all__ = ["CIFAR10Nodes"]

_ARCHIVE = "cifar-10-binary.tar.gz"
_SIDE = 32
_RECORD = 1 + 3 * _SIDE**2


class CIFAR10Nodes(RawNodeDataset):
    """CIFAR-10's small photographs (Krizhevsky, 2009): 50,000 and 10,000 samples over 1,024 nodes, three channels.

    The raw file is the public ``cifar-10-binary.tar.gz``. In its place a local folder may hold an ``.npz`` with
    ``x_train``, ``y_train``, ``x_test`` and ``y_test`` (``[S, 32, 32, 3]`` uint8), or a tar of JPEG or PNG files at
    ``train/<class>/`` and ``test/<class>/``, whose classes are numbered in alphabetical order (needs the extra ``io``).

    Args:
        root: Folder for ``raw`` and ``processed``; see :class:`RawNodeDataset` for where raw files are looked for.
        train: Training images, or else test images.
        transform: Applied to each ``Data`` on access.
        force_reload: Read the raw files again.
    """

    name = "cifar10"
    url = "https://www.cs.toronto.edu/~kriz/"
    checksums: ClassVar = {_ARCHIVE: "c32a1d4ab5d03f1284b67883e8d87530"}

    @property
    def public_files(self) -> list[str]:
        """The one archive that holds both splits."""
        return [_ARCHIVE]

    def found_in(self, folder: Path) -> Sequence[str]:
        """The archive, the npz or the tar of a folder, in this order."""
        if (folder / _ARCHIVE).exists():
            return [_ARCHIVE]
        for patterns in (("*.npz",), ("*.tar", "*.tar.gz", "*.tgz")):
            found = sorted(path.name for pattern in patterns for path in folder.glob(pattern))
            if len(found) > 1:
                raise ValueError(f"CIFAR10Nodes: {folder} holds {', '.join(found)}; keep the one to read")
            if found:
                return found
        return []

    def read(self) -> dict[str, Tensor]:
        """Images ``[S, 3, 32, 32]`` and labels ``[S]``."""
        path = Path(self.raw_paths[0])
        reader = _read_npz if path.suffix == ".npz" else _read_binary if path.name == _ARCHIVE else _read_folders
        try:
            images, labels = reader(path, bool(self.train))
        except (OSError, EOFError, KeyError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"CIFAR10Nodes: {path} is damaged or not in a form that is read here ({error})") from error
        return {"images": images, "labels": labels.long()}


def _read_binary(path: Path, train: bool) -> tuple[Tensor, Tensor]:
    """Records of one label byte and three planes of bytes, row-major."""
    prefix = "data_batch_" if train else "test_batch"
    batches = {}
    with tarfile.open(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            file = archive.extractfile(member) if name.startswith(prefix) and name.endswith(".bin") else None
            if file is not None:
                batches[name] = file.read()
    content = bytearray(b"".join(batches[name] for name in sorted(batches)))
    if not content or len(content) % _RECORD:
        raise ValueError(
            f"CIFAR10Nodes: {path} holds {len(content)} bytes in {prefix}*.bin, "
            f"which is not a whole number of records of {_RECORD} bytes"
        )
    records = torch.frombuffer(content, dtype=torch.uint8).view(-1, _RECORD)
    return records[:, 1:].reshape(-1, 3, _SIDE, _SIDE), records[:, 0]


def _read_npz(path: Path, train: bool) -> tuple[Tensor, Tensor]:
    split = "train" if train else "test"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
    if images.dtype != np.uint8 or images.shape[1:] != (_SIDE, _SIDE, 3):
        raise ValueError(
            f"CIFAR10Nodes: x_{split} of {path} must be uint8 [S, {_SIDE}, {_SIDE}, 3], "
            f"got {images.dtype} {list(images.shape)}"
        )
    return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels.reshape(-1).astype(np.int64))


def _read_folders(path: Path, train: bool) -> tuple[Tensor, Tensor]:
    image_module = import_extra("PIL.Image", "io", "CIFAR10Nodes from a tar of images")
    split = "train" if train else "test"
    images, classes = [], []
    with tarfile.open(path) as archive:
        for member in archive:
            place = PurePosixPath(member.name)
            if place.parts[-3:-2] != (split,) or place.suffix.lower() not in (".jpg", ".jpeg", ".png"):
                continue
            file = archive.extractfile(member)
            if file is None:
                continue
            with image_module.open(io.BytesIO(file.read())) as image:
                pixels = np.array(image.convert("RGB"))
            if pixels.shape != (_SIDE, _SIDE, 3):
                size = f"{pixels.shape[0]}x{pixels.shape[1]}"
                raise ValueError(f"CIFAR10Nodes: {place} is {size}, but every image must be {_SIDE}x{_SIDE}")
            images.append(torch.from_numpy(pixels))
            classes.append(place.parts[-2])
    if not images:
        raise ValueError(f"CIFAR10Nodes: {path} holds no JPEG or PNG file at {split}/<class>/")
    number = {name: index for index, name in enumerate(sorted(set(classes)))}
    return torch.stack(images).permute(0, 3, 1, 2), torch.tensor([number[name] for name in classes])
