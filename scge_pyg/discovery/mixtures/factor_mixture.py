"""A mixture of Gaussians whose covariances are a few factors and a noise of each node's own."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor

__all__ = ["FactorMixture", "fit_mixture"]

_FLOOR = 1e-3  # noise of a node, as a share of the usual variance, at least: a node that never varies is no proof
_ROUNDS = 2  # subspace iterations for each estimate, from the factors before
_STILL = 0.002  # share of samples that change components below which the fit is over
_START = 30  # principal components in which the first groups are found


class FactorMixture(NamedTuple):
    r"""K components :math:`\mathcal{N}(\mu_k, W_k W_k^\top + D_k)` (Ghahramani and Hinton, 1996).

    Attributes:
        weight: Share of each component ``[K]``.
        mean: ``[K, N]``.
        loadings: Factors ``[K, N, q]``.
        noise: Variances of the nodes' own ``[K, N]``.
    """

    weight: Tensor
    mean: Tensor
    loadings: Tensor
    noise: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        r"""Log of weight and density of samples ``[S, N]`` in each component, ``[S, K]``.

        By Woodbury's identity, with :math:`M = I + W^\top D^{-1} W`, and one matrix product for all components. Cost:
        :math:`O(S N K q)`.
        """
        scaled = self.loadings / self.noise.unsqueeze(2)
        count, nodes, factors = scaled.shape
        inner = torch.eye(factors, dtype=x.dtype) + self.loadings.mT @ scaled
        root = torch.linalg.cholesky(inner)
        score = (x @ scaled.transpose(0, 1).reshape(nodes, -1)).unflatten(1, (count, factors))
        score = score - torch.einsum("kn,knq->kq", self.mean, scaled)
        inside = torch.linalg.solve_triangular(root, score.permute(1, 2, 0), upper=False).square().sum(1).T
        weighed = self.mean / self.noise
        size = x.square() @ (1 / self.noise).T - 2 * x @ weighed.T + (self.mean * weighed).sum(1) - inside
        volume = (
            self.noise.log().sum(1) + 2 * root.diagonal(dim1=1, dim2=2).log().sum(1) + nodes * math.log(2 * math.pi)
        )
        return self.weight.log() - 0.5 * (size + volume)


def fit_mixture(
    x: Tensor,
    count: int,
    generator: torch.Generator,
    *,
    start: Tensor | None = None,
    factors: int = 24,
    steps: int = 30,
) -> tuple[FactorMixture, Tensor]:
    r"""Classification EM (Celeux and Govaert, 1992): each sample in its likeliest component, then each anew.

    Components that hold fewer than twice as many samples as factors fall away.

    Cost: :math:`O(S N q)` a component and step.

    Args:
        x: Samples ``[S, N]``.
        count: Components K to begin with.
        generator: Of the first groups and factors.
        start: The component of each sample ``[S]`` to begin with. Default: k-means on principal components.
        factors: Factors q of a component.
        steps: Most steps.

    Returns:
        The mixture, and the component of each sample ``[S]``.
    """
    factors = max(1, min(factors, x.shape[1] // 4, len(x) // 4))
    label = _groups(x, count, generator) if start is None else start
    usual = max(float(x.var(0, correction=0).mean()), _FLOOR)
    found: dict[int, Tensor] = {}
    mixture = FactorMixture(*(x.new_zeros(0) for _ in range(4)))
    for _ in range(steps):
        sizes = torch.bincount(label, minlength=count)
        kept = (sizes >= min(2 * factors, len(x))).nonzero().squeeze(1).tolist()
        parts = []
        for k in kept:
            parts.append(_estimate(x[label == k], len(x), found.get(k), factors, usual, generator))
            found[k] = parts[-1][2]
        mixture = FactorMixture(*(torch.stack(part) for part in zip(*parts, strict=True)))
        renewed = torch.tensor(kept)[mixture.log_prob(x).argmax(1)]
        changed = float((renewed != label).float().mean())
        label = renewed
        if changed < _STILL:
            break
    return mixture, torch.searchsorted(torch.tensor(kept), label)


def _estimate(
    own: Tensor, total: int, loadings: Tensor | None, factors: int, usual: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Share, mean, factors and noise of one component from its samples."""
    mean = own.mean(0)
    offset = own - mean
    if loadings is None:
        loadings = torch.randn(own.shape[1], factors, generator=generator, dtype=own.dtype)
    basis = loadings
    for _ in range(_ROUNDS):
        basis = torch.linalg.qr(offset.T @ (offset @ basis) + 1e-12 * loadings)[0]
    score = offset @ basis
    value, turn = torch.linalg.eigh(score.T @ score / len(own))
    basis, value = basis @ turn, value.clamp_min(0)
    noise = (offset.square().mean(0) - (basis.square() * value).sum(1)).clamp_min(0) + _FLOOR * usual
    return own.new_tensor(len(own) / total), mean, basis * value.sqrt(), noise


def _groups(x: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """First groups by k-means."""
    width = min(_START, x.shape[1])
    offset = x - x.mean(0)
    basis = torch.randn(x.shape[1], width, generator=generator, dtype=x.dtype)
    for _ in range(2 * _ROUNDS):
        basis = torch.linalg.qr(offset.T @ (offset @ basis))[0]
    seed = int(torch.randint(2**31, (1,), generator=generator))
    return torch.from_numpy(kmeans2((offset @ basis).double().numpy(), count, minit="++", seed=seed)[1]).long()
