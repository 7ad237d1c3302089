"""Mean and covariance of node signals in one pass, mergeable, and blind to the order of the nodes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.signals.distinct import distinct_rows

__all__ = ["Moments"]


class Moments:
    r"""Streaming mean and covariance of samples ``[S, N, C]``, one covariance per channel.

    Blocks are combined by the update of Chan, Golub and LeVeque (1983),

    .. math::
        M_{AB} = M_A + M_B + \frac{n_A n_B}{n_A + n_B} (\mu_B - \mu_A)(\mu_B - \mu_A)^\top ,

    in float64. Within a block the nodes are sorted by their own signal before the matrix product, and nodes with
    identical signals share one row of it: permuting the nodes permutes the result and changes no bit of it.

    Cost: :math:`O(S N^2 C)` time and :math:`O(N^2 C)` memory.

    Args:
        num_nodes: Number of nodes N.
        num_channels: Number of channels C per node.

    Example:
        >>> import torch
        >>> x = torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
        >>> moments = Moments(4).update(x[:200]).merge(Moments(4).update(x[200:]))
        >>> bool(torch.allclose(moments.covariance()[0], torch.cov(x.double().T)))
        True
    """

    def __init__(self, num_nodes: int, num_channels: int = 1) -> None:
        self.count = 0
        self.mean = np.zeros((num_nodes, num_channels))
        self.scatter = np.zeros((num_channels, num_nodes, num_nodes))
        self.rank = np.zeros(num_nodes, dtype=np.int64)

    @property
    def num_nodes(self) -> int:
        """Number of nodes N."""
        return self.mean.shape[0]

    @property
    def num_channels(self) -> int:
        """Number of channels C."""
        return self.mean.shape[1]

    def update(self, x: Tensor) -> Moments:
        """Add a block of samples ``[S, N]`` or ``[S, N, C]``; returns ``self``."""
        x = x.unsqueeze(-1) if x.dim() == 2 else x
        if x.dim() != 3 or tuple(x.shape[1:]) != self.mean.shape:
            raise ValueError(
                f"Moments.update: x must be [S, {self.num_nodes}, {self.num_channels}], got {list(x.shape)}"
            )
        if x.shape[0] == 0:
            return self
        signal = x.detach().permute(1, 2, 0).to("cpu", torch.float64).contiguous().numpy() + 0.0
        block = Moments(self.num_nodes, self.num_channels)
        block.count = x.shape[0]
        first, block.rank = distinct_rows(signal.reshape(self.num_nodes, -1))
        distinct = signal[first]
        mean = distinct.mean(-1)
        distinct = distinct - mean[..., None]
        block.mean = mean[block.rank]
        for channel in range(self.num_channels):
            rows = torch.from_numpy(np.ascontiguousarray(distinct[:, channel]))
            product = (rows @ rows.T).numpy()
            product = (product + product.T) / 2
            block.scatter[channel] = product[block.rank][:, block.rank]
        return self.merge(block)

    def merge(self, other: Moments) -> Moments:
        """Add what another accumulator has seen; returns ``self``."""
        if other.mean.shape != self.mean.shape:
            raise ValueError(
                f"Moments.merge: both must be over the same nodes and channels, got {self.mean.shape} "
                f"and {other.mean.shape}"
            )
        total = self.count + other.count
        if other.count and self.count:
            delta = other.mean - self.mean
            weight = self.count * other.count / total
            for channel in range(self.num_channels):
                self.scatter[channel] += other.scatter[channel]
                self.scatter[channel] += weight * np.multiply.outer(delta[:, channel], delta[:, channel])
            self.mean = self.mean + delta * (other.count / total)
        elif other.count:
            self.scatter, self.mean = other.scatter.copy(), other.mean.copy()
        self.rank = np.unique(self.rank * (self.num_nodes + 1) + other.rank, return_inverse=True)[1]
        self.count = total
        return self

    def covariance(self) -> Tensor:
        """Unbiased covariance of the nodes, ``[C, N, N]`` float64."""
        return torch.from_numpy(self.scatter / max(self.count - 1, 1))

    def correlation(self) -> np.ndarray:
        """Correlation ``[N, N]``, averaged over the channels in which both nodes vary; 0 where there is none."""
        total = np.zeros(self.scatter.shape[1:])
        shared = np.zeros_like(total)
        for scatter in self.scatter:
            deviation = np.sqrt(np.diag(scatter))
            varies = deviation > 0
            inverse = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
            total += scatter * np.multiply.outer(inverse, inverse)
            shared += np.multiply.outer(varies, varies)
        correlation = total / np.maximum(shared, 1)
        np.fill_diagonal(correlation, 1.0)
        return correlation
