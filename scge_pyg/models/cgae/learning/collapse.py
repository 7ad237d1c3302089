"""Whether prototypes have collapsed: how evenly they are used, and how alike they are."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["most_alike", "usage_entropy"]


def usage_entropy(kind: Tensor, num_prototypes: int) -> float:
    r"""Entropy :math:`-\sum_k p_k \log p_k` of the prototypes in use, in nats; :math:`\log K` if all are used alike.

    Args:
        kind: Prototypes of parts, any shape; -1 is left out.
        num_prototypes: K.

    Example:
        >>> round(usage_entropy(torch.tensor([[0, 1], [1, 0], [-1, -1]]), 2), 4)
        0.6931
    """
    counts = torch.bincount(kind[kind >= 0], minlength=num_prototypes).double()
    share = counts / counts.sum().clamp_min(1)
    return float(-torch.special.xlogy(share, share).sum()) + 0.0


def most_alike(prototypes: Tensor) -> Tensor:
    r"""Cosine of each pair of prototypes after the shift that makes them most alike, ``[K, K]``, 0 on the diagonal.

    Computed for all shifts by one correlation, :math:`O(K^2 C R^4)`; a prototype of zeros is like none.

    Args:
        prototypes: ``[K, C, R, R]``, ``[K, C, R]`` or of any other number of axes up to three; those of a model without
            channels are ``model.prototypes.unsqueeze(1)``.

    Example:
        >>> a = torch.eye(3)[None]
        >>> round(float(most_alike(torch.stack([a, a.roll(1, -1).triu()]))[0, 1]), 3)
        0.816
    """
    shape, axes = prototypes.shape[2:], prototypes.dim() - 2
    unit = prototypes / prototypes.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (axes + 1))
    correlate = (torch.conv1d, torch.conv2d, torch.conv3d)[axes - 1]
    alike = correlate(unit, unit, padding=[n - 1 for n in shape]).flatten(2).amax(2)
    return alike * (1 - torch.eye(len(alike), dtype=alike.dtype, device=alike.device))
