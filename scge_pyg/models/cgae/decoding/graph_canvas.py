"""Places on a map without a lattice: a part is moved by the offsets of the nodes around its own."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from scge_pyg.models.cgae.decoding.canvas import Canvas
from scge_pyg.nn.layer.kernel import KernelPoints, kernel_points

__all__ = ["GraphCanvas"]


class GraphCanvas(Canvas):
    r"""Every node is a place: a part at node p gives node j the value :math:`\sum_t \phi_t(e_j - e_p)\, w_{kt}`.

    :math:`\phi` are the interpolation weights of the :math:`R^d` kernel points of :class:`SCGEConv` with their hats, so
    that on a lattice this is :class:`GridCanvas` with ``padding="same"``. With m nodes at most in the window of a node,
    about :math:`(R + 1)^d`, a bank takes :math:`K E C N m` numbers and a correlation :math:`B` times as many products.

    Args:
        pos: Coordinates ``[N, d]`` in units of node spacing, finite.
        size: R.

    Example:
        >>> canvas = GraphCanvas(torch.arange(4.0)[:, None], 3)
        >>> canvas.correlate(torch.ones(1, 1, 4), canvas.bank(torch.ones(1, 1, 1, 3))).flatten().tolist()
        [2.0, 3.0, 3.0, 2.0]
    """

    neighbors: Tensor
    phi: Tensor

    def __init__(self, pos: Tensor, size: int) -> None:
        nodes, dim = pos.shape
        super().__init__(torch.ones(nodes, dtype=torch.bool), (nodes, 1), (size,) * dim)
        neighbors, phi = _window(pos, size)
        self.register_buffer("neighbors", neighbors, persistent=False)
        self.register_buffer("phi", phi, persistent=False)

    def bank(self, kernels: Tensor) -> Tensor:
        """``[1, K, E, C, N, m]``."""
        return torch.einsum("kect,nmt->kecnm", kernels.flatten(3), self.phi.to(kernels.dtype)).unsqueeze(0)

    def correlate(self, x: Tensor, bank: Tensor) -> Tensor:
        """Inner products ``[B, K, E, P]``."""
        around = x[:, :, self.neighbors].permute(2, 0, 1, 3).flatten(2)
        kernels = bank[0].flatten(0, 1).permute(2, 1, 3, 0).flatten(1, 2)
        return (around @ kernels).permute(1, 2, 0).unflatten(1, tuple(bank.shape[1:3]))

    def pick(self, bank: Tensor, kind: Tensor, place: Tensor) -> Tensor:
        """Values ``[B, H, E, C, m]``."""
        return bank[0].movedim(-2, 1)[kind, place]

    def paint(self, values: Tensor, place: Tensor) -> Tensor:
        """Images ``[B, H, E, C, N]``."""
        index = self.neighbors[place][:, :, None, None].expand(values.shape)
        return values.new_zeros(*values.shape[:-1], self.num_pixels).scatter_add(-1, index, values)


def _window(pos: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Nodes ``[N, m]`` that a part at a node reaches, padded by the node itself, and weights of taps ``[N, m, T]``."""
    nodes, dim = pos.shape
    points = pos.detach().cpu().double()
    nearest = float(
        np.median(cKDTree(points.numpy()).query(points.numpy(), k=min(2, nodes))[0].reshape(nodes, -1)[:, -1])
    )
    if nodes > 1 and not 0.1 <= nearest <= 10:
        raise ValueError(
            f"CGAE: the graph's coordinates must be in units of node spacing, as a prototype's window is, got a median "
            f"distance of {nearest:.3g} to the nearest node; divide pos by it"
        )
    pairs = cKDTree(points.numpy()).query_pairs((size + 1) / 2, p=np.inf, output_type="ndarray").astype(np.int64)
    own = np.arange(nodes)
    source = torch.from_numpy(np.concatenate([own, pairs[:, 0], pairs[:, 1]]))
    target = torch.from_numpy(np.concatenate([own, pairs[:, 1], pairs[:, 0]]))
    order = torch.argsort(source * nodes + target)
    source, target = source[order], target[order]
    first = torch.searchsorted(source, torch.arange(nodes))
    column = torch.arange(len(source)) - first[source]
    wide = int(column.max()) + 1
    neighbors = torch.arange(nodes)[:, None].repeat(1, wide)
    neighbors[source, column] = target
    kernel = KernelPoints(kernel_points(size, dim).to(points.dtype))
    phi = torch.zeros(nodes, wide, size**dim)
    phi[source, column] = kernel(points[target] - points[source]).to(phi.dtype)
    return neighbors, phi
