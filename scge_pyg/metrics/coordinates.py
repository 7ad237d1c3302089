"""Coordinates against the true ones: as a shape, and by who is near whom."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["continuity", "procrustes_error", "trustworthiness"]

_BLOCK_BYTES = 64 * 2**20


def _masked(name: str, pos: Tensor, true_pos: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Both sets of coordinates of the scored nodes in float64."""
    if pos.dim() != 2 or true_pos.dim() != 2 or pos.shape[0] != true_pos.shape[0]:
        raise ValueError(
            f"{name}: pos and true_pos must be [N, d] and [N, D] over the same nodes, "
            f"got {list(pos.shape)} and {list(true_pos.shape)}"
        )
    mask = torch.isfinite(pos).all(1) if mask is None else mask
    if mask.shape != pos.shape[:1] or mask.dtype != torch.bool:
        raise ValueError(f"{name}: mask must be bool [{pos.shape[0]}], got {mask.dtype} {list(mask.shape)}")
    found, true = pos.detach()[mask].double(), true_pos.detach().to(pos.device)[mask].double()
    if not (torch.isfinite(found).all() and torch.isfinite(true).all()):
        raise ValueError(f"{name}: masked nodes must have finite coordinates; leave nodes without them out of the mask")
    return found, true


def procrustes_error(pos: Tensor, true_pos: Tensor, mask: Tensor | None = None) -> float:
    r"""Root mean squared error after the best similarity transform, relative to the spread of the truth.

    .. math::
        \min_{s, R, t} \sqrt{\frac{\sum_i \|s R p_i + t - p^*_i\|^2}{\sum_i \|p^*_i - \bar p^*\|^2}}

    over scales :math:`s`, rotations and reflections :math:`R` and shifts :math:`t`. It is 0 for the same shape and
    1 where all points fell onto one; its square is SciPy's ``disparity``. The smaller number of coordinates is
    padded with zeros.

    Args:
        pos: Coordinates ``[N, d]``.
        true_pos: True coordinates ``[N, D]``.
        mask: Nodes to score, ``[N]`` bool. Default: those with finite ``pos``.

    Raises:
        ValueError: If shapes don't fit, coordinates aren't finite, or the true ones all coincide.

    Example:
        >>> import torch
        >>> square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> round(procrustes_error(3 * square.flip(1) + 5, square), 6)
        0.0
    """
    found, true = _masked("procrustes_error", pos, true_pos, mask)
    width = max(found.shape[1], true.shape[1])
    found, true = (torch.nn.functional.pad(p - p.mean(0), (0, width - p.shape[1])) for p in (found, true))
    spread = true.square().sum()
    if not bool(spread > 0):
        raise ValueError("procrustes_error: the true coordinates of at least two masked nodes must differ")
    left, singular, right = torch.linalg.svd(found.T @ true)
    scale = singular.sum() / found.square().sum().clamp_min(torch.finfo(torch.float64).tiny)
    return float(((scale * found @ left @ right - true).square().sum() / spread).sqrt())


def _intrusion(name: str, pos: Tensor, reference: Tensor, k: int) -> float:
    """Trustworthiness of the neighbourhoods of ``pos`` as seen from ``reference``."""
    nodes = pos.shape[0]
    if not 1 <= k < nodes / 2:
        raise ValueError(f"{name}: k must be at least 1 and below half of the {nodes} scored nodes, got k={k}")
    rows = max(1, _BLOCK_BYTES // (3 * pos.element_size() * nodes))
    penalty = 0.0
    for own in torch.arange(nodes, device=pos.device).split(rows):
        near, far = (torch.cdist(p[own], p, compute_mode="donot_use_mm_for_euclid_dist") for p in (pos, reference))
        for distance in (near, far):
            distance[torch.arange(own.numel(), device=own.device), own] = torch.inf
        neighbour = near.topk(k, largest=False).indices
        closer = torch.searchsorted(far.sort(dim=1).values, far.gather(1, neighbour))
        penalty += float((closer + 1 - k).clamp_min(0).sum())
    return 1.0 - 2.0 * penalty / (nodes * k * (2 * nodes - 3 * k - 1))


def trustworthiness(pos: Tensor, true_pos: Tensor, k: int = 8, mask: Tensor | None = None) -> float:
    r"""Whether neighbours in ``pos`` are neighbours in truth (Venna and Kaski, 2001).

    .. math::
        T(k) = 1 - \frac{2}{nk(2n - 3k - 1)} \sum_i \sum_{j \in N_k(i)} \max(0,\; r(i, j) - k)

    :math:`N_k(i)` are the ``k`` nodes nearest to :math:`i` in ``pos`` and :math:`r(i, j)` is the rank of :math:`j` by
    true distance from :math:`i`: one more than the number of nodes that are strictly closer, so that equal distances,
    which grids are full of, cost nothing. Without such ties this is scikit-learn's number.

    Time is :math:`O(n^2 \log n)`; rows are taken in blocks of at most 64 MiB.

    Args:
        pos: Coordinates ``[N, d]``.
        true_pos: True coordinates ``[N, D]``.
        k: Neighbours a node, below half of the scored nodes.
        mask: Nodes to score, ``[N]`` bool; all others are as if they weren't there. Default: those with finite ``pos``.

    Raises:
        ValueError: If shapes or ``k`` don't fit, or coordinates aren't finite.

    Example:
        >>> import torch
        >>> line = torch.arange(10.0).unsqueeze(1)
        >>> trustworthiness(line.square(), line, k=1)
        1.0
    """
    return _intrusion("trustworthiness", *_masked("trustworthiness", pos, true_pos, mask), k)


def continuity(pos: Tensor, true_pos: Tensor, k: int = 8, mask: Tensor | None = None) -> float:
    r"""Whether true neighbours stayed neighbours in ``pos``: :func:`trustworthiness` with the roles exchanged.

    Args:
        pos: Coordinates ``[N, d]``.
        true_pos: True coordinates ``[N, D]``.
        k: Neighbours a node, below half of the scored nodes.
        mask: Nodes to score, ``[N]`` bool. Default: those with finite ``pos``.

    Raises:
        ValueError: If shapes or ``k`` don't fit, or coordinates aren't finite.

    Example:
        >>> import torch
        >>> line = torch.arange(10.0).unsqueeze(1)
        >>> continuity(line.square(), line, k=1) < 1
        True
    """
    found, true = _masked("continuity", pos, true_pos, mask)
    return _intrusion("continuity", true, found, k)
