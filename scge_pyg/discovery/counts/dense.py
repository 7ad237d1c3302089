"""Sums of a kernel over all pairs, for few of them."""

from __future__ import annotations

import numpy as np

from scge_pyg.discovery.counts.kernels import Kernel

__all__ = ["DenseSums"]


class DenseSums:
    r"""Sums over all pairs of a kernel between two sets of places, and their derivatives.

    :math:`Z_n = \sum_m w_m k(|z_n - y_m|)`, without the pair itself where both sets are one.

    Cost: time and memory :math:`O(N M)`.

    Args:
        z: Places ``[N, d]``.
        y: Places ``[M, d]`` of the partners.
        weight: Weights ``[M]`` of the partners.
        kernel: The kernel.
        shared: Whether both sets are the same, so that nobody meets itself.
    """

    def __init__(self, z: np.ndarray, y: np.ndarray, weight: np.ndarray, kernel: Kernel, shared: bool) -> None:
        self._z, self._y, self._weight, self._kernel, self._shared = z, y, weight, kernel, shared
        square = np.square(z).sum(1)[:, None] + np.square(y).sum(1)[None] - 2 * z @ y.T
        self._square = np.maximum(square, 0, out=square)
        self._contact = np.exp(-kernel.energy(self._square))
        if shared:
            np.fill_diagonal(self._contact, 0.0)
        self.total = self._contact @ weight

    def derivatives(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        r"""Of :math:`\sum_n T_n \log Z_n` by z ``[N, d]``, by y ``[M, d]`` and by the logarithm of the weights ``[M]``.

        Args:
            rows: The T, ``[N]``.
        """
        share = self._contact * (rows / self.total)[:, None]
        share *= self._weight
        expected = share.sum(0)
        share *= self._kernel.slope(self._square)
        by_z = -2 * (share.sum(1)[:, None] * self._z - share @ self._y)
        by_y = -2 * (share.sum(0)[:, None] * self._y - share.T @ self._z)
        return by_z, by_y, expected

    def by_onset(self, rows: np.ndarray) -> float:
        r"""Derivative of :math:`\sum_n T_n \log Z_n` by the logarithm of the kernel's onset."""
        change = (self._contact * self._kernel.stretch(self._square)) @ self._weight
        return -float((rows / self.total * change).sum())
