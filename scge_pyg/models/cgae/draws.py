"""How one part is drawn from the scores of all its places."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.decoders import Draw, Terms

__all__ = ["checked_temperature", "drawing", "log_weights"]

_LEAST = -80.0  # log probability below which all are alike; smaller ones would be denormal numbers, which are slow


def checked_temperature(where: str, temperature: float) -> float:
    """A temperature of at least 0, finite."""
    if not isinstance(temperature, int | float) or not 0 <= temperature < math.inf:
        raise ValueError(
            f"{where}: temperature must be a number of at least 0, 0 for the greedy limit, got {temperature!r}"
        )
    return float(temperature)


def log_weights(terms: Terms, price: float | None, temperature: Tensor) -> Tensor:
    r"""Unnormalised log probabilities ``[B, K, P]`` of all placements; that of no part, if there is a price, is 0.

    The linear code is integrated out: for :math:`p_T \propto e^{-E / T}` in units of :math:`(2\pi T)^{q/2}`,

    .. math:: \log \int e^{-E(k, p, b) / T}\, db
        = \tfrac1T \big(G + \tfrac12 a^\top M^{-1} a\big) - \tfrac12 \log\det M.

    At temperature 0 they are what is gained, G and the term after it, of which the largest is taken.
    """
    log_p = terms.gain
    if terms.linear.shape[2]:
        columns = zip(terms.whiten.unbind(3), terms.linear.unbind(2), strict=True)
        white = sum((w * a.unsqueeze(2) for w, a in columns), torch.zeros((), dtype=log_p.dtype, device=log_p.device))
        log_p = log_p.add(white.square_().sum(2), alpha=0.5)
    if price:
        log_p = log_p - price
    hot = (temperature > 0).view(-1, 1, 1)
    if bool((temperature != 1).any()):
        log_p = log_p / torch.where(hot, temperature.view(-1, 1, 1), 1.0)
    return log_p - 0.5 * terms.log_det * hot if terms.linear.shape[2] else log_p


def drawing(price: float | None, temperature: float | Tensor, generator: torch.Generator | None = None) -> Draw:
    """Draws a part from :math:`p_T` given the others: place and prototype, then the linear code.

    Args:
        price: Nats of a part that is used; None: every part is.
        temperature: T, one for all images or one each ``[B]``. At 0 the part of least energy is taken, with the linear
            code of least energy.
        generator: Of the random numbers.
    """

    def draw(terms: Terms) -> State:
        heat = torch.as_tensor(temperature, dtype=terms.gain.dtype, device=terms.gain.device).expand(len(terms.gain))
        log_p = log_weights(terms, price, heat)
        best, place = log_p.flatten(1).max(1)
        kind, place = place // log_p.shape[2], place % log_p.shape[2]
        if price is not None:
            kind = torch.where(best > 0, kind, -1)
        if bool((heat > 0).any()):
            drawn = _categorical(log_p, best, price is not None, generator)
            kind, place = (torch.where(heat > 0, a, b) for a, b in zip(drawn, (kind, place), strict=True))
        used = kind >= 0
        place, row, k = place * used, torch.arange(len(kind), device=kind.device), kind.clamp_min(0)
        whiten = terms.whiten.expand(len(kind), *terms.whiten.shape[1:])[row, k, :, :, place]
        white = torch.einsum("bqr,br->bq", whiten, terms.linear[row, k, :, place])
        noise = torch.randn(white.shape, generator=generator, dtype=white.dtype, device=white.device)
        b = torch.einsum("bqr,bq->br", whiten, white + heat.sqrt()[:, None] * noise) * used[:, None]
        return State(place[:, None], kind[:, None], b[:, None])

    return draw


def _categorical(
    log_p: Tensor, best: Tensor, may_be_none: bool, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Prototype (-1 for no part) and place of each row, by inversion: of the prototypes' sums first, then in one."""
    top = best.clamp_min(0) if may_be_none else best
    p = (log_p - top.view(-1, 1, 1)).clamp_(min=_LEAST).exp_()
    share = p.sum(2)
    if may_be_none:
        share = torch.cat([share, (-top).exp()[:, None]], 1)
    kind = _inverted(share, generator)
    place = _inverted(p[torch.arange(len(p), device=p.device), kind.clamp_max(p.shape[1] - 1)], generator)
    return torch.where(kind < p.shape[1], kind, -1), place


def _inverted(weight: Tensor, generator: torch.Generator | None) -> Tensor:
    """An index a row with probability as ``weight [B, M]``; one of weight 0 is never drawn."""
    total = weight.double().cumsum(1)
    u = 1 - torch.rand(len(weight), 1, generator=generator, dtype=total.dtype, device=total.device)
    return torch.searchsorted(total, u * total[:, -1:]).squeeze(1)
