"""A Gaussian on the places of a grid: a probability of each place, so that its logarithm is a code length."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["grid_normal", "sample_grid_normal"]


def grid_normal(place: Tensor, mean: Tensor, scale: Tensor, size: int) -> Tensor:
    r"""Probability of places 0 to size - 1 under a normal variable that is rounded and kept on the grid.

    .. math::
        p(i) = \frac{\Phi\big(\frac{i + 1/2 - \mu}{s}\big) - \Phi\big(\frac{i - 1/2 - \mu}{s}\big)}
                    {\Phi\big(\frac{I - 1/2 - \mu}{s}\big) - \Phi\big(\frac{-1/2 - \mu}{s}\big)}

    A mean beyond the grid counts as the border's place, so that the denominator never vanishes.

    Args:
        place: Places, of any shape, as floats.
        mean: Mean of the normal variable, in places; broadcasts with ``place``.
        scale: Its standard deviation, above 0; broadcasts too.
        size: Number of places I.

    Example:
        >>> import torch
        >>> float(grid_normal(torch.arange(5.0), torch.tensor(1.3), torch.tensor(2.0), 5).sum())
        1.0
    """
    mean = mean.clamp(0, size - 1)
    unit = 1 / (math.sqrt(2) * scale)
    at = (place - mean) * unit
    inside = torch.erf((size - 0.5 - mean) * unit) - torch.erf((-0.5 - mean) * unit)
    return (torch.erf(at + 0.5 * unit) - torch.erf(at - 0.5 * unit)) / inside


def sample_grid_normal(mean: Tensor, scale: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Places drawn from :func:`grid_normal`, of the shape of ``mean``, int64."""
    mean = mean.clamp(0, size - 1)
    first, last = (torch.special.ndtr((border - mean) / scale) for border in (-0.5, size - 0.5))
    point = first + (last - first) * torch.rand(mean.shape, generator=generator, dtype=mean.dtype)
    return (mean + scale * torch.special.ndtri(point)).round().clamp(0, size - 1).long()
