"""Data sets read from public raw files, which are downloaded, checked and kept."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import load_file, save
from torch import Tensor
from torch_geometric.data import Data, Dataset

from scge_pyg.datasets.node_dataset import NodeDataset
from scge_pyg.datasets.raw_files import check_sum, fetch
from scge_pyg.transforms import ImageToNodes

__all__ = ["RawNodeDataset"]


class RawNodeDataset(NodeDataset):
    """A data set read from public raw files, of images unless a subclass says otherwise.

    Raw files are taken from ``root/raw``; where they aren't there, from the folder ``$SCGE_DATA/<name>``; and where
    they aren't there either, they are downloaded to ``root/raw``. Files whose MD5 or SHA-256 sum is known are checked.
    What was read is kept in ``root/processed`` as safetensors.

    A subclass names ``name``, ``url``, ``checksums`` and ``public_files``, and defines
    :meth:`read`; one that holds no images also :meth:`use`.

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
        train: bool | None = True,
        transform: Callable[[Data], Data] | None = None,
        force_reload: bool = False,
    ) -> None:
        self.train = train
        Dataset.__init__(self, os.fspath(root), transform, force_reload=force_reload)
        processed = Path(self.processed_paths[0])
        if processed.exists() and not force_reload:
            self._use_kept(processed)
            return
        for path in map(Path, self.raw_paths):
            check_sum(path, path.name, self.checksums.get(path.name), type(self).__name__)
        kept = {key: value.contiguous() for key, value in self.read().items()}
        self.use(kept)
        _write(kept, processed)

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

    def url_of(self, name: str) -> str:
        """Where a public file is."""
        return self.url + name

    @abstractmethod
    def read(self) -> Mapping[str, Tensor]:
        """What is kept of :attr:`raw_paths`: of images, ``images [S, C, H, W]`` uint8 and ``labels [S]``."""

    def use(self, kept: Mapping[str, Tensor]) -> None:
        """Make samples and labels of what :meth:`read` gave."""
        images, labels = kept["images"], kept["labels"]
        if images.shape[0] != labels.shape[0] or images.shape[0] == 0:
            raise ValueError(
                f"{type(self).__name__}: {self.raw_dir} holds {images.shape[0]} images and {labels.shape[0]} labels; "
                "there must be as many of both, and at least one"
            )
        grid = [torch.arange(size) for size in images.shape[-2:]]
        self._set(ImageToNodes()(images).contiguous(), labels, torch.cartesian_prod(*grid))

    def _use_kept(self, processed: Path) -> None:
        try:
            self.use(load_file(processed))
        except Exception as error:  # of safetensors, or of what looks into the tensors
            raise ValueError(
                f"{type(self).__name__}: {processed} is damaged or something else ({error}); pass force_reload=True to "
                "read the raw files again"
            ) from error

    def download(self) -> None:
        """Fetch the raw files that lack."""
        for name in self.public_files:
            target = Path(self.raw_dir) / name
            if not target.exists():
                advice = (
                    f"put the file into {target.parent}, or name a folder that holds {self.name}/{name} in SCGE_DATA"
                )
                fetch(self.url_of(name), target, self.checksums.get(name), type(self).__name__, advice)


def _write(kept: dict[str, Tensor], target: Path) -> None:
    """Keep tensors in a file that appears as a whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        partial.write_bytes(save(kept))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
