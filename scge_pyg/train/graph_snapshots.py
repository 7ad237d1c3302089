"""`GraphSnapshots`: where trained places stood, every so many epochs."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from scge_pyg.graph.checks import whole_number
from scge_pyg.train.node_module import NodeModule
from scge_pyg.train.trained_places import table_of

__all__ = ["GraphSnapshots"]


class GraphSnapshots(Callback):
    """Writes ``table.to_graph()`` of the trained places after every n-th epoch, ``epoch-0005.safetensors`` and so on.

    Args:
        folder: Where files go.
        every: Epochs between two of them.

    Raises:
        ValueError: If ``every`` isn't positive, or the model has no trained places.

    Example:
        >>> GraphSnapshots("run/graphs", every=5)
        GraphSnapshots('run/graphs', every=5)
    """

    def __init__(self, folder: str | os.PathLike[str], *, every: int = 1) -> None:
        self.folder, self.every = Path(folder), whole_number("GraphSnapshots", "every", every, 1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the graph, if it is time."""
        epoch = trainer.current_epoch + 1
        if epoch % self.every or not trainer.is_global_zero:
            return
        model = pl_module.model if isinstance(pl_module, NodeModule) else pl_module
        assert model is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # places on their way share cells
            graph = table_of(model).to_graph()
        graph.save(self.folder / f"epoch-{epoch:04d}.safetensors")

    def __repr__(self) -> str:
        return f"GraphSnapshots({str(self.folder)!r}, every={self.every})"
