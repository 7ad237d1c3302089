"""Messages on meshes: by a loop, with edges in space, and blind to the order of nodes and edges."""

import pytest
import torch

from scge_pyg.zoo.meshes import sheet
from scge_pyg.zoo.operators import MeshGraphNet, edge_offsets, world_edges

MESH = sheet(4, 5)


def test_by_a_loop():
    torch.manual_seed(0)
    net = MeshGraphNet(2, 4, 3, world_channels=3, hidden=6, steps=2)
    nodes, x = torch.randn(20, 2), torch.randn(20, 2)
    near = world_edges(x, MESH.edge_index, 0.8)
    assert near.shape[1] > 4
    mesh_attr, world_attr = edge_offsets(MESH.edge_index, MESH.pos.float()), edge_offsets(near, x)
    v = [net.nodes(n) for n in nodes]
    tables = []
    for index, attr, encode in ((MESH.edge_index, mesh_attr, net.mesh), (near, world_attr, net.world)):
        tables.append({(int(j), int(i)): encode(a) for (j, i), a in zip(index.T, attr, strict=True)})
    for step in range(2):
        for table, tells in zip(tables, (net.mesh_steps, net.world_steps), strict=True):
            for (j, i), e in list(table.items()):
                table[j, i] = e + tells[step](torch.cat([e, v[i], v[j]]))
        sums = [
            [sum((e for (_, t), e in table.items() if t == i), torch.zeros(6)) for i in range(20)] for table in tables
        ]
        v = [v[i] + net.node_steps[step](torch.cat([v[i], sums[0][i], sums[1][i]])) for i in range(20)]
    expected = torch.stack([net.decoder(one) for one in v])
    assert torch.allclose(net(nodes, MESH.edge_index, mesh_attr, near, world_attr), expected, atol=1e-5)


def test_order_does_not_matter():
    net = MeshGraphNet(2, 4, 3, hidden=6, steps=2)
    nodes, attr = torch.randn(20, 2), edge_offsets(MESH.edge_index, MESH.pos.float())
    order, edges = torch.randperm(20), torch.randperm(MESH.edge_index.shape[1])
    y = net(nodes, MESH.edge_index, attr)
    z = net(nodes[order], order.argsort()[MESH.edge_index[:, edges]], attr[edges])
    assert torch.allclose(z, y[order], atol=1e-5)


def test_edges_in_space_by_a_loop():
    x = torch.rand(30, 3, generator=torch.Generator().manual_seed(670))
    edges = torch.tensor([[0, 1], [1, 0]])
    expected = {(i, j) for i in range(30) for j in range(30) if i != j and float((x[i] - x[j]).norm()) <= 0.3}
    expected -= {(0, 1), (1, 0)}
    assert set(map(tuple, world_edges(x, edges, 0.3).T.tolist())) == expected
    assert world_edges(x, edges, 1e-6).shape == (2, 0)


def test_refused():
    net = MeshGraphNet(2, 4, 3, world_channels=3, hidden=6, steps=1)
    with pytest.raises(ValueError, match="edges in space must be given if and only if"):
        net(torch.zeros(20, 2), MESH.edge_index, torch.zeros(MESH.edge_index.shape[1], 4))
    with pytest.raises(ValueError, match="steps must be"):
        MeshGraphNet(2, 4, 3, steps=0)
    with pytest.raises(ValueError, match="radius must be"):
        world_edges(torch.zeros(3, 2), MESH.edge_index, -1.0)
    assert "hidden=6, steps=1, world_channels=3" in repr(net)
