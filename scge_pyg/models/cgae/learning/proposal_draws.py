"""Draws of a code whose parts are independent given the image: exact ones, and relaxed ones that gradients pass."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Categorical

from scge_pyg.nn.trained.subset_sampling import gumbel_noise

__all__ = ["draw_codes", "relaxed_draws"]


def draw_codes(logits: Tensor, num_draws: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Independent draws of a code of H parts, and their log-probability, which has the gradient.

    Args:
        logits: Of each part's n values.
        num_draws: K.
        generator: Of the draws, on the device of ``logits``. Default: torch's own.

    Shapes:
        - **input:** :math:`(B, H, n)`
        - **output:** codes int64 :math:`(K, B, H)`, log-probabilities in nats :math:`(K, B)`

    Raises:
        ValueError: If ``logits`` has another number of axes, or ``num_draws`` is not a positive integer.

    Example:
        >>> code, log_proposal = draw_codes(torch.zeros(5, 3, 4), 16)
        >>> code.shape, log_proposal[0, 0].exp().item()
        (torch.Size([16, 5, 3]), 0.0156...)
    """
    _check_draws("draw_codes", logits, num_draws)
    chance = logits.detach().softmax(-1).flatten(0, 1)
    code = torch.multinomial(chance, num_draws, replacement=True, generator=generator).T.unflatten(1, logits.shape[:2])
    return code, Categorical(logits=logits, validate_args=False).log_prob(code).sum(-1)


def relaxed_draws(
    logits: Tensor,
    num_draws: int,
    temperature: float = 1.0,
    hard: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Draws of a code of H parts as points between its values, so that the decoder's gradient reaches the logits.

    .. math::
        y = \operatorname{softmax}\bigl((l + g) / \tau\bigr), \qquad g \text{ Gumbel noise}

    (Jang, Gu and Poole 2017, "Categorical reparameterization with Gumbel-softmax"; Maddison, Mnih and Teh 2017, "The
    concrete distribution"). The loss is minus the mean of the decoder's :math:`\log q_r(x | y)`: the gradient is exact
    for that relaxed objective, and biased for the bound at every temperature. With ``hard``, straight-through: the
    corner nearest to y going forward and y going back; the value and the decoder's gradient are then unbiased for
    the bound, the encoder's is not.

    Args:
        logits: Of each part's n values.
        num_draws: K.
        temperature: :math:`\tau`, above 0. Towards 0 the bias falls and the variance rises without limit.
        hard: Straight-through.
        generator: Of the noise, on the device of ``logits``. Default: torch's own.

    Shapes:
        - **input:** :math:`(B, H, n)`
        - **output:** :math:`(K, B, H, n)`, not negative, sums of 1

    Raises:
        ValueError: If ``logits`` has another number of axes, ``num_draws`` is not a positive integer, or the
            temperature is not positive and finite.

    Example:
        >>> y = relaxed_draws(torch.zeros(5, 3, 4), 2, hard=True)
        >>> y.shape, sorted(y[0, 0, 0].tolist())
        (torch.Size([2, 5, 3, 4]), [0.0, 0.0, 0.0, 1.0])
    """
    _check_draws("relaxed_draws", logits, num_draws)
    if not 0 < temperature < float("inf"):
        raise ValueError(f"relaxed_draws: temperature must be positive and finite, got {temperature!r}")
    every = logits.expand(num_draws, *logits.shape)
    soft = ((every + gumbel_noise(every, generator)) / temperature).softmax(-1)
    if not hard:
        return soft
    corner = torch.zeros_like(soft).scatter(-1, soft.argmax(-1, keepdim=True), 1.0)
    return corner + (soft - soft.detach())


def _check_draws(function: str, logits: Tensor, num_draws: int) -> None:
    if logits.dim() != 3 or 0 in logits.shape:
        raise ValueError(f"{function}: logits must be [B, H, n] with B, H, n > 0, got {list(logits.shape)}")
    if isinstance(num_draws, bool) or not isinstance(num_draws, int) or num_draws < 1:
        raise ValueError(f"{function}: num_draws must be a positive integer, got {num_draws!r}")
