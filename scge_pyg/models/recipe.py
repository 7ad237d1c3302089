"""One training recipe for all classifiers, so that what differs between them is the model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.models.fused import FusedClassifier
from scge_pyg.nn import WiringSchedule

__all__ = ["FitResult", "accuracy", "fit_classifier", "one_cycle", "standardized"]


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
    x: Tensor | Mapping[str, Tensor],
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

    A :class:`FusedClassifier` is trained by its :meth:`~FusedClassifier.loss`.

    The order of the samples depends on ``seed`` alone, and the last, smaller batch of an epoch is left out.

    Args:
        model: Maps ``[B, N, C]`` to logits.
        x: Training samples ``[S, N, C]``, or those of several modalities by name.
        y: Their classes ``[S]``, int64, from 0.
        epochs: Passes over the samples.
        batch_size: Samples of a step.
        lr: Largest learning rate.
        weight_decay: Of AdamW.
        seed: Of the order of the samples.
        wiring: Learns the places first, and beside the first steps, from random batches of ``x`` or of samples of its
            own; the weights get their ``epochs`` all the same, and ``seconds`` counts both.
        progress: Title of a progress bar. Default: no bar.

    Raises:
        ValueError: If there are fewer samples than one batch, ``x`` and ``y`` differ in length, ``y`` isn't int64
            ``[S]`` of at least 0, a number is out of range, or the loss is not finite at some step.
        TypeError: If ``x`` or ``y`` isn't a tensor.
    """
    epochs = whole_number("fit_classifier", "epochs", epochs, 1)
    batch_size = whole_number("fit_classifier", "batch_size", batch_size, 1)
    lr = positive_number("fit_classifier", "lr", lr)
    _check_samples("fit_classifier", x, y)
    if len(y) < batch_size:
        raise ValueError(
            f"fit_classifier: x must hold at least batch_size={batch_size} samples, got {len(y)}; "
            f"pass batch_size={len(y)} or less"
        )
    if wiring is not None and isinstance(x, Mapping):
        raise ValueError("fit_classifier: wiring learns the places of one modality; give its x as a tensor")

    def loss_of(chosen: Tensor) -> Tensor:
        if wiring is not None and isinstance(x, Tensor):
            wiring.advance(x)
        return _loss(model, _rows(x, chosen), y[chosen])

    return one_cycle(
        "fit_classifier",
        model,
        len(y),
        loss_of,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        weight_decay=weight_decay,
        seed=seed,
        progress=progress,
        mend="look for NaN or infinite values in x, or ",
    )


def one_cycle(
    where: str,
    model: torch.nn.Module,
    count: int,
    loss_of: Callable[[Tensor], Tensor],
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    weight_decay: float,
    seed: int,
    progress: str | None,
    mend: str = "",
) -> FitResult:
    """AdamW on a one-cycle learning rate, by the loss of random batches of indices; the last, smaller one is left out.

    Raises:
        ValueError: If the loss is not finite at some step.
    """
    steps = count // batch_size
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps * epochs)
    model.train()
    start, total = time.perf_counter(), 0.0
    with tqdm(total=steps * epochs, desc=progress, disable=progress is None, leave=False) as bar:
        for _ in range(epochs):
            total = 0.0
            for chosen in torch.randperm(count, generator=generator)[: steps * batch_size].split(batch_size):
                loss = loss_of(chosen)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                value = loss.item()
                if not math.isfinite(value):
                    raise ValueError(
                        f"{where}: the loss is {value} at step {schedule.last_epoch} of {steps * epochs}; "
                        f"{mend}lower lr={lr:g}"
                    )
                total += value
                bar.update()
    return FitResult(loss=total / steps, seconds=time.perf_counter() - start)


@torch.no_grad()
def accuracy(model: torch.nn.Module, x: Tensor | Mapping[str, Tensor], y: Tensor, batch_size: int = 500) -> float:
    """Share of samples ``[S, N, C]``, or of several modalities by name, whose largest logit is their class.

    The model is in evaluation mode meanwhile.

    Raises:
        ValueError: If ``x`` and ``y`` differ in length, or ``y`` isn't int64 ``[S]`` of at least 0.
        TypeError: If ``x`` or ``y`` isn't a tensor.
    """
    batch_size = whole_number("accuracy", "batch_size", batch_size, 1)
    _check_samples("accuracy", x, y)
    training = model.training
    model.eval()
    parts = torch.arange(len(y)).split(batch_size)
    hits = sum(int((model(_rows(x, part)).argmax(1) == y[part]).sum()) for part in parts)
    model.train(training)
    return hits / len(y)


def _check_samples(where: str, x: Any, y: Any) -> None:
    """``x`` and ``y`` are tensors of the same samples, at least one, and ``y`` holds classes."""
    parts = {f"x[{name!r}]": part for name, part in x.items()} if isinstance(x, Mapping) else {"x": x}
    for name, part in (parts | {"y": y}).items():
        if not isinstance(part, Tensor):
            raise TypeError(
                f"{where}: {name} must be a tensor, got {type(part).__name__}; convert it with torch.as_tensor({name})"
            )
    if y.dim() != 1 or y.dtype != torch.int64:
        mend = "y.long()" if y.dim() == 1 else "y.argmax(1) if it is one-hot, y.flatten().long() if it is a column"
        raise ValueError(
            f"{where}: y must be the class of each sample, int64 [S], got {y.dtype} {list(y.shape)}; pass {mend}"
        )
    sizes = {len(part) for part in parts.values()}
    if sizes != {len(y)} or not len(y):
        raise ValueError(
            f"{where}: x and y must hold the same number of samples, at least one, "
            f"got {', '.join(map(str, sorted(sizes)))} and {len(y)}"
        )
    if bool((y < 0).any()):
        raise ValueError(
            f"{where}: y must hold classes from 0, got {int(y.min())}; leave samples without a class out, or number "
            f"the classes with torch.unique(y, return_inverse=True)[1]"
        )


def _loss(model: torch.nn.Module, x: Any, y: Tensor) -> Tensor:
    return model.loss(x, y) if isinstance(model, FusedClassifier) else torch.nn.functional.cross_entropy(model(x), y)


def _rows(x: Tensor | Mapping[str, Tensor], chosen: Tensor) -> Tensor | dict[str, Tensor]:
    return {name: part[chosen] for name, part in x.items()} if isinstance(x, Mapping) else x[chosen]
