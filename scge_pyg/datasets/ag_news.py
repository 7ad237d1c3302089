"""AG's news: short texts of four kinds as counts of their words."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch_geometric.data import Data

from scge_pyg.datasets.packed import packed, unpacked
from scge_pyg.datasets.raw_node_dataset import RawNodeDataset
from scge_pyg.transforms import TextToNodes

__all__ = ["AGNewsNodes"]


class AGNewsNodes(RawNodeDataset):
    """Titles and descriptions of news (Zhang, Zhao and LeCun, 2015): 120,000 and 7,600 texts, a node for each word.

    Test texts over the words of the training texts: ``AGNewsNodes(root, train=False, vocabulary=train.names)``.

    Args:
        root: Folder for ``raw`` and ``processed``; see :class:`RawNodeDataset` for where raw files are looked for.
        train: Training texts, or else test texts.
        num_words: Size of the vocabulary: the most frequent words of this split.
        transform: Applied to each ``Data`` on access.
        force_reload: Read the raw files again.
        options: Further arguments of :class:`TextToNodes`, such as ``stop_words="english"`` or ``vocabulary=words``.

    Raises:
        ImportError: Without the extra ``demo``.

    Attributes:
        names: The words.
        classes: What the labels 0 to 3 mean.
    """

    name = "ag_news"
    url = "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/"
    checksums: ClassVar = {
        "train.csv": "b1a00f826fdfbd249f79597b59e1dc12",
        "test.csv": "d52ea96a97a2d943681189a97654912d",
    }
    classes = ("World", "Sports", "Business", "Sci/Tech")

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        num_words: int = 1000,
        transform: Callable[[Data], Data] | None = None,
        force_reload: bool = False,
        **options: Any,
    ) -> None:
        self.words = TextToNodes(num_words, **options)
        super().__init__(root, train, transform, force_reload)

    @property
    def public_files(self) -> list[str]:
        """The one file of this split."""
        return ["train.csv" if self.train else "test.csv"]

    def read(self) -> dict[str, Tensor]:
        """Texts and labels."""
        path = Path(self.raw_paths[0])
        texts: list[str] = []
        labels: list[int] = []
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                if len(row) != 3 or row[0] not in ("1", "2", "3", "4"):
                    raise ValueError(f"AGNewsNodes: row {len(texts) + 1} of {path} isn't class, title, description")
                texts.append(" ".join(row[1:]).replace("\\", " "))
                labels.append(int(row[0]) - 1)
        return {"texts": packed(texts), "labels": torch.tensor(labels)}

    def use(self, kept: Mapping[str, Tensor]) -> None:
        """Count words."""
        texts = unpacked(kept["texts"])
        words = self.words if self.words.names else self.words.fit(texts)
        self._set(words(texts), kept["labels"], names=words.names)
