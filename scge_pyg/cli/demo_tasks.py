"""The classification tasks of the demonstration, from what ships inside scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scge_pyg.datasets import DigitsNodes
from scge_pyg.transforms import ImageToNodes, ShuffleNodes

__all__ = ["Task", "digits", "smeared_photos", "wandering_digits"]

_REACH = 2
_MIN_CONTRAST = 0.05


@dataclass(frozen=True)
class Task:
    """Labelled samples over one shuffled node set.

    Attributes:
        stem: Key of the task, with which the names of its files begin.
        name: Short name.
        question: What is to be told from a sample.
        x_train: Training samples ``[S, N, C]`` in [0, 1].
        y_train: Their labels ``[S]``.
        x_test: Test samples.
        y_test: Their labels.
        cells: True cells ``[N, 2]`` of the shuffled nodes, for scoring and for the network that is told the grid.
        shape: Height and width.
        classes: Number of classes.
    """

    stem: str
    name: str
    question: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    cells: Tensor
    shape: tuple[int, int]
    classes: int


def _shuffled(
    stem: str,
    name: str,
    question: str,
    parts: list[tuple[Tensor, Tensor]],
    shape: tuple[int, int],
    seed: int,
) -> Task:
    shuffle = ShuffleNodes(seed)
    cells = torch.cartesian_prod(torch.arange(shape[0]), torch.arange(shape[1]))
    order = shuffle.permutation(cells.shape[0])
    (x_train, y_train), (x_test, y_test) = parts
    classes = int(y_train.max()) + 1
    return Task(stem, name, question, shuffle(x_train), y_train, shuffle(x_test), y_test, cells[order], shape, classes)


def digits(seed: int = 0) -> Task:
    """Which digit? 1,797 images of 8x8 pixels, 500 of them held out; every digit fills its image."""
    return _shuffled("digits", "digits 8x8", "which digit", _split_digits(seed), shape=(8, 8), seed=seed)


def wandering_digits(size: int = 20, train: int = 2594, test: int = 1000, seed: int = 0) -> Task:
    """Which digit? The 8x8 digits, each at random places of a canvas: 1,297 of them to train on, the other 500 to test.

    A digit is used again, at another place, once all have been.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = [
        _placed(x, y, size, count, generator) for (x, y), count in zip(_split_digits(seed), (train, test), strict=True)
    ]
    name = f"digits anywhere on {size}x{size}"
    return _shuffled("wandering", name, "which digit", parts, shape=(size, size), seed=seed)


def _split_digits(seed: int) -> list[tuple[Tensor, Tensor]]:
    data = DigitsNodes()
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    return [(data.x[part], data.y[part]) for part in (order[500:], order[:500])]


def _placed(x: Tensor, y: Tensor, size: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """``count`` samples of 8x8 pixels, the first ones again after the last, at random places of ``size x size``."""
    which = torch.arange(count) % x.shape[0]
    row, column = torch.randint(size - 7, (2, count, 1, 1), generator=generator)
    row, column = row + torch.arange(8).view(8, 1), column + torch.arange(8)
    canvas = torch.zeros(count, size * size, x.shape[2])
    pixel = (row * size + column).flatten(1).unsqueeze(2).expand(-1, -1, x.shape[2])
    return canvas.scatter_(1, pixel, x[which]), y[which]


def smeared_photos(size: int = 32, train: int = 3000, test: int = 1000, seed: int = 0) -> Task:
    """Smeared along rows, columns or one of the diagonals? Patches of two photographs, 5 pixels of motion blur.

    Training patches come from the left 70 % of the photographs, test patches from the rest.
    """
    from sklearn.datasets import load_sample_images

    photos = torch.stack([torch.tensor(photo).float().mean(-1) / 255 for photo in load_sample_images().images])
    photos = photos.unsqueeze(1)
    width = photos.shape[3]
    border = int(0.7 * width)
    generator = torch.Generator().manual_seed(seed)
    parts = [
        _smeared(_cut(part, size + 2 * _REACH, count, generator))
        for part, count in ((photos[..., :border], train), (photos[..., border:], test))
    ]
    name = f"photo patches {size}x{size}"
    return _shuffled("photos", name, "smeared in which direction", parts, shape=(size, size), seed=seed)


def _cut(photos: Tensor, size: int, count: int, generator: torch.Generator) -> Tensor:
    """Patches ``[count, 1, size, size]`` from random places that aren't flat."""
    patches = photos.unfold(2, size, 1).unfold(3, size, 1)
    chosen: list[Tensor] = []
    while len(chosen) < count:
        which, top, left = (
            int(torch.randint(n, (1,), generator=generator)) for n in (patches.shape[0], *patches.shape[2:4])
        )
        patch = patches[which, :, top, left]
        if float(patch.std()) > _MIN_CONTRAST:
            chosen.append(patch)
    return torch.stack(chosen)


def _smeared(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Each patch blurred along one of four directions, as nodes, and the direction."""
    kernels = torch.zeros(4, 1, 2 * _REACH + 1, 2 * _REACH + 1)
    for step in range(-_REACH, _REACH + 1):
        for direction, (down, right) in enumerate(((0, 1), (1, 0), (1, 1), (1, -1))):
            kernels[direction, 0, _REACH + down * step, _REACH + right * step] = 1 / (2 * _REACH + 1)
    label = torch.arange(patches.shape[0]) % 4
    blurred = torch.nn.functional.conv2d(patches, kernels)
    return ImageToNodes()(blurred[torch.arange(label.numel()), label].unsqueeze(1)), label
