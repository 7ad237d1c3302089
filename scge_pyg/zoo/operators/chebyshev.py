"""Functions of a Laplacian by truncated Chebyshev series: many at once, their adjoint, and their squares."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scge_pyg.nn.fixed.sparse_rows import sparse_rows
from scge_pyg.nn.fixed.tables import Tabled
from scge_pyg.zoo.operators.laplacian import Laplacian

__all__ = ["ChebyshevOperator", "chebyshev_coefficients", "chebyshev_values", "squared_series"]

_AT_ONCE = 8  # polynomials that are kept until they are added to all sums by one matrix product


def chebyshev_coefficients(functions: Callable[[Tensor], Tensor], order: int, lambda_max: float) -> Tensor:
    r"""Coefficients ``[J, order + 1]`` float64 of :math:`g_j(x) \approx \sum_k c_{jk} T_k(x / a - 1)`, :math:`a =
    \lambda_{\max} / 2`.

    .. math::
        c_{jk} = \frac{2 - [k = 0]}{\pi} \int_0^\pi \cos(k \theta)\, g_j(a (\cos\theta + 1))\, d\theta

    by the midpoint rule, which is exact for polynomials of a degree below twice the number of points.

    Args:
        functions: From ``x [P]`` to values ``[J, P]``.
        order: Degree.
        lambda_max: The series holds on ``[0, lambda_max]``.

    Source: Hammond, Vandergheynst, Gribonval (2011), eq. 45 to 47.

    Example:
        >>> chebyshev_coefficients(lambda x: x[None], 2, 2.0).round(decimals=6).abs().tolist()
        [[1.0, 1.0, 0.0]]
    """
    points = max(1024, 8 * (order + 1))
    angle = (torch.arange(points, dtype=torch.double) + 0.5) * (math.pi / points)
    value = functions(lambda_max / 2 * (angle.cos() + 1))
    if value.dim() != 2 or value.shape[1] != points or not bool(torch.isfinite(value).all()):
        raise ValueError(
            f"chebyshev_coefficients: functions must give finite values [J, {points}] for x [{points}], got "
            f"{list(value.shape)}"
        )
    waves = (torch.arange(order + 1, dtype=torch.double)[:, None] * angle).cos()
    coefficients = value.double() @ waves.T * (2 / points)
    coefficients[:, 0] /= 2
    return coefficients


def chebyshev_values(coefficients: Tensor, x: Tensor, lambda_max: float) -> Tensor:
    """Values ``[J, P]`` of the series at ``x [P]`` in ``[0, lambda_max]``.

    Example:
        >>> chebyshev_values(torch.tensor([[1.0, 1.0]]), torch.tensor([0.0, 0.5]), 2.0)
        tensor([[0.0000, 0.5000]])
    """
    angle = (2 / lambda_max * x - 1).clamp(-1, 1).arccos()
    return coefficients @ (torch.arange(coefficients.shape[1], device=x.device)[:, None] * angle).cos()


def squared_series(coefficients: Tensor) -> Tensor:
    r"""Coefficients ``[1, 2 M + 1]`` of :math:`\sum_j p_j(x)^2`, by :math:`2 T_k T_l = T_{k+l} + T_{|k-l|}`.

    Example:
        >>> squared_series(torch.tensor([[0.0, 1.0]]))  # T_1^2 = (T_0 + T_2) / 2
        tensor([[0.5000, 0.0000, 0.5000]])
    """
    size = coefficients.shape[1]
    product = (coefficients.T @ coefficients).flatten() / 2
    order = torch.arange(size, device=coefficients.device)
    squared = coefficients.new_zeros(2 * size - 1)
    squared.index_add_(0, (order[:, None] + order).flatten(), product)
    return squared.index_add_(0, (order[:, None] - order).abs().flatten(), product)[None]


class ChebyshevOperator(Tabled):
    r"""Polynomials of one Laplacian, by the recurrence :math:`T_{k+1} = \frac{2}{a}(L - a) T_k - T_{k-1}`.

    The note's (185) has :math:`L - I` in it, a slip: the shift is by a.

    Gradients reach what is filtered, any number of times, at the cost of one more recurrence and no memory for it: the
    polynomials are symmetric, so the gradient of :meth:`series` is :meth:`adjoint`, and the other way round.

    Cost: M products with the Laplacian, O(M (E + J N) C) for J series of order M and C columns; memory for 8 + J times
    the input.

    Example:
        >>> from scge_pyg import SharedGraph
        >>> from scge_pyg.zoo.operators.laplacian import laplacian_of
        >>> operator = ChebyshevOperator(laplacian_of(SharedGraph.from_grid((3,))))
        >>> linear = chebyshev_coefficients(lambda x: x[None], 1, operator.lambda_max)
        >>> operator.series(linear, torch.tensor([[1.0], [0.0], [0.0]])).flatten().round(decimals=5).tolist()
        [1.0, -1.0, 0.0]
    """

    pointer: Tensor
    column: Tensor
    shifted: Tensor

    def __init__(self, laplacian: Laplacian) -> None:
        super().__init__()
        self.lambda_max = laplacian.lambda_max
        row = torch.repeat_interleave(laplacian.pointer.diff())
        shifted = laplacian.value * (2 / self.lambda_max) - (row == laplacian.column).double()
        self.register_table("pointer", laplacian.pointer)
        self.register_table("column", laplacian.column)
        self.register_table("shifted", shifted)

    @torch.compiler.disable
    def series(self, coefficients: Tensor, x: Tensor) -> Tensor:
        """Each of J series of ``x [N, C]``: ``[J, N, C]``."""
        y: Tensor = _Series.apply(self, coefficients.to(x), x)
        return y

    @torch.compiler.disable
    def adjoint(self, coefficients: Tensor, y: Tensor) -> Tensor:
        r"""The adjoint of :meth:`series`: :math:`\sum_j p_j(L) y_j` ``[N, C]`` of ``y [J, N, C]``."""
        x: Tensor = _Adjoint.apply(self, coefficients.to(y), y)
        return x

    def matrix(self, like: Tensor) -> Tensor:
        """The Laplacian moved to [-1, 1], sparse, in the dtype and on the device of ``like``."""
        pointer, column = self.pointer.to(like.device), self.column.to(like.device)
        return sparse_rows(pointer, column, self.shifted.to(like), len(pointer) - 1)

    def extra_repr(self) -> str:
        return f"nodes={len(self.pointer) - 1}, lambda_max={self.lambda_max:.3f}"


def _series(operator: ChebyshevOperator, coefficients: Tensor, x: Tensor) -> Tensor:
    matrix = operator.matrix(x)
    count, terms = coefficients.shape
    kept = [x.new_empty((min(_AT_ONCE, terms), *x.shape)) for _ in range(2)]
    total = x.new_zeros((count, *x.shape))
    last, older = x, x
    for start in range(0, terms, _AT_ONCE):
        block = kept[start // _AT_ONCE % 2]
        width = min(_AT_ONCE, terms - start)
        for number in range(width):
            degree = start + number
            if degree == 0:
                block[number] = x
            elif degree == 1:
                block[number] = matrix @ x
            else:
                block[number] = torch.addmm(older, matrix, last, beta=-1, alpha=2)
            older, last = last, block[number]
        total.view(count, -1).addmm_(coefficients[:, start : start + width], block[:width].view(width, -1))
    return total


def _adjoint(operator: ChebyshevOperator, coefficients: Tensor, y: Tensor) -> Tensor:
    """Clenshaw's recurrence: the sums over series are taken first, so there is one polynomial a degree."""
    matrix = operator.matrix(y)
    rows, terms = y.flatten(1), coefficients.shape[1]
    newer, newest = torch.zeros_like(y[0]), torch.zeros_like(y[0])
    for start in range(terms - 1, -1, -_AT_ONCE):
        low = max(0, start - _AT_ONCE + 1)
        block = (coefficients[:, low : start + 1].T @ rows).view(-1, *y.shape[1:])
        for degree in range(start, low - 1, -1):
            factor = 1 if degree == 0 else 2
            newer, newest = newest, torch.addmm(block[degree - low] - newer, matrix, newest, alpha=factor)
    return newest


class _Series(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, operator: ChebyshevOperator, coefficients: Tensor, x: Tensor) -> Tensor:
        ctx.operator = operator
        ctx.save_for_backward(coefficients)
        return _series(operator, coefficients, x.contiguous())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor]:
        return None, None, _Adjoint.apply(ctx.operator, ctx.saved_tensors[0], grads[0])


class _Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, operator: ChebyshevOperator, coefficients: Tensor, y: Tensor) -> Tensor:
        ctx.operator = operator
        ctx.save_for_backward(coefficients)
        return _adjoint(operator, coefficients, y.contiguous())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor]:
        return None, None, _Series.apply(ctx.operator, ctx.saved_tensors[0], grads[0])
