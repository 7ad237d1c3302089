"""What recordings of sensors over time share: steps are samples, and the last fifth of them tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import Data

from scge_pyg.datasets.packed import unpacked
from scge_pyg.datasets.raw_node_dataset import RawNodeDataset

__all__ = ["RecordedNodes"]


class RecordedNodes(RawNodeDataset):
    """A recording of named sensors: ``x [T, N, 1]``, and the number of the time step as ``y [T]``.

    A subclass's :meth:`read` gives ``x [T, N]`` and ``names`` (:func:`scge_pyg.datasets.packed.packed`), and may give
    ``pos``, ``cells`` and ``edge_index``, which are for scoring alone. Windows of time as channels:
    :class:`scge_pyg.transforms.SeriesToNodes` of ``ds.x[:, :, 0]``.

    Args:
        root: Folder for ``raw`` and ``processed``; see :class:`RawNodeDataset` for where raw files are looked for.
        train: The first 80 % of the steps, or else the last 20 %. Default: all.
        transform: Applied to each ``Data`` on access.
        force_reload: Read the raw files again.

    Attributes:
        edge_index: True edges ``[2, E]`` in both directions, where they are known.
    """

    edge_index: Tensor | None

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool | None = None,
        transform: Callable[[Data], Data] | None = None,
        force_reload: bool = False,
    ) -> None:
        super().__init__(root, train, transform, force_reload)

    @property
    def processed_file_names(self) -> str:
        """One file for all steps, named after the raw file."""
        return f"{Path(self.raw_paths[0]).name.split('.')[0]}.safetensors"

    def use(self, kept: Mapping[str, Tensor]) -> None:
        """Make samples of the steps that were asked for."""
        x = kept["x"]
        first = round(0.8 * len(x))
        steps = slice(None) if self.train is None else slice(first) if self.train else slice(first, None)
        self._set(
            x[steps].unsqueeze(2),
            torch.arange(len(x))[steps],
            kept.get("cells"),
            kept.get("pos"),
            unpacked(kept["names"]),
        )
        self.edge_index = kept.get("edge_index")
