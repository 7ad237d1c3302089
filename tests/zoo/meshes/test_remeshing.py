"""Remeshing: sizes, shapes, what is carried along, and the criterion of the flips."""

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from scge_pyg.zoo.meshes import TriangleMesh, remesh, sheet, sizing_of_edges


def even(size):
    return lambda u: torch.eye(2, dtype=torch.double).expand(len(u), 2, 2) / size**2


def around_a_point(u):
    size = 0.04 + 0.25 * (u - 0.5).norm(dim=1)
    return torch.eye(2, dtype=torch.double) / size[:, None, None] ** 2


def wide(u):
    found = torch.zeros(len(u), 2, 2, dtype=torch.double)
    found[:, 0, 0], found[:, 1, 1] = 1 / 0.06**2, 1 / 0.3**2
    return found


def as_mesh(found):
    return TriangleMesh(torch.cat([found.u, torch.zeros(len(found.u), 1)], 1), found.face)


def sizes(found, sizing):
    edge = as_mesh(found).edge_index
    s = sizing(found.u)
    step = found.u[edge[0]] - found.u[edge[1]]
    return torch.einsum("ei,eij,ej->e", step, (s[edge[0]] + s[edge[1]]) / 2, step)


@pytest.mark.parametrize("sizing", [even(0.07), even(0.25), around_a_point, wide])
def test_edges_fit_and_the_surface_stays(sizing):
    mesh = sheet(11, 13, 1.2, 1.0)
    linear = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, -1.0]], dtype=torch.double)
    found = remesh(mesh.pos[:, :2], mesh.face, sizing, mesh.pos[:, :2] @ linear)
    new = as_mesh(found)
    assert len(found.u) - new.edge_index.shape[1] // 2 + new.face.shape[1] == 1
    assert float(new.area.sum()) == pytest.approx(1.2)
    assert float(new.area.min()) > 1e-8
    assert float(sizes(found, sizing).max()) <= 1 + 1e-6
    assert torch.allclose(found.values, found.u @ linear, atol=1e-12)
    again = remesh(found.u, found.face, sizing)
    assert len(again.u) <= len(found.u) + 2


def test_numbers_of_vertices_follow_the_field():
    mesh = sheet(11, 11)
    coarse, fine, local = (
        len(remesh(mesh.pos[:, :2], mesh.face, f).u) for f in (even(0.3), even(0.05), around_a_point)
    )
    assert coarse < 80 < 121 < local < fine
    found = remesh(mesh.pos[:, :2], mesh.face, around_a_point)
    near = (found.u - 0.5).norm(dim=1) < 0.2
    assert float(near.double().mean()) > 2 * 0.04 * np.pi


def test_flips_make_a_delaunay_triangulation():
    generator = torch.Generator().manual_seed(660)
    mesh = sheet(6, 6)
    u = mesh.pos[:, :2].clone()
    inside = ((u > 0.01) & (u < 0.99)).all(1)
    u[inside] += 0.08 * (torch.rand(int(inside.sum()), 2, generator=generator, dtype=torch.double) - 0.5)
    stretched = torch.tensor([1.0, 3.0], dtype=torch.double)

    def stretch(v):
        return torch.diag(1 / (0.25 / torch.tensor([1.0, 3.0], dtype=torch.double)) ** 2).expand(len(v), 2, 2)

    for sizing, scale in ((even(0.35), torch.ones(2, dtype=torch.double)), (stretch, stretched)):
        found = remesh(u, mesh.face, sizing)
        want = {tuple(sorted(t)) for t in Delaunay((found.u * scale).numpy()).simplices.tolist()}
        have = {tuple(sorted(t)) for t in found.face.T.tolist()}
        assert len(have & want) > 0.8 * len(have)


def test_the_field_of_a_mesh():
    mesh = sheet(9, 9)
    stretched = mesh.pos[:, :2] * torch.tensor([1.0, 0.5])
    sizes_of = sizing_of_edges(stretched, mesh.edge_index)
    step = stretched[mesh.edge_index[1]] - stretched[mesh.edge_index[0]]
    value = torch.einsum("ei,eij,ej->e", step, sizes_of[mesh.edge_index[0]], step)
    assert float(value.max()) <= 1 + 1e-9
    top = torch.zeros(81, dtype=torch.double).scatter_reduce(0, mesh.edge_index[0], value, "amax")
    assert torch.allclose(top, torch.ones(81, dtype=torch.double))
    inner = sizes_of[40]
    assert float(inner[1, 1] / inner[0, 0]) == pytest.approx(4.0, rel=0.02)
    best = min(  # the smallest ellipse around the edges of one vertex, by brute force
        float(np.pi * a * b)
        for a in torch.linspace(0.1, 0.3, 81)
        for b in (a / 2,)
        if bool(((step[mesh.edge_index[0] == 40] / torch.stack([a, b])).square().sum(1) <= 1 + 1e-9).all())
    )
    assert float(np.pi / inner.det().sqrt()) <= best * 1.02


def test_refused():
    mesh = sheet(3, 3)
    with pytest.raises(ValueError, match=r"u must be finite \[V, 2\]"):
        remesh(mesh.pos, mesh.face, even(1.0))
    with pytest.raises(ValueError, match="sizing must give positive matrices"):
        remesh(mesh.pos[:, :2], mesh.face, lambda u: torch.zeros(len(u), 2, 2))
    mixed = mesh.face.clone()
    mixed[:, 0] = mixed[[1, 0, 2], 0]
    with pytest.raises(ValueError, match="one orientation"):
        remesh(mesh.pos[:, :2], mixed, even(1.0))
    turned = remesh(mesh.pos[:, :2], mesh.face.flip(0), even(1.0))
    assert float(as_mesh(turned).area.sum()) == pytest.approx(1.0)
