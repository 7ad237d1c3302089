"""One training recipe for all classifiers, so that what differs between them is the model."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from scge_pyg.nn import WiringSchedule

__all__ = ["FitResult", "accuracy", "fit_classifier", "standardized"]


@dataclass
class FitResult:
    """What a training run cost.

    Args:
        loss: Mean training loss of the last epoch.
        seconds: Wall-clock time of the training.
    """

    loss: float
    seconds: float


def standardized(reference: Tensor, *others: Tensor) -> list[Tensor]:
    """Samples ``[S, N, C]`` with mean 0 and deviation 1 in each channel of ``reference``, all nodes taken together.

    Example:
        >>> import torch
        >>> train, test = standardized(torch.randn(9, 4, 2) + 5, torch.randn(3, 4, 2) + 5)
        >>> train.mean((0, 1)).abs().max() < 1e-5
        tensor(True)
    """
    deviation, mean = torch.std_mean(reference, (0, 1))
    scale = torch.where(deviation > 0, deviation, 1.0)
    return [(x - mean) / scale for x in (reference, *others)]


def fit_classifier(
    model: torch.nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int = 5,
    batch_size: int = 64,
    lr: float = 3e-3,
    weight_decay: float = 1e-2,
    seed: int = 0,
    wiring: WiringSchedule | None = None,
    progress: str | None = None,
) -> FitResult:
    """Train ``model`` in place with AdamW, a one-cycle learning rate and cross entropy.

    The order of the samples depends on ``seed`` alone, and the last, smaller batch of an epoch is left out.

    Args:
        model: Maps ``[B, N, C]`` to logits.
        x: Training samples ``[S, N, C]``.
        y: Their classes ``[S]``.
        epochs: Passes over the samples.
        batch_size: Samples of a step.
        lr: Largest learning rate.
        weight_decay: Of AdamW.
        seed: Of the order of the samples.
        wiring: Learns the places first, and beside the first steps, from random batches of ``x`` or of samples of its
            own; the weights get their ``epochs`` all the same, and ``seconds`` counts both.
        progress: Title of a progress bar. Default: no bar.

    Raises:
        ValueError: If there are fewer samples than one batch, or ``x`` and ``y`` differ in length.
    """
    if x.shape[0] != y.shape[0] or x.shape[0] < batch_size:
        raise ValueError(
            f"fit_classifier: x and y must hold the same number of samples, at least batch_size={batch_size}, "
            f"got {x.shape[0]} and {y.shape[0]}"
        )
    steps = x.shape[0] // batch_size
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps * epochs)
    model.train()
    start, total = time.perf_counter(), 0.0
    with tqdm(total=steps * epochs, desc=progress, disable=progress is None, leave=False) as bar:
        for _ in range(epochs):
            total = 0.0
            for chosen in torch.randperm(x.shape[0], generator=generator)[: steps * batch_size].split(batch_size):
                if wiring is not None:
                    wiring.advance(x)
                loss = torch.nn.functional.cross_entropy(model(x[chosen]), y[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.item()
                bar.update()
    return FitResult(loss=total / steps, seconds=time.perf_counter() - start)


@torch.no_grad()
def accuracy(model: torch.nn.Module, x: Tensor, y: Tensor, batch_size: int = 500) -> float:
    """Share of samples ``[S, N, C]`` whose largest logit is their class; the model is in evaluation mode meanwhile."""
    training = model.training
    model.eval()
    pairs = zip(x.split(batch_size), y.split(batch_size), strict=True)
    hits = sum(int((model(part).argmax(1) == label).sum()) for part, label in pairs)
    model.train(training)
    return hits / x.shape[0]
