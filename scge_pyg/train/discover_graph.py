"""`DiscoverGraph`: the geometry of the training samples, before the first epoch and before there is a model."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from scge_pyg.discovery import Numbered, discover
from scge_pyg.graph import SharedGraph
from scge_pyg.train.node_module import NodeModule
from scge_pyg.train.nodes_data import NodesDataModule

__all__ = ["DiscoverGraph"]


class DiscoverGraph(Callback):
    """Runs :func:`scge_pyg.discover` on the training samples, as they are, and hands the graph to the module.

    It acts in ``setup``; the module builds its model after that. Where the module has a graph already, as from a
    checkpoint, or the file is there with a map of ``dim`` dimensions, nothing is discovered. Several processes discover
    together, each from every W-th training sample, and all get the graph of one process, bit for bit; the first one
    writes the file.

    Args:
        file: Where the graph is written, and read if it is there. Default: nowhere.
        dim: Dimension of the map, 1 to 4. Default: judged.
        snap: Look for a lattice.
        seed: Of all randomness of discovery.

    Warns:
        UserWarning: If the file was there: its graph is taken, or replaced.

    Raises:
        TypeError: If the module or the data aren't of this package.

    Example:
        >>> DiscoverGraph("run/graph.safetensors")
        DiscoverGraph(file='run/graph.safetensors', dim=None, snap=True, seed=0)
    """

    def __init__(
        self, file: str | os.PathLike[str] | None = None, *, dim: int | None = None, snap: bool = True, seed: int = 0
    ) -> None:
        self.file = None if file is None else Path(file)
        self.dim, self.snap, self.seed = dim, snap, seed

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the graph, unless it is known."""
        if not isinstance(pl_module, NodeModule):
            raise TypeError(f"DiscoverGraph: the module must be a NodeModule, got {type(pl_module).__name__}")
        if pl_module.graph is not None:
            if self.file is not None and trainer.is_global_zero and not self.file.exists():
                self._save(pl_module.graph)
            return
        data = getattr(trainer, "datamodule", None)
        # the first process looks: it may write the file before the others would look for it
        known = trainer.strategy.broadcast(self.file is not None and self.file.exists())
        if known and self.file is not None:
            graph = SharedGraph.load(self.file)
            taken = self.dim in (None, graph.dim)
            if trainer.is_global_zero:
                then = (
                    "taken; remove the file to discover from these samples"
                    if taken
                    else f"replaced: its map has {graph.dim} dimensions, not {self.dim}"
                )
                warnings.warn(
                    f"DiscoverGraph: the graph in {self.file}, which was there before this start, is {then}",
                    UserWarning,
                    stacklevel=2,
                )
            if taken:
                pl_module.graph = graph
                if isinstance(data, NodesDataModule):
                    data.put_on(graph)
                    data.setup(stage)
                return
        if not isinstance(data, NodesDataModule):
            raise TypeError(
                f"DiscoverGraph: there must be a NodesDataModule to discover from, got {type(data).__name__}; pass "
                f"datamodule=, or graph= to the module"
            )
        samples: Any = data.discovery_samples
        group = None
        if trainer.world_size > 1:
            rank, ranks = trainer.global_rank, trainer.world_size
            samples = Numbered(samples[rank::ranks], torch.arange(rank, len(samples), ranks))
            group = torch.distributed.new_group(backend="gloo")
        pl_module.graph = discover(
            samples, names=data.names, dim=self.dim, snap=self.snap, seed=self.seed, progress=False, group=group
        )
        if self.file is not None and trainer.is_global_zero:
            self._save(pl_module.graph)

    def _save(self, graph: SharedGraph) -> None:
        assert self.file is not None
        self.file.parent.mkdir(parents=True, exist_ok=True)
        graph.save(self.file)

    def __repr__(self) -> str:
        file = None if self.file is None else str(self.file)
        return f"DiscoverGraph(file={file!r}, dim={self.dim}, snap={self.snap}, seed={self.seed})"
