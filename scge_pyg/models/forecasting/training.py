"""One recipe to train all forecasters, and the errors they are judged by."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.models.forecasting.base import Forecaster, check_dtype, checked_series
from scge_pyg.models.recipe import FitResult, one_cycle

__all__ = ["fit_forecaster", "forecasts"]


def fit_forecaster(
    model: Forecaster,
    series: Tensor,
    *,
    epochs: int = 20,
    batch_size: int = 32,
    lr: float = 3e-3,
    weight_decay: float = 1e-2,
    start: int = 0,
    seed: int = 0,
    progress: str | None = None,
) -> FitResult:
    """Train ``model`` in place with AdamW, a one-cycle learning rate and the mean squared error of all H steps.

    Every step of the series that has a whole window behind it and H steps before it is one sample. Their order depends
    on ``seed`` alone, and the last, smaller batch of an epoch is left out. Mean and deviation of the series become the
    model's.

    Args:
        model: The forecaster.
        series: Values ``[T, N]``, finite.
        epochs: Passes over the series.
        batch_size: Windows of a step.
        lr: Largest learning rate.
        weight_decay: Of AdamW.
        start: Number of the first step of ``series`` on the model's clock.
        seed: Of the order of the windows.
        progress: Title of a progress bar. Default: no bar.

    Raises:
        ValueError: If the series has other nodes or another type than the parameters, is NaN or infinite somewhere, or
            holds fewer windows than a batch, a number is out of range, the model has no parameters, or the loss is not
            finite at some step.
        TypeError: If the series isn't a tensor, or a number is none.
    """
    epochs = whole_number("fit_forecaster", "epochs", epochs, 1)
    batch_size = whole_number("fit_forecaster", "batch_size", batch_size, 1)
    lr = positive_number("fit_forecaster", "lr", lr)
    start = whole_number("fit_forecaster", "start", start, 0)
    window, horizon = model.window, model.horizon
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(f"fit_forecaster: {type(model).__name__} has no parameters to train")
    checked_series(series, model.num_nodes, window + horizon, "fit_forecaster")
    check_dtype("fit_forecaster", "series", series, model)
    cuts = series.unfold(0, window + horizon, 1)
    if len(cuts) < batch_size:
        raise ValueError(
            f"fit_forecaster: series must hold at least batch_size={batch_size} windows of {window + horizon} steps, "
            f"got {len(cuts)}; pass batch_size={len(cuts)} or less"
        )
    model.set_scale(series)

    def loss_of(chosen: Tensor) -> Tensor:
        chosen = chosen.to(series.device)
        x, y = cuts[chosen].split([window, horizon], 2)
        time_of = None if model.period is None else chosen + window - 1 + start
        return ((model(x, time_of) - y) / model.scale).square().mean()

    result = one_cycle(
        "fit_forecaster",
        model,
        len(cuts),
        loss_of,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        weight_decay=weight_decay,
        seed=seed,
        progress=progress,
    )
    model.eval()
    return result


@torch.no_grad()
def forecasts(model: Forecaster, series: Tensor, *, start: int = 0, batch_size: int = 256) -> tuple[Tensor, Tensor]:
    """Forecasts of every window of a series ``[T, N]``, and what came: both ``[S, N, H]``.

    The model is in evaluation mode meanwhile.

    Args:
        model: The forecaster.
        series: Values ``[T, N]``, finite.
        start: Number of the first step of ``series`` on the model's clock.
        batch_size: Windows taken at once.

    Example:
        >>> import torch
        >>> guess, came = forecasts(Forecaster(2, window=3, horizon=2), torch.arange(12.0).view(6, 2))
        >>> guess[0].tolist(), came[0].tolist()
        ([[4.0, 4.0], [5.0, 5.0]], [[6.0, 8.0], [7.0, 9.0]])
    """
    start = whole_number("forecasts", "start", start, 0)
    batch_size = whole_number("forecasts", "batch_size", batch_size, 1)
    length = model.window + model.horizon
    cuts = checked_series(series, model.num_nodes, length, "forecasts").unfold(0, length, 1)
    check_dtype("forecasts", "series", series, model)
    x, came = cuts.split([model.window, model.horizon], 2)
    time_of = torch.arange(len(x), device=series.device) + model.window - 1 + start
    training = model.training
    model.eval()
    pairs = zip(x.split(batch_size), time_of.split(batch_size), strict=True)
    guess = torch.cat([model(part, None if model.period is None else when) for part, when in pairs])
    model.train(training)
    return guess, came
