"""`GWNNConv`: a convolution in a basis of graph wavelets, sparse both ways."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch_geometric.nn.inits import glorot, ones, zeros

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.nn.fixed.fingerprint import Fingerprinted, fingerprint_of
from scge_pyg.nn.fixed.sparse_rows import sparse_rows
from scge_pyg.nn.layer.batching import as_batch, as_given
from scge_pyg.zoo.operators.chebyshev import ChebyshevOperator, chebyshev_coefficients
from scge_pyg.zoo.operators.laplacian import laplacian_of

__all__ = ["GWNNConv"]

_BLOCK = 1_000_000  # entries of dense columns that are looked at together


class GWNNConv(Fingerprinted):
    r"""One filter weight a wavelet, between a wavelet transform and its inverse.

    .. math::
        \mathbf{Y} = \psi_s\, \mathrm{diag}(\mathbf{f})\, \psi_s^{-1} \mathbf{X} \mathbf{W} + \mathbf{b}, \qquad
        \psi_s = e^{-s L}, \quad \psi_s^{-1} = e^{s L}

    Wavelet i is how heat from node i has spread after a time s, so both matrices are sparse: entries below
    ``threshold`` are left out, as in the paper. What that takes from :math:`\psi_s \psi_s^{-1} = 1` is
    :meth:`inversion_error`. The authors' code also divides rows by their sums, after which the two are no inverses;
    this layer doesn't. The note writes :math:`e^{s\lambda}` for the transform; the authors' code has the sign that is
    used here, and the two only change places.

    ``filter`` has one weight a node, so the layer tells nodes apart and can't move to another graph.

    Args:
        in_channels: C.
        out_channels: C'.
        graph: The graph; its edge weights count, alike in both directions. Connected parts don't see each other.
        scale: s. With the normalised Laplacian, whose eigenvalues end at 2, the inverse grows to :math:`e^{2 s}`.
        threshold: Entries of this size or less are left out.
        order: Degree of the Chebyshev series that make the wavelets.
        normalization: ``"sym"`` for the normalised Laplacian, ``None`` for the combinatorial one.
        bias: Whether to add one.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** the same with C'

    Raises:
        ValueError: If the graph has no edges, other weights one way than the other, or no entry is left.

    Cost: O(nnz B C' + B N C C') a call, nnz the entries of both matrices; O(order E N) once, with 150 MB beside the
    result.

    Source: Xu, Shen, Cao, Qiu, Cheng, Graph Wavelet Neural Network, ICLR 2019; note 003, section 15.

    Example:
        >>> layer = GWNNConv(3, 8, SharedGraph.from_grid((6, 7)))
        >>> layer(torch.randn(2, 42, 3)).shape
        torch.Size([2, 42, 8])
    """

    pointer: Tensor
    column: Tensor
    value: Tensor
    back_pointer: Tensor
    back_column: Tensor
    back_value: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        graph: SharedGraph,
        *,
        scale: float = 1.0,
        threshold: float = 1e-4,
        order: int = 30,
        normalization: str | None = "sym",
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = whole_number("GWNNConv", "in_channels", in_channels, 1)
        self.out_channels = whole_number("GWNNConv", "out_channels", out_channels, 1)
        self.scale = positive_number("GWNNConv", "scale", scale)
        self.threshold = float(threshold)
        if not (math.isfinite(self.threshold) and self.threshold >= 0):
            raise ValueError(f"GWNNConv: threshold must be at least 0, got {threshold}")
        self.num_nodes, self.normalization = graph.num_nodes, normalization
        operator = ChebyshevOperator(laplacian_of(graph, normalization, "GWNNConv"))
        order = whole_number("GWNNConv", "order", order, 1)
        exponents = torch.tensor([[-self.scale], [self.scale]], dtype=torch.double)
        both = chebyshev_coefficients(lambda x: (exponents * x).exp(), order, operator.lambda_max)
        for name, rows in zip(("", "back_"), _sparse(operator, both, self.threshold), strict=True):
            for part, table in zip(("pointer", "column", "value"), rows, strict=True):
                kept = table.to(torch.get_default_dtype()) if table.is_floating_point() else table
                self.register_table(name + part, kept)
        self.weight = torch.nn.Parameter(torch.empty(self.in_channels, self.out_channels))
        self.filter = torch.nn.Parameter(torch.empty(self.num_nodes))
        self.bias = torch.nn.Parameter(torch.empty(self.out_channels)) if bias else None
        self.fingerprint = fingerprint_of(self.pointer, self.column, self.value, self.back_value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the matrix anew; the filter starts at ones, which change nothing."""
        glorot(self.weight)
        ones(self.filter)
        zeros(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``."""
        batch = as_batch(x, self.num_nodes, self.in_channels, "GWNNConv")
        rows = (batch @ self.weight).transpose(0, 1).flatten(1)  # [N, B * C']
        spectrum = _product(rows, self.back_pointer, self.back_column, self.back_value)
        found = _product(self.filter[:, None] * spectrum, self.pointer, self.column, self.value)
        y = found.unflatten(1, (len(batch), -1)).transpose(0, 1)
        return as_given(y if self.bias is None else y + self.bias, x)

    def inversion_error(self) -> float:
        r"""Largest entry of :math:`\psi_s \psi_s^{-1} - 1`, of 256 nodes drawn at random where there are more."""
        drawn = torch.randperm(self.num_nodes, generator=torch.Generator().manual_seed(0))[:256].to(self.value.device)
        one = torch.zeros(self.num_nodes, len(drawn), dtype=self.value.dtype, device=self.value.device)
        one[drawn, torch.arange(len(drawn), device=drawn.device)] = 1
        there = _product(one, self.back_pointer, self.back_column, self.back_value)
        return float((_product(there, self.pointer, self.column, self.value) - one).abs().max())

    def extra_repr(self) -> str:
        entries = len(self.column) + len(self.back_column)
        return (
            f"{self.in_channels}, {self.out_channels}, nodes={self.num_nodes}, scale={self.scale:g}, "
            f"entries={entries}, normalization={self.normalization}"
        )


@torch.compiler.disable
def _product(rows: Tensor, pointer: Tensor, column: Tensor, value: Tensor) -> Tensor:
    """A symmetric sparse matrix times ``rows [N, C]``."""
    product: Tensor = _Symmetric.apply(rows, sparse_rows(pointer, column, value.to(rows), len(pointer) - 1))
    return product


class _Symmetric(torch.autograd.Function):
    """A product whose matrix needs no gradient and is its own adjoint."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, rows: Tensor, matrix: Tensor) -> Tensor:
        ctx.matrix = matrix  # type: ignore[attr-defined]
        return matrix @ rows.contiguous()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        return _Symmetric.apply(grads[0], ctx.matrix), None  # type: ignore[attr-defined]


def _sparse(operator: ChebyshevOperator, series: Tensor, threshold: float) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Each series of the Laplacian as a sparse matrix: pointer, column, value."""
    nodes = len(operator.pointer) - 1
    step = max(1, _BLOCK // nodes)
    found: list[list[tuple[Tensor, Tensor]]] = [[] for _ in series]
    for first in range(0, nodes, step):
        width = min(step, nodes - first)
        one = torch.zeros(nodes, width, dtype=torch.double)
        one[torch.arange(first, first + width), torch.arange(width)] = 1
        for parts, dense in zip(found, operator.series(series, one), strict=True):
            row, node = dense.abs().gt(threshold).T.nonzero(as_tuple=True)  # columns are rows: it is symmetric
            parts.append((torch.stack([row + first, node]), dense[node, row]))
    matrices = []
    for parts in found:
        (row, column), value = torch.cat([part[0] for part in parts], 1), torch.cat([part[1] for part in parts])
        if not len(value):
            raise ValueError(f"GWNNConv: threshold={threshold:g} leaves no entry of the wavelets; make it smaller")
        pointer = torch.zeros(nodes + 1, dtype=torch.long)
        pointer[1:] = torch.bincount(row, minlength=nodes).cumsum(0)
        matrices.append((pointer, column, value))
    return matrices
