r"""The kernel of a layer as a function of the offset between two nodes, with finite support.

Two forms: kernel points with linear interpolation (KPConv's idea, Thomas et al., 2019, on a cubic lattice), and a small
network of the offset (as in SchNet or PointConv). Both give :math:`P` weights :math:`\phi_p` for each offset, one for
each weight matrix of the layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from scge_pyg.graph.real import real
from scge_pyg.nn.fixed.tables import Tabled, parameter_from

__all__ = ["Kernel", "KernelMLP", "KernelPoints", "kernel_points"]

_MAX_TAPS = 4096


def _per_axis(value: int | Sequence[int], dim: int, name: str) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, Sequence) else (value,) * dim
    if len(values) != dim or any(not isinstance(v, int) or v < 1 for v in values):
        raise ValueError(f"{name} must be a positive integer, or {dim} of them for this geometry, got {value!r}")
    return values


@real
def kernel_points(kernel_size: int | Sequence[int], dim: int, dilation: int | Sequence[int] = 1) -> Tensor:
    """Centred lattice of tap offsets ``[P, dim]`` in units of node spacing, the last axis fastest.

    Example:
        >>> kernel_points(3, 1, dilation=2).squeeze(1).tolist()
        [-2.0, 0.0, 2.0]
    """
    sizes, steps = _per_axis(kernel_size, dim, "kernel_size"), _per_axis(dilation, dim, "dilation")
    if math.prod(sizes) > _MAX_TAPS:
        raise ValueError(
            f"kernel_size={kernel_size} in {dim} dimensions has {math.prod(sizes)} taps, more than {_MAX_TAPS}; "
            f"use a smaller kernel or fewer dimensions"
        )
    axes = [(torch.arange(k, dtype=torch.float64) - (k - 1) / 2) * step for k, step in zip(sizes, steps, strict=True)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)


class KernelPoints(Tabled):
    r"""Interpolation weights of kernel points: a product of hats,
    :math:`\phi_p(\delta) = \prod_a \max(0, 1 - |\delta_a - c_{pa}|)`.

    Args:
        points: Kernel points ``[P, d]`` in units of node spacing.
        trained: Whether the points are parameters.

    Shapes:
        - **input:** offsets :math:`(*, d)`
        - **output:** weights :math:`(*, P)`

    Example:
        >>> import torch
        >>> kernel = KernelPoints(kernel_points(3, 1))
        >>> kernel(torch.tensor([[0.0], [0.25], [3.0]])).tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.75, 0.25], [0.0, 0.0, 0.0]]
    """

    points: Tensor
    start: Tensor

    def __init__(self, points: Tensor, trained: bool = False) -> None:
        super().__init__()
        points = points.to(torch.get_default_dtype())
        self.register_table("start", points)
        if trained:
            self.points = parameter_from(points)
        else:
            self.register_table("points", points.clone())

    @property
    def num_taps(self) -> int:
        """Number of kernel points P."""
        return self.points.shape[0]

    def reset_parameters(self) -> None:
        """Back to the lattice."""
        with torch.no_grad():
            self.points.copy_(self.start)

    def forward(self, offset: Tensor) -> Tensor:
        """Weights ``[..., P]`` of offsets ``[..., d]``."""
        weight, points = offset.new_ones(()), self.points.to(offset.device)
        for axis in range(offset.shape[-1]):
            weight = weight * (1 - (offset[..., axis, None] - points[:, axis]).abs()).clamp_min(0)
        return weight

    @torch.no_grad()
    def support(self, offset: Tensor) -> Tensor:
        """Where weights or their gradients may differ from 0 ``[N, P, K]``, for offsets ``[N, K, d]``."""
        within = torch.ones((), dtype=torch.bool, device=offset.device)
        for axis in range(offset.shape[-1]):
            within = within & ((offset[..., axis].unsqueeze(1) - self.points[:, axis, None]).abs() <= 1)
        return within

    def at(self, offset: Tensor, pair: Tensor, tap: Tensor) -> Tensor:
        """The weights ``[E]`` of some pairs, counted along ``offset [N, K, d]``, each at one tap."""
        weight = offset.new_ones(())
        for axis in range(offset.shape[-1]):
            along, point = offset[..., axis].reshape(-1), self.points[:, axis]
            weight = weight * (1 - (along.index_select(0, pair) - point.index_select(0, tap)).abs()).clamp_min(0)
        return weight

    def extra_repr(self) -> str:
        trained = ", trained" if isinstance(self.points, torch.nn.Parameter) else ""
        return f"{self.num_taps} points in {self.points.shape[1]} dimensions{trained}"


class KernelMLP(torch.nn.Module):
    r"""Weights from a network of the offset, times a window that vanishes at the radius,
    :math:`\phi_p(\delta) = \mathrm{MLP}_p(\delta / R)\, \max(0, 1 - |\delta|^2 / R^2)`.

    Args:
        dim: Dimension d of the offsets.
        taps: Number of weights P.
        radius: Radius R of the support, in units of node spacing.
        hidden: Hidden units.

    Shapes:
        - **input:** offsets :math:`(*, d)`
        - **output:** weights :math:`(*, P)`

    Example:
        >>> import torch
        >>> KernelMLP(2, taps=9, radius=2.0)(torch.tensor([[0.5, 0.0], [3.0, 0.0]]))[1].abs().sum().item()
        0.0
    """

    def __init__(self, dim: int, taps: int, radius: float, hidden: int = 16) -> None:
        super().__init__()
        self.num_taps, self.radius = taps, float(radius)
        self.first, self.second = torch.nn.Linear(dim, hidden), torch.nn.Linear(hidden, taps)

    def reset_parameters(self) -> None:
        """Draw the network anew."""
        self.first.reset_parameters()
        self.second.reset_parameters()

    def forward(self, offset: Tensor) -> Tensor:
        """Weights ``[..., P]`` of offsets ``[..., d]``."""
        scaled = offset.to(self.first.weight.dtype) / self.radius
        window = (1 - scaled.square().sum(-1, keepdim=True)).clamp_min(0)
        weight: Tensor = self.second(torch.nn.functional.silu(self.first(scaled)))
        return weight * window

    @torch.no_grad()
    def support(self, offset: Tensor) -> Tensor:
        """Where weights or their gradients may differ from 0 ``[N, P, K]``, for offsets ``[N, K, d]``."""
        within = (offset / self.radius).square().sum(-1) <= 1
        return within.unsqueeze(1).expand(-1, self.num_taps, -1)

    def at(self, offset: Tensor, pair: Tensor, tap: Tensor) -> Tensor:
        """The weights ``[E]`` of some pairs, counted along ``offset [N, K, d]``, each at one tap."""
        weight: Tensor = self(offset)
        return weight.flatten().index_select(0, pair * self.num_taps + tap)

    def extra_repr(self) -> str:
        return f"taps={self.num_taps}, radius={self.radius:g}"


Kernel = KernelPoints | KernelMLP
