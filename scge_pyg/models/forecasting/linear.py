"""`LinearForecaster`: autoregression by ridge, of each node on itself or of all nodes on all."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.models.forecasting.base import Forecaster, checked_series, checked_sizes

__all__ = ["LinearForecaster"]


class LinearForecaster(Forecaster):
    r"""The change to come is linear in the last steps: of the node itself, or of all nodes (a vector autoregression).

    .. math::
        \min_{\mathbf{A}, \mathbf{b}} \frac{1}{S} \sum_t \|\mathbf{y}_t - \mathbf{A} \mathbf{r}_t - \mathbf{b}\|^2
            + \lambda \|\mathbf{A}\|^2

    with :math:`\mathbf{y}_t` the changes to the H next steps, :math:`\mathbf{r}_t` the last ``lags`` values, those
    before the newest less the newest, and S windows. It is solved at once by :meth:`fit`.

    Cost: of a fit :math:`O(S\,K^2 + K^3)` with K = ``lags`` for each node, or once with K = N ``lags``.

    Args:
        num_nodes: Number of nodes N.
        window: Steps W that it is given.
        horizon: Steps H that it predicts, all at once.
        lags: Newest steps that it uses, at most W. Default: all.
        across: Whether nodes hear each other. Default: no.

    Shapes:
        - **input:** windows :math:`(B, N, W)`, flat :math:`(B N, W)` or one :math:`(N, W)`
        - **output:** the same layout with H steps

    Raises:
        ValueError: If a size is not positive, there are more lags than steps, or the input doesn't fit.

    Example:
        >>> import torch
        >>> wave = torch.sin(torch.arange(200.0)).view(200, 1)
        >>> model = LinearForecaster(1, window=3, horizon=2).fit(wave, ridge=1e-9)
        >>> torch.allclose(model(wave[:3].T), wave[3:5].T, atol=1e-3)
        True
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, num_nodes: int, window: int = 12, horizon: int = 12, *, lags: int | None = None, across: bool = False
    ) -> None:
        super().__init__(num_nodes, window, horizon)
        self.lags, self.across = window if lags is None else lags, across
        checked_sizes("LinearForecaster", lags=self.lags)
        if self.lags > window:
            raise ValueError(f"LinearForecaster: lags must be at most window={window}, got {lags}")
        groups, size = (1, num_nodes) if across else (num_nodes, 1)
        self.register_buffer("weight", torch.zeros(groups, size * self.lags, size * horizon))
        self.register_buffer("bias", torch.zeros(groups, 1, size * horizon))

    def fit(self, series: Tensor, ridge: float = 0.1) -> LinearForecaster:
        r"""Solve for the weights, in double precision.

        Args:
            series: Values ``[T, N]``, finite.
            ridge: :math:`\lambda`, in units of the series' variance.

        Raises:
            ValueError: If the series has other nodes, is NaN or infinite somewhere or too short, or ``ridge`` isn't
                positive.
        """
        if ridge <= 0:
            raise ValueError(f"LinearForecaster.fit: ridge must be positive, got {ridge}")
        length = self.window + self.horizon
        checked_series(series, self.num_nodes, length + 1, "LinearForecaster.fit")
        self.set_scale(series)
        z = (series.double() - self.mean) / self.scale
        past, future = z.unfold(0, length, 1).split([self.window, self.horizon], 2)
        x, y = self._grouped(self._seen(past)), self._grouped(future - past[:, :, -1:])
        x_mean, y_mean = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
        centred = (x - x_mean).mT
        gram = centred @ centred.mT / x.shape[1] + ridge * torch.eye(x.shape[2], dtype=x.dtype, device=x.device)
        weight = torch.linalg.solve(gram, centred @ (y - y_mean) / x.shape[1])
        self.weight.copy_(weight)
        self.bias.copy_(y_mean - x_mean @ weight)
        return self

    def change(self, z: Tensor, phase: Tensor | None) -> Tensor:
        """The change to come ``[B, N, H]``."""
        y = self._grouped(self._seen(z)) @ self.weight + self.bias
        return y.view(len(z), self.num_nodes, -1) if self.across else y.transpose(0, 1)

    def _seen(self, z: Tensor) -> Tensor:
        """The last ``lags`` steps, those before the newest less the newest."""
        newest = z[:, :, -1:]
        return torch.cat([z[:, :, self.window - self.lags : -1] - newest, newest], 2)

    def _grouped(self, values: Tensor) -> Tensor:
        """``[B, N, K]`` as one problem ``[1, B, N K]``, or one for each node ``[N, B, K]``."""
        return values.flatten(1).unsqueeze(0) if self.across else values.transpose(0, 1)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, lags={self.lags}, across={self.across}"
