"""`Checkpoints`: all that a run needs to go on to the same bits, every so many steps and at the end of each epoch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from scge_pyg.graph.checks import whole_number
from scge_pyg.train.checkpoint_files import AtomicCheckpointIO, checkpoint_name, checkpoints_in
from scge_pyg.train.random_states import (
    chooser_states,
    random_states,
    restore_chooser_states,
    restore_random_states,
)

__all__ = ["Checkpoints"]

_RANDOM = "scge_pyg.random"


class Checkpoints(Checkpoint):
    """Saves weights, optimiser, schedule, counts, callbacks, graph, place in the order of samples and random numbers.

    A run that is killed at any moment and goes on from the newest file, ``trainer.fit(..., ckpt_path=...)``, ends with
    the bits of one that was not killed, on CPU. Files appear whole (:class:`AtomicCheckpointIO`) and hold tensors and
    plain values alone.

    Within an epoch it saves after the step, at its end after validation. The last ``keep`` files stay.

    Args:
        folder: Where files go, ``step-00000120.ckpt`` and so on.
        every: Steps between two files within an epoch, 0 for none.
        keep: Files that stay, at least 2: the one before the newest is there if that is damaged.

    Attributes:
        held: A file that was read, with its content, for :class:`AtomicCheckpointIO`.

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> Checkpoints("run/checkpoints", every=100)
        Checkpoints(every=100, keep=2)
    """

    def __init__(self, folder: str | os.PathLike[str], *, every: int = 0, keep: int = 2) -> None:
        self.folder = Path(folder)
        self.every = whole_number("Checkpoints", "every", every, 0)
        self.keep = whole_number("Checkpoints", "keep", keep, 2)
        self.held: tuple[Path, dict[str, Any]] | None = None
        self._random: dict[str, Any] | None = None
        self._saved = -1

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write and read as :class:`AtomicCheckpointIO` does; what a killed process left half-written goes."""
        trainer.strategy.checkpoint_io = AtomicCheckpointIO(self.held)
        if trainer.is_global_zero and stage == "fit":
            for left in self.folder.glob("step-*.ckpt.*.tmp"):
                left.unlink(missing_ok=True)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Random numbers go on where they were, after all that draws some at the start."""
        self._saved = trainer.global_step
        if self._random is not None:
            restore_random_states(self._random)
            restore_chooser_states(pl_module, self._random["choosers"])
            self._random = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save when it is time, unless the epoch ends here, and with it its validation is to come."""
        step = trainer.global_step
        last = batch_idx + 1 >= trainer.num_training_batches
        if self.every and step % self.every == 0 and step != self._saved and not last:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save what the epoch ended with."""
        if trainer.global_step != self._saved:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        self._saved = trainer.global_step
        for logger in trainer.loggers:
            logger.save()
        trainer.save_checkpoint(self.folder / checkpoint_name(trainer.global_step))
        if trainer.is_global_zero:
            for old in checkpoints_in(self.folder)[self.keep :]:
                old.unlink(missing_ok=True)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Put the states of all random numbers beside the rest."""
        checkpoint[_RANDOM] = random_states() | {"choosers": chooser_states(pl_module)}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep them until training starts."""
        self._random = checkpoint.get(_RANDOM)

    def __repr__(self) -> str:
        return f"Checkpoints(every={self.every}, keep={self.keep})"
