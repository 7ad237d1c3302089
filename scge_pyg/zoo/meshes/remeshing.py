"""`remesh`: a flat mesh refined and thinned until its edges fit a sizing field: split, collapse, flip."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Remeshed", "remesh", "sizing_of_edges"]

_ROUNDS = 200
_SLACK = 0.8  # squared size that edges may have after a collapse, or they would be split again
_Array = NDArray[np.float64]
_Index = NDArray[np.int64]


class Remeshed(NamedTuple):
    """A mesh after its edges were fitted.

    Attributes:
        u: Places ``[V, 2]`` float64.
        face: Triangles ``[3, F]``, counterclockwise.
        values: What was carried along ``[V, C]``, linear on the old triangles' edges where vertices are new.
    """

    u: Tensor
    face: Tensor
    values: Tensor


def remesh(u: Tensor, face: Tensor, sizing: Callable[[Tensor], Tensor], values: Tensor | None = None) -> Remeshed:
    r"""Split all edges that are too long, collapse those that can go, flip those that cross the wrong way.

    An edge is valid if :math:`u_{ij}^\top S_{ij} u_{ij} \le 1` with :math:`S_{ij} = (S_i + S_j) / 2`. Longest first,
    every longer one is split at its middle; then vertices inside are pulled into a neighbour wherever no triangle turns
    over and no edge becomes longer than 0.9; edges between two triangles are flipped before and after, where

    .. math::
        (u_{jk} \times u_{ik})\, u_{il}^\top S_A u_{jl} < - u_{jk}^\top S_A u_{ik}\, (u_{il} \times u_{jl})

    the anisotropic Delaunay criterion with the mean :math:`S_A` of the four (the minus sign is lost in the note's
    (371): for :math:`S_A = 1` the two sides say that the angles at k and l sum to more than a half turn). Vertices on
    the boundary stay; edges along it are split too.

    Each round changes edges that share no triangle, all at once.

    Args:
        u: Places in the mesh ``[V, 2]``.
        face: Triangles ``[3, F]``, all of one orientation.
        sizing: From places ``[M, 2]`` to symmetric positive matrices ``[M, 2, 2]``.
        values: Carried along ``[V, C]``.

    Raises:
        ValueError: If the mesh isn't flat ``[V, 2]``, triangles turn both ways, or the field isn't positive.

    Cost: O(F) a round, some tens of rounds.

    Source: Narain, Samii, O'Brien (2012); Pfaff and others (2021), A.3; note 003, 4.2.2.

    Example:
        >>> from scge_pyg.zoo.meshes import sheet
        >>> mesh = sheet(3, 3)
        >>> fine = remesh(mesh.pos[:, :2], mesh.face, lambda u: 25 * torch.eye(2).expand(len(u), 2, 2))
        >>> edge = fine.face[[0, 1]]
        >>> bool((fine.u[edge[0]] - fine.u[edge[1]]).norm(dim=1).max() <= 0.2 + 1e-6)
        True
    """
    places, triangles = u.detach().cpu().double().numpy(), face.cpu().numpy().T.astype(np.int64)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise ValueError(f"remesh: u must be finite [V, 2], got {list(u.shape)}")
    carried = np.zeros((len(places), 0)) if values is None else values.detach().cpu().double().numpy()
    area = _cross(*_sides(places, triangles))
    if (area < 0).all():
        triangles = triangles[:, ::-1].copy()
    elif not (area > 0).all():
        raise ValueError("remesh: face must have triangles of one orientation with an area each, got others")

    def field(points: _Array) -> _Array:
        found = sizing(torch.from_numpy(points)).double().numpy()
        if found.shape != (len(points), 2, 2) or not np.isfinite(found).all() or np.linalg.eigvalsh(found).min() <= 0:
            raise ValueError(
                f"remesh: sizing must give positive matrices [{len(points)}, 2, 2], got {list(found.shape)}"
            )
        return found

    mesh = _Mesh(places, triangles, carried, field(places), field)
    for operation in (mesh.split, mesh.flip, mesh.collapse, mesh.flip, mesh.split):
        for _ in range(_ROUNDS):
            if not operation():
                break
    kept, inverse = np.unique(mesh.face, return_inverse=True)
    return Remeshed(
        torch.from_numpy(mesh.u[kept]),
        torch.from_numpy(inverse.reshape(mesh.face.shape).T.copy()),
        torch.from_numpy(mesh.values[kept]),
    )


class _Mesh:
    """The mesh while it changes; operations say whether they changed anything."""

    def __init__(
        self, u: _Array, face: _Index, values: _Array, size: _Array, field: Callable[[_Array], _Array]
    ) -> None:
        self.u, self.face, self.values, self.size, self.field = u, face, values, size, field

    def edges(self) -> tuple[_Index, _Index, _Index]:
        """Edges ``[E, 2]``, their two triangles ``[E, 2]`` (-1: none) and the corner opposite in each ``[E, 2]``."""
        half = np.concatenate([self.face[:, [0, 1]], self.face[:, [1, 2]], self.face[:, [2, 0]]])
        apex = np.concatenate([self.face[:, 2], self.face[:, 0], self.face[:, 1]])
        triangle = np.tile(np.arange(len(self.face)), 3)
        edge, place = np.unique(np.sort(half, 1), axis=0, return_inverse=True)
        place = place.ravel()
        side = (half[:, 0] > half[:, 1]).astype(np.int64)
        triangles, corners = np.full((len(edge), 2), -1), np.full((len(edge), 2), -1)
        triangles[place, side], corners[place, side] = triangle, apex
        return edge, triangles, corners

    def length(self, a: _Index, b: _Index) -> _Array:
        """Squared sizes of pairs."""
        step = self.u[a] - self.u[b]
        found: _Array = np.einsum("ei,eij,ej->e", step, (self.size[a] + self.size[b]) / 2, step)
        return found

    def split(self) -> bool:
        edge, triangles, corners = self.edges()
        size = self.length(edge[:, 0], edge[:, 1])
        chosen = _apart(size, size > 1 + 1e-9, triangles, len(self.face))
        if not chosen.any():
            return False
        a, b = edge[chosen].T
        new = len(self.u) + np.arange(len(a))
        middle = (self.u[a] + self.u[b]) / 2
        self.u = np.concatenate([self.u, middle])
        self.values = np.concatenate([self.values, (self.values[a] + self.values[b]) / 2])
        self.size = np.concatenate([self.size, self.field(middle)])
        gone, made = triangles[chosen], []
        for side, (one, other) in enumerate(((a, b), (b, a))):
            there = gone[:, side] >= 0
            apex = corners[chosen][:, side]
            made.append(np.stack([one, new, apex], 1)[there])
            made.append(np.stack([new, other, apex], 1)[there])
        self._replace(gone, made)
        return True

    def flip(self) -> bool:
        edge, triangles, corners = self.edges()
        inner = (triangles >= 0).all(1)
        i, j = edge.T
        k, l = corners[:, 0], corners[:, 1]  # noqa: E741
        mean = (self.size[i] + self.size[j] + self.size[k] + self.size[l]) / 4
        u = self.u
        jk, ik, il, jl = u[j] - u[k], u[i] - u[k], u[i] - u[l], u[j] - u[l]
        at_k = np.einsum("ei,eij,ej->e", jk, mean, ik)
        at_l = np.einsum("ei,eij,ej->e", il, mean, jl)
        ahead, back = np.abs(_cross(ik, jk)), np.abs(_cross(jl, il))
        gain = -(ahead * at_l + at_k * back)
        scale = (ahead + back) * np.abs(mean).max((1, 2)) * np.abs(jk).max(1) * np.abs(il).max(1) + 1e-300
        convex = (_cross(u[l] - u[i], u[k] - u[i]) > 0) & (_cross(u[k] - u[j], u[l] - u[j]) > 0)
        chosen = _apart(gain, inner & convex & (gain > 1e-9 * scale), triangles, len(self.face))
        if not chosen.any():
            return False
        i, j, k, l = i[chosen], j[chosen], k[chosen], l[chosen]  # noqa: E741
        self._replace(triangles[chosen], [np.stack([i, l, k], 1), np.stack([l, j, k], 1)])
        return True

    def collapse(self) -> bool:
        edge, triangles, _ = self.edges()
        border = np.zeros(len(self.u), dtype=bool)
        border[edge[(triangles < 0).any(1)]] = True
        gone, kept = np.concatenate([edge, edge[:, ::-1]]).T  # gone is pulled into kept
        size = np.concatenate([self.length(*edge.T)] * 2)
        allowed = ~border[gone]
        # triangles around what goes, with it pulled over
        around, owner = _incident(self.face, gone)
        moved = self.face[around].copy()
        moved[moved == gone[owner, None]] = np.broadcast_to(kept[owner, None], moved.shape)[moved == gone[owner, None]]
        shrinks = (moved == kept[owner, None]).sum(1) > 1  # the two at the edge
        turned = _cross(*_sides(self.u, moved)) <= 1e-12 * np.abs(self.u).max() ** 2
        longest = np.max([self.length(moved[:, p], moved[:, (p + 1) % 3]) for p in range(3)], 0)
        bad = ~shrinks & (turned | (longest > _SLACK))
        allowed[owner[bad]] = False
        allowed &= np.bincount(owner[shrinks], minlength=len(gone)) == 2
        allowed &= self._linked(gone, kept)
        chosen = self._independent(-size, allowed, gone, kept)
        if not chosen.any():
            return False
        target = np.arange(len(self.u))
        target[gone[chosen]] = kept[chosen]
        face = target[self.face]
        same = (face[:, 0] == face[:, 1]) | (face[:, 1] == face[:, 2]) | (face[:, 2] == face[:, 0])
        self.face = face[~same]
        return True

    def _linked(self, a: _Index, b: _Index) -> NDArray[np.bool_]:
        """Whether the two have exactly two common neighbours, or a hole would close."""
        size = len(self.u)
        pairs = np.concatenate([self.face[:, [p, q]] for p in range(3) for q in range(3) if p != q])
        key = np.unique(pairs[:, 0] * size + pairs[:, 1])
        around, owner = _incident(self.face, a)
        ring = self.face[around]
        both = np.isin(ring * size + b[owner, None], key) & (ring != a[owner, None]) & (ring != b[owner, None])
        common = np.unique((owner[:, None] * size + ring)[both])
        found: NDArray[np.bool_] = np.bincount(common // size, minlength=len(a)) == 2
        return found

    def _independent(self, priority: _Array, allowed: NDArray[np.bool_], a: _Index, b: _Index) -> NDArray[np.bool_]:
        """Those that are first among all whose vertices' triangles meet theirs."""
        rank = _ranks(priority, allowed)
        best = np.full(len(self.u), -1)
        np.maximum.at(best, a, rank)
        np.maximum.at(best, b, rank)
        for _ in range(2):  # one ring, and the ring around it
            of_face = best[self.face].max(1)
            best = best.copy()
            for p in range(3):
                np.maximum.at(best, self.face[:, p], of_face)
        return allowed & (best[a] == rank) & (best[b] == rank)

    def _replace(self, gone: _Index, made: list[_Index]) -> None:
        keep = np.ones(len(self.face), dtype=bool)
        keep[gone[gone >= 0]] = False
        self.face = np.concatenate([self.face[keep], *made])


