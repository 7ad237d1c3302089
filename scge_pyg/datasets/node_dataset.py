"""What all data sets share: one tensor for all samples, PyG's indexing, checked raw files."""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.request
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import load_file, save
from torch import Tensor
from torch_geometric.data import Data, Dataset

from scge_pyg.transforms import ImageToNodes
from scge_pyg.transforms.extras import import_extra

__all__ = ["NodeDataset", "RawNodeDataset", "import_extra"]


class NodeDataset(Dataset):  # type: ignore[misc, unused-ignore]
    """Samples over one node set, kept as one tensor.

    Indexing is PyG's: an integer gives a ``Data(x=[N, C], y=[1])``, a slice, list or mask gives a data set whose
    ``x`` and ``y`` are those of the chosen samples.

    Args:
        x: Samples ``[S, N, C]``; uint8 is scaled to [0, 1].
        y: Labels ``[S]``.
        cells: True integer cells ``[N, D]`` for scoring, where the nodes lie on a grid.
        pos: True coordinates ``[N, D]`` for scoring. Default: the cells.
        transform: Applied to each ``Data`` on access.

    Raises:
        ValueError: If shapes disagree.

    Example:
        >>> import torch
        >>> ds = NodeDataset(torch.rand(10, 6, 1), torch.arange(10))
        >>> ds[3]
        Data(x=[6, 1], y=[1])
        >>> ds[:4].x.shape
        torch.Size([4, 6, 1])
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        cells: Tensor | None = None,
        pos: Tensor | None = None,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        super().__init__(None, transform)
        self._set(x, y, cells, pos)

    def _set(self, x: Tensor, y: Tensor, cells: Tensor | None, pos: Tensor | None = None) -> None:
        if x.dim() != 3 or y.shape != x.shape[:1]:
            raise ValueError(
                f"{type(self).__name__}: x must be [S, N, C] and y [S], got {list(x.shape)} and {list(y.shape)}"
            )
        for name, place in (("cells", cells), ("pos", pos)):
            if place is not None and (place.dim() != 2 or place.shape[0] != x.shape[1]):
                raise ValueError(
                    f"{type(self).__name__}: {name} must be [{x.shape[1]}, D], one row a node, got {list(place.shape)}"
                )
        self._x = x.float().div_(255) if x.dtype == torch.uint8 else x
        self._y = y.long()
        self.cells = cells
        self.pos = cells.float() if pos is None and cells is not None else pos

    @property
    def x(self) -> Tensor:
        """All samples of this (sub)set, ``[S, N, C]`` float32."""
        return self._chosen(self._x)

    @property
    def y(self) -> Tensor:
        """The label of each sample, ``[S]`` int64."""
        return self._chosen(self._y)

    def _chosen(self, values: Tensor) -> Tensor:
        chosen = self._indices
        if chosen is None:
            return values
        if isinstance(chosen, range) and chosen.step > 0:
            return values[chosen.start : chosen.stop : chosen.step]
        return values[torch.tensor(chosen, dtype=torch.long)]

    @property
    def num_nodes(self) -> int:
        """Number of nodes N."""
        return self._x.shape[1]

    @property
    def num_classes(self) -> int:
        """One more than the largest label."""
        return int(self._y.max()) + 1

    def len(self) -> int:
        """Number of samples before indexing."""
        return self._x.shape[0]

    def get(self, idx: int) -> Data:
        """One sample."""
        return Data(x=self._x[idx], y=self._y[idx : idx + 1])


class RawNodeDataset(NodeDataset):
    """A data set of images read from public raw files.

    Raw files are taken from ``root/raw``; where they aren't there, from the folder ``$SCGE_DATA/<name>``; and where
    they aren't there either, they are downloaded to ``root/raw``. Files with a published MD5 sum are checked. What
    was read is kept in ``root/processed`` as safetensors.

    A subclass names ``name``, ``url``, ``checksums`` and ``public_files``, and defines :meth:`read`.

    Args:
        root: Folder for ``raw`` and ``processed``.
        train: Training samples, or else test samples.
        transform: Applied to each ``Data`` on access.
        force_reload: Read the raw files again.

    Raises:
        ValueError: If a raw file is damaged or not what it should be.
    """

    name: ClassVar[str]
    url: ClassVar[str]
    checksums: ClassVar[Mapping[str, str]]

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[Data], Data] | None = None,
        force_reload: bool = False,
    ) -> None:
        self.train = train
        Dataset.__init__(self, os.fspath(root), transform, force_reload=force_reload)
        processed = Path(self.processed_paths[0])
        if force_reload or not processed.exists():
            self._write(processed)
        stored = load_file(processed)
        images = stored["images"]
        grid = [torch.arange(size) for size in images.shape[-2:]]
        self._set(ImageToNodes()(images).contiguous(), stored["labels"], torch.cartesian_prod(*grid))

    @property
    def raw_dir(self) -> str:
        """``root/raw``, or ``$SCGE_DATA/<name>`` where the files are there and not in the former."""
        own = Path(super().raw_dir)
        shared = Path(os.environ["SCGE_DATA"]) / self.name if "SCGE_DATA" in os.environ else own
        return str(shared if self.found_in(shared) and not self.found_in(own) else own)

    @property
    def raw_file_names(self) -> Sequence[str]:
        """The raw files that are there, or else the public ones."""
        return self.found_in(Path(self.raw_dir)) or self.public_files

    @property
    def processed_file_names(self) -> str:
        """One file, named after the split and the raw file."""
        stem = Path(self.raw_paths[0]).name.split(".")[0]
        return f"{'train' if self.train else 'test'}-{stem}.safetensors"

    @property
    @abstractmethod
    def public_files(self) -> Sequence[str]:
        """Names of the public files that hold this split."""

    def found_in(self, folder: Path) -> Sequence[str]:
        """Names of this split's raw files in a folder, or nothing if any is missing."""
        return self.public_files if all((folder / name).exists() for name in self.public_files) else []

    @abstractmethod
    def read(self) -> tuple[Tensor, Tensor]:
        """Images ``[S, C, H, W]`` uint8 and labels ``[S]`` of this split, from :attr:`raw_paths`."""

    def download(self) -> None:
        """Fetch the raw files; a file appears only after its sum was found right."""
        for name in self.public_files:
            target = Path(self.raw_dir) / name
            if target.exists():
                continue
            partial = target.with_name(f"{name}.{os.getpid()}.tmp")
            try:
                with urllib.request.urlopen(self.url + name, timeout=60) as response, partial.open("wb") as file:
                    shutil.copyfileobj(response, file)
                self._check(partial, name)
                partial.replace(target)
            except OSError as error:
                raise OSError(
                    f"{type(self).__name__}: could not download {self.url + name} ({error}); put the file into "
                    f"{target.parent}, or name a folder that holds {self.name}/{name} in SCGE_DATA"
                ) from error
            finally:
                partial.unlink(missing_ok=True)

    def _check(self, path: Path, name: str) -> None:
        if name not in self.checksums:
            return
        with path.open("rb") as file:
            digest = hashlib.md5(usedforsecurity=False)
            for block in iter(lambda: file.read(2**20), b""):
                digest.update(block)
        if digest.hexdigest() != self.checksums[name]:
            raise ValueError(
                f"{type(self).__name__}: {path} has the MD5 sum {digest.hexdigest()}, but {name} as published has "
                f"{self.checksums[name]}; delete the file to download it again"
            )

    def _write(self, target: Path) -> None:
        for path in map(Path, self.raw_paths):
            self._check(path, path.name)
        images, labels = self.read()
        if images.shape[0] != labels.shape[0] or images.shape[0] == 0:
            raise ValueError(
                f"{type(self).__name__}: {self.raw_dir} holds {images.shape[0]} images and {labels.shape[0]} labels; "
                "there must be as many of both, and at least one"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        try:
            partial.write_bytes(save({"images": images.contiguous(), "labels": labels.long()}))
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
