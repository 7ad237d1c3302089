"""`Beginning`: what a run was told is written down once it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from scge_pyg.train.run_folder import Plain, RunFolder

__all__ = ["Beginning"]


class Beginning(Callback):
    """Writes down what the run was told once a first step has gone well, so that a start that fails changes nothing.

    Args:
        folder: Of the run.
        config: What it was told.
        seed: Of all random numbers.
    """

    def __init__(self, folder: RunFolder, config: Mapping[str, Plain], seed: int) -> None:
        self.folder, self.config, self.seed, self.written = folder, config, seed, False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write once."""
        if trainer.is_global_zero:
            self.write()

    def write(self) -> None:
        """Write, unless it is done."""
        if not self.written:
            self.folder.begin(self.config, seed=self.seed, force=True)
            self.written = True
