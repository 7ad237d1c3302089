"""Training of encoders: from the codes of a search, or from the images alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
from torch import Tensor
from tqdm import tqdm

from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.encoders.encoder import Encoder
from scge_pyg.models.cgae.learning.estimators import reinforce_loss

__all__ = ["EncoderFit", "fit_encoder", "reinforced"]


@dataclass
class EncoderFit:
    """What a run of training did, epoch by epoch.

    Args:
        losses: With ``"distill"`` nats of the search's code under the encoder, with ``"reinforce"`` mean energy of its
            draws.
        seconds: Wall-clock time.
    """

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


def fit_encoder(
    encoder: Encoder,
    x: Tensor,
    *,
    method: str = "distill",
    epochs: int = 10,
    batch_size: int = 32,
    lr: float = 0.003,
    draws: int = 8,
    seed: int = 0,
    progress: str | None = None,
) -> EncoderFit:
    r"""Train an encoder in place; its model stays as it is.

    ``"distill"`` minimises :math:`-\log q_e(z \mid o) + \tfrac12 \lVert b - b_e \rVert^2` for the codes z of
    :meth:`CGAE.encode`, part by part in the order of the pursuit, each after the search's own parts before it.
    ``"reinforce"`` climbs the bound :math:`\mathbb{E}_{q_e}[\log p(o, z)]` by :func:`reinforce_loss`, with no code
    given; linear codes take the decoder's gradient.

    Args:
        encoder: Goes on from what it is.
        x: Images.
        method: ``"distill"`` or ``"reinforce"``.
        epochs: Passes over the images.
        batch_size: Images of a step.
        lr: Largest learning rate of Adam; it rises and falls once.
        draws: Of the code of each image, for ``"reinforce"``, at least 2.
        seed: Of the order and the draws.
        progress: Title of a progress bar. Default: no bar.

    Raises:
        ValueError: If ``x`` has another shape than the model, is NaN or infinite somewhere, blank or without an image,
            or an option is unknown or too small.
    """
    if method not in ("distill", "reinforce"):
        raise ValueError(f"fit_encoder: method must be 'distill' or 'reinforce', got {method!r}")
    epochs = whole_number("fit_encoder", "epochs", epochs, 1)
    batch_size = whole_number("fit_encoder", "batch_size", batch_size, 1)
    draws = whole_number("fit_encoder", "draws", draws, 2)
    lr = positive_number("fit_encoder", "lr", lr)
    seed = whole_number("fit_encoder", "seed", seed, 0, 2**63 - 1)
    start, model = time.perf_counter(), encoder.model
    pixels = model.read(x)
    if not len(pixels) or not bool(pixels.any()):
        raise ValueError(f"fit_encoder: x must have an image that is not blank, got {len(pixels)} images")
    encoder.scale.copy_(pixels.square().mean().sqrt())
    generator = torch.Generator(pixels.device).manual_seed(seed)
    codes = _in_front(model.taken_in(model.encode(x))) if method == "distill" else None
    weights = [p for name, p in encoder.named_parameters() if not name.startswith("model.")]
    optimizer = torch.optim.Adam(weights, lr)
    steps = -(-len(pixels) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(epochs * steps, 2))
    fit = EncoderFit()
    with tqdm(total=epochs * steps, desc=progress, disable=progress is None, leave=False) as bar:
        for _ in range(epochs):
            total = 0.0
            for chosen in torch.randperm(len(pixels), generator=generator, device=pixels.device).split(batch_size):
                if codes is not None:
                    loss = value = _distilled(encoder, pixels[chosen], codes.of(chosen))
                else:
                    loss, value = reinforced(encoder, pixels[chosen], draws, generator)
                gradients = torch.autograd.grad(loss, weights, allow_unused=True)
                for weight, gradient in zip(weights, gradients, strict=True):
                    weight.grad = gradient
                optimizer.step()
                schedule.step()
                total += float(value.detach()) * len(chosen)
                bar.update()
            fit.losses.append(total / len(pixels))
            bar.set_postfix(loss=f"{fit.losses[-1]:.3f}")
    fit.seconds = time.perf_counter() - start
    return fit


def _distilled(encoder: Encoder, pixels: Tensor, code: State) -> Tensor:
    state, log_q = encoder.propose(pixels, given=code)
    return (0.5 * (state.b - code.b).square().sum((1, 2)) - log_q).mean()


def reinforced(encoder: Encoder, pixels: Tensor, draws: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Loss of the bound for images ``[B, C, N]``, and the mean energy of the draws."""
    every = pixels.repeat(draws, 1, 1)
    state, log_q = encoder.propose(every, generator=generator)
    energy = encoder.model.posterior(every).energy(state).view(draws, -1)
    return reinforce_loss(log_q.view(draws, -1), -energy), energy.mean()


def _in_front(state: State) -> State:
    """Parts in use first, in their order: one that is not covers nothing."""
    order = (state.kind < 0).long().argsort(dim=1, stable=True)
    return State(*(part.take_along_dim(order.view(*order.shape, *[1] * (part.dim() - 2)), 1) for part in state))
