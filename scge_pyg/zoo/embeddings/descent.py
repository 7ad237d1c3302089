"""The descent that layouts share: Adam from a start, through stages of a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from tqdm.auto import tqdm

__all__ = ["descend"]


def descend(
    start: Tensor,
    stages: Sequence[tuple[Callable[[Tensor], Tensor], int]],
    lr: float,
    progress: str | None,
    jitter: float = 0.0,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, float]:
    """Where Adam leads from ``start [N, d]`` through losses with their numbers of steps, and the last loss.

    Args:
        start: Places.
        stages: Losses and steps.
        lr: Learning rate, which falls to zero by half a cosine in each stage.
        progress: Title of a progress bar.
        jitter: Noise of this size is added at each step, less and less, in all stages but the last.
        generator: Of the noise.

    Example:
        >>> descend(torch.ones(2, 1), [(lambda y: y.square().sum(), 200)], 0.1, None)[1] < 1e-3
        True
    """
    y = start.clone().requires_grad_()
    loss = y.sum() * 0
    with tqdm(total=sum(steps for _, steps in stages), desc=progress, disable=progress is None, leave=False) as bar:
        for number, (loss_of, steps) in enumerate(stages):
            optimizer = torch.optim.Adam([y], lr)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
            for step in range(steps):
                optimizer.zero_grad()
                loss = loss_of(y)
                loss.backward()
                optimizer.step()
                schedule.step()
                if jitter and number + 1 < len(stages):
                    noise = torch.randn(y.shape, generator=generator, dtype=y.dtype)
                    with torch.no_grad():
                        y += jitter * (1 - step / steps) * noise.to(y)
                bar.update()
            bar.set_postfix(loss=f"{float(loss.detach()):.4f}")
    return y.detach(), float(loss.detach())
