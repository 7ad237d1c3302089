"""`MeshGraphNet`: messages along the edges of a mesh, and between what comes near each other in space."""

from __future__ import annotations

import torch
from scipy.spatial import cKDTree
from torch import Tensor, nn

from scge_pyg.graph.checks import positive_number, whole_number

__all__ = ["MeshGraphNet", "edge_offsets", "world_edges"]


def edge_offsets(edge_index: Tensor, *places: Tensor) -> Tensor:
    """Offset and length of each edge ``[E, d + 1, ...]`` in each of the given coordinates ``[N, d]``, side by side.

    Example:
        >>> edge_offsets(torch.tensor([[0], [1]]), torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
        tensor([[-3., -4.,  5.]])
    """
    parts = []
    for place in places:
        offset = place[edge_index[0]] - place[edge_index[1]]
        parts += [offset, offset.norm(dim=1, keepdim=True)]
    return torch.cat(parts, 1)


def world_edges(x: Tensor, edge_index: Tensor, radius: float) -> Tensor:
    """Pairs ``[2, E']``, both ways, nearer than ``radius`` in space ``[N, d]`` that the mesh doesn't join.

    Example:
        >>> world_edges(torch.tensor([[0.0], [1.0], [1.2]]), torch.tensor([[0, 1], [1, 0]]), 0.5).tolist()
        [[1, 2], [2, 1]]
    """
    radius = positive_number("world_edges", "radius", radius)
    pairs = torch.from_numpy(
        cKDTree(x.detach().cpu().double().numpy()).query_pairs(radius, output_type="ndarray").astype("int64")
    ).T
    pairs = torch.cat([pairs, pairs.flip(0)], 1).to(x.device)
    joined = torch.isin(pairs[0] * len(x) + pairs[1], edge_index[0] * len(x) + edge_index[1])
    return pairs[:, ~joined].unique(dim=1)


class MeshGraphNet(nn.Module):
    r"""Encodes nodes and edges, lets them tell each other ``steps`` times, and decodes the nodes.

    .. math::
        \mathbf{e}^M_{ij} \mathrel{+}= f^M(\mathbf{e}^M_{ij}, \mathbf{v}_i, \mathbf{v}_j), \quad
        \mathbf{e}^W_{ij} \mathrel{+}= f^W(\mathbf{e}^W_{ij}, \mathbf{v}_i, \mathbf{v}_j), \quad
        \mathbf{v}_i \mathrel{+}= f^V\Bigl(\mathbf{v}_i, \sum_j \mathbf{e}^M_{ij}, \sum_j \mathbf{e}^W_{ij}\Bigr)

    with perceptrons of two hidden layers and layer normalisation. Each step has weights of its own.

    Args:
        node_channels: Features of a node.
        mesh_channels: Features of a mesh edge.
        out_channels: Of the result.
        world_channels: Features of an edge in space; 0 if there are none.
        hidden: Units.
        steps: Rounds of messages.

    Shapes:
        - **input:** nodes :math:`(N, C)`, ``mesh_index`` :math:`(2, E)`, ``mesh_attr`` :math:`(E, C_M)`, and likewise
          for the world
        - **output:** :math:`(N, C')`

    Cost: O(steps (E + E' + N) hidden^2).

    Source: Pfaff, Fortunato, Sanchez-Gonzalez, Battaglia, Learning Mesh-Based Simulation with Graph Networks, ICLR
    2021; note 003, section 42.

    Example:
        >>> from scge_pyg.zoo.meshes import sheet
        >>> mesh = sheet(4, 5)
        >>> net = MeshGraphNet(2, 4, 3, hidden=16, steps=2)
        >>> net(torch.randn(20, 2), mesh.edge_index, edge_offsets(mesh.edge_index, mesh.pos.float())).shape
        torch.Size([20, 3])
    """

    def __init__(
        self,
        node_channels: int,
        mesh_channels: int,
        out_channels: int,
        *,
        world_channels: int = 0,
        hidden: int = 64,
        steps: int = 8,
    ) -> None:
        super().__init__()
        self.hidden = whole_number("MeshGraphNet", "hidden", hidden, 1)
        self.steps = whole_number("MeshGraphNet", "steps", steps, 1)
        self.world_channels = whole_number("MeshGraphNet", "world_channels", world_channels, 0)
        self.nodes = _perceptron(whole_number("MeshGraphNet", "node_channels", node_channels, 1), hidden)
        self.mesh = _perceptron(whole_number("MeshGraphNet", "mesh_channels", mesh_channels, 1), hidden)
        self.world = _perceptron(world_channels, hidden) if world_channels else None
        sums = 3 if world_channels else 2
        self.mesh_steps = nn.ModuleList(_perceptron(3 * hidden, hidden) for _ in range(steps))
        self.world_steps = nn.ModuleList(_perceptron(3 * hidden, hidden) for _ in range(steps if world_channels else 0))
        self.node_steps = nn.ModuleList(_perceptron(sums * hidden, hidden) for _ in range(steps))
        self.decoder = _perceptron(
            hidden, hidden, whole_number("MeshGraphNet", "out_channels", out_channels, 1), norm=False
        )

    def forward(
        self,
        nodes: Tensor,
        mesh_index: Tensor,
        mesh_attr: Tensor,
        world_index: Tensor | None = None,
        world_attr: Tensor | None = None,
    ) -> Tensor:
        """What becomes of each node."""
        if (world_index is None) != (self.world is None):
            raise ValueError(
                f"MeshGraphNet: edges in space must be given if and only if world_channels is above 0, it is "
                f"{self.world_channels}"
            )
        v, mesh = self.nodes(nodes), self.mesh(mesh_attr)
        world = None if self.world is None else self.world(world_attr)
        for step, (tell, learn) in enumerate(zip(self.mesh_steps, self.node_steps, strict=True)):
            mesh = mesh + tell(torch.cat([mesh, v[mesh_index[1]], v[mesh_index[0]]], 1))
            heard = [v, torch.zeros_like(v).index_add(0, mesh_index[1], mesh)]
            if world is not None and world_index is not None:
                near = torch.cat([world, v[world_index[1]], v[world_index[0]]], 1)
                world = world + self.world_steps[step](near)
                heard.append(torch.zeros_like(v).index_add(0, world_index[1], world))
            v = v + learn(torch.cat(heard, 1))
        y: Tensor = self.decoder(v)
        return y

    def extra_repr(self) -> str:
        return f"hidden={self.hidden}, steps={self.steps}, world_channels={self.world_channels}"


def _perceptron(inner: int, hidden: int, outer: int | None = None, norm: bool = True) -> nn.Sequential:
    outer = hidden if outer is None else outer
    layers: list[nn.Module] = [
        nn.Linear(inner, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outer)
    ]  # fmt: skip
    return nn.Sequential(*layers, nn.LayerNorm(outer)) if norm else nn.Sequential(*layers)
