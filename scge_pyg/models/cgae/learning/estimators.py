r"""Gradients of expectations over a discrete code, as losses for ``backward``: which objective each of them climbs.

A proposal :math:`q_e(z | x)` draws codes z of an image x, a decoder scores them by :math:`q_r(x | z)`. Two objectives:

.. math::
    \text{bound: } \mathbb{E}_{q_e}[\log q_r(x | z)] \;\le\;
    \text{marginal likelihood: } \log p(x) = \log \sum_z q_e(z | x)\, q_r(x | z),

their distance being :math:`\operatorname{KL}(q_e \Vert p(z | x))` with the posterior
:math:`p(z | x) \propto q_e(z | x)\, q_r(x | z)`. :func:`reinforce_loss` climbs the bound, :func:`posterior_loss` the
marginal likelihood, :func:`importance_loss` what lies between the two and for many draws is the latter;
:func:`~scge_pyg.models.cgae.relaxed_draws` makes a relaxation of the bound. What comes in are log-probabilities
``[K, B]`` of K draws (K counts draws here, not prototypes) for each of B images, so that any proposal (a table, a
network, one part after the other) and any decoder will do.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["RunningMean", "importance_loss", "posterior_loss", "reinforce_loss"]


class RunningMean(torch.nn.Module):
    """Baseline of :func:`reinforce_loss`: moving average of the log-likelihoods of earlier steps, 0 before the first.

    Args:
        decay: Weight of the past, in [0, 1).

    Raises:
        ValueError: If ``decay`` is not in [0, 1).

    Example:
        >>> level = RunningMean(decay=0.5)
        >>> [level(torch.full((1, 2), value)).item() for value in (4.0, 0.0, 7.0)]
        [0.0, 4.0, 2.0]
    """

    level: Tensor
    seen: Tensor

    def __init__(self, decay: float = 0.9) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"RunningMean: decay must be at least 0 and less than 1, got {decay!r}")
        self.decay = decay
        self.register_buffer("level", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))

    def forward(self, log_likelihood: Tensor) -> Tensor:
        """The level of the steps before this one, which is then taken in."""
        before, mean = self.level.clone(), log_likelihood.detach().mean().to(self.level)
        self.level.copy_(torch.where(self.seen, self.decay * before + (1 - self.decay) * mean, mean))
        self.seen.fill_(True)
        return before.to(log_likelihood.dtype)

    def extra_repr(self) -> str:
        return f"decay={self.decay:g}"


def reinforce_loss(log_proposal: Tensor, log_likelihood: Tensor, baseline: RunningMean | str | None = "loo") -> Tensor:
    r"""Loss whose gradient is the score-function estimate of the bound's, unbiased, with the sign of a loss.

    .. math::
        \nabla \mathbb{E}_{q_e}[\log q_r] =
        \mathbb{E}_{q_e}\bigl[(\log q_r - b)\, \nabla \log q_e + \nabla \log q_r\bigr]

    (Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement learning"). The
    baseline b must not depend on the draw that it is subtracted from; then it changes the variance alone.

    Args:
        log_proposal: :math:`\log q_e(z_k | x_b)` of draws from the proposal, in nats.
        log_likelihood: :math:`\log q_r(x_b | z_k)`, in nats.
        baseline: ``"loo"``, the mean of the image's other draws (Kool, van Hoof and Welling 2019, "Buy 4 REINFORCE
            samples, get a baseline for free!"), a :class:`RunningMean` over all images, or None.

    Shapes:
        - **input:** :math:`(K, B)` each
        - **output:** a scalar, mean over draws and images; its value means nothing

    Raises:
        ValueError: If shapes differ, a value is not finite, the baseline is another, or "loo" has one draw only.

    Example:
        >>> from scge_pyg.models.cgae.learning.proposal_draws import draw_codes
        >>> logits = torch.tensor([[[0.0, 1.0]]], requires_grad=True)  # one image, one part, two values
        >>> code, log_proposal = draw_codes(logits, 8, torch.Generator().manual_seed(0))
        >>> reinforce_loss(log_proposal, -code.sum(-1).float()).backward()
        >>> logits.grad[0, 0, 1] > 0  # descent makes the worse value rarer
        tensor(True)
    """
    _check("reinforce_loss", log_proposal=log_proposal, log_likelihood=log_likelihood)
    reward, draws = log_likelihood.detach(), len(log_likelihood)
    if isinstance(baseline, RunningMean):
        reward = reward - baseline(reward)
    elif baseline == "loo" and draws > 1:
        reward = (reward - reward.mean(0)) * draws / (draws - 1)
    elif baseline is not None:
        raise ValueError(
            f"reinforce_loss: baseline must be 'loo' (with at least 2 draws), a RunningMean or None, got {baseline!r} "
            f"for {draws} draws"
        )
    return -(reward * log_proposal + log_likelihood).mean()


def importance_loss(log_proposal: Tensor, log_likelihood: Tensor) -> Tensor:
    r"""Loss whose gradient is the self-normalised importance-sampling estimate of that of the marginal likelihood.

    .. math::
        \nabla \log p(x) = \mathbb{E}_{p(z | x)}\bigl[\nabla \log q_e + \nabla \log q_r\bigr] \approx
        \sum_k w_k \bigl[\nabla \log q_e(z_k | x) + \nabla \log q_r(x | z_k)\bigr], \qquad
        w_k = \frac{q_r(x | z_k)}{\sum_l q_r(x | z_l)}

    Its expectation has the codes not from the posterior but from :math:`a_K`, the law of one draw picked with
    probability :math:`w_k`. That is the proposal for K = 1: then the decoder's part is the bound's gradient, and the
    encoder's has mean 0, since nothing of the score function is left. For many draws, with
    :math:`\rho = q_r(x | z) / p(x)`,

    .. math::
        a_K(z) - p(z | x) = \frac{1}{K}\, p(z | x)\, \bigl(\mathbb{E}_{q_e}[\rho^2] - \rho(z)\bigr) + O(K^{-2}),

    a bias that falls as 1/K once K is well above :math:`\mathbb{E}_{q_e}[\rho^2]`. The decoder's part is, for each K,
    exactly the gradient of :math:`\mathbb{E} \log \frac{1}{K} \sum_k q_r(x | z_k)` (Burda, Grosse and Salakhutdinov
    2016, "Importance weighted autoencoders"); the encoder's is not: there :math:`-\log(1 - w_k)` would stand for
    :math:`w_k`. In the encoder's part :math:`w_k - 1/K` is used, which has the same mean, as
    :math:`\mathbb{E}\, \nabla \log q_e` is 0, and less variance where weights are even.

    Args:
        log_proposal: :math:`\log q_e(z_k | x_b)` of draws from the proposal, in nats.
        log_likelihood: :math:`\log q_r(x_b | z_k)`, in nats.

    Shapes:
        - **input:** :math:`(K, B)` each
        - **output:** a scalar, mean over images; its value means nothing

    Raises:
        ValueError: If shapes differ or a value is not finite.

    Example:
        >>> log_likelihood = torch.log(torch.tensor([[1.0], [3.0]])).requires_grad_()
        >>> importance_loss(torch.zeros(2, 1), log_likelihood).backward()
        >>> log_likelihood.grad.squeeze(1)
        tensor([-0.2500, -0.7500])
    """
    _check("importance_loss", log_proposal=log_proposal, log_likelihood=log_likelihood)
    weight = log_likelihood.detach().softmax(0)
    return -((weight - 1 / len(weight)) * log_proposal + weight * log_likelihood).sum(0).mean()


def posterior_loss(log_joint: Tensor) -> Tensor:
    r"""Loss whose gradient is that of the marginal likelihood, unbiased, from draws of the posterior.

    .. math::
        \nabla \log \sum_z p(x, z) = \sum_z p(z | x)\, \nabla \log p(x, z) \approx
        \frac{1}{K} \sum_k \nabla \log p(x, z_k), \qquad z_k \sim p(z | x)

    (Fisher's identity). The draws come from Gibbs sampling, and what is wrong with them is wrong with the gradient. The
    factor :math:`p(x, z_k)` must not stand before the gradient of its own logarithm a second time.

    Args:
        log_joint: :math:`\log p(x_b, z_k)` up to a constant, in nats: minus the energy. A prior that has no parameters,
            such as even odds of all codes, may be left out.

    Shapes:
        - **input:** :math:`(K, B)`
        - **output:** a scalar, mean over draws and images

    Raises:
        ValueError: If it has another number of axes, no draw or no image, or a value is not finite.

    Example:
        >>> prototypes = torch.tensor([0.0, 2.0], requires_grad=True)
        >>> image, draws = torch.tensor([3.0]), torch.tensor([[1], [1], [0], [1]])
        >>> posterior_loss(-(image - prototypes[draws]).square() / 2).backward()
        >>> prototypes.grad  # 1/4 of the way from 0 to 3, and 3/4 of that from 2
        tensor([-0.7500, -0.7500])
    """
    _check("posterior_loss", log_joint=log_joint)
    return -log_joint.mean()


def _check(function: str, **values: Tensor) -> None:
    shapes = {name: list(value.shape) for name, value in values.items()}
    first = next(iter(values.values()))
    if first.dim() != 2 or first.numel() == 0 or any(value.shape != first.shape for value in values.values()):
        came = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{function}: one value for each draw and image is wanted, [K, B] with K, B > 0, got {came}")
    for name, value in values.items():
        if not bool(torch.isfinite(value.detach()).all()):
            raise ValueError(f"{function}: {name} has NaN or infinite values; drop such draws or bound the decoder")