def _ranks(priority: _Array, allowed: NDArray[np.bool_]) -> _Index:
    """Places in the order of priority, all different; -1 where not allowed."""
    rank = np.empty(len(priority), dtype=np.int64)
    rank[np.argsort(priority, kind="stable")] = np.arange(len(priority))
    return np.where(allowed, rank, -1)


def _apart(priority: _Array, allowed: NDArray[np.bool_], triangles: _Index, count: int) -> NDArray[np.bool_]:
    """Edges that are first in both of their triangles."""
    rank = _ranks(priority, allowed)
    best = np.full(count + 1, -1)  # the last entry is for no triangle
    np.maximum.at(best, triangles[:, 0], rank)
    np.maximum.at(best, triangles[:, 1], rank)
    best[-1] = -1
    first = (triangles < 0) | (best[triangles] == rank[:, None])
    found: NDArray[np.bool_] = allowed & first.all(1)
    return found


def _incident(face: _Index, vertex: _Index) -> tuple[_Index, _Index]:
    """Triangles around each vertex, and which of the vertices each of them is for."""
    corner = face.ravel()
    order = np.argsort(corner, kind="stable")
    begin = np.searchsorted(corner[order], vertex)
    count = np.searchsorted(corner[order], vertex, side="right") - begin
    owner = np.repeat(np.arange(len(vertex)), count)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + begin[owner]
    return order[place] // 3, owner


