r"""How many numbers a sample of the data needs: intrinsic dimension from distances to nearest neighbours."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from scge_pyg.analysis.derivatives import check_finite

__all__ = ["IntrinsicDimension", "intrinsic_dimension"]

_BLOCK_BYTES = 64 * 2**20
_SPARE = 8  # candidates more than neighbours, as rounding may swap near-equal distances


class IntrinsicDimension(NamedTuple):
    r"""Estimates of the dimension of what the data lie on.

    Args:
        dimension: From all neighbours, a scalar.
        by_neighbors: From the 2, 3, ..., k nearest ones, ``[k - 1]``: those of few look at a smaller scale.
        per_point: From the k nearest of each of P samples alone ``[P]``, each with a relative error of
            :math:`1 / \sqrt{k - 1}`.
    """

    dimension: Tensor
    by_neighbors: Tensor
    per_point: Tensor


@torch.no_grad()
def intrinsic_dimension(
    x: Tensor, neighbors: int = 20, points: int | None = None, progress: bool = False
) -> IntrinsicDimension:
    r"""Levina and Bickel's maximum likelihood estimator, its inverses averaged over samples.

    If the data are spread evenly over a d-dimensional surface within the reach of k neighbours, the number of
    neighbours within t grows as :math:`t^d`, and with :math:`T_j(x)` the distance to the j-th nearest one

    .. math::
        \frac{1}{\hat m_k} = \frac{1}{P} \sum_x \frac{1}{\hat m_k(x)}, \qquad
        \frac{1}{\hat m_k(x)} = \frac{1}{k - 1} \sum_{j=1}^{k-1} \log \frac{T_k(x)}{T_j(x)} .

    Levina and Bickel average :math:`\hat m_k(x)` itself; its inverse is what has the right mean, and averaging that is
    the maximum likelihood estimate of one dimension for all samples (MacKay and Ghahramani). Borders, curvature and too
    few samples pull it down: 4,000 samples of a cube of ten dimensions give 8.3.

    Sources: Levina and Bickel 2004, "Maximum likelihood estimation of intrinsic dimension"; MacKay and Ghahramani 2005,
    "Comments on 'Maximum likelihood estimation of intrinsic dimension'"; Pope et al. 2021, "The intrinsic dimension of
    images and its impact on learning", who apply it to images.

    Cost: :math:`O(P S D)` time, in blocks of at most 64 MiB. Neighbours are sought in the precision of ``x``, then
    their distances are taken from differences in float64; half precision is raised to single, and units are those of
    the data's own extent, so that none is too small or too large.

    Args:
        x: Samples ``[S, D]``, or ``[S, ...]`` to be flattened, at least 3 and no two alike.
        neighbors: Number k of neighbours, from 2 to S - 1. Default: 20.
        points: Number P of samples, evenly spread over their order, whose neighbours are sought among all S. Default:
            all.
        progress: Show a bar.

    Raises:
        ValueError: If ``x`` isn't finite or has another shape, ``neighbors`` or ``points`` is out of range, or samples
            coincide.

    Example:
        >>> import torch
        >>> plane = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0)) @ torch.ones(2, 9).tril()
        >>> round(intrinsic_dimension(plane).dimension.item(), 1)
        2.0
    """
    where = "intrinsic_dimension"
    check_finite(where, "x", x)
    if x.dim() < 2 or x[:1].numel() == 0 or x.shape[0] < 3:
        hint = "; for one value a sample pass x.unsqueeze(1)" if x.dim() == 1 else ""
        raise ValueError(
            f"{where}: x must be samples [S, D], at least 3 of at least one value, got {list(x.shape)}{hint}"
        )
    count = x.shape[0]
    if isinstance(neighbors, bool) or not isinstance(neighbors, int) or not 2 <= neighbors < count:
        raise ValueError(
            f"{where}: neighbors must be an integer from 2 to {count - 1}, less than the number of samples, "
            f"got {neighbors!r} for x {list(x.shape)}"
        )
    at = count if points is None else points
    if isinstance(at, bool) or not isinstance(at, int) or not 1 <= at <= count:
        raise ValueError(f"{where}: points must be an integer from 1 to {count}, the number of samples, got {at!r}")
    chosen = torch.arange(at, device=x.device) * count // at
    distance = _nearest_distances(x.flatten(1), chosen, neighbors, progress)
    alike = distance[:, 0] == 0
    if bool(alike.any()):
        raise ValueError(
            f"{where}: {int(alike.sum())} of {at} samples coincide with another one, which has no dimension; "
            f"keep one of each: torch.unique(x, dim=0)"
        )
    log = distance.log()
    below = torch.arange(1, neighbors, dtype=log.dtype, device=log.device)
    inverse = log[:, 1:] - log[:, :-1].cumsum(1) / below
    by_neighbors = 1 / inverse.mean(0)
    return IntrinsicDimension(by_neighbors[-1], by_neighbors, 1 / inverse[:, -1])


def _nearest_distances(x: Tensor, chosen: Tensor, neighbors: int, progress: bool) -> Tensor:
    """Distances of chosen samples to their nearest in float64 ``[P, k]``, ascending, themselves left out."""
    x = _in_unit(x.to(torch.promote_types(x.dtype, torch.float32)))
    x = _in_unit(x - x.mean(0))
    count, width = x.shape
    half_square = x.square().sum(1) / 2
    candidates = min(neighbors + _SPARE, count - 1)
    row_bytes = max(x.element_size() * count, 8 * width * candidates)
    found = []
    blocks = chosen.split(max(1, _BLOCK_BYTES // row_bytes))
    for rows in tqdm(blocks, desc="intrinsic_dimension", unit="block", disable=not progress):
        score = torch.addmm(half_square, x[rows], x.T, alpha=-1.0)  # half the squared distance, less one of the row
        score[torch.arange(len(rows), device=x.device), rows] = torch.inf
        near = score.topk(candidates, largest=False).indices
        offset = x[near].double() - x[rows].double().unsqueeze(1)
        found.append(offset.norm(dim=2).sort(1).values[:, :neighbors])
    return torch.cat(found)


def _in_unit(x: Tensor) -> Tensor:
    """``x`` times the power of two after which its largest magnitude lies from 1/2 to 1: exact, but for underflow."""
    exponent = int(torch.frexp(x.abs().amax()).exponent)
    half = exponent // 2
    return x * 2.0**-half * 2.0 ** (half - exponent)
