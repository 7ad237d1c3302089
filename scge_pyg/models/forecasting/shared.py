"""`SharedForecaster`: one network for all nodes, told which node it is at and what time it is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from scge_pyg.models.forecasting.base import Forecaster, checked_sizes, harmonics

__all__ = ["SharedForecaster"]


class SharedForecaster(Forecaster):
    r"""A linear map of the window and a residual network beside it, both shared by all nodes.

    .. math::
        \mathbf{h}_i^0 = \mathbf{W}\,[\mathbf{r}_i, \mathbf{u}_i, \mathbf{c}(t)], \qquad
        \mathbf{h}_i^{l + 1} = \mathbf{h}_i^l + \mathrm{MLP}_l\big[\mathbf{n}_i^l, m_l(\mathbf{n}^l)_i\big], \qquad
        f_i = \mathbf{A} \mathbf{r}_i + \mathbf{B} \mathbf{h}_i^L

    where :math:`\mathbf{r}_i` is the window of node i less its newest value, and that value, :math:`\mathbf{u}_i` an
    embedding of the node, :math:`\mathbf{c}(t)` sines and cosines of the clock, :math:`\mathbf{n}^l` the features after
    layer normalisation and :math:`m_l` what ``mix`` makes: how nodes hear of each other. Without it nodes are forecast
    one by one, as in `"Spatial-Temporal Identity" <https://arxiv.org/abs/2208.05233>`_. :math:`\mathbf{A}` and
    :math:`\mathbf{B}` start at zero, so an untrained forecaster is persistence.

    Args:
        num_nodes: Number of nodes N.
        window: Steps W that it sees.
        horizon: Steps H that it predicts, all at once.
        channels: Width of the network. Default: 32.
        layers: Residual blocks L. Default: 2.
        mix: Makes a module ``[B, N, C]`` to ``[B, N, C]`` of a width C for each block. Default: nodes don't mix.
        identity: Columns of the nodes' embedding, 0 for none: then all nodes are alike. Default: 8.
        period: Steps after which the clock returns, such as 288 of 5 minutes. Default: no clock.
        waves: Sines and cosines of the clock. Default: 4.
        dropout: Share of hidden units set to zero in training. Default: 0.1.

    Shapes:
        - **input:** windows :math:`(B, N, W)`, flat :math:`(B N, W)` or one :math:`(N, W)`; with a ``period``,
          ``time`` :math:`(B)`
        - **output:** the same layout with :math:`H` steps

    Raises:
        ValueError: If a size is not positive, or the input doesn't fit (:class:`Forecaster`).

    Example:
        >>> import torch
        >>> model = SharedForecaster(207, window=12, horizon=12, period=288)
        >>> model(torch.rand(4, 207, 12), time=torch.arange(4)).shape
        torch.Size([4, 207, 12])
    """

    def __init__(
        self,
        num_nodes: int,
        window: int = 12,
        horizon: int = 12,
        *,
        channels: int = 32,
        layers: int = 2,
        mix: Callable[[int], torch.nn.Module] | None = None,
        identity: int = 8,
        period: int | None = None,
        waves: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(num_nodes, window, horizon, period=period)
        checked_sizes(type(self).__name__, channels=channels, layers=layers, waves=waves)
        if isinstance(identity, bool) or not isinstance(identity, int) or identity < 0:
            raise ValueError(f"{type(self).__name__}: identity must be an integer of at least 0, got {identity!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"{type(self).__name__}: dropout must be in [0, 1), got {dropout}")
        self.waves = waves
        self.identity = torch.nn.Parameter(torch.empty(num_nodes, identity))
        clock = 0 if period is None else 2 * waves
        self.encoder = torch.nn.Linear(window + identity + clock, channels)
        self.blocks = torch.nn.ModuleList(
            _Block(channels, None if mix is None else mix(channels), dropout) for _ in range(layers)
        )
        self.linear = torch.nn.Linear(window, horizon)
        self.head = torch.nn.Linear(channels, horizon)
        torch.nn.init.normal_(self.identity, std=0.1)
        for layer in (self.linear, self.head):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)

    def change(self, z: Tensor, phase: Tensor | None) -> Tensor:
        """The change to come ``[B, N, H]``."""
        newest = z[:, :, -1:]
        recent = torch.cat([z[:, :, :-1] - newest, newest], 2)
        known = [recent, self.identity.expand(z.shape[0], -1, -1)]
        if phase is not None:
            known.append(harmonics(phase, self.waves).unsqueeze(1).expand(-1, self.num_nodes, -1))
        h = self.encoder(torch.cat(known, 2))
        for block in self.blocks:
            h = block(h)
        change: Tensor = self.linear(recent) + self.head(h)
        return change


class _Block(torch.nn.Module):
    """Normalise, mix the nodes, and add what a small network makes of both."""

    def __init__(self, channels: int, mix: torch.nn.Module | None, dropout: float) -> None:
        super().__init__()
        self.norm, self.mix = torch.nn.LayerNorm(channels), mix
        self.network = torch.nn.Sequential(
            torch.nn.Linear(channels if mix is None else 2 * channels, channels),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(channels, channels),
        )

    def forward(self, h: Tensor) -> Tensor:
        normed = self.norm(h)
        seen = normed if self.mix is None else torch.cat([normed, self.mix(normed)], 2)
        added: Tensor = self.network(seen)
        return h + added