def _sides(u: _Array, face: _Index) -> tuple[_Array, _Array]:
    return u[face[:, 1]] - u[face[:, 0]], u[face[:, 2]] - u[face[:, 0]]


def _cross(a: _Array, b: _Array) -> _Array:
    found: _Array = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return found


def sizing_of_edges(u: Tensor, edge_index: Tensor, steps: int = 200) -> Tensor:
    r"""The sizing field ``[V, 2, 2]`` that a mesh was made for, if all its edges are as long as they may be.

    .. math::
        \max_{S_i} \log\det S_i^{-1} \to \text{the smallest ellipse } \{x : x^\top S_i x \le 1\}
        \text{ around all } u_{ij}

    by Khachiyan's algorithm, all vertices at once. The note's (372) maximises the sum of sizes under the same
    conditions; both ask for the ellipse that fits most tightly.

    Args:
        u: Places ``[V, 2]``.
        edge_index: Edges ``[2, E]``, both ways; every vertex needs two that aren't parallel.
        steps: Of the iteration.

    Example:
        >>> from scge_pyg.zoo.meshes import sheet
        >>> mesh = sheet(9, 9)
        >>> sizing_of_edges(mesh.pos[:, :2], mesh.edge_index)[40].round(decimals=1)  # edges and diagonals of 1 / 8
        tensor([[32.,  0.],
                [ 0., 32.]], dtype=torch.float64)
    """
    u = u.double()
    vertex = edge_index[0]
    step = u[edge_index[1]] - u[vertex]
    count = torch.bincount(vertex, minlength=len(u))
    weight = 1 / count[vertex].double()

    def spread(weight: Tensor) -> Tensor:
        outer = weight[:, None, None] * step[:, :, None] * step[:, None]
        return torch.zeros(len(u), 2, 2, dtype=torch.double).index_add(0, vertex, outer)

    for _ in range(steps):
        inverse = torch.linalg.inv(spread(weight))
        value = torch.einsum("ei,eij,ej->e", step, inverse[vertex], step)
        weight = weight * value / 2
        weight = weight / torch.zeros(len(u), dtype=torch.double).index_add(0, vertex, weight)[vertex]
    inverse = torch.linalg.inv(spread(weight))
    value = torch.einsum("ei,eij,ej->e", step, inverse[vertex], step)
    top = torch.zeros(len(u), dtype=torch.double).scatter_reduce(0, vertex, value, "amax")
    return inverse / top[:, None, None]
