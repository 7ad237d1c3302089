"""What the importance-weighted gradient and the note's slips compute, by enumeration of a toy: no draws, no noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from cgae_toy import Toy, slopes
from torch import Tensor

__all__ = ["COUNTS", "fisher", "picked", "picked_law", "sharp_bound", "slips"]

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_STEP = 0.25


def fisher(law: Tensor, log_joint: Tensor) -> Tensor:
    """Its gradient is that of ``log_joint [n^H, B]`` under a law of codes ``[n^H, B]``, mean over images."""
    return (law.detach() * log_joint).sum(0).mean()


def picked_law(log_proposal: Tensor, log_likelihood: Tensor, draws: int) -> Tensor:
    r"""Law ``[n^H, B]`` of one of K draws picked by its normalised weight, to rounding.

    :math:`a_K(z) = K q(z) \int_0^\infty \rho(z) e^{-t \rho(z)} \phi(t)^{K - 1} dt` with
    :math:`\phi(t) = \mathbb{E}_q e^{-t \rho}`, since :math:`1 / s = \int e^{-t s} dt`.
    """
    rho, u = _ratio(log_proposal, log_likelihood).detach().exp(), _logarithms(log_proposal, log_likelihood)
    decay = log_proposal.detach() - u.exp() * rho
    log_phi = torch.logsumexp(decay, 1, keepdim=True)
    return draws * rho * _STEP * torch.exp(decay + u + (draws - 1) * log_phi).sum(0)


def sharp_bound(log_proposal: Tensor, log_likelihood: Tensor, draws: int) -> Tensor:
    r"""Mean over images of the bound of Burda et al., :math:`\mathbb{E} \log \frac{1}{K} \sum_k q_r(x | z_k)`.

    From :math:`\log s = \int_0^\infty (e^{-t} - e^{-t s}) dt / t`, exact to rounding and differentiable.
    """
    ratio, u = _ratio(log_proposal, log_likelihood), _logarithms(log_proposal, log_likelihood) + math.log(draws)
    log_phi = torch.logsumexp(log_proposal - u.exp() / draws * ratio.exp(), 1)
    inside = torch.exp(-u.exp()).squeeze(1) - torch.exp(draws * log_phi)
    return (_STEP * inside.sum(0) + (log_likelihood - ratio)[0].detach()).mean()


def _ratio(log_proposal: Tensor, log_likelihood: Tensor) -> Tensor:
    """log rho: the likelihood over the marginal one, which is held."""
    return log_likelihood - torch.logsumexp(log_proposal + log_likelihood, 0).detach()


def _logarithms(log_proposal: Tensor, log_likelihood: Tensor) -> Tensor:
    """Points log t ``[T, 1, 1]`` whose trapezia are exact to rounding: integrands vanish beyond both ends."""
    least = float(_ratio(log_proposal, log_likelihood).detach().min().clamp(max=0))
    return torch.arange(-40.0, 5.0 - least, _STEP, dtype=torch.float64).view(-1, 1, 1)


def picked(seed: int, noise: float) -> dict[str, Any]:
    """Bias of the self-normalised gradient by the number of draws; pairs are encoder and decoder, norms relative.

    `second` is the largest E rho^2 of the images, `excess` the distance of the bound's gradient, `predicted` K times
    the bias as its first-order term has it, `sharp` the distance from the gradient of Burda's bound for 8 draws.
    """
    toy = Toy(seed, noise)
    leaves = toy.leaves()
    log_proposal, log_likelihood = toy.enumerated(leaves)
    joint = log_proposal + log_likelihood
    posterior, rho = joint.softmax(0).detach(), _ratio(log_proposal, log_likelihood).detach().exp()
    second = (posterior * rho).sum(0)
    truth = slopes(torch.logsumexp(joint, 0).mean(), leaves)

    def distance(found: list[Tensor], other: list[Tensor]) -> list[float]:
        return [float((f - o).norm() / t.norm()) for f, o, t in zip(found, other, truth, strict=True)]

    def mean_of(draws: float) -> list[Tensor]:
        return slopes(fisher(picked_law(log_proposal, log_likelihood, draws), joint), leaves)

    def slope(counts: list[float]) -> list[float]:
        biases = np.array([distance(mean_of(draws), truth) for draws in counts])
        return np.polyfit(np.log(counts), np.log(biases), 1)[0].tolist()

    return {
        "part": "picked",
        "seed": seed,
        "noise": noise,
        "second": float(second.max()),
        "excess": distance(slopes((log_proposal.exp() * log_likelihood).sum(0).mean(), leaves), truth),
        "bias": [distance(mean_of(draws), truth) for draws in COUNTS],
        "predicted": distance(slopes(fisher(posterior * (1 + second - rho), joint), leaves), truth),
        "slope": slope([draws for draws in COUNTS if draws >= 16]),
        "slope_far": slope([float(second.max()) * factor for factor in (16, 32, 64, 128, 256)]),
        "sharp": distance(mean_of(8), slopes(sharp_bound(log_proposal, log_likelihood, 8), leaves)),
    }


def slips(seed: int, pixels: int) -> dict[str, Any]:
    """What q(o|z) twice and a softmax over 64 images do to the decoder's gradient, with q(o|z) = exp(-|o - f(z)|^2).

    Each is a weight for each image; `count` is how many images that is, (sum w)^2 / sum w^2, `cosine` the one with the
    gradient of the marginal likelihood. Twice has the posterior of half the temperature besides.
    """
    toy = Toy(seed, noise=0.5**0.5, num_images=64, pixels=pixels)
    leaves = toy.leaves()
    log_q = toy.enumerated(leaves)[1] + pixels * math.log(math.pi) / 2
    held, generator = log_q.detach(), torch.Generator().manual_seed(seed)
    posterior = held.softmax(0)
    code = torch.multinomial(posterior.T, 1, generator=generator).T
    explained = held.gather(0, code)[0]
    weight = {
        "twice": torch.logsumexp(2 * held, 0) - torch.logsumexp(held, 0),
        "softmax": explained,
        "softmax_of_mean": explained / pixels,
    }
    truth = slopes(torch.logsumexp(log_q, 0).mean(), leaves)[1]
    record: dict[str, Any] = {"part": "slips", "seed": seed, "pixels": pixels}
    for name, logits in weight.items():
        share = logits.softmax(0)
        law = (2 * held).softmax(0) if name == "twice" else posterior
        found = slopes(fisher(law * share, log_q), leaves)[1]
        cosine = torch.cosine_similarity(found, truth).item()
        record[name] = {"count": float(1 / share.square().sum()), "cosine": cosine, "factor": float(logits.median())}
    for name, logits in (("entropy", held), ("entropy_of_mean", held / pixels)):
        record[name] = float(torch.distributions.Categorical(logits=logits.T).entropy().mean() / math.log(len(held)))
    return record
