"""Shuffled CIFAR-10 and Fashion-MNIST at half their size: what the networks of two benchmarks are trained on.

Run s uses permutation s and sample subset s. Of the first 20,000 training images it keeps 15,000 (or the first of
them); it is tested on the other 5,000 and on the first 1,000 test images, runs of 100 and above, which tune, on the
other 5,000 alone. Pixels are means of 2x2 blocks: 16x16 in three colours, 14x14 in gray.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from scge_pyg.datasets import CIFAR10Nodes, FashionMNISTNodes
from scge_pyg.models import standardized
from scge_pyg.transforms import ShuffleNodes

__all__ = ["CLASSES", "SHAPES", "SmallImages", "halved"]

CLASSES = 10
SHAPES = {"cifar10": (16, 16), "fashion_mnist": (14, 14)}
_DATASETS = {"cifar10": CIFAR10Nodes, "fashion_mnist": FashionMNISTNodes}
_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_POOL, _MOST, _TEST, _TUNING = 20_000, 15_000, 1_000, 100


def halved(x: Tensor, shape: tuple[int, int]) -> Tensor:
    """Means of 2x2 blocks of images ``[S, 4 H W, C]`` with row-major nodes: ``[S, H W, C]`` for ``shape`` (H, W).

    Example:
        >>> halved(torch.arange(8.0).view(1, 8, 1), (1, 2)).flatten().tolist()
        [2.5, 4.5]
    """
    height, width = shape
    return x.view(x.shape[0], height, 2, width, 2, x.shape[2]).mean((2, 4)).flatten(1, 2)


@cache
def _images(name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    train, test = (_DATASETS[name](_CACHE / name, train=part) for part in (True, False))
    if len(train) < _POOL or len(test) < _TEST:
        raise SystemExit(f"{name} must hold {_POOL} training and {_TEST} test images, got {len(train)}, {len(test)}")
    small = [halved(x, SHAPES[name]) for x in (train.x[:_POOL], test.x[:_TEST])]
    return small[0], train.y[:_POOL], small[1], test.y[:_TEST]


class SmallImages:
    """The images of one run, their pixels shuffled.

    Args:
        name: A key of ``SHAPES``.
        run: Number of the run.
        train: Number of training images, at most 15,000.

    Attributes:
        shape: Height and width.
        raw: Training images ``[S, N, C]`` in [0, 1]: what discovery sees.
        x: The same with mean 0 and deviation 1 in each channel.
        y: Their classes ``[S]``.
        x_test: Test images, standardised alike.
        y_test: Their classes.
        order: True row-major pixel of each node ``[N]``, for scoring and for what is told the grid.
    """

    def __init__(self, name: str, run: int, train: int) -> None:
        x, y, x_test, y_test = _images(name)
        drawn = torch.randperm(_POOL, generator=torch.Generator().manual_seed(run))
        kept, other = drawn[: min(train, _MOST)], drawn[_MOST:]
        x_test, y_test = torch.cat([x[other], x_test]), torch.cat([y[other], y_test])
        if run >= _TUNING:
            x_test, y_test = x[other], y[other]
        shuffle = ShuffleNodes(run)
        self.shape = SHAPES[name]
        self.order = shuffle.permutation(x.shape[1])
        self.raw, self.y, self.y_test = shuffle(x[kept]), y[kept], y_test
        self.x, self.x_test = standardized(self.raw, shuffle(x_test))

    @property
    def cells(self) -> Tensor:
        """True cell of each node ``[N, 2]``."""
        return torch.stack([self.order // self.shape[1], self.order % self.shape[1]], 1)

    @property
    def row_major(self) -> Tensor:
        """The node at each pixel of the true grid ``[N]``."""
        return self.order.argsort()
