"""Forecasters beside ours: a GRU for each node, an adaptive dense adjacency, attention of all nodes to all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from scge_pyg import SharedGraph
from scge_pyg.models import Forecaster, LinearForecaster, SCGEForecaster, SharedForecaster
from scge_pyg.models.forecasting.base import harmonics

__all__ = ["LABELS", "LINEAR", "OWN", "build"]

PERIOD = 288
LABELS = {
    "persistence": "persistence",
    "linear": "linear autoregression, each node",
    "var": "vector autoregression, ridge",
    "gru": "GRU, each node",
    "identity": "identities without edges (STID)",
    "adaptive": "adaptive dense adjacency (Graph WaveNet)",
    "attention": "attention of all to all (STAEformer)",
    "scge": "SCGE on the discovered graph",
    "road": "the same on the true road graph",
}
LINEAR = ("linear", "var")
# two factors of the grid are each family's own
OWN: dict[str, dict[str, tuple[Any, Any]]] = {
    "gru": {"waves": (4, 8), "identity": (8, 16)},
    "identity": {"waves": (4, 8), "layers": (2, 3)},
    "adaptive": {"rank": (10, 32), "steps": (1, 2)},
    "attention": {"heads": (1, 4), "layers": (1, 2)},
    "scge": {"k": (None, 8), "summaries": (0, 8)},
    "road": {"k": (None, 8), "summaries": (0, 8)},
}


class AdaptiveAdjacency(torch.nn.Module):
    """Diffusion steps on softmax(relu(E1 E2)), a dense matrix learned from nothing (Wu et al., 2019)."""

    def __init__(self, channels: int, num_nodes: int, rank: int, steps: int) -> None:
        super().__init__()
        self.source = torch.nn.Parameter(torch.randn(num_nodes, rank))
        self.target = torch.nn.Parameter(torch.randn(rank, num_nodes))
        self.linear, self.steps = torch.nn.Linear(steps * channels, channels), steps

    def forward(self, h: Tensor) -> Tensor:
        adjacency = torch.relu(self.source @ self.target).softmax(1)
        walks = [h]
        for _ in range(self.steps):
            walks.append(adjacency @ walks[-1])
        mixed: Tensor = self.linear(torch.cat(walks[1:], 2))
        return mixed


class AllToAll(torch.nn.Module):
    """Self-attention over the nodes, which carry their embedding (the spatial half of Liu et al., 2023)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(channels, heads, batch_first=True)

    def forward(self, h: Tensor) -> Tensor:
        mixed: Tensor = self.attention(h, h, h, need_weights=False)[0]
        return mixed


class GRUForecaster(Forecaster):
    """A GRU reads the window of a node; a hidden layer joins its state with the node's embedding and the clock."""

    def __init__(self, num_nodes: int, *, identity: int, waves: int, dropout: float, channels: int = 32) -> None:
        super().__init__(num_nodes, 12, 12, period=PERIOD)
        self.waves = waves
        self.identity = torch.nn.Parameter(0.1 * torch.randn(num_nodes, identity))
        self.gru = torch.nn.GRU(1, channels, batch_first=True)
        self.linear = torch.nn.Linear(12, 12)
        self.head = torch.nn.Sequential(
            torch.nn.Linear(channels + identity + 2 * waves, channels),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(channels, 12),
        )
        for layer in (self.linear, self.head[-1]):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)

    def change(self, z: Tensor, phase: Tensor | None) -> Tensor:
        assert phase is not None
        state = self.gru(z.flatten(0, 1).unsqueeze(2))[1][0].unflatten(0, z.shape[:2])
        clock = harmonics(phase, self.waves).unsqueeze(1).expand(-1, self.num_nodes, -1)
        newest = z[:, :, -1:]
        recent = torch.cat([z[:, :, :-1] - newest, newest], 2)
        change: Tensor = self.linear(recent) + self.head(
            torch.cat([state, self.identity.expand(len(z), -1, -1), clock], 2)
        )
        return change


def build(name: str, num_nodes: int, graphs: dict[str, SharedGraph], setting: dict[str, Any]) -> Forecaster:
    """An untrained forecaster of 12 steps from 12."""
    if name == "persistence":
        return Forecaster(num_nodes)
    if name in LINEAR:
        return LinearForecaster(num_nodes, lags=setting["lags"], across=name == "var")
    setting = {"identity": 16, **setting}
    if name == "gru":
        return GRUForecaster(num_nodes, **setting)
    if name in graphs:
        return SCGEForecaster(12, 12, graphs[name], period=PERIOD, **setting)
    own = {key: setting[key] for key in ("rank", "steps", "heads") if key in setting}
    options = {key: value for key, value in setting.items() if key not in own}
    mixes: dict[str, Callable[..., torch.nn.Module]] = {
        "adaptive": partial(AdaptiveAdjacency, num_nodes=num_nodes),
        "attention": AllToAll,
    }
    mix = partial(mixes[name], **own) if name in mixes else None
    return SharedForecaster(num_nodes, mix=mix, period=PERIOD, **options)
