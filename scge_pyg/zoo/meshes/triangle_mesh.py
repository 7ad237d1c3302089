"""Triangle meshes: areas, normals, edges, and the shapes that tests and benchmarks know everything about."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scge_pyg.graph.checks import whole_number

__all__ = ["TriangleMesh", "icosphere", "sheet"]


class TriangleMesh:
    """A surface of triangles in space.

    Args:
        pos: Vertices ``[V, 3]``; kept in float64.
        face: Triangles ``[3, F]``, PyG's convention, all with one orientation.

    Attributes:
        pos: ``[V, 3]`` float64.
        face: ``[3, F]``.
        area: Of each triangle ``[F]``.

    Raises:
        ValueError: If a triangle has no area or names a vertex twice, an edge has more than two triangles, neighbours
            are oriented against each other, or a vertex is in no triangle.

    Example:
        >>> mesh = TriangleMesh(torch.eye(3), torch.tensor([[0], [1], [2]]))
        >>> mesh, mesh.closed, mesh.edge_index.shape
        (TriangleMesh(vertices=3, faces=1, closed=False), False, torch.Size([2, 6]))
    """

    def __init__(self, pos: Any, face: Any) -> None:
        pos, face = torch.as_tensor(pos, dtype=torch.double).cpu(), torch.as_tensor(face).cpu()
        if pos.dim() != 2 or pos.shape[1] != 3 or not bool(torch.isfinite(pos).all()):
            raise ValueError(f"TriangleMesh: pos must be finite [V, 3], got {list(pos.shape)}")
        if face.dim() != 2 or face.shape[0] != 3 or face.is_floating_point() or not face.shape[1]:
            raise ValueError(
                f"TriangleMesh: face must be int64 [3, F] with triangles, got {face.dtype} {list(face.shape)}; "
                f"transpose lists of triangles [F, 3]"
            )
        face = face.long()
        if not 0 <= int(face.min()) <= int(face.max()) < len(pos):
            raise ValueError(
                f"TriangleMesh: face must name vertices 0..{len(pos) - 1}, got {int(face.min())} to {int(face.max())}"
            )
        unused = int((torch.bincount(face.flatten(), minlength=len(pos)) == 0).sum())
        if unused:
            raise ValueError(
                f"TriangleMesh: every vertex must be in a triangle, got {unused} that are in none; drop them"
            )
        half = torch.cat([face[[0, 1]], face[[1, 2]], face[[2, 0]]], 1)
        key = half[0] * len(pos) + half[1]
        if bool((half[0] == half[1]).any()) or len(key.unique()) != len(key):
            raise ValueError(
                "TriangleMesh: face must have three different vertices each, at most two triangles at an edge, and one "
                "orientation throughout, got others; turn or split them first"
            )
        self.pos, self.face = pos, face
        cross = self._cross()
        self.area = cross.norm(dim=1) / 2
        if not bool((self.area > 0).all()):
            raise ValueError(
                f"TriangleMesh: triangles must have an area, got {int((self.area <= 0).sum())} without one"
            )
        self.closed = bool(torch.isin(half[1] * len(pos) + half[0], key).all())
        self.edge_index = torch.cat([half, half.flip(0)], 1).unique(dim=1)

    def _cross(self) -> Tensor:
        a, b, c = self.pos[self.face]
        return torch.linalg.cross(b - a, c - a)

    @property
    def vertex_area(self) -> Tensor:
        """A third of the triangles around each vertex ``[V]``; they sum to the surface."""
        return torch.zeros(len(self.pos), dtype=torch.double).index_add(0, self.face.flatten(), self.area.repeat(3) / 3)

    @property
    def normal(self) -> Tensor:
        """Unit normals of the vertices ``[V, 3]``, means of those around by area."""
        total = torch.zeros_like(self.pos).index_add(0, self.face.flatten(), self._cross().repeat(3, 1))
        return torch.nn.functional.normalize(total, dim=1)

    def __repr__(self) -> str:
        return f"TriangleMesh(vertices={len(self.pos)}, faces={self.face.shape[1]}, closed={self.closed})"


def icosphere(subdivisions: int) -> TriangleMesh:
    """The unit sphere of an icosahedron whose triangles are each cut into four, so many times over.

    Example:
        >>> icosphere(2)
        TriangleMesh(vertices=162, faces=320, closed=True)
    """
    subdivisions = whole_number("icosphere", "subdivisions", subdivisions, 0, 8)
    golden = (1 + 5**0.5) / 2
    pos = torch.tensor(
        [(a, b * golden, 0.0) for a in (-1, 1) for b in (-1, 1)]
        + [(0.0, a, b * golden) for a in (-1, 1) for b in (-1, 1)]
        + [(b * golden, 0.0, a) for a in (-1, 1) for b in (-1, 1)],
        dtype=torch.double,
    )
    near = torch.cdist(pos, pos).sub(2).abs() < 1e-6
    triples = torch.combinations(torch.arange(12), 3)
    a, b, c = triples.T
    face = triples[near[a, b] & near[b, c] & near[a, c]].T
    outward = torch.linalg.det(pos[face.T]) > 0
    face = torch.where(outward, face, face.flip(0))
    for _ in range(subdivisions):
        half = torch.cat([face[[0, 1]], face[[1, 2]], face[[2, 0]]], 1).sort(0).values
        edge, place = half.unique(dim=1, return_inverse=True)
        ab, bc, ca = (len(pos) + place).view(3, -1)
        pos = torch.cat([pos, pos[edge].mean(0)])
        a, b, c = face
        face = torch.stack([torch.cat(parts) for parts in ((a, b, c, ab), (ab, bc, ca, bc), (ca, ab, bc, ca))])
    return TriangleMesh(torch.nn.functional.normalize(pos, dim=1), face)


def sheet(rows: int, columns: int, width: float = 1.0, height: float = 1.0) -> TriangleMesh:
    """A flat rectangle ``[0, width] x [0, height]`` in the plane z = 0, each cell cut along one diagonal, in turn.

    Example:
        >>> sheet(3, 4)
        TriangleMesh(vertices=12, faces=12, closed=False)
    """
    rows, columns = whole_number("sheet", "rows", rows, 2), whole_number("sheet", "columns", columns, 2)
    y, x = np.meshgrid(np.linspace(0, height, rows), np.linspace(0, width, columns), indexing="ij")
    pos = torch.from_numpy(np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1))
    number = torch.arange(rows * columns).view(rows, columns)
    a, b = number[:-1, :-1].flatten(), number[:-1, 1:].flatten()
    c, d = number[1:, :-1].flatten(), number[1:, 1:].flatten()
    even = (torch.arange(rows - 1)[:, None] + torch.arange(columns - 1)).flatten() % 2 == 0
    first = torch.where(even, torch.stack([a, b, d]), torch.stack([a, b, c]))
    second = torch.where(even, torch.stack([a, d, c]), torch.stack([b, d, c]))
    return TriangleMesh(pos, torch.cat([first, second], 1))
