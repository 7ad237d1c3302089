"""Layers beside which the cost of ours is measured."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.nn import EdgeConv, TransformerConv

from scge_pyg import SCGEConv


class DynamicEdge(torch.nn.Module):
    """Exact k-NN between the features of each sample, then PyG's EdgeConv: what DynamicEdgeConv does."""

    def __init__(self, channels: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.conv = EdgeConv(torch.nn.Linear(2 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        batch, nodes, _ = x.shape
        near = torch.stack([torch.cdist(one, one).topk(self.k, largest=False).indices for one in x.detach()])
        source = (near + torch.arange(batch, device=x.device).view(-1, 1, 1) * nodes).flatten()
        target = torch.arange(batch * nodes, device=x.device).repeat_interleave(self.k)
        return self.conv(x.flatten(0, 1), torch.stack([source, target])).view_as(x)


class DenseAdjacency(torch.nn.Module):
    """A learned N x N adjacency with the k largest entries of each row, as in MTGNN (Wu et al., 2020)."""

    def __init__(self, channels: int, nodes: int, k: int, dim: int = 16) -> None:
        super().__init__()
        self.k = k
        self.first, self.second = (torch.nn.Parameter(torch.randn(nodes, dim) / 4) for _ in range(2))
        self.linear = torch.nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        score = self.first @ self.second.T
        adjacency = torch.relu(torch.tanh(score - score.T))
        mask = torch.zeros_like(adjacency).scatter_(1, adjacency.topk(self.k, 1).indices, 1.0)
        adjacency = adjacency * mask
        adjacency = adjacency / adjacency.sum(1, keepdim=True).clamp_min(1e-6)
        return self.linear(adjacency @ x)


class Attention(torch.nn.Module):
    """PyG's TransformerConv with two heads on the edges of a layer, one copy of them for each sample."""

    def __init__(self, layer: SCGEConv, channels: int, batch: int) -> None:
        super().__init__()
        self.conv = TransformerConv(channels, channels, heads=2, root_weight=False)
        edges = layer.edge_index
        copies = [edges + number * layer.num_sources for number in range(batch)]
        self.register_buffer("edge_index", torch.cat(copies, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.flatten(0, 1), self.edge_index).unflatten(0, x.shape[:2])
