"""`NodesDataModule`: a data set of the package, or a user's arrays and files, ready to train on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor
from torch.utils.data import DataLoader

from scge_pyg.graph import SharedGraph
from scge_pyg.train.batch_order import BatchOrder, ResumableLoader, in_sequence
from scge_pyg.train.building import DataSizes
from scge_pyg.train.known import KNOWN, Known, as_known, in_order
from scge_pyg.train.named_data import named_source
from scge_pyg.train.parts import Parts
from scge_pyg.train.sources import Array, read_source, shuffled
from scge_pyg.train.splits import Missing, check_choice, check_shares, whole

__all__ = ["NodesDataModule", "Task"]

Task = Literal["classification", "autoencoding", "forecasting"]


class NodesDataModule(Parts):
    """Samples over one node set, split, filled, scaled and in an order that can be resumed.

    * *Split.* Samples at random by ``seed``; steps of a series by time, the oldest train. A data set that comes with
      test samples of its own keeps them.
    * *Missing values* are refused, or filled as ``missing`` says. Samples without a class are refused.
    * *Scale.* Mean 0 and deviation 1 in each channel of the training samples; a forecaster scales by itself.
    * *Order.* That of :class:`BatchOrder`, so that a run goes on within an epoch where it stood.

    Args:
        x: Samples ``[S, N]`` or ``[S, N, C]``, or a series ``[T, N]``: a tensor, an array, or a file: ``.csv`` of one
            sample a line, ``.npy``, ``.npz`` (with ``x`` and perhaps ``y``), or what :func:`scge_pyg.io.read` reads.
        y: Class of each sample ``[S]``: a tensor, an array, or a ``.npy`` or ``.npz``.
        dataset: Name of a class of :mod:`scge_pyg.datasets` instead of ``x``, for instance ``"DigitsNodes"``.
        root: Its folder for raw and processed files.
        target: Name or number of the column of ``x`` that holds the classes.
        columns: Columns of a ``.csv`` to take as nodes, by name or by number from 0, with commas between. Default: all
            but row numbers and times, which are left out with a warning.
        drop: Columns of a ``.csv`` to leave out.
        header: Whether the first line of a ``.csv`` names the columns. Default: judged by what stands below it.
        task: What batches hold: ``(x, y)``, ``(x,)``, or windows ``(x, y, time)``.
        window: Steps that a forecaster sees.
        horizon: Steps that it predicts.
        val: Share of the samples that validate.
        test: Share that test.
        limit: Most samples to train on. Default: all.
        seed: Of the split and of the order of the samples.
        batch_size: Samples of a step.
        eval_batch_size: Samples of a batch of validation, test and prediction.
        workers: Processes that load, 0 for none.
        standardize: Whether to scale. Default: for classification.
        shuffle_nodes: Seed of :class:`scge_pyg.transforms.ShuffleNodes`. Default: nodes stay in their order.
        missing: ``"refuse"``, ``"mean"`` of the node in the training samples, or the ``"previous"`` value of a series.

    Attributes:
        scale: Mean and deviation ``[C]`` that were taken out; None where nothing was.
        tested: Which samples of ``x`` test, counted from 0; of a series, the newest step of each window.

    Raises:
        ValueError: If not exactly one of ``x`` and ``dataset`` is given, a number is out of range, classes are needed
            and not given, values are missing and refused, or a part is too small.
        TypeError: If a number is none.

    Example:
        >>> import torch
        >>> data = NodesDataModule(torch.rand(50, 6), torch.arange(50) % 3, batch_size=8)
        >>> data.setup()
        >>> data
        NodesDataModule(classification, nodes=6, train=40, val=5, test=5, batch_size=8)
        >>> [part.shape for part in next(iter(data.train_dataloader()))]
        [torch.Size([8, 6, 1]), torch.Size([8])]
    """

    def __init__(
        self,
        x: Array | None = None,
        y: Array | None = None,
        *,
        dataset: str | None = None,
        root: str = "data",
        target: str | int | None = None,
        columns: str | None = None,
        drop: str | None = None,
        header: bool | None = None,
        task: Task = "classification",
        window: int = 12,
        horizon: int = 12,
        val: float = 0.1,
        test: float = 0.1,
        limit: int | None = None,
        seed: int = 0,
        batch_size: int = 64,
        eval_batch_size: int = 500,
        workers: int = 0,
        standardize: bool | None = None,
        shuffle_nodes: int | None = None,
        missing: Missing = "refuse",
    ) -> None:
        super().__init__()
        if (x is None) == (dataset is None):
            got = "neither" if x is None else "both"
            raise ValueError(f"NodesDataModule: give either x or the name of a dataset, got {got}")
        check_choice("task", task, ("classification", "autoencoding", "forecasting"))
        check_choice("missing", missing, ("refuse", "mean", "previous"))
        check_shares(val, test)
        self.x, self.y, self.dataset, self.root, self.target, self.task = x, y, dataset, root, target, task
        self.table: dict[str, Any] = {"columns": columns, "drop": drop, "header": header}
        self.window, self.horizon = (whole(name, n, 1) for name, n in (("window", window), ("horizon", horizon)))
        self.batch_size = whole("batch_size", batch_size, 1)
        self.eval_batch_size = whole("eval_batch_size", eval_batch_size, 1)
        self.limit = None if limit is None else whole("limit", limit, 1)
        self.workers, self.seed = whole("workers", workers, 0), whole("seed", seed, 0)
        self.val, self.test, self.missing = val, test, missing
        self.standardize = task == "classification" if standardize is None else standardize
        self.said_nothing_of_scale = standardize is None
        self.shuffle_nodes = None if shuffle_nodes is None else whole("shuffle_nodes", shuffle_nodes, 0)
        self._graph: SharedGraph | None = None
        self._order: BatchOrder | None = None
        self._resume: dict[str, int] | None = None

    def remember(self, checkpoint: Mapping[str, Any], graph: SharedGraph | None = None) -> None:
        """Read the data as those of a run were read: nodes in its order, classes with its numbers, in its units.

        Args:
            checkpoint: Of the run; of one without what :meth:`state_dict` says, or ``{}``, the graph is taken.
            graph: The modality, whose nodes the data are to have.
        """
        self.known = Known.in_checkpoint(checkpoint, [kind.__qualname__ for kind in type(self).__mro__])
        self.put_on(graph)

    def put_on(self, graph: SharedGraph | None) -> None:
        """Read the nodes in the order of a graph."""
        self._graph = graph
        if self.rows and not self._as_remembered():
            self.rows, self._order = {}, None

    def _as_remembered(self) -> bool:
        graph, found = self._graph, self.found()
        if graph is not None and (graph.num_nodes != found.nodes or (graph.names or found.names) != found.names):
            return False
        return self.known is None or self.known.same(found)

    def setup(self, stage: str | None = None) -> None:
        """Read, split, fill and scale, unless that is done.

        Raises:
            ValueError: If the data don't fit, or there are no samples for what is to be done.
        """
        if not self.rows:
            self._read()
        doing = str(getattr(stage, "value", stage))
        part = {"validate": "val", "test": "test", "predict": "test"}.get(doing)
        if part is not None and not len(self.rows[part]):
            raise ValueError(f"NodesDataModule: there are no samples to {doing} with; give {part} a larger share")
        if self.trainer is not None and not len(self.rows["val"]):
            self.trainer.limit_val_batches = 0

    def _read(self) -> None:
        if self.x is None:
            source = named_source(str(self.dataset), self.root, self.task == "forecasting")
        else:
            source = read_source(self.x, self.y, self.target, **self.table)
        if self.shuffle_nodes is not None:
            source = shuffled(source, self.shuffle_nodes)
        if self._graph is not None:
            source = in_order(source, self._graph.names, self._graph.num_nodes, "the graph")
        if self.known is not None:
            source = as_known(source, self.known)
        self.names, self.classes = source.names, source.classes
        rows = self._series(source) if self.task == "forecasting" else self._samples(source)
        count = len(rows["train"])
        if count < self.batch_size:
            raise ValueError(
                f"NodesDataModule: there must be at least batch_size={self.batch_size} samples to train on, got "
                f"{count}; pass batch_size={count} or less, or smaller val and test"
            )
        self.rows = rows

    @property
    def sizes(self) -> DataSizes:
        """What a network has to know."""
        self.setup()
        nodes, channels = self.discovery_samples.shape[1:]
        if self.task == "forecasting":
            return DataSizes(nodes, channels, window=self.window, horizon=self.horizon)
        return DataSizes(nodes, channels, None if self.task == "autoencoding" else len(self.classes or ()))

    @property
    def order(self) -> BatchOrder:
        """Order of the training samples; of several processes, that of this one."""
        trainer = self.trainer
        rank, ranks = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        if self._order is None or (self._order.rank, self._order.ranks) != (rank, ranks):
            count = len(self.rows["train"])
            self._order = BatchOrder(count, self.batch_size, seed=self.seed, rank=rank, ranks=ranks)
        return self._order

    def train_dataloader(self) -> ResumableLoader:
        """Batches to train on, from where a loaded state says."""
        if self._resume is not None:
            self.order.load(self._resume)
            self._resume = None
        else:
            self.order.seek(0 if self.trainer is None else self.trainer.current_epoch, 0)
        return ResumableLoader(self.rows["train"], self.order, trained=self._trained, workers=self.workers)

    def _trained(self) -> tuple[int, int]:
        """Epoch, and batches in it, that were trained on, by the trainer's count of steps that it has taken."""
        trainer = self.trainer
        if trainer is None or not math.isfinite(trainer.num_training_batches) or not trainer.num_training_batches:
            return self.order.epoch, self.order.batch
        steps: int = trainer.fit_loop.epoch_loop.batch_progress.total.processed  # type: ignore[attr-defined]
        return divmod(steps, int(trainer.num_training_batches))

    def _evaluation(self, part: str) -> list[DataLoader[tuple[Tensor, ...]]]:
        rows = self.rows[part]
        return [in_sequence(rows, self.eval_batch_size, self.workers)] if len(rows) else []

    def val_dataloader(self) -> list[DataLoader[tuple[Tensor, ...]]]:
        """Batches to validate with."""
        return self._evaluation("val")

    def test_dataloader(self) -> list[DataLoader[tuple[Tensor, ...]]]:
        """Batches to test with."""
        return self._evaluation("test")

    predict_dataloader = test_dataloader

    def state_dict(self) -> dict[str, Any]:
        """Where training stands in which order, and what a run is to know of the data."""
        return self.order.state(*self._trained()) | {KNOWN: self.found().state()} if self.rows else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on there at the next :meth:`train_dataloader`."""
        self._resume = {name: value for name, value in state_dict.items() if name != KNOWN} or None

    def __repr__(self) -> str:
        what = [self.task, *([f"dataset={self.dataset!r}"] if self.dataset else [])]
        if self.rows:
            counts = [f"{name}={len(rows)}" for name, rows in self.rows.items()]
            what += [f"nodes={self.discovery_samples.shape[1]}", *counts]
        return f"NodesDataModule({', '.join(what)}, batch_size={self.batch_size})"
