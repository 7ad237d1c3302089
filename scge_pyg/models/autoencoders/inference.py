"""Codes by gradient: the notes' dynamics of z under any decoder, and the encoders built on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["EncoderKind", "LatentEncoder", "LatentInference", "infer_latent"]

EncoderKind = Literal["amortized", "gradient"]

_SHRINK, _GROW = 0.05, 4.0  # bounds on how a step may change from one trial to the next
_RELAXATION = 0.8  # share of a step to the minimum


class LatentInference(NamedTuple):
    """What :func:`infer_latent` found.

    Args:
        z: Codes ``[B, latent]``, detached.
        losses: Squared errors of each sample at the start and after each step ``[steps + 1, B]``, never rising.
    """

    z: Tensor
    losses: Tensor


def infer_latent(
    decode: Callable[[Tensor], Tensor], x: Tensor, z0: Tensor, *, steps: int = 20, step_size: float = 0.1
) -> LatentInference:
    r"""Follow the notes' dynamics of the code under a fixed decoder r,

    .. math::
        \dot z = -\nabla_z \tfrac{1}{2} \lVert x - r(z) \rVert^2 = (x - r(z))^T \, \nabla_z r(z),

    by explicit steps :math:`z + \beta \dot z` with a :math:`\beta` of each sample's own. A step that would raise the
    sample's loss is not taken. Taken or not, the next :math:`\beta` is four fifths of the way to the minimum of the
    parabola through the loss before, its slope and the loss tried, within 1/20 and 4 times the last. Full steps to
    the minimum would zigzag; shortened ones do not (Raydan and Svaiter, 2002).

    Codes are constants for autograd, and no parameter receives a gradient. This works under ``torch.no_grad`` and
    ``torch.inference_mode`` too. Each step costs one pass through the decoder and back.

    Args:
        decode: The decoder, ``[B, latent]`` to ``[B, ...]``, that treats samples separately.
        x: Samples ``[B, ...]`` in the shape that ``decode`` gives.
        z0: Codes to start from ``[B, latent]``.
        steps: Number of steps, 0 or more.
        step_size: First :math:`\beta`.

    Raises:
        ValueError: If sizes disagree, ``steps`` or ``step_size`` is out of range, or the loss at the start is NaN
            or infinite.

    Example:
        >>> A = torch.tensor([[1.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
        >>> found = infer_latent(lambda z: z @ A, torch.tensor([[3.0, 4.0, 1.0]]), torch.zeros(1, 2))
        >>> found.z.round(decimals=3), found.losses[-1]
        (tensor([[2., 2.]]), tensor([2.]))
    """
    if z0.dim() != 2 or z0.shape[0] != x.shape[0]:
        raise ValueError(
            f"infer_latent: z0 must be [B, latent] with one row for each of the {x.shape[0]} samples of x, "
            f"got {list(z0.shape)}"
        )
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise ValueError(f"infer_latent: steps must be an integer of at least 0, got {steps!r}")
    if not 0 < step_size < float("inf"):
        raise ValueError(f"infer_latent: step_size must be positive and finite, got {step_size}")

    with torch.inference_mode(False), torch.enable_grad():
        target, z = x.detach().clone(), z0.detach().clone()
        loss, direction = _loss_and_descent(decode, target, z)
        if not bool(loss.isfinite().all()):
            raise ValueError(
                f"infer_latent: the loss at z0 is NaN or infinite for {int((~loss.isfinite()).sum())} of {len(loss)} "
                f"samples; look for such values in x, z0 and the decoder's parameters"
            )
        losses = [loss]
        beta = torch.full_like(loss, step_size)
        for _ in range(steps):
            trial = z + beta.unsqueeze(1) * direction
            trial_loss, trial_direction = _loss_and_descent(decode, target, trial)
            slope = beta * direction.square().sum(1)
            curvature = (trial_loss - loss + slope).clamp_min(0)
            factor = (_RELAXATION * slope / (2 * curvature)).nan_to_num(nan=_SHRINK, posinf=_GROW).clamp(_SHRINK, _GROW)
            better = trial_loss <= loss
            z = torch.where(better.unsqueeze(1), trial, z)
            direction = torch.where(better.unsqueeze(1), trial_direction, direction)
            loss = torch.where(better, trial_loss, loss)
            beta = beta * factor
            losses.append(loss)
    return LatentInference(z, 2 * torch.stack(losses))


def _loss_and_descent(decode: Callable[[Tensor], Tensor], x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Halved squared errors ``[B]`` and their negative gradients ``[B, latent]``."""
    z = z.detach().requires_grad_()
    reconstruction = decode(z)
    if reconstruction.shape != x.shape:
        raise ValueError(
            f"infer_latent: x must have the shape that decode gives, {list(reconstruction.shape)}, got {list(x.shape)}"
        )
    loss = 0.5 * (x - reconstruction).square().flatten(1).sum(1)
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    return loss.detach(), -gradient


class LatentEncoder(nn.Module):
    r"""The two ways to a code that the explicit decoders share.

    * ``"amortized"``: a linear map plus Linear, ReLU, Linear. With ``steps``, its codes are refined by
      :func:`infer_latent` in evaluation mode; in training they are not, so that the gradient reaches the encoder.
    * ``"gradient"``: no encoder is learned. Codes come from :func:`infer_latent` under the present decoder, from a
      fixed linear map of the sample on, and the decoder is trained at these codes, as EM alternates. No derivative
      through the code is missing: the trained quantity is
      :math:`\ell(\theta) = \min_z \ell(\theta, z)`, and by the envelope theorem
      :math:`\mathrm{d}\ell / \mathrm{d}\theta = \partial_\theta \ell + \partial_z \ell \; \mathrm{d}z^* /
      \mathrm{d}\theta = \partial_\theta \ell`, since :math:`\partial_z \ell = 0` at the minimum. Stopped early,
      each step still lowers an upper bound of it.

    Args:
        values: Numbers D of a sample.
        latent: Size of the code.
        kind: ``"amortized"`` or ``"gradient"``.
        hidden: Width of the amortised encoder's hidden layer.
        steps: Steps of inference. Default: 20 for ``"gradient"``, else 0.

    Raises:
        ValueError: If ``kind`` is another, ``hidden`` is not positive, or ``steps`` is negative, or 0 for
            ``"gradient"``.

    Example:
        >>> encoder, up = LatentEncoder(6, 2, "gradient"), nn.Linear(2, 6)
        >>> encoder(torch.rand(5, 6), up).requires_grad
        False
    """

    def __init__(
        self, values: int, latent: int, kind: EncoderKind = "amortized", hidden: int = 256, steps: int | None = None
    ) -> None:
        super().__init__()
        if kind not in ("amortized", "gradient"):
            raise ValueError(f"LatentEncoder: encoder must be 'amortized' or 'gradient', got {kind!r}")
        if isinstance(hidden, bool) or not isinstance(hidden, int) or hidden < 1:
            raise ValueError(f"LatentEncoder: hidden must be a positive integer, got {hidden!r}")
        steps = (20 if kind == "gradient" else 0) if steps is None else steps
        least = 1 if kind == "gradient" else 0
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < least:
            raise ValueError(f"LatentEncoder: steps must be an integer of at least {least} for {kind!r}, got {steps!r}")
        self.kind, self.steps = kind, steps
        self.linear = nn.Linear(values, latent)
        self.mlp: nn.Sequential | None = None
        if kind == "amortized":
            self.mlp = nn.Sequential(nn.Linear(values, hidden), nn.ReLU(), nn.Linear(hidden, latent))
        else:
            self.linear.requires_grad_(False)

    def start_from(self, mean: Tensor, weight: Tensor) -> None:
        """Become :math:`z = W (x - \\mu)` with ``mean [D]`` and ``weight [latent, D]``; an MLP starts at zero."""
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(-weight @ mean)
            if self.mlp is not None:
                for parameter in self.mlp[-1].parameters():
                    parameter.zero_()

    def forward(self, x: Tensor, decode: Callable[[Tensor], Tensor]) -> Tensor:
        """Codes ``[B, latent]`` of samples ``[B, ...]`` in the shape that ``decode`` gives."""
        flat = x.flatten(1)
        z: Tensor = self.linear(flat)
        if self.mlp is not None:
            z = z + self.mlp(flat)
        if self.steps and (self.kind == "gradient" or not self.training):
            z = infer_latent(decode, x, z, steps=self.steps).z
        return z

    def extra_repr(self) -> str:
        return f"kind={self.kind!r}, steps={self.steps}"
