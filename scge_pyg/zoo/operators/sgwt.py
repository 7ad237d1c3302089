"""`SGWT`: the spectral graph wavelet transform on a discovered geometry."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.nn.fixed.fingerprint import Fingerprinted, fingerprint_of
from scge_pyg.nn.layer.batching import as_batch, as_given
from scge_pyg.zoo.operators.chebyshev import (
    ChebyshevOperator,
    chebyshev_coefficients,
    chebyshev_values,
    squared_series,
)
from scge_pyg.zoo.operators.laplacian import laplacian_of
from scge_pyg.zoo.operators.wavelet_kernels import KERNELS, Kernels

__all__ = ["SGWT", "FrameBounds"]

_GRID = 20_001  # eigenvalues at which kernels are looked at


class FrameBounds(NamedTuple):
    r"""Numbers with :math:`A \lVert f \rVert^2 \le \sum_j \lVert W_j f \rVert^2 \le B \lVert f \rVert^2`."""

    lower: float
    upper: float


class SGWT(Fingerprinted):
    r"""Coefficients of each node at several scales, by polynomials of the graph's Laplacian.

    .. math::
        W_0 f = h(L) f, \qquad W_j f = g(t_j L) f, \quad j = 1, \dots, J

    with Chebyshev series :math:`p_j` of degree ``order`` for h and g. A coefficient is wrong by at most
    :math:`B_j \lVert f \rVert`, with :math:`B_j` the largest error of the series (:meth:`errors`). Kernels are
    :func:`~scge_pyg.zoo.operators.wavelet_kernels.mexican_hats` or
    :func:`~scge_pyg.zoo.operators.wavelet_kernels.splines`, which are not smooth and need a higher order.

    Connected parts don't see each other; a node without neighbours has its value times h(0) in the lowest band.

    Args:
        graph: The graph; its edge weights count, alike in both directions.
        num_scales: J.
        kernel: ``"mexican_hat"``, ``"spline"``, or a function from eigenvalues ``[L]`` float64 to values ``[J + 1, L]``
            of h and of each band.
        order: Degree of the polynomials.
        lowpass: Largest eigenvalue over the one from which on bands take over from the low pass, above 1.
        normalization: ``None`` for the combinatorial Laplacian, ``"sym"`` for the normalised one.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** :math:`(B, N, J + 1, C)`, :math:`(B N, J + 1, C)` or :math:`(N, J + 1, C)`

    Raises:
        ValueError: If the graph has no edges, or other weights one way than the other.

    Cost: O(order (E + J N) B C) time, forward and backward; memory for J + 9 times the input.

    Source: Hammond, Vandergheynst, Gribonval, Wavelets on graphs via spectral graph theory, 2011; note 003, section 16.

    Example:
        >>> graph = SharedGraph.from_grid((6, 7))
        >>> transform = SGWT(graph, num_scales=3)
        >>> x = torch.randn(2, 42, 5, generator=torch.Generator().manual_seed(0))
        >>> coefficients = transform(x)
        >>> coefficients.shape
        torch.Size([2, 42, 4, 5])
        >>> (transform.inverse(coefficients) - x).abs().max() < 1e-4
        tensor(True)
        >>> [round(bound, 3) for bound in transform.frame_bounds()]
        [0.109, 0.173]
    """

    def __init__(
        self,
        graph: SharedGraph,
        num_scales: int = 4,
        *,
        kernel: str | Kernels = "mexican_hat",
        order: int = 30,
        lowpass: float = 20.0,
        normalization: str | None = None,
    ) -> None:
        super().__init__()
        self.num_scales = whole_number("SGWT", "num_scales", num_scales, 1)
        self.order = whole_number("SGWT", "order", order, 1)
        lowpass = positive_number("SGWT", "lowpass", lowpass)
        if lowpass <= 1:
            raise ValueError(f"SGWT: lowpass must be above 1, got {lowpass}")
        if not (callable(kernel) or kernel in KERNELS):
            raise ValueError(f"SGWT: kernel must be one of {', '.join(KERNELS)}, or a function, got {kernel!r}")
        self.operator = ChebyshevOperator(laplacian_of(graph, normalization, "SGWT"))
        made = KERNELS[kernel](self.lambda_max, self.num_scales, lowpass) if isinstance(kernel, str) else kernel
        self._kernels = made
        self.num_nodes, self.kernel, self.normalization = graph.num_nodes, kernel, normalization
        coefficients = chebyshev_coefficients(made, self.order, self.lambda_max)
        if len(coefficients) != self.num_scales + 1:
            raise ValueError(
                f"SGWT: kernel must give {self.num_scales + 1} rows, a low pass and num_scales={self.num_scales} "
                f"bands, got {len(coefficients)}"
            )
        self.register_table("coefficients", coefficients)
        operator = self.operator
        self.fingerprint = fingerprint_of(operator.pointer, operator.column, operator.shifted, coefficients)

    coefficients: Tensor

    @property
    def lambda_max(self) -> float:
        """Bound of the Laplacian's eigenvalues."""
        return self.operator.lambda_max

    def kernels(self, eigenvalues: Tensor) -> Tensor:
        """Values ``[J + 1, L]`` float64 of the exact kernels, low pass first, at eigenvalues ``[L]``."""
        return self._kernels(eigenvalues.double())

    def forward(self, x: Tensor) -> Tensor:
        """Coefficients of ``[B, N, C]``, flat ``[B * N, C]`` or ``[N, C]``: low pass first, then from wide to fine."""
        batch = as_batch(x, self.num_nodes, None, "SGWT")
        rows = batch.transpose(0, 1).flatten(1)  # [N, B * C]
        bands = self.operator.series(self.coefficients, rows)
        return as_given(bands.unflatten(2, (len(batch), -1)).permute(2, 1, 0, 3), x)

    def adjoint(self, coefficients: Tensor) -> Tensor:
        r"""The adjoint, :math:`W^* c = \sum_j W_j c_j`, of what :meth:`forward` returns, in the layout of its input."""
        bands = self._bands(coefficients)
        rows = self.operator.adjoint(self.coefficients, bands.permute(2, 1, 0, 3).flatten(2))
        return as_given(rows.unflatten(1, (len(bands), -1)).transpose(0, 1), coefficients[..., 0, :])

    def inverse(self, coefficients: Tensor, *, tol: float | None = None, max_steps: int = 200) -> Tensor:
        r"""The signal whose coefficients are nearest, :math:`(W^* W)^{-1} W^* c`, by conjugate gradients.

        :math:`W^* W = \sum_j p_j(L)^2` is one series of twice the degree. The steps that are needed grow as
        :math:`\sqrt{B / A}` of the frame bounds.

        Args:
            coefficients: As :meth:`forward` returns them.
            tol: Length of the residual over that of :math:`W^* c`, each column. Default: 1e-6, 1e-12 in float64.
            max_steps: Most steps.

        Raises:
            RuntimeError: If it isn't reached: the kernels leave some eigenvalue without a coefficient, or ``max_steps``
                is too small.
        """
        least = 1e-12 if coefficients.dtype == torch.double else 1e-6
        tol = least if tol is None else positive_number("SGWT.inverse", "tol", tol)
        max_steps = whole_number("SGWT.inverse", "max_steps", max_steps, 1)
        told = self.adjoint(coefficients)
        batch = as_batch(told, self.num_nodes, None, "SGWT.inverse")
        rows = batch.transpose(0, 1).flatten(1)
        found = self._solved(rows, tol, max_steps)
        return as_given(found.unflatten(1, (len(batch), -1)).transpose(0, 1), told)

    def _solved(self, rows: Tensor, tol: float, max_steps: int) -> Tensor:
        """Solution of ``W* W f = rows``, column by column."""
        squared = squared_series(self.coefficients)
        found = torch.zeros_like(rows)
        left, way = rows, rows
        square = left.square().sum(0)
        goal = square * tol**2
        for _ in range(max_steps):
            if bool((square <= goal).all()):
                return found
            told = self.operator.series(squared, way)[0]
            step = torch.where(square > goal, square / (way * told).sum(0), 0.0)
            found = found + step * way
            left = left - step * told
            now = left.square().sum(0)
            way = torch.where(square > goal, left + now / square.clamp_min(torch.finfo(now.dtype).tiny) * way, way)
            square = torch.where(square > goal, now, square)
        if bool((square <= goal).all()):
            return found
        worst = float((square / goal.clamp_min(torch.finfo(goal.dtype).tiny)).max().sqrt()) * tol
        raise RuntimeError(
            f"SGWT.inverse: after max_steps={max_steps} the residual is {worst:.1e} of the coefficients', above "
            f"tol={tol:.1e}; frame bounds are {self.frame_bounds()}: raise max_steps, or use kernels that cover all "
            f"eigenvalues"
        )

    def frame_bounds(self) -> FrameBounds:
        r"""The smallest and largest :math:`h(x)^2 + \sum_j g(t_j x)^2` on :math:`[0, \lambda_{\max}]`."""
        total = self.kernels(self._eigenvalues()).square().sum(0)
        return FrameBounds(float(total.min()), float(total.max()))

    def errors(self) -> Tensor:
        r"""Largest error :math:`B_j` of each series ``[J + 1]``: no coefficient is further off than :math:`B_j \lVert f
        \rVert`."""
        x = self._eigenvalues()
        series = chebyshev_values(self.coefficients.double().cpu(), x, self.lambda_max)
        return (series - self.kernels(x)).abs().amax(1)

    def _eigenvalues(self) -> Tensor:
        return torch.linspace(0, self.lambda_max, _GRID, dtype=torch.double)

    def _bands(self, coefficients: Tensor) -> Tensor:
        """Coefficients as ``[B, N, J + 1, C]``."""
        wanted = self.num_scales + 1
        if not isinstance(coefficients, Tensor) or coefficients.dim() not in (3, 4) or coefficients.shape[-2] != wanted:
            got = list(coefficients.shape) if isinstance(coefficients, Tensor) else type(coefficients).__name__
            raise ValueError(f"SGWT: coefficients must be [..., N, {wanted}, C], as forward returns them, got {got}")
        flat = as_batch(coefficients.flatten(-2), self.num_nodes, None, "SGWT")
        return flat.unflatten(2, (wanted, -1))

    def extra_repr(self) -> str:
        kernel = self.kernel if isinstance(self.kernel, str) else getattr(self.kernel, "__name__", "function")
        return (
            f"nodes={self.num_nodes}, num_scales={self.num_scales}, kernel={kernel}, order={self.order}, "
            f"normalization={self.normalization}"
        )
