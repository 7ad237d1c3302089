"""`Forecaster`: what all forecasters share, so that what differs between them is how they see the change to come."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scge_pyg.nn.fixed.tables import Tabled
from scge_pyg.nn.layer.batching import as_batch, as_given

__all__ = ["Forecaster", "check_dtype", "checked_series", "checked_sizes"]

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


class Forecaster(Tabled):
    r"""Windows of N nodes in, their next values out: the newest value plus the change that a subclass predicts.

    .. math::
        \hat x_i(t + h) = x_i(t) + s\, f\big(z(t - W + 1), \dots, z(t)\big)_{ih}, \qquad z = (x - m) / s

    with one mean :math:`m` and one deviation :math:`s` of all nodes, which :func:`fit_forecaster` takes from the series
    it trains on; they are part of the ``state_dict``. With :math:`f = 0` it is persistence, and this class is that.

    Subclasses give :meth:`change`.

    Args:
        num_nodes: Number of nodes N.
        window: Steps W that it sees.
        horizon: Steps H that it predicts, all at once.
        period: Steps of a day, a year or what else returns, for forecasters that look at the clock. Default: no clock.

    Shapes:
        - **input:** windows :math:`(B, N, W)`, flat :math:`(B N, W)` or one :math:`(N, W)`, oldest step first, as
          :class:`scge_pyg.transforms.SeriesToNodes` cuts them; with a ``period``, ``time`` :math:`(B)`
        - **output:** the same layout with the H steps that follow

    Raises:
        ValueError: If a size is not positive, a window is NaN or infinite somewhere or has other sizes or another type
            than the parameters, or ``time`` is left out with a ``period``, given without one, or no integers ``[B]``.

    Example:
        >>> import torch
        >>> Forecaster(3, window=4, horizon=2)(torch.arange(12.0).view(1, 3, 4)).tolist()
        [[[3.0, 3.0], [7.0, 7.0], [11.0, 11.0]]]
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, num_nodes: int, window: int = 12, horizon: int = 12, *, period: int | None = None) -> None:
        super().__init__()
        name = type(self).__name__
        checked_sizes(name, num_nodes=num_nodes, window=window, horizon=horizon)
        if period is not None:
            checked_sizes(name, period=period)
        self.num_nodes, self.window, self.horizon, self.period = num_nodes, window, horizon, period
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("scale", torch.tensor(1.0))

    def set_scale(self, series: Tensor) -> None:
        """Take mean and deviation from a series ``[T, N]``."""
        deviation, mean = torch.std_mean(series)
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(deviation > 0, deviation, 1.0))

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """Forecasts of windows.

        Args:
            x: The windows.
            time: Number of the newest step of each window ``[B]``, counted from any start of a period.
        """
        name = type(self).__name__
        batch = as_batch(x, self.num_nodes, self.window, name)
        check_dtype(name, "x", x, self)
        if not _exporting() and not bool(torch.isfinite(batch).all()):
            raise ValueError(
                f"{name}: x is NaN or infinite in {int((~torch.isfinite(batch)).sum())} of {batch.numel()} values; "
                f"fill gaps first, for instance with the value before them"
            )
        phase = None
        if self.period is None and time is not None:
            raise ValueError(
                f"{name}: time needs a period, which this model has not; leave it out or build with period="
            )
        if self.period is not None:
            fits = isinstance(time, Tensor) and time.shape == batch.shape[:1] and time.dtype in _INTEGERS
            if time is None or not fits:
                got = f"{time.dtype} {list(time.shape)}" if isinstance(time, Tensor) else type(time).__name__
                raise ValueError(
                    f"{name}: with period={self.period}, time must be the number of the newest step of each window, an "
                    f"integer tensor [{batch.shape[0]}], got {'none' if time is None else got}"
                )
            phase = (time % self.period).to(batch.dtype) / self.period
        z = (batch - self.mean) / self.scale
        return as_given(batch[:, :, -1:] + self.scale * self.change(z, phase), x)

    def change(self, z: Tensor, phase: Tensor | None) -> Tensor:
        """The change to come ``[B, N, H]`` from standardised windows ``[B, N, W]`` and the phase ``[B]`` in [0, 1)."""
        return z.new_zeros(*z.shape[:2], self.horizon)

    def extra_repr(self) -> str:
        clock = "" if self.period is None else f", period={self.period}"
        return f"nodes={self.num_nodes}, window={self.window}, horizon={self.horizon}{clock}"


def _exporting() -> bool:
    """Whether :func:`torch.export.export` traces, to which values are unknown; torch below 2.7 can't say."""
    known = getattr(torch.compiler, "is_exporting", None)
    return known is not None and bool(known())


def harmonics(phase: Tensor, number: int) -> Tensor:
    r"""Sine and cosine of :math:`2 \pi k \cdot` phase for k up to ``number``, ``[B, 2 number]``."""
    angle = 2 * math.pi * phase.unsqueeze(1) * torch.arange(1, number + 1, device=phase.device)
    return torch.cat([angle.sin(), angle.cos()], 1)


def check_dtype(where: str, name: str, value: Tensor, model: Forecaster) -> None:
    """Refuse values in another type than the parameters', unless autocast converts them."""
    wanted = model.mean.dtype
    if value.dtype != wanted and not torch.is_autocast_enabled(value.device.type):
        also = f", or model.to({value.dtype}) as model" if value.is_floating_point() else ""
        raise ValueError(
            f"{where}: {name} must be {wanted}, as the parameters of {type(model).__name__} are, got {value.dtype}; "
            f"pass {name}.to({wanted}){also}"
        )


def checked_series(series: Tensor, num_nodes: int, least: int, where: str) -> Tensor:
    """A series ``[T, N]`` that is finite and long enough for one window and its future."""
    if not isinstance(series, Tensor):
        raise TypeError(f"{where}: series must be a tensor [T, {num_nodes}], got {type(series).__name__}")
    if series.dim() != 2 or series.shape[1] != num_nodes:
        raise ValueError(f"{where}: series must be [T, {num_nodes}], time first, got {list(series.shape)}")
    if series.shape[0] < least:
        raise ValueError(
            f"{where}: series must have at least {least} steps, window and horizon together, got {series.shape[0]}"
        )
    if not bool(torch.isfinite(series).all()):
        raise ValueError(
            f"{where}: series is NaN or infinite in {int((~torch.isfinite(series)).sum())} of {series.numel()} values; "
            f"fill gaps first, for instance with the value before them"
        )
    return series


def checked_sizes(where: str, **sizes: int) -> None:
    """Raise unless every size is a positive integer."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{where}: {name} must be a positive integer, got {value!r}")
