"""Meshes: areas, normals, Euler's number, and what is refused."""

import math

import pytest
import torch

from scge_pyg.zoo.meshes import TriangleMesh, icosphere, sheet


@pytest.mark.parametrize("subdivisions", [0, 1, 3])
def test_spheres(subdivisions):
    mesh = icosphere(subdivisions)
    vertices, faces, edges = len(mesh.pos), mesh.face.shape[1], mesh.edge_index.shape[1] // 2
    assert vertices - edges + faces == 2
    assert faces == 20 * 4**subdivisions
    assert mesh.closed
    assert torch.allclose(mesh.pos.norm(dim=1), torch.ones(vertices, dtype=torch.double))
    assert float(mesh.vertex_area.sum()) == pytest.approx(float(mesh.area.sum()))
    outward = (mesh.normal * mesh.pos).sum(1)
    assert float(outward.min()) > 0.99
    if subdivisions == 3:
        assert float(mesh.area.sum()) == pytest.approx(4 * math.pi, rel=0.01)


def test_sheets():
    mesh = sheet(4, 6, 3.0, 2.0)
    assert not mesh.closed
    assert float(mesh.area.sum()) == pytest.approx(6.0)
    assert torch.allclose(mesh.normal, torch.tensor([0.0, 0.0, 1.0], dtype=torch.double).expand(24, 3))
    assert len(mesh.pos) - mesh.edge_index.shape[1] // 2 + mesh.face.shape[1] == 1
    assert mesh.pos.amax(0).tolist() == [3.0, 2.0, 0.0]
    back = mesh.edge_index.flip(0).unique(dim=1)
    assert torch.equal(back, mesh.edge_index)


SQUARE = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("pos", "face", "says"),
    [
        (SQUARE[:, :2], [[0], [1], [2]], r"pos must be finite \[V, 3\]"),
        (SQUARE / 0, [[0], [1], [2]], "pos must be finite"),
        (SQUARE, [[0, 1], [1, 2]], r"face must be int64 \[3, F\]"),
        (SQUARE, [[0.0], [1.0], [2.0]], "face must be int64"),
        (SQUARE, [[0], [1], [4]], r"face must name vertices 0..3, got 0 to 4"),
        (SQUARE, [[0], [1], [2]], "every vertex must be in a triangle, got 1"),
        (SQUARE[:3], [[0, 0], [1, 2], [2, 0]], "three different vertices"),
        (SQUARE, [[0, 2], [1, 0], [2, 3]], "one orientation"),
        (SQUARE, [[0, 0], [1, 2], [2, 3]], "fits"),
        (SQUARE, [[0, 0], [1, 3], [2, 2]], "one orientation"),
        (torch.zeros(3, 3), [[0], [1], [2]], "must have an area"),
    ],
)
def test_refused(pos, face, says):
    if says == "fits":
        assert TriangleMesh(pos, torch.tensor(face)).face.shape[1] == 2
        return
    with pytest.raises(ValueError, match=says):
        TriangleMesh(pos, torch.tensor(face))
