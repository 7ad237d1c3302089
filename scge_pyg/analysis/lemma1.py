r"""Lemma 1: what the Jacobian along a path says about the distance of its ends in data space."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.analysis.derivatives import Function, SampleFunction, check_chunk_size, evaluate
from scge_pyg.analysis.jacobian import frobenius_norm
from scge_pyg.analysis.paths import as_paths

__all__ = ["Lemma1", "lemma1"]

_COARSE = (1 / 6, 0.0, 4 / 6, 0.0, 1 / 6)
_FINE = (1 / 12, 4 / 12, 2 / 12, 4 / 12, 1 / 12)


class Lemma1(NamedTuple):
    """Both sides of Lemma 1, each a scalar or ``[B]``.

    Args:
        left: Squared distance of the ends in data space.
        right: The bound, squared path length times mean squared Frobenius norm.
        slack: ``right - left``.
        quadrature_error: Estimate of the error of ``right``, and so of ``slack``.
        length: Length L of the path in z.
        mean_square: Mean of the squared Frobenius norm over the path's arc length.
    """

    left: Tensor
    right: Tensor
    slack: Tensor
    quadrature_error: Tensor
    length: Tensor
    mean_square: Tensor

    @property
    def holds(self) -> Tensor:
        """Whether the bound holds up to the quadrature error and rounding."""
        rounding = 100 * torch.finfo(self.left.dtype).eps * (self.right + self.left)
        return self.slack >= -(self.quadrature_error + rounding)


@torch.no_grad()
def lemma1(
    decoder: Function, path: Tensor, subdivisions: int = 1, chunk_size: int = 1024, progress: bool = False
) -> Lemma1:
    r"""Both sides of Lemma 1 for the polygon through the points of a path.

    .. math::
        \|r(z_2) - r(z_1)\|^2 \;\le\; L^2 \cdot \frac{1}{L} \int_0^L \|J(z(s))\|_F^2\, ds

    for any path :math:`z(s)` from :math:`z_1` to :math:`z_2` of length L, by arc length s:
    :math:`r(z_2) - r(z_1) = \int J \dot z\, ds`, the square of an integral over a length L is at most L times the
    integral of the square, and :math:`\|J \dot z\| \le \|J\|_F` as :math:`\|\dot z\| = 1`. The notes that state the
    lemma (CATSMILE-9015) write the integral as an expectation and drop the factor :math:`L^2`, without which it fails:
    for :math:`r(z) = z` in one dimension it would say :math:`|z_2 - z_1|^2 \le 1`.

    The integral is Simpson's rule on each piece of the polygon. The error is the difference to the rule with steps
    twice as long, without the factor 1/15 that holds for smooth integrands only, so that decoders with kinks (ReLU),
    whose norm jumps, get an honest one. Given two points the path is the straight line; a path of more points is
    integrated along its polygon, so that L and the integral belong to the same path.

    Cost: :math:`4 (T - 1)` ``subdivisions`` + 1 exact squared norms for each path.

    Args:
        decoder: Maps codes ``[B, E]`` to ``[B, ...]``, each by itself; a module must be in eval mode.
        path: Points ``[T, E]`` or ``[B, T, E]``, at least two: ``straight(z1, z2, 2)`` for pairs ``[B, E]``.
        subdivisions: Pieces, with five nodes each, into which each side of the polygon is cut. Default: 1.
        chunk_size: Products with Jacobians at once. Default: 1024.
        progress: Show a bar.

    Raises:
        ValueError: If the path isn't finite, has fewer than two points, or the decoder is refused by
            :func:`~scge_pyg.analysis.jacobian.jacobian`.

    Example:
        >>> import torch
        >>> ends = torch.tensor([[1.0, 0.0], [4.0, 4.0]])
        >>> found = lemma1(lambda z: 2 * z, ends)
        >>> round(found.left.item(), 3), round(found.right.item(), 3), found.holds.item()
        (100.0, 200.0, True)
    """
    check_chunk_size("lemma1", chunk_size)
    if isinstance(subdivisions, bool) or not isinstance(subdivisions, int) or subdivisions < 1:
        raise ValueError(f"lemma1: subdivisions must be a positive integer, got {subdivisions!r}")
    points = as_paths("lemma1", path)
    SampleFunction("lemma1", decoder, points[:, 0])
    sides = points.diff(dim=1)
    t = torch.arange(4 * subdivisions, dtype=points.dtype, device=points.device) / (4 * subdivisions)
    nodes = points[:, :-1, None] + t[:, None] * sides[:, :, None]  # [B, T - 1, 4 S, E]
    nodes = torch.cat([nodes.flatten(1, 2), points[:, -1:]], 1)
    flat = nodes.flatten(0, 1)
    square = frobenius_norm(decoder, flat, squared=True, chunk_size=chunk_size, progress=progress).view(nodes.shape[:2])
    pieces = square.unfold(1, 5, 4)  # [B, (T - 1) S, 5]
    weight = sides.norm(dim=2).repeat_interleave(subdivisions, 1) / subdivisions
    coarse, fine = (((pieces @ pieces.new_tensor(rule)) * weight).sum(1) for rule in (_COARSE, _FINE))
    length = weight.sum(1)
    first, last = (evaluate("lemma1", decoder, points[:, i], chunk_size) for i in (0, -1))
    left = (last - first).square().sum(1)
    right = length * fine
    mean = torch.where(length > 0, fine / length.clamp_min(torch.finfo(length.dtype).tiny), square[:, 0])
    error = length * (fine - coarse).abs()
    shape = path.shape[:-2]
    return Lemma1(*(one.view(shape) for one in (left, right, right - left, error, length, mean)))
