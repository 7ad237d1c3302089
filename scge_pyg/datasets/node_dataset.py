"""What all data sets share: one tensor for all samples, PyG's indexing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data, Dataset

__all__ = ["NodeDataset"]


class NodeDataset(Dataset):  # type: ignore[misc, unused-ignore]
    """Samples over one node set, kept as one tensor.

    Indexing is PyG's: an integer gives a ``Data(x=[N, C], y=[1])``, a slice, list or mask gives a data set whose
    ``x`` and ``y`` are those of the chosen samples.

    Args:
        x: Samples ``[S, N, C]``; uint8 is scaled to [0, 1].
        y: Labels ``[S]``.
        cells: True integer cells ``[N, D]`` for scoring, where the nodes lie on a grid.
        pos: True coordinates ``[N, D]`` for scoring. Default: the cells.
        transform: Applied to each ``Data`` on access.
        names: One name a node.

    Raises:
        ValueError: If shapes disagree.

    Example:
        >>> import torch
        >>> ds = NodeDataset(torch.rand(10, 6, 1), torch.arange(10))
        >>> ds[3]
        Data(x=[6, 1], y=[1])
        >>> ds[:4].x.shape
        torch.Size([4, 6, 1])
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        cells: Tensor | None = None,
        pos: Tensor | None = None,
        transform: Callable[[Data], Data] | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(None, transform)
        self._set(x, y, cells, pos, names)

    def _set(
        self,
        x: Tensor,
        y: Tensor,
        cells: Tensor | None = None,
        pos: Tensor | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        if x.dim() != 3 or y.shape != x.shape[:1]:
            raise ValueError(
                f"{type(self).__name__}: x must be [S, N, C] and y [S], got {list(x.shape)} and {list(y.shape)}"
            )
        for name, place in (("cells", cells), ("pos", pos)):
            if place is not None and (place.dim() != 2 or place.shape[0] != x.shape[1]):
                raise ValueError(
                    f"{type(self).__name__}: {name} must be [{x.shape[1]}, D], one row a node, got {list(place.shape)}"
                )
        if names is not None and len(names) != x.shape[1]:
            raise ValueError(f"{type(self).__name__}: names must be {x.shape[1]}, one a node, got {len(names)}")
        self._x = x.float().div_(255) if x.dtype == torch.uint8 else x
        self._y = y.long()
        self.cells = cells
        self.names = None if names is None else tuple(names)
        self.pos = cells.float() if pos is None and cells is not None else pos

    @property
    def x(self) -> Tensor:
        """All samples of this (sub)set, ``[S, N, C]`` float32."""
        return self._chosen(self._x)

    @property
    def y(self) -> Tensor:
        """The label of each sample, ``[S]`` int64."""
        return self._chosen(self._y)

    def _chosen(self, values: Tensor) -> Tensor:
        chosen = self._indices
        if chosen is None:
            return values
        if isinstance(chosen, range) and chosen.step > 0:
            return values[chosen.start : chosen.stop : chosen.step]
        return values[torch.tensor(chosen, dtype=torch.long)]

    @property
    def num_nodes(self) -> int:
        """Number of nodes N."""
        return self._x.shape[1]

    @property
    def num_classes(self) -> int:
        """One more than the largest label."""
        return int(self._y.max()) + 1

    def len(self) -> int:
        """Number of samples before indexing."""
        return self._x.shape[0]

    def get(self, idx: int) -> Data:
        """One sample."""
        return Data(x=self._x[idx], y=self._y[idx : idx + 1])
