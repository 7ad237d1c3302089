"""Reading samples: any accepted input becomes a stream of checked blocks ``[S, N, C]``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

__all__ = ["Reservoir", "batches"]

_BLOCK_BYTES = 2**27


def batches(x: Any) -> Iterator[Tensor]:
    """Blocks ``[S, N, C]`` of floating-point samples from a tensor, an array, or an iterable of batches.

    A batch is a tensor or array ``[S, N]`` or ``[S, N, C]``, a tuple or list whose first item is one, or a PyG
    ``Batch`` of equally large samples. Integers and booleans are converted. The iterable is read once.

    Raises:
        TypeError: If ``x`` or one of its batches is nothing of the kind.
        ValueError: If ranks are wrong, batches disagree in N or C, or values are NaN or infinite.

    Example:
        >>> import torch
        >>> [tuple(block.shape) for block in batches([torch.zeros(2, 5), torch.ones(3, 5, dtype=torch.int)])]
        [(2, 5, 1), (3, 5, 1)]
    """
    shape: tuple[int, ...] | None = None
    for number, item in enumerate(_items(x)):
        samples = _samples(item)
        where = f"batch {number} of x" if not isinstance(x, Tensor | np.ndarray) else "x"
        if samples.ndim not in (2, 3):
            raise ValueError(
                f"discover: {where} must be [S, N] or [S, N, C], got {list(samples.shape)}; "
                f"flatten images first, for instance with transforms.ImageToNodes"
            )
        if shape is not None and tuple(samples.shape[1:]) != shape:
            raise ValueError(
                f"discover: all batches must share N and C, got {list(samples.shape[1:])} after {list(shape)}"
            )
        shape = tuple(samples.shape[1:])
        rows = max(1, _BLOCK_BYTES // (8 * max(1, int(np.prod(shape)))))
        for start in range(0, samples.shape[0], rows):
            block = _floating(samples[start : start + rows])
            if not torch.isfinite(block).all():
                raise ValueError(_not_finite(samples, rows, where))
            yield block
    if shape is None:
        raise ValueError("discover: x holds no batch; an iterator that was read before is empty the second time")


def _items(x: Any) -> Iterable[Any]:
    if isinstance(x, Tensor | np.ndarray | Batch):
        return [x]
    if isinstance(x, str | bytes | dict | Data) or not isinstance(x, Iterable):
        raise TypeError(f"discover: x must be a tensor, an array or an iterable of batches, got {type(x).__name__}")
    return x


def _samples(item: Any) -> Tensor | np.ndarray:
    if isinstance(item, Batch):
        if item.x is None or item.x.shape[0] % item.num_graphs:
            raise ValueError(f"discover: a PyG Batch must hold samples of equal size in x, got {item}")
        return item.x.reshape(item.num_graphs, -1, item.x.shape[-1])
    if isinstance(item, tuple | list) and item and isinstance(item[0], Tensor | np.ndarray):
        item = item[0]
    if not isinstance(item, Tensor | np.ndarray):
        raise TypeError(
            f"discover: a batch must be a tensor, an array, a tuple that starts with one, or a PyG Batch, "
            f"got {type(item).__name__}"
        )
    return item


def _floating(samples: Tensor | np.ndarray) -> Tensor:
    if isinstance(samples, np.ndarray):
        if samples.dtype.kind not in "fiub":
            raise TypeError(f"discover: x must be numeric, got dtype {samples.dtype}")
        samples = torch.from_numpy(np.array(samples))
    elif samples.is_complex():
        raise TypeError("discover: x is complex; pass real and imaginary part as two channels")
    samples = samples.detach().to("cpu")
    if samples.dtype != torch.float64:
        samples = samples.float()
    return samples.unsqueeze(-1) if samples.dim() == 2 else samples


def _not_finite(samples: Tensor | np.ndarray, rows: int, where: str) -> str:
    """What is wrong with a batch that holds NaN or infinite values."""
    affected, at_node = 0, torch.zeros(samples.shape[1], dtype=torch.bool)
    for start in range(0, samples.shape[0], rows):
        finite = torch.isfinite(_floating(samples[start : start + rows])).all(-1)
        affected += int((~finite).any(1).sum())
        at_node |= (~finite).any(0)
    nodes = at_node.nonzero().squeeze(1).tolist()
    named = ", ".join(map(str, nodes[:5])) + (", ..." if len(nodes) > 5 else "")
    return (
        f"discover: {where} has NaN or infinite values at {len(nodes)} nodes ({named}) in {affected} samples; "
        f"fill in or drop them first"
    )


class Reservoir:
    """A uniform sample of at most ``capacity`` samples of a stream (Vitter's algorithm R, 1985), seeded.

    Which samples are kept depends on the seed and their number alone.
    """

    def __init__(self, capacity: int, seed: int) -> None:
        self.capacity = capacity
        self.seen = 0
        self._generator = np.random.default_rng(seed)
        self._kept: list[Tensor] = []
        self._samples: Tensor | None = None

    def update(self, block: Tensor) -> None:
        """Offer a block of samples."""
        room = max(0, self.capacity - self.seen)
        if room:
            self._kept.append(block[:room].clone())
        rest = block[room:]
        if rest.shape[0]:
            if self._samples is None:
                self._samples = torch.cat(self._kept)
            position = self._generator.integers(0, self.seen + room + 1 + np.arange(rest.shape[0]))
            chosen = np.flatnonzero(position < self.capacity)
            for k in chosen.tolist():
                self._samples[position[k]] = rest[k]
        self.seen += block.shape[0]

    def samples(self) -> Tensor:
        """The kept samples ``[S, N, C]``."""
        return torch.cat(self._kept) if self._samples is None else self._samples
