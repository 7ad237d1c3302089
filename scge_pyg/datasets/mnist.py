"""MNIST and Fashion-MNIST: 28x28 gray images in IDX files."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from scge_pyg.datasets.raw_node_dataset import RawNodeDataset

__all__ = ["FashionMNISTNodes", "MNISTNodes", "read_idx"]


def read_idx(path: Path, num_axes: int) -> Tensor:
    """Read a gzipped IDX file of unsigned bytes.

    The header is two zero bytes, the type (8), the number of axes, and each size as a big-endian int32.

    Args:
        path: The file.
        num_axes: Number of axes it must have.

    Raises:
        ValueError: If the file is something else, or cut off.
    """
    try:
        with gzip.open(path) as file:
            content = bytearray(file.read())
    except (OSError, EOFError) as error:
        raise ValueError(f"read_idx: {path} is no complete gzip file ({error})") from error
    start = 4 + 4 * num_axes
    if content[:4] != bytes([0, 0, 8, num_axes]) or len(content) < start:
        raise ValueError(f"read_idx: {path} is no IDX file of unsigned bytes with {num_axes} axes")
    sizes = np.frombuffer(content, ">i4", num_axes, offset=4).tolist()
    if len(content) - start != math.prod(sizes):
        raise ValueError(
            f"read_idx: {path} announces the sizes {sizes} but holds {len(content) - start} values; it is damaged"
        )
    return torch.frombuffer(content, dtype=torch.uint8, offset=start).view(sizes)


class MNISTNodes(RawNodeDataset):
    """MNIST's handwritten digits (LeCun et al., 1998): 60,000 and 10,000 samples over 784 nodes.

    Args:
        root: Folder for ``raw`` and ``processed``; see :class:`RawNodeDataset` for where raw files are looked for.
        train: The 60,000 training images, or else the 10,000 test images.
        transform: Applied to each ``Data`` on access.
        force_reload: Read the raw files again.
    """

    name = "mnist"
    url = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    checksums: ClassVar = {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    }

    @property
    def public_files(self) -> list[str]:
        """The images and the labels of this split."""
        split = "train" if self.train else "t10k"
        return [name for name in self.checksums if name.startswith(split)]

    def read(self) -> dict[str, Tensor]:
        """Images ``[S, 1, 28, 28]`` and labels ``[S]``."""
        images, labels = map(Path, self.raw_paths)
        return {"images": read_idx(images, 3).unsqueeze(1), "labels": read_idx(labels, 1).long()}


class FashionMNISTNodes(MNISTNodes):
    """Fashion-MNIST's garments (Xiao et al., 2017): 60,000 and 10,000 samples over 784 nodes.

    Args:
        root: Folder for ``raw`` and ``processed``; see :class:`RawNodeDataset` for where raw files are looked for.
        train: The 60,000 training images, or else the 10,000 test images.
        transform: Applied to each ``Data`` on access.
        force_reload: Read the raw files again.
    """

    name = "fashion_mnist"
    url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    checksums: ClassVar = {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }
