"""Integer cells of a node set whose geometry is a regular grid, and the dense view they allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph.real import real

__all__ = ["Lattice"]


class Lattice:
    r"""One integer cell per node: node :math:`i` sits at :math:`o + s \odot c_i` in the frame of ``pos``.

    Args:
        cell: Integer cells ``[N, dim]``; a row of -1 means that the node has no cell.
        shape: Extent of the grid along each axis, for instance ``(H, W)``.
        periodic: Whether each axis closes on itself. Default: none does.
        origin: Place of cell zero in the frame of ``pos``, in units of node spacing.
        stride: Distance between neighbouring cells along each axis, in the same units.

    Raises:
        ValueError: If a cell lies outside ``shape``, two nodes share one, or lengths disagree.

    Example:
        >>> import torch
        >>> lattice = Lattice(torch.tensor([[0, 1], [0, 0], [-1, -1]]), shape=(1, 2))
        >>> lattice.to_grid(torch.tensor([[[5.0], [7.0], [9.0]]])).tolist()
        [[[[7.0, 5.0]]]]
    """

    @real
    def __init__(
        self,
        cell: Tensor,
        shape: Sequence[int],
        periodic: Sequence[bool] | None = None,
        origin: Sequence[float] | None = None,
        stride: Sequence[float] | None = None,
    ) -> None:
        dim = len(shape)
        if cell.dim() != 2 or cell.shape[1] != dim or cell.is_floating_point():
            raise ValueError(
                f"Lattice: cell must be an integer tensor [N, {dim}] to match shape={tuple(shape)}, "
                f"got {cell.dtype} {list(cell.shape)}"
            )
        self.cell = cell.long()
        self.shape = tuple(int(n) for n in shape)
        self.periodic = (False,) * dim if periodic is None else tuple(bool(p) for p in periodic)
        self.origin = (0.0,) * dim if origin is None else tuple(float(o) for o in origin)
        self.stride = (1.0,) * dim if stride is None else tuple(float(s) for s in stride)
        if not len(self.periodic) == len(self.origin) == len(self.stride) == dim:
            raise ValueError(f"Lattice: periodic, origin and stride must have {dim} entries, one per axis")
        size = torch.tensor(self.shape, device=cell.device)
        placed = self.placed
        outside = placed & ((self.cell < 0) | (self.cell >= size)).any(1)
        if outside.any():
            raise ValueError(
                f"Lattice: {int(outside.sum())} cells lie outside shape={self.shape}, "
                f"the first is node {int(outside.nonzero()[0])}; shift or enlarge the grid"
            )
        flat = self.flat_index
        if flat.unique().numel() != flat.numel():
            raise ValueError("Lattice: several nodes share one cell; every cell holds at most one node")

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def placed(self) -> Tensor:
        """Boolean mask ``[N]`` of the nodes that have a cell."""
        return (self.cell != -1).any(1)

    @property
    def flat_index(self) -> Tensor:
        """Row-major index of the cell of each *placed* node, in node order."""
        flat = torch.zeros(int(self.placed.sum()), dtype=torch.long, device=self.cell.device)
        for axis, size in enumerate(self.shape):
            flat = flat * size + self.cell[self.placed, axis]
        return flat

    @property
    def pos(self) -> Tensor:
        """Coordinates ``[N, dim]`` of the cells in the shared frame (NaN where a node has no cell)."""
        options: dict[str, Any] = {"dtype": torch.get_default_dtype(), "device": self.cell.device}
        pos = torch.tensor(self.origin, **options) + torch.tensor(self.stride, **options) * self.cell
        pos[~self.placed] = torch.nan
        return pos

    def to_grid(self, x: Tensor, fill: float = 0.0) -> Tensor:
        """Dense view ``[S, C, *shape]`` of samples ``[S, N, C]``; cells without a node hold ``fill``.

        ``[N, C]`` is taken as one sample and gives ``[C, *shape]``.
        """
        if x.dim() == 2:
            return self.to_grid(x.unsqueeze(0), fill).squeeze(0)
        if x.dim() != 3 or x.shape[1] != self.cell.shape[0]:
            raise ValueError(f"to_grid: x must be [S, {self.cell.shape[0]}, C], got {list(x.shape)}")
        samples, _, channels = x.shape
        grid = x.new_full((samples, channels, math.prod(self.shape)), fill)
        grid[:, :, self.flat_index] = x[:, self.placed].transpose(1, 2)
        return grid.view(samples, channels, *self.shape)

    def from_grid(self, y: Tensor, fill: float = 0.0) -> Tensor:
        """Samples ``[S, N, C]`` of a dense view ``[S, C, *shape]``; nodes without a cell get ``fill``."""
        if y.dim() == 1 + self.dim:
            return self.from_grid(y.unsqueeze(0), fill).squeeze(0)
        if y.dim() != 2 + self.dim or tuple(y.shape[2:]) != self.shape:
            raise ValueError(f"from_grid: y must be [S, C, {', '.join(map(str, self.shape))}], got {list(y.shape)}")
        values = y.flatten(2)[:, :, self.flat_index].transpose(1, 2)
        if values.shape[1] == self.cell.shape[0]:
            return values
        x = y.new_full((y.shape[0], self.cell.shape[0], y.shape[1]), fill)
        x[:, self.placed] = values
        return x

    def to(self, device: torch.device | str) -> Lattice:
        """The same lattice with its cells on ``device``."""
        return Lattice(self.cell.to(device), self.shape, self.periodic, self.origin, self.stride)

    def __repr__(self) -> str:
        axes = "x".join(f"{n}{' (periodic)' if p else ''}" for n, p in zip(self.shape, self.periodic, strict=True))
        return f"Lattice({axes}, placed={int(self.placed.sum())}/{self.cell.shape[0]})"
