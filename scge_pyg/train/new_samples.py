"""`NewSamples`: samples without classes, all of them to predict, read as those of a run were."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import torch

from scge_pyg.io.libraries import is_of
from scge_pyg.train.known import as_known
from scge_pyg.train.nodes_data import NodesDataModule
from scge_pyg.train.rows import Rows, SampleRows, WindowRows
from scge_pyg.train.sources import Source, read_source, shuffled
from scge_pyg.train.tables import is_table, place_of

__all__ = ["NewSamples"]


class NewSamples(NodesDataModule):
    """All samples of an array or a file, for :meth:`Run.predict`; classes are neither needed nor looked at.

    Nodes come in the order of the run, by name where both have names; other columns are left aside. Missing values are
    filled by the means and values scaled by the numbers of the samples that the run was trained on. Of a series there
    is one window for each step that has a whole window behind it, the newest included.

    Args:
        x: As for :class:`NodesDataModule`.
        options: As for :class:`NodesDataModule`, those of the run.

    Raises:
        ValueError: If the run doesn't say what it knows of its data, or the nodes are others.

    Example:
        >>> import tempfile
        >>> from scge_pyg.train import ClassificationModule, Run
        >>> x, y = torch.randn(96, 9, 1), torch.arange(96) % 2
        >>> run = Run(tempfile.mkdtemp(), epochs=1, accelerator="cpu")
        >>> _ = run.fit(ClassificationModule("NodeMLP", {"hidden": [8]}), NodesDataModule(x, y, batch_size=16))
        >>> run.predict(ClassificationModule("NodeMLP", {"hidden": [8]}), NewSamples(torch.randn(7, 9))).shape
        torch.Size([7, 2])
    """

    def __init__(self, x: Any, **options: Any) -> None:
        super().__init__(x, **{**options, "y": None, "dataset": None, "limit": None})

    def _read(self) -> None:
        known = self.known
        if known is None:
            raise ValueError("NewSamples: the checkpoint doesn't say what its data were; fit again to predict new data")
        source = self._source()
        if self.shuffle_nodes is not None:
            source = shuffled(source, self.shuffle_nodes)
        source = as_known(source, known)
        self.names, self.classes = source.names or known.names, known.classes
        self.discovery_samples = source.x
        series = self.task == "forecasting"
        [x] = self._prepared([source.x], time=series)
        self.training_samples = x.squeeze(2) if series else x
        rows: Rows = SampleRows(x)
        self.tested = torch.arange(len(x))
        if series:
            # the steps to come are not known, and prediction doesn't look at them
            ahead = self.training_samples[-1:].expand(self.horizon, -1)
            rows = WindowRows(torch.cat([self.training_samples, ahead]), self.window, self.horizon, part="predict")
            self.tested = torch.arange(len(rows)) + self.window - 1
        self.rows = {"train": rows, "val": rows, "test": rows}

    def _source(self) -> Source:
        """The nodes that the run knows; a target among the columns is none."""
        x: Any = self.x
        names = None if self.known is None else self.known.names
        if names is not None and is_table(x):
            line = io.StringIO()
            csv.writer(line, lineterminator="").writerow(names)
            return read_source(x, columns=line.getvalue(), header=self.table["header"])
        if names is not None and is_of(x, "pandas", "DataFrame"):
            wanted = [place for place, name in enumerate(x.columns) if str(name) in set(names)]
            return read_source(x.iloc[:, wanted])
        source = read_source(x, **self.table)
        width = source.x.shape[1]
        if self.known is None or self.target is None or width != self.known.nodes + 1:
            return source
        place = place_of(list(source.names or map(str, range(width))), self.target)
        kept = [node for node in range(width) if node != place]
        return replace(source, x=source.x[:, kept], names=source.names and tuple(source.names[node] for node in kept))
