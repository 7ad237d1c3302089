"""The parts to train, validate and test with that samples are split into, filled and scaled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from scge_pyg.train.known import Known
from scge_pyg.train.rows import Rows, SampleRows, WindowRows
from scge_pyg.train.sources import Source
from scge_pyg.train.splits import Missing, by_seed, by_time, filled, mean_of_nodes, scaled
from scge_pyg.train.warned import hint_of_scale, warn_of_one_class

__all__ = ["Parts"]


class Parts(LightningDataModule):
    """What :class:`NodesDataModule` holds once it has read."""

    task: str
    window: int
    horizon: int
    val: float
    test: float
    limit: int | None
    seed: int
    missing: Missing
    standardize: bool
    said_nothing_of_scale: bool
    discovery_samples: Tensor
    training_samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, Rows] = {}
        self.scale: tuple[Tensor, Tensor] | None = None
        self.names: tuple[str, ...] | None = None
        self.classes: tuple[str, ...] | None = None
        self.mean: Tensor | None = None
        self.known: Known | None = None
        self.tested = torch.empty(0, dtype=torch.long)

    def found(self) -> Known:
        """What a run is to know of these data."""
        return Known(self.discovery_samples.shape[1], self.names, self.classes, self.scale, self.mean)

    def _prepared(self, parts: list[Tensor], *, time: bool = False) -> list[Tensor]:
        """Without gaps and in the units of the run, or of the first part."""
        known = self.known
        self.mean = mean_of_nodes(parts[0]) if known is None or known.mean is None else known.mean
        parts = filled(parts, self.missing, time, self.mean, self.names)
        if not self.standardize:
            hint_of_scale(parts[0], self.task == "autoencoding" and self.said_nothing_of_scale and known is None)
            return parts
        parts, self.scale = scaled(parts, None if known is None else known.scale)
        return parts

    def _samples(self, source: Source) -> dict[str, Rows]:
        own = source.test
        split = by_seed(len(source.x), self.val, 0.0 if own is not None else self.test, self.seed)
        train = split[0] if self.limit is None else split[0][: self.limit]
        chosen = [train, split[1], *([] if own is not None else [split[2]])]
        self.tested = split[2] if own is None else torch.arange(len(own.x))
        parts = [source.x[part] for part in chosen] + ([] if own is None else [own.x])
        self.discovery_samples = parts[0]
        parts = self._prepared(parts)
        self.training_samples = parts[0]
        labels: Sequence[Tensor | None] = [None, None, None]
        if self.task == "classification":
            if source.y is None:
                raise ValueError("NodesDataModule: task='classification' needs classes; give y= or target=")
            labels = [source.y[part] for part in chosen] + ([] if own is None else [own.y])
            assert self.classes is not None
            if self.known is None:
                warn_of_one_class(source.y[train], self.classes)
        return {name: SampleRows(x, y) for name, x, y in zip(("train", "val", "test"), parts, labels, strict=True)}

    def _series(self, source: Source) -> dict[str, Rows]:
        if source.x.shape[2] != 1:
            raise ValueError(
                f"NodesDataModule: task='forecasting' needs a series [T, N] of one channel, got {list(source.x.shape)}"
            )
        split = by_time(len(source.x), self.val, self.test)
        split = split if self.limit is None else (split[0][-self.limit :], *split[1:])
        parts = [source.x[part] for part in split]
        self.discovery_samples = parts[0]
        parts = self._prepared(parts, time=True)
        self.training_samples = parts[0].squeeze(2)
        starts = (int(part[0]) if len(part) else 0 for part in split)
        rows = {
            name: WindowRows(x.squeeze(2), self.window, self.horizon, start, name)
            for name, x, start in zip(("train", "val", "test"), parts, starts, strict=True)
        }
        self.tested = torch.arange(len(rows["test"])) + rows["test"].start + self.window - 1
        return dict(rows)
