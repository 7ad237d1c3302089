"""The same sums for many pairs: partners are spread on a mesh, the kernel is applied by Fourier transforms."""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.sparse as sp

from scge_pyg.discovery.counts.kernels import Kernel

__all__ = ["MeshSums"]

_STEP = 0.5  # widths between lines of the mesh
_MARGIN = 3
_MOST_CELLS = 2**21  # before padding; beyond, the mesh gets coarser
_FAITHFUL = 1e-3  # of the largest sum: what is smaller may be the error of the mesh


class MeshSums:
    r"""Sums over all pairs of a kernel between two sets of places, and their derivatives, by a particle mesh.

    Weights are spread to the mesh by cubic B-splines, convolved with the kernel, whose transform is divided by that of
    both splines, and read off by B-splines (Hockney and Eastwood, 1988; :math:`10^{-3}` of the largest sum for a normal
    kernel). Derivatives are those of the sums as computed. Sums, of the rows and of what columns meet, are at least a
    thousandth of the largest: yields that follow an error of the mesh would run away.

    Cost: :math:`O(4^d (N + M) + G \log G)` with G cells of half a width, for up to three columns.

    Args:
        z: Places ``[N, d]``.
        y: Places ``[M, d]`` of the partners.
        weight: Weights ``[M]`` of the partners.
        kernel: The kernel.
        shared: Whether both sets are the same, so that nobody meets itself.
    """

    def __init__(self, z: np.ndarray, y: np.ndarray, weight: np.ndarray, kernel: Kernel, shared: bool) -> None:
        self._weight, self._kernel, self._shared = weight, kernel, shared
        low = np.minimum(z.min(0), y.min(0)).astype(np.float64)
        extent = np.maximum(z.max(0), y.max(0)) - low
        core = 1.0 if kernel.name == "gaussian" else min(1.0, max(0.5, float(np.sqrt(kernel.onset))))
        self._step = max(_STEP * core, float(np.prod(extent + 1e-9) / _MOST_CELLS) ** (1 / len(low)))
        self._shape = tuple(int(np.ceil(e / self._step)) + 2 * _MARGIN for e in extent)
        self._padded = tuple(scipy.fft.next_fast_len(2 * size, real=True) for size in self._shape)
        origin = low - (_MARGIN - 1) * self._step
        self._at_z, self._slope_z = self._splines((z - origin) / self._step)
        self._at_y, self._slope_y = (self._at_z, self._slope_z) if shared else self._splines((y - origin) / self._step)
        offsets = [np.minimum(np.arange(p), p - np.arange(p)) * self._step for p in self._padded]
        self._offset = sum(np.square(o) for o in np.ix_(*offsets))
        self._contact = np.exp(-kernel.energy(self._offset))
        self._transform = self._sharpened(self._contact)
        self._field = self._convolved(self._at_y.T @ weight, self._transform)
        total = self._at_z @ self._field - (weight if shared else 0.0)
        self.total = np.maximum(total, _FAITHFUL * total.max())

    def _splines(self, place: np.ndarray) -> tuple[sp.csr_matrix, list[sp.csr_matrix]]:
        """Cubic B-splines at places in steps as sparse ``[N, G]``, and their derivatives along each axis."""
        count, columns = place.shape
        cell = np.floor(place).astype(np.int64)
        t = (place - cell)[:, :, None]
        value = np.concatenate(
            [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * (1 - t) ** 3 - 6 * (1 - t) ** 2 + 4, t**3], axis=2
        )
        change = np.concatenate([-((1 - t) ** 2), 3 * t**2 - 4 * t, 4 * (1 - t) - 3 * (1 - t) ** 2, t**2], axis=2)
        value, change = value / 6, change / (2 * self._step)
        index = np.zeros((count, 1), dtype=np.int64)
        for axis, size in enumerate(self._shape):
            line = cell[:, axis, None] + np.arange(-1, 3)
            index = (index[:, :, None] * size + line[:, None, :]).reshape(count, -1)
        pointer = np.arange(count + 1) * index.shape[1]

        def product(parts: list[np.ndarray]) -> sp.csr_matrix:
            weight = np.ones((count, 1))
            for part in parts:
                weight = (weight[:, :, None] * part[:, None, :]).reshape(count, -1)
            return sp.csr_matrix((weight.ravel(), index.ravel(), pointer), (count, int(np.prod(self._shape))))

        along = [
            product([change[:, a] if a == axis else value[:, a] for a in range(columns)]) for axis in range(columns)
        ]
        return product([value[:, a] for a in range(columns)]), along

    def _sharpened(self, contact: np.ndarray) -> np.ndarray:
        """Transform of a kernel given over the offsets, divided by that of the splines at both ends."""
        transform = scipy.fft.rfftn(contact)
        for axis, size in enumerate(self._padded):
            last = axis == len(self._padded) - 1
            spline = np.sinc(np.fft.rfftfreq(size) if last else np.fft.fftfreq(size)) ** 8
            transform /= spline.reshape([-1 if a == axis else 1 for a in range(len(self._padded))])
        return np.asarray(transform)

    def _convolved(self, mass: np.ndarray, transform: np.ndarray) -> np.ndarray:
        """Mass ``[G]`` convolved with a kernel."""
        spread = scipy.fft.rfftn(mass.reshape(self._shape), self._padded)
        whole = scipy.fft.irfftn(spread * transform, self._padded)
        return np.asarray(whole[tuple(slice(size) for size in self._shape)]).ravel()

    def derivatives(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        r"""Of :math:`\sum_n T_n \log Z_n` by z ``[N, d]``, by y ``[M, d]`` and by the logarithm of the weights ``[M]``.

        Args:
            rows: The T, ``[N]``.
        """
        share = rows / self.total
        back = self._convolved(self._at_z.T @ share, self._transform)
        by_z = np.stack([slope @ self._field for slope in self._slope_z], 1) * share[:, None]
        by_y = np.stack([slope @ back for slope in self._slope_y], 1) * self._weight[:, None]
        met = self._at_y @ back - (share if self._shared else 0.0)
        return by_z, by_y, self._weight * np.maximum(met, _FAITHFUL * met.max())

    def by_onset(self, rows: np.ndarray) -> float:
        r"""Derivative of :math:`\sum_n T_n \log Z_n` by the logarithm of the kernel's onset."""
        transform = self._sharpened(self._contact * self._kernel.stretch(self._offset))
        change = self._at_z @ self._convolved(self._at_y.T @ self._weight, transform)
        return -float((rows / self.total * change).sum())
