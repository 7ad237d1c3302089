"""`Run`: a Lightning trainer and a folder, put together so that fitting again goes on where it was killed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from scge_pyg.graph.checks import whole_number
from scge_pyg.train.beginning import Beginning
from scge_pyg.train.checkpoint_files import checkpoints_in
from scge_pyg.train.checkpoints import Checkpoints
from scge_pyg.train.graph_state import GRAPH, graph_from_state, same_graph
from scge_pyg.train.metrics_file import MetricsFile
from scge_pyg.train.node_module import NodeModule
from scge_pyg.train.nodes_data import NodesDataModule
from scge_pyg.train.quiet import quiet
from scge_pyg.train.run_checks import check_parts, said_of
from scge_pyg.train.run_folder import Plain, RunFolder
from scge_pyg.train.run_pictures import draw_run

__all__ = ["Run"]


class Run:
    """Training, validation, test and prediction of one module in one folder (:class:`RunFolder`).

    :meth:`fit` goes on from the newest checkpoint of the folder, if there is one: 2n steps are, on CPU, to the bit n
    steps, ``kill -9``, and ``fit`` again.

    Args:
        folder: Where all files go.
        epochs: Passes over the training samples.
        seed: Of the model's start and of all that draws random numbers; the data module has its own.
        checkpoint_every: Steps between two checkpoints within an epoch, 0 for none. One is written at each epoch's end.
        keep: Checkpoints that stay, at least 2.
        log_every: Steps between two entries of the training loss.
        tensorboard: Log to TensorBoard as well.
        wandb: Log to Weights & Biases as well.
        progress: Show Lightning's progress bar.
        accelerator: As for Lightning's ``Trainer``.
        devices: Number of them, or of processes.
        strategy: As for Lightning's ``Trainer``.
        force: Go on with another configuration, or weights on another graph.

    Raises:
        ValueError: If a number is out of range; in :meth:`fit`, if the folder holds a run with another configuration,
            seed, order of samples or graph.
        ModuleNotFoundError: If a logger that is asked for isn't installed.

    Example:
        >>> import tempfile, torch
        >>> from scge_pyg.train import ClassificationModule, NodesDataModule
        >>> x, y = torch.randn(96, 9, 1), torch.arange(96) % 2
        >>> data = NodesDataModule(x + 3 * y.view(-1, 1, 1), y, batch_size=16)
        >>> run = Run(tempfile.mkdtemp(), epochs=5, accelerator="cpu")
        >>> found = run.fit(ClassificationModule("NodeMLP", {"hidden": [8]}), data)
        >>> found["val_accuracy"] > 0.5
        True
        >>> run.predict(ClassificationModule("NodeMLP", {"hidden": [8]}), data).shape
        torch.Size([10, 2])
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        epochs: int = 5,
        seed: int = 0,
        checkpoint_every: int = 0,
        keep: int = 2,
        log_every: int = 50,
        tensorboard: bool = False,
        wandb: bool = False,
        progress: bool = False,
        accelerator: str = "auto",
        devices: int = 1,
        strategy: str = "auto",
        force: bool = False,
    ) -> None:
        self.folder = RunFolder(folder)
        self.epochs, self.seed = whole_number("Run", "epochs", epochs, 1), whole_number("Run", "seed", seed, 0)
        self.checkpoint_every = whole_number("Run", "checkpoint_every", checkpoint_every, 0)
        self.keep, self.log_every = whole_number("Run", "keep", keep, 2), whole_number("Run", "log_every", log_every, 1)
        for name, asked in (("tensorboard", tensorboard), ("wandb", wandb)):
            if asked and find_spec(name) is None:
                raise ModuleNotFoundError(f"Run: {name}=True needs the package {name}: pip install {name}")
        self.tensorboard, self.wandb, self.progress = tensorboard, wandb, progress
        self.accelerator, self.devices, self.strategy = accelerator, devices, strategy
        self.force = force

    def fit(
        self,
        module: NodeModule,
        data: NodesDataModule,
        callbacks: Sequence[Callback] = (),
        config: Mapping[str, Plain] | None = None,
    ) -> dict[str, float]:
        """Train to the end, from the start or from the newest checkpoint.

        Args:
            module: The task.
            data: Its samples.
            callbacks: Such as :class:`DiscoverGraph` with ``run.folder.graph_file``.
            config: What the run was told, as plain values; compared with that of the run in the folder. Default: its
                epochs alone.

        Returns:
            The last value of each metric.
        """
        check_parts(module, data, callbacks)
        with self.folder.held() if getattr(rank_zero_only, "rank", 0) == 0 else nullcontext():
            return self._fit(module, data, callbacks, {"epochs": self.epochs} if config is None else config)

    def _fit(
        self,
        module: NodeModule,
        data: NodesDataModule,
        callbacks: Sequence[Callback],
        config: Mapping[str, Plain],
    ) -> dict[str, float]:
        self.folder.compare(config, seed=self.seed, force=self.force)
        newest = self.folder.newest()
        path = None if newest is None else newest[0]
        if newest is not None:
            self._take_graph(module, newest[1], path)
        elif checkpoints_in(self.folder.checkpoints):
            raise ValueError(
                f"Run: none of the checkpoints in {self.folder.checkpoints} can be read; remove them to start anew, or "
                f"give another folder (--run.folder)"
            )
        data.remember({} if newest is None else newest[1], module.graph)
        seed_everything(self.seed, verbose=False)
        beginning = Beginning(self.folder, config, self.seed)
        saving = Checkpoints(self.folder.checkpoints, every=self.checkpoint_every, keep=self.keep)
        trainer = self._trainer([*callbacks, beginning, saving], self._loggers())
        with quiet():
            trainer.fit(module, datamodule=data, ckpt_path=path)
        if trainer.is_global_zero:
            beginning.write()
            draw_run(self.folder)
        return {name: values[-1][1] for name, values in self.folder.metrics().items()}

    def validate(
        self, module: NodeModule, data: NodesDataModule, callbacks: Sequence[Callback] = ()
    ) -> dict[str, float]:
        """Metrics of the validation samples, with the newest weights of the folder."""
        check_parts(module, data, callbacks)
        trainer, path = self._evaluation(module, data, callbacks)
        with quiet():
            found = trainer.validate(module, datamodule=data, ckpt_path=path, verbose=False)
        return dict(found[0]) if found else {}

    def test(self, module: NodeModule, data: NodesDataModule, callbacks: Sequence[Callback] = ()) -> dict[str, float]:
        """Metrics of the test samples, with the newest weights of the folder."""
        check_parts(module, data, callbacks)
        trainer, path = self._evaluation(module, data, callbacks)
        with quiet():
            found = trainer.test(module, datamodule=data, ckpt_path=path, verbose=False)
        return dict(found[0]) if found else {}

    def predict(self, module: NodeModule, data: NodesDataModule, callbacks: Sequence[Callback] = ()) -> Tensor:
        """What the newest weights of the folder answer to the test samples."""
        check_parts(module, data, callbacks)
        trainer, path = self._evaluation(module, data, callbacks)
        with quiet():
            found: Any = trainer.predict(module, datamodule=data, ckpt_path=path)
        return torch.cat(found)

    def _evaluation(
        self, module: NodeModule, data: NodesDataModule, callbacks: Sequence[Callback]
    ) -> tuple[Trainer, Path]:
        newest = self.folder.newest()
        if newest is None:
            raise ValueError(f"Run: {self.folder.checkpoints} holds no checkpoint that can be read; fit first")
        self._take_graph(module, newest[1], newest[0])
        data.remember(newest[1], module.graph)
        saving = Checkpoints(self.folder.checkpoints, keep=self.keep)
        saving.held = newest  # a run that goes on may remove the file before it is read again
        return self._trainer([*callbacks, saving], []), newest[0]

    def _take_graph(self, module: NodeModule, checkpoint: Mapping[str, Any], path: Path | None) -> None:
        """The graph of the weights is that of the model, unless another is forced."""
        module.other_graph_allowed = self.force
        if GRAPH not in checkpoint:
            return
        saved = graph_from_state(checkpoint[GRAPH])
        if module.graph is None:
            module.graph = saved
        elif not same_graph(module.graph, saved) and not self.force:
            raise ValueError(
                f"Run: the weights in {path} are on another graph, {saved}, than the one given, {module.graph}; leave "
                f"graph out to go on with the saved one, or force=True (--run.force true) to put the weights on the "
                f"new one"
            )

    def _trainer(self, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
        with quiet(), said_of(self.accelerator, self.devices, self.strategy):
            return Trainer(
                accelerator=self.accelerator,
                devices=self.devices,
                strategy=self.strategy,
                max_epochs=self.epochs,
                logger=loggers or False,
                callbacks=callbacks,
                log_every_n_steps=self.log_every,
                enable_progress_bar=self.progress,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                use_distributed_sampler=False,
                default_root_dir=self.folder.path,
            )

    def _loggers(self) -> list[Logger]:
        path = self.folder.path
        loggers: list[Logger] = [
            MetricsFile(path, name="metrics", version=self.folder.starts(), flush_logs_every_n_steps=1)
        ]
        if self.tensorboard:
            loggers.append(TensorBoardLogger(path, name="tensorboard", version=""))
        if self.wandb:
            loggers.append(WandbLogger(save_dir=path))
        return loggers

    def __repr__(self) -> str:
        return f"Run({str(self.folder.path)!r}, epochs={self.epochs}, seed={self.seed})"
