"""What a run answers, as an array or as a table that says which sample and which class each number belongs to."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from scge_pyg.cli.output import written_file

if TYPE_CHECKING:
    from scge_pyg.train import NodesDataModule

__all__ = ["write_predictions"]


def write_predictions(path: Path, found: Tensor, data: NodesDataModule) -> None:
    """Write a ``.npy`` of the answers, or a ``.csv`` of one sample a line.

    The table begins with the number of the sample in its file, counted from 0. Of classes it tells the likeliest and
    the probability of each; of codes each; of forecasts each node's, so many steps ahead.

    Args:
        path: The file.
        found: Answers ``[S, ...]``.
        data: The samples.
    """
    with written_file(path) as partial:
        if path.suffix == ".npy":
            np.save(partial, found.numpy())
            return
        names, columns = _answers(found, data)
        with partial.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows(zip(data.tested.tolist(), *columns, strict=True))


def _answers(found: Tensor, data: NodesDataModule) -> tuple[list[str], list[Sequence[str]]]:
    """Names and cells of the columns."""
    cells: list[Sequence[str]] = [[f"{value:.7g}" for value in column] for column in found.flatten(1).T.tolist()]
    if data.task == "forecasting":
        nodes = data.names or tuple(map(str, range(found.shape[1])))
        return ["step", *(f"{node} +{step}" for node in nodes for step in range(1, found.shape[2] + 1))], cells
    if data.task == "autoencoding":
        return ["sample", *(f"code {number}" for number in range(len(cells)))], cells
    classes = data.classes if data.classes is not None and len(data.classes) == len(cells) else None
    words = list(classes or map(str, range(len(cells))))
    return ["sample", "class", *words], [[words[place] for place in found.argmax(1).tolist()], *cells]
