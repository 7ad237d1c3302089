"""Where a part lies, given what it shows and the part before it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from scge_pyg.models.cgae.density.grid_normal import grid_normal, sample_grid_normal

__all__ = ["Parts", "Placement", "fit_placement"]

_SHIFT = 2.0  # variance of a residual over the prior variance of a prototype's shift
_GAIN = 2.0  # pseudo-places with which a gain is drawn to the identity, so that a constellation moves as a whole
_TENTH = 0.1  # of the grid: the spread of pseudo-places and pseudo-residuals
_NARROWEST = 0.25  # standard deviation, in places


class Parts(NamedTuple):
    """Some parts, used or not.

    Attributes:
        place: Rows and columns ``[..., 2]``, float64.
        k: Prototypes ``[...]``, 0 to K - 1; any of them where a part is not used.
        used: ``[...]`` bool.
    """

    place: Tensor
    k: Tensor
    used: Tensor


class Placement(NamedTuple):
    r"""A Gaussian of the place y of a part, linear in the place x of the part before it, shifted by both prototypes.

    .. math::
        y \mid k, x, k' \sim \mathcal N(c + A x + s_k + t_{k'},\; \Sigma)

    on the grid: rows first, columns given rows, each as :func:`grid_normal`. Where A is the identity this is a
    Gaussian of the relative offset y - x. The shifts say that a stroke goes on where the last one ended, and that
    prototypes have centres of their own.

    Attributes:
        grid: Rows I and columns J of places.
        constant: c ``[2]``.
        gain: A ``[2, 2]``.
        own: s ``[K, 2]``.
        other: t ``[K, 2]``.
        slope: Of the column on the row ``[]``.
        scale: Standard deviations of the row and of the column given the row ``[2]``.
    """

    grid: tuple[int, int]
    constant: Tensor
    gain: Tensor
    own: Tensor
    other: Tensor
    slope: Tensor
    scale: Tensor

    def probability(self, part: Parts, before: Parts | None) -> Tensor:
        """Of the places of parts, given those before them, of their common shape."""
        mean = self._mean(part.k, before)
        column = mean[..., 1] + self.slope * part.place[..., 0]
        return grid_normal(part.place[..., 0], mean[..., 0], self.scale[0], self.grid[0]) * grid_normal(
            part.place[..., 1], column, self.scale[1], self.grid[1]
        )

    def sample(self, k: Tensor, before: Parts | None, generator: torch.Generator) -> Tensor:
        """Places ``[n, 2]``."""
        mean = self._mean(k, before)
        row = sample_grid_normal(mean[:, 0], self.scale[0], self.grid[0], generator)
        column = sample_grid_normal(mean[:, 1] + self.slope * row, self.scale[1], self.grid[1], generator)
        return torch.stack([row, column], 1)

    def _mean(self, k: Tensor, before: Parts | None) -> Tensor:
        mean = self.constant + self.own[k]
        return mean if before is None else mean + (before.place @ self.gain.T + self.other[before.k])


def fit_placement(
    part: Parts, before: Parts | None, weight: Tensor, grid: tuple[int, int], num_prototypes: int
) -> Placement:
    """Weighted ridge regression of places on what :class:`Placement` looks at, one for each leading index.

    Args:
        part: Parts ``[..., n]``.
        before: Of each the part before it. Default: the place depends on no other part; A and t are 0.
        weight: Of each part ``[..., n]``, at least 0.
        grid: Rows and columns of places.
        num_prototypes: Prototypes K.
    """
    spread = (_TENTH * torch.tensor(grid, dtype=torch.double)).square()
    inputs = [torch.ones_like(weight).unsqueeze(-1), one_hot(part.k, num_prototypes).double()]
    penalty = [torch.full((1,), 1e-6), torch.full((num_prototypes,), _SHIFT)]
    row, column = part.place.unbind(-1)
    rows, columns = row, column
    if before is not None:
        inputs += [one_hot(before.k, num_prototypes).double(), before.place]
        penalty += [torch.full((num_prototypes,), _SHIFT), _GAIN * spread]
        rows, columns = row - before.place[..., 0], column - before.place[..., 1]
    x, ridge = torch.cat(inputs, -1), torch.cat(penalty).double()
    of_row, row_variance = _regress(x, rows, weight, ridge, spread[0])
    x, ridge = torch.cat([x, row.unsqueeze(-1)], -1), torch.cat([ridge, _GAIN * spread[:1]])
    of_column, column_variance = _regress(x, columns, weight, ridge, spread[1])
    found = torch.stack([of_row, of_column[..., :-1]], -1)
    variance = torch.stack([row_variance, column_variance], -1) - 1 / 12  # rounding adds a twelfth (Sheppard)
    constant, own = found[..., 0, :], found[..., 1 : 1 + num_prototypes, :]
    other, gain = torch.zeros_like(own), torch.zeros_like(found[..., :2, :])
    if before is not None:
        other = found[..., 1 + num_prototypes : -2, :]
        gain = found[..., -2:, :].mT + torch.eye(2, dtype=torch.double)
    return Placement(grid, constant, gain, own, other, of_column[..., -1], variance.clamp_min(_NARROWEST**2).sqrt())


def _regress(x: Tensor, y: Tensor, weight: Tensor, ridge: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients, and the variance of what is left, with one pseudo-residual of a given spread."""
    weighed = (x * weight.unsqueeze(-1)).mT
    coefficient = torch.linalg.solve(weighed @ x + ridge.diag(), weighed @ y.unsqueeze(-1))
    left = (weight * (y.unsqueeze(-1) - x @ coefficient).squeeze(-1).square()).sum(-1)
    return coefficient.squeeze(-1), (left + spread) / (weight.sum(-1) + 1)
