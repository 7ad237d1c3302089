"""`HierarchicalSoftmax`: probabilities of many classes by the branches of a Huffman tree."""

from __future__ import annotations

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.graph.checks import whole_number

__all__ = ["HierarchicalSoftmax"]


class HierarchicalSoftmax(torch.nn.Module):
    r"""A distribution over N classes that costs the length of a path, not N.

    .. math::
        p(n \mid \mathbf{h}) = \prod_{l} \sigma(s_{nl}\, \boldsymbol{\theta}_{a_{nl}}^\top \mathbf{h})

    over the inner nodes :math:`a_{nl}` on the way from the root to leaf n, where it turns left (:math:`s = 1`) or right
    (-1). The tree is Huffman's for the given frequencies, so frequent classes have short paths.

    Args:
        frequency: How often each class comes ``[N]``, above 0.
        dim: d.

    Cost: O(M L d) for M rows, L the longest path: about log2 N, up to N for very uneven frequencies.

    Source: Morin, Bengio (2005); Perozzi, Al-Rfou, Skiena, DeepWalk, KDD 2014; note 003, section 25.3.

    Example:
        >>> softmax = HierarchicalSoftmax(torch.tensor([5.0, 1.0, 1.0]), dim=4)
        >>> softmax.length.tolist()
        [1, 2, 2]
        >>> softmax.all_log_probs(torch.randn(7, 4)).exp().sum(1).allclose(torch.ones(7))
        True
    """

    node: Tensor
    sign: Tensor
    length: Tensor

    def __init__(self, frequency: Tensor, dim: int) -> None:
        super().__init__()
        self.dim = whole_number("HierarchicalSoftmax", "dim", dim, 1)
        frequency = torch.as_tensor(frequency, dtype=torch.double).cpu()
        if frequency.dim() != 1 or len(frequency) < 2 or not bool((torch.isfinite(frequency) & (frequency > 0)).all()):
            raise ValueError(
                f"HierarchicalSoftmax: frequency must be [N] above 0 for at least 2 classes, got "
                f"{list(frequency.shape)} from {float(frequency.min()) if frequency.numel() else None}"
            )
        node, sign, length = _paths(*_huffman(np.sort(frequency.numpy(), kind="stable")))
        place = frequency.argsort(stable=True).argsort(stable=True)
        self.register_buffer("node", torch.from_numpy(node)[place])
        self.register_buffer("sign", torch.from_numpy(sign)[place].to(torch.get_default_dtype()))
        self.register_buffer("length", torch.from_numpy(length)[place])
        self.weight = torch.nn.Parameter(torch.zeros(len(frequency) - 1, self.dim))

    def reset_parameters(self) -> None:
        """Every branch is even again."""
        torch.nn.init.zeros_(self.weight)

    def log_prob(self, h: Tensor, target: Tensor) -> Tensor:
        """Log probabilities ``[M]`` of classes ``target [M]`` given ``h [M, d]``."""
        way = (self.weight[self.node[target]] @ h.unsqueeze(2)).squeeze(2)
        sign = self.sign[target]
        return (F.logsigmoid(sign * way) * sign.abs()).sum(1)

    def all_log_probs(self, h: Tensor) -> Tensor:
        """Log probabilities ``[M, N]`` of all classes given ``h [M, d]``, in O(M N L)."""
        way = (h @ self.weight.T)[:, self.node]
        return (F.logsigmoid(self.sign * way) * self.sign.abs()).sum(2)

    def extra_repr(self) -> str:
        return f"classes={len(self.length)}, dim={self.dim}, longest={int(self.length.max())}"


@numba.njit(cache=True)
def _huffman(frequency: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Parent of each node ``[2 N - 1]`` and whether it is its right child; leaves first, by rising frequency."""
    leaves = len(frequency)
    total = np.full(2 * leaves - 1, np.inf)
    total[:leaves] = frequency
    parent = np.full(2 * leaves - 1, -1, dtype=np.int64)
    right = np.zeros(2 * leaves - 1, dtype=np.int8)
    leaf, inner = 0, leaves
    for made in range(leaves, 2 * leaves - 1):
        weight = 0.0
        for side in range(2):
            if leaf < leaves and (inner >= made or total[leaf] <= total[inner]):
                child = leaf
                leaf += 1
            else:
                child = inner
                inner += 1
            parent[child] = made
            right[child] = side
            weight += total[child]
        total[made] = weight
    return parent, right


def _paths(
    parent: NDArray[np.int64], right: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Inner nodes ``[N, L]`` on the way up from each leaf, signs of the turns (0 where there is none), and lengths."""
    leaves = (len(parent) + 1) // 2
    here = np.arange(leaves)
    nodes, signs = [], []
    while True:
        above = parent[here]
        moves = above >= 0
        if not moves.any():
            break
        nodes.append(np.where(moves, above - leaves, 0))
        signs.append(np.where(moves, 1.0 - 2.0 * right[here], 0.0))
        here = np.where(moves, above, here)
    sign = np.stack(signs, 1)
    return np.stack(nodes, 1), sign, np.abs(sign).sum(1).astype(np.int64)
