"""`MeshSimulator`: learned steps of a system on a mesh, and where many of them lead."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.zoo.operators.mesh_graph_net import MeshGraphNet, edge_offsets, world_edges

__all__ = ["MeshSimulator"]


class MeshSimulator(nn.Module):
    r"""Predicts the next state of each node of a mesh from the last ones.

    .. math::
        \text{order 1: } \mathbf{q}^{t+1} = \mathbf{q}^t + \mathbf{p}, \qquad
        \text{order 2: } \mathbf{x}^{t+1} = 2 \mathbf{x}^t - \mathbf{x}^{t-1} + \mathbf{p}

    with p from a :class:`~scge_pyg.zoo.operators.MeshGraphNet`. Nodes see whether they are held, and the state (order
    1) or the velocity (order 2); mesh edges their offsets in the mesh's own coordinates and, for order 2, in space;
    with ``radius``, nodes that come near in space see each other too. The mesh may differ from call to call, so a net
    learned on one runs on another, finer or coarser one.

    Args:
        channels: Of the state; with order 2 it is a place.
        mesh_dim: Columns of the mesh's coordinates.
        order: 1 or 2.
        radius: Distance in space up to which nodes that the mesh doesn't join see each other; order 2 only.
        hidden: Units.
        steps: Rounds of messages.

    Source: Pfaff and others (2021); note 003, section 42.1.

    Example:
        >>> from scge_pyg.zoo.meshes import sheet
        >>> mesh = sheet(5, 5)
        >>> simulator = MeshSimulator(1, hidden=8, steps=2)
        >>> heat = torch.rand(6, 10, 25, 1)  # six runs of ten steps
        >>> losses = simulator.fit(heat, mesh.pos[:, :2].float(), mesh.edge_index, torch.zeros(25), epochs=1)
        >>> simulator.rollout(heat[0, :1], mesh.pos[:, :2].float(), mesh.edge_index, torch.zeros(25), 4).shape
        torch.Size([5, 25, 1])
    """

    change_scale: Tensor
    state_scale: Tensor
    edge_mean: Tensor
    edge_scale: Tensor

    def __init__(
        self,
        channels: int,
        mesh_dim: int = 2,
        *,
        order: int = 1,
        radius: float | None = None,
        hidden: int = 64,
        steps: int = 8,
    ) -> None:
        super().__init__()
        self.channels = whole_number("MeshSimulator", "channels", channels, 1)
        self.order = whole_number("MeshSimulator", "order", order, 1, 2)
        if radius is not None and order == 1:
            raise ValueError("MeshSimulator: radius must be left out with order=1, whose nodes don't move")
        self.radius = None if radius is None else positive_number("MeshSimulator", "radius", radius)
        width = mesh_dim + 1 + (channels + 1 if order == 2 else 0)
        self.net = MeshGraphNet(
            channels + 1, width, channels, world_channels=channels + 1 if radius else 0, hidden=hidden, steps=steps
        )
        self.register_buffer("change_scale", torch.ones(()))
        self.register_buffer("state_scale", torch.ones(()))
        self.register_buffer("edge_mean", torch.zeros(width))
        self.register_buffer("edge_scale", torch.ones(width))

    def forward(self, past: Tensor, u: Tensor, edge_index: Tensor, held: Tensor) -> Tensor:
        """The next state ``[N, C]``.

        Args:
            past: The last ``order`` states ``[order, N, C]``.
            u: Places in the mesh ``[N, mesh_dim]``.
            edge_index: Edges of the mesh ``[2, E]``, both ways.
            held: Which nodes keep their state ``[N]``.
        """
        now = past[-1]
        inertia = 2 * now - past[-2] if self.order == 2 else now
        change = self.change_scale * self._change(past, u, edge_index, held)
        return torch.where(held.bool()[:, None], now, inertia + change)

    def _change(self, past: Tensor, u: Tensor, edge_index: Tensor, held: Tensor) -> Tensor:
        now = past[-1]
        shown = (now - past[-2] if self.order == 2 else now) / self.state_scale
        nodes = torch.cat([shown, held.to(now)[:, None]], 1)
        edges = (self._edges(now, u, edge_index) - self.edge_mean) / self.edge_scale
        world: tuple[Tensor, ...] = ()
        if self.radius is not None:
            near = world_edges(now, edge_index, self.radius)
            world = near, edge_offsets(near, now) / self.radius
        y: Tensor = self.net(nodes, edge_index, edges, *world)
        return y

    def _edges(self, now: Tensor, u: Tensor, edge_index: Tensor) -> Tensor:
        return edge_offsets(edge_index, u, now) if self.order == 2 else edge_offsets(edge_index, u)

    def fit(
        self,
        runs: Tensor,
        u: Tensor,
        edge_index: Tensor,
        held: Tensor,
        *,
        epochs: int = 10,
        lr: float = 1e-3,
        noise: float = 0.0,
        seed: int = 0,
        progress: str | None = None,
    ) -> list[float]:
        """Learn single steps of runs on one mesh; returns the mean squared error of each epoch in units of a change.

        Args:
            runs: States ``[R, T, N, C]``.
            u: Places in the mesh ``[N, mesh_dim]``.
            edge_index: Edges of the mesh ``[2, E]``, both ways.
            held: Which nodes keep their state ``[N]``.
            epochs: Passes over all steps of all runs, one step at a time.
            lr: Largest learning rate of Adam; it falls to a hundredth.
            noise: Deviation of noise on the last state in units of ``runs``, which the net learns to take back, so that
                its own errors don't grow.
            seed: Of order and noise.
            progress: Title of a progress bar. Default: no bar.
        """
        epochs, lr = (
            whole_number("MeshSimulator.fit", "epochs", epochs, 1),
            positive_number("MeshSimulator.fit", "lr", lr),
        )
        nodes = len(u)
        if runs.dim() != 4 or runs.shape[2:] != (nodes, self.channels) or runs.shape[1] <= self.order:
            raise ValueError(
                f"MeshSimulator.fit: runs must be [R, T, {nodes}, {self.channels}] with T above {self.order}, got "
                f"{list(runs.shape)}"
            )
        if not bool(torch.isfinite(runs).all()):
            raise ValueError("MeshSimulator.fit: runs must be finite, got NaN or infinity")
        self._scale(runs, u, edge_index, ~held.bool())
        starts = torch.cartesian_prod(torch.arange(len(runs)), torch.arange(runs.shape[1] - self.order))
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.Adam(self.parameters(), lr)
        total = epochs * len(starts)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.01 ** (1 / total))
        losses = []
        free = ~held.bool()
        with tqdm(total=total, desc=progress, disable=progress is None, leave=False) as bar:
            for _ in range(epochs):
                sum_of_losses = 0.0
                for run, first in starts[torch.randperm(len(starts), generator=generator)].tolist():
                    past = runs[run, first : first + self.order].clone()
                    if noise:
                        past[-1] += noise * torch.randn(past[-1].shape, generator=generator) * free[:, None]
                    wanted = runs[run, first + self.order]
                    inertia = 2 * past[-1] - past[-2] if self.order == 2 else past[-1]
                    found = self._change(past, u, edge_index, held)
                    loss = (found - (wanted - inertia) / self.change_scale)[free].square().mean()
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    schedule.step()
                    sum_of_losses += float(loss.detach())
                    bar.update()
                losses.append(sum_of_losses / len(starts))
                bar.set_postfix(loss=f"{losses[-1]:.4f}")
        return losses

    def _scale(self, runs: Tensor, u: Tensor, edge_index: Tensor, free: Tensor) -> None:
        """Units of what the net sees and says."""
        change = runs.diff(dim=1)
        state = change if self.order == 2 else runs
        if self.order == 2:
            change = change.diff(dim=1)
        edges = torch.cat(
            [self._edges(now, u, edge_index) for now in runs[:, :: max(1, runs.shape[1] // 4)].flatten(0, 1)]
        )
        tiny = torch.finfo(runs.dtype).tiny
        self.change_scale.copy_(change[:, :, free].square().mean().sqrt().clamp_min(tiny))
        self.state_scale.copy_(state[:, :, free].square().mean().sqrt().clamp_min(tiny))
        self.edge_mean.copy_(edges.mean(0))
        self.edge_scale.copy_(edges.std(0).clamp_min(1e-6))

    @torch.no_grad()
    def rollout(self, past: Tensor, u: Tensor, edge_index: Tensor, held: Tensor, steps: int) -> Tensor:
        """States ``[order + steps, N, C]`` from the first ``past [order, N, C]`` on."""
        if past.shape != (self.order, len(u), self.channels):
            raise ValueError(
                f"MeshSimulator.rollout: past must be [{self.order}, {len(u)}, {self.channels}], got {list(past.shape)}"
            )
        states = list(past)
        for _ in range(whole_number("MeshSimulator.rollout", "steps", steps, 0)):
            states.append(self(torch.stack(states[-self.order :]), u, edge_index, held))
        return torch.stack(states)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, order={self.order}, radius={self.radius}"
