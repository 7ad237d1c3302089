"""`DiracOperator`: the extrinsic Dirac operator of a triangle mesh, and what lies between it and the Laplacian."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.zoo.meshes.triangle_mesh import TriangleMesh
from scge_pyg.zoo.operators.lowest_eigenpairs import lowest_eigenpairs

__all__ = ["DiracOperator", "potential_well"]

_UNITS = np.array(  # multiplication from the left by i, j and k, on (real, i, j, k)
    [
        [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]],
        [[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]],
        [[0, 0, 0, -1], [0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0]],
    ],
    dtype=float,
)


def potential_well(pos: Tensor, radius: float, height: float = 1e4, steepness: float = 1000.0) -> Tensor:
    r"""A wall around the centre of the vertices ``[V]``: :math:`U = c\, \sigma(\gamma (d - \beta))`.

    In place of boundary conditions: where U is above an eigenvalue :math:`\lambda`, its functions fade. That begins
    before the wall, at :math:`\beta - \log(c / \lambda) / \gamma`, so a blunt wall makes a smaller drum. It is the
    note's (369), :math:`c / (1 + e^{-\gamma (d - \beta)})`.

    Args:
        pos: Vertices ``[V, 3]``.
        radius: :math:`\beta`, distance of the wall.
        height: c.
        steepness: :math:`\gamma` times the radius.

    Example:
        >>> potential_well(torch.tensor([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [-3.0, 0.0, 0.0]]), 2.0, 10.0)
        tensor([ 0., 10., 10.])
    """
    radius = positive_number("potential_well", "radius", radius)
    distance = (pos - pos.mean(0)).norm(dim=1)
    return height * torch.sigmoid(steepness / radius * (distance - radius))


class DiracOperator:
    r"""Quaternions on vertices, differentiated along how the surface, or its normal, moves in space.

    .. math::
        (D \psi)_{ijk} = -\frac{1}{2 A_{ijk}} \sum_{\text{cyclic}} (g_r - g_q)\, \psi_p, \qquad
        g = f \text{ (the vertices) or } N \text{ (their normals)}

    with g as imaginary quaternions. A rigid motion only turns the eigenfunctions, and unlike the Laplacian's they know
    how the surface is bent. Vertices to triangles it is ``gradient`` ``[4 F, 4 V]``; its weighted square :math:`D^* A
    D` and the mean over the triangles of an edge, :math:`(D \psi)_i = \frac16 \sum_{ij} (g_k - g_l) \psi_j` for the
    triangles ijk and jil at edge ij, are symmetric ``[4 V, 4 V]``. The mean has spurious eigenvalues near 0 (of
    functions that change sign from vertex to vertex), the square has none.

    On the unit sphere D has the eigenvalues 0, 1, 2, ... and -2, -3, ...: l with 4 (l + 1) eigenfunctions, and -(l + 1)
    with 4 l of them, as :math:`D^2 + D = \Delta`.

    Args:
        mesh: The surface; an open one has free boundaries, see :func:`potential_well`. relative: Whether g is the
        normal (the relative operator :math:`D_N`, which sees bending alone), or the vertices.

    Attributes:
        gradient: D, sparse ``[4 F, 4 V]``; rows and columns in groups of four.
        mass: Area of each vertex, four times each, sparse diagonal ``[4 V, 4 V]``.

    Cost: O(F) to build; a sparse eigensolver for a spectrum.

    Source: Liu, Jacobson, Crane, A Dirac Operator for Extrinsic Shape Analysis, 2017; Crane, Pinkall, Schroeder (2011);
    note 003, section 41.

    Example:
        >>> from scge_pyg.zoo.meshes import icosphere
        >>> values = DiracOperator(icosphere(2)).squared_spectrum(12)
        >>> [round(float(value), 1) + 0.0 for value in values]  # 0 four times, 1 eight times
        [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, mesh: TriangleMesh, *, relative: bool = False) -> None:
        if not isinstance(mesh, TriangleMesh):
            raise TypeError(f"DiracOperator: mesh must be a TriangleMesh, got {type(mesh).__name__}")
        self.mesh, self.relative = mesh, relative
        g = (mesh.normal if relative else mesh.pos).numpy()
        face, area = mesh.face.numpy(), mesh.area.numpy()
        faces, vertices = face.shape[1], len(g)
        across = [g[face[(p + 2) % 3]] - g[face[(p + 1) % 3]] for p in range(3)]  # g_r - g_q of each corner
        value = np.concatenate([-step / (2 * area[:, None]) for step in across])
        self.gradient = _quaternionic(value, np.tile(np.arange(faces), 3), face.ravel(), (faces, vertices))
        self.mass = sp.diags(np.repeat(mesh.vertex_area.numpy(), 4)).tocsr()
        self._face_area = sp.diags(np.repeat(area, 4))
        told = np.concatenate([-step / 6 for step in across for _ in range(2)])
        heard = np.concatenate([face[(p + shift) % 3] for p in range(3) for shift in (1, 2)])
        source = np.concatenate([face[p] for p in range(3) for _ in range(2)])
        mean = _quaternionic(told, heard, source, (vertices, vertices))
        self._mean = (mean + mean.T) / 2  # on an open mesh its boundary terms drop out

    def squared(self) -> sp.csr_matrix:
        r""":math:`D^* A D`, symmetric ``[4 V, 4 V]``."""
        return (self.gradient.T @ self._face_area @ self.gradient).tocsr()

    def averaged(self) -> sp.csr_matrix:
        """D from vertices to vertices, symmetric ``[4 V, 4 V]``, times the mass."""
        return self._mean.tocsr()

    def laplacian(self) -> sp.csr_matrix:
        """The cotangent Laplacian on each component, symmetric ``[4 V, 4 V]``, times the mass."""
        pos, face = self.mesh.pos, self.mesh.face
        rows, columns, values = [], [], []
        for p in range(3):
            i, j, k = face[p], face[(p + 1) % 3], face[(p + 2) % 3]
            a, b = pos[j] - pos[i], pos[k] - pos[i]
            half = ((a * b).sum(1) / torch.linalg.cross(a, b).norm(dim=1) / 2).numpy()
            rows += [j, k, j, k]
            columns += [k, j, j, k]
            values += [-half, -half, half, half]
        size = len(pos)
        scalar = sp.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (size, size))
        return sp.kron(scalar, sp.identity(4), format="csr")

    def between(self, tau: float) -> sp.csr_matrix:
        r""":math:`(1 - \tau) \Delta + \tau D`, symmetric ``[4 V, 4 V]``, times the mass; from the Laplacian to D.

        Args:
            tau: In [0, 1].
        """
        if not 0 <= tau <= 1:
            raise ValueError(f"DiracOperator: tau must lie in [0, 1], got {tau}")
        return ((1 - tau) * self.laplacian() + tau * self.averaged()).tocsr()

    def squared_spectrum(self, count: int) -> Tensor:
        """The ``count`` smallest eigenvalues of D squared, rising, float64."""
        return self.spectrum(self.squared(), count)[0]

    def spectrum(self, matrix: sp.csr_matrix, count: int, potential: Tensor | None = None) -> tuple[Tensor, Tensor]:
        r"""Eigenvalues ``[count]`` nearest to the low end, rising, and eigenfunctions ``[count, V, 4]``.

        Solves :math:`(L + U M) \psi = \lambda M \psi` by shift and inversion.

        Args:
            matrix: One of :meth:`squared`, :meth:`laplacian` or :meth:`between`.
            count: How many.
            potential: U of each vertex ``[V]``.
        """
        count = whole_number("DiracOperator.spectrum", "count", count, 1, 4 * len(self.mesh.pos) - 6)
        if potential is not None:
            wall = np.repeat(torch.as_tensor(potential, dtype=torch.double).numpy(), 4)
            if wall.shape != (matrix.shape[0],) or not np.isfinite(wall).all():
                raise ValueError(
                    f"DiracOperator: potential must be finite [{len(self.mesh.pos)}], got {list(potential.shape)}"
                )
            matrix = matrix + self.mass @ sp.diags(wall)
        values, vectors = lowest_eigenpairs(matrix, self.mass, count)
        functions = torch.from_numpy(vectors.T.reshape(count, -1, 4).copy())
        return torch.from_numpy(values), functions

    def __repr__(self) -> str:
        return f"DiracOperator({self.mesh}, relative={self.relative})"


def _quaternionic(value: np.ndarray, row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> sp.csr_matrix:
    """A matrix of imaginary quaternions ``[E, 3]`` as a real one, four rows and columns for each of its own."""
    total = sp.csr_matrix((4 * shape[0], 4 * shape[1]))
    for axis in range(3):
        part = sp.csr_matrix((value[:, axis], (row, column)), shape)
        total = total + sp.kron(part, _UNITS[axis], format="csr")
    return total.tocsr()
