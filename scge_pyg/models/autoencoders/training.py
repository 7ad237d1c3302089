"""One training recipe for all autoencoders, and the error they are judged by."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from scge_pyg.models.autoencoders.base import AutoEncoder, summed_squared_error
from scge_pyg.nn import WiringSchedule

__all__ = ["AutoEncoderFit", "fit_autoencoder", "reconstruction_error"]

_DIVERGED = 10.0  # times the loss of answering zero


@dataclass
class AutoEncoderFit:
    """What a training run did.

    Args:
        losses: Mean training loss of each finished epoch.
        seconds: Wall-clock time of the training.
        diverged: Whether it was stopped early, with the parameters of the last good epoch.
    """

    losses: list[float]
    seconds: float
    diverged: bool


def fit_autoencoder(
    model: AutoEncoder,
    x: Tensor,
    *,
    epochs: int = 10,
    batch_size: int = 128,
    lr: float = 2e-3,
    seed: int = 0,
    objective: Callable[[Tensor, Tensor], Tensor] | None = None,
    parameters: Iterable[dict[str, Any]] | None = None,
    after_step: Callable[[Tensor, int], None] | None = None,
    wiring: WiringSchedule | None = None,
    progress: str | None = None,
) -> AutoEncoderFit:
    """Train ``model`` in place with Adam and a one-cycle learning rate.

    The model is started by its :meth:`AutoEncoder.initialize`, in each call. The order of the samples depends on
    ``seed`` alone; the last, smaller batch of an epoch is left out. If the loss is no longer finite, or ten times that
    of answering zero, the run stops with a warning, and the parameters of the last good epoch (or of the start) are
    restored.

    Args:
        model: The autoencoder.
        x: Training samples ``[S, N, C]``, finite.
        epochs: Passes over the samples.
        batch_size: Samples of a step.
        lr: Largest learning rate.
        seed: Of the order of the samples.
        objective: Loss of a batch and its reconstruction. Default: ``model.loss`` of the batch, the summed squared
            error or what else the model is trained by.
        parameters: Parameter groups for the optimiser, each with ``params`` and ``lr``. Default:
            ``model.parameter_groups(lr)``.
        after_step: Called with the batch and the number of the step, 0 first.
        wiring: Learns the places first, and beside the first steps, from random batches of ``x`` or of samples of its
            own; the weights get their ``epochs`` all the same, and ``seconds`` counts both.
        progress: Title of a progress bar. Default: no bar.

    Raises:
        ValueError: If ``x`` is NaN or infinite somewhere or has fewer samples than a batch, or ``model`` no parameters.

    Warns:
        UserWarning: If the run diverged.

    Example:
        >>> from scge_pyg.models.autoencoders import MLPAutoEncoder
        >>> fit = fit_autoencoder(MLPAutoEncoder(6, 1, 2, hidden=(8,)), torch.rand(64, 6, 1), epochs=3, batch_size=16)
        >>> len(fit.losses), fit.diverged
        (3, False)
    """
    if not bool(torch.isfinite(x).all()):
        raise ValueError(
            f"fit_autoencoder: x holds {int((~torch.isfinite(x)).sum())} NaN or infinite values; "
            f"remove those samples or fill the gaps first"
        )
    if x.shape[0] < batch_size:
        raise ValueError(f"fit_autoencoder: x must hold at least batch_size={batch_size} samples, got {x.shape[0]}")
    if parameters is None and not any(True for _ in model.parameters()):
        raise ValueError(
            f"fit_autoencoder: model must have parameters to train, got {type(model).__name__} without any; "
            f"a closed form such as PCAAutoEncoder has fit(x) instead"
        )
    model.initialize(x)
    groups = model.parameter_groups(lr) if parameters is None else list(parameters)
    steps = x.shape[0] // batch_size
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [g["lr"] for g in groups], total_steps=steps * epochs)
    generator = torch.Generator().manual_seed(seed)
    limit = _DIVERGED * float((objective or summed_squared_error)(x[:batch_size], torch.zeros_like(x[:batch_size])))
    losses: list[float] = []
    good = copy.deepcopy(model.state_dict())
    model.train()
    start = time.perf_counter()
    with tqdm(total=steps * epochs, desc=progress, disable=progress is None, leave=False) as bar:
        for epoch in range(epochs):
            total = x.new_zeros(())
            order = torch.randperm(x.shape[0], generator=generator)[: steps * batch_size].to(x.device)
            for number, chosen in enumerate(order.split(batch_size)):
                if wiring is not None:
                    wiring.advance(x)
                batch = x[chosen]
                loss = model.loss(batch) if objective is None else objective(batch, model(batch))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.detach()
                if after_step is not None:
                    after_step(batch, epoch * steps + number)
                bar.update()
            mean = float(total) / steps
            if not mean < limit:
                model.load_state_dict(good)
                warnings.warn(
                    f"fit_autoencoder: the loss of epoch {epoch + 1} is {mean:.3g}, worse than {limit:.3g}; stopped, "
                    f"with the parameters of {f'epoch {epoch}' if epoch else 'the start'}. Try a smaller lr than {lr}",
                    UserWarning,
                    stacklevel=2,
                )
                return AutoEncoderFit(losses, time.perf_counter() - start, diverged=True)
            losses.append(mean)
            good = copy.deepcopy(model.state_dict())
            bar.set_postfix(loss=f"{mean:.3f}")
    return AutoEncoderFit(losses, time.perf_counter() - start, diverged=False)


def reconstruction_error(model: AutoEncoder, x: Tensor, batch_size: int = 500) -> float:
    """Mean over samples ``[S, N, C]`` of the summed squared error, in evaluation mode and summed in float64."""
    training = model.training
    model.eval()
    with torch.no_grad():
        total = sum(float((part - model(part)).double().square().sum()) for part in x.split(batch_size))
    model.train(training)
    return total / x.shape[0]
