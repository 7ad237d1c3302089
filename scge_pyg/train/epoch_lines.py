"""`EpochLines`: one line when training starts and one after each epoch, on a terminal and in a log alike."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from tqdm import tqdm

__all__ = ["EpochLines"]


class EpochLines(Callback):
    """Says on stderr what is trained, and the metrics of each epoch.

    Example:
        >>> EpochLines()
        EpochLines()
    """

    def __init__(self) -> None:
        self._loss: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The module, and where the run stands."""
        at = f", goes on after {trainer.global_step} steps" if trainer.global_step else ""
        self._say(trainer, f"{pl_module!r}: {trainer.max_epochs} epochs of {trainer.num_training_batches} steps{at}")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the loss, for the end of the epoch."""
        self._loss = outputs["loss"] if isinstance(outputs, Mapping) else outputs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The loss of the last step and what was found on held-out samples."""
        found = {name: value for name, value in trainer.callback_metrics.items() if name != "train_loss"}
        found = {"loss": self._loss, **dict(sorted(found.items()))}
        values = ", ".join(f"{name} {float(value):.4g}" for name, value in found.items() if value is not None)
        self._say(trainer, f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: {values}")

    @staticmethod
    def _say(trainer: Trainer, text: str) -> None:
        if trainer.is_global_zero:
            tqdm.write(text, file=sys.stderr)

    def __repr__(self) -> str:
        return "EpochLines()"
