"""One fixed random order of the nodes for a whole modality."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import BaseTransform

__all__ = ["ShuffleNodes"]


class ShuffleNodes(BaseTransform):
    r"""Permute the nodes of every sample alike: new node :math:`i` is old node :math:`\pi_i`.

    :math:`\pi` depends on ``seed`` and on the number of nodes alone, so that training and test samples, and tensors
    and ``Data``, are shuffled alike. Tensors are ``[N]``, ``[S, N]`` or ``[..., N, C]`` with at least three axes;
    rows of a table ``[N, d]`` of nodes are put in order by ``table[shuffle.permutation(N)]``. In a PyG ``Data`` all
    node-level attributes move along and edges are renumbered.

    Args:
        seed: Names the permutation.

    Raises:
        TypeError: If the argument is neither a tensor nor a single-sample ``Data``.

    Example:
        >>> import torch
        >>> shuffle = ShuffleNodes(seed=0)
        >>> x = torch.rand(5, 9, 2)
        >>> torch.equal(shuffle(x), x[:, shuffle.permutation(9)])
        True
        >>> torch.equal(shuffle.inverse(shuffle(x)), x)
        True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def permutation(self, num_nodes: int) -> Tensor:
        r"""The old node :math:`\pi_i` at each new place, ``[N]`` int64."""
        return torch.randperm(num_nodes, generator=torch.Generator().manual_seed(self.seed))

    def forward(self, data: Tensor | Data) -> Tensor | Data:
        """The same samples with their nodes in the new order."""
        return _reordered(data, self.permutation(_node_count(data)))

    def inverse(self, data: Tensor | Data) -> Tensor | Data:
        """Shuffled samples with their nodes back in the old order."""
        return _reordered(data, self.permutation(_node_count(data)).argsort())

    def __repr__(self) -> str:
        return f"{type(self).__name__}(seed={self.seed})"


def _node_axis(x: Tensor) -> int:
    return x.dim() - 1 if x.dim() < 3 else x.dim() - 2


def _node_count(data: Tensor | Data) -> int:
    if isinstance(data, Tensor) and data.dim() > 0:
        return data.shape[_node_axis(data)]
    if isinstance(data, Data) and not isinstance(data, Batch) and data.num_nodes is not None:
        return int(data.num_nodes)
    raise TypeError(
        "ShuffleNodes: expected a tensor [S, N] or [..., N, C], or a PyG Data with the nodes of one sample, "
        f"got {data if isinstance(data, Data) else type(data).__name__}; shuffle samples before batching them"
    )


def _reordered(data: Tensor | Data, order: Tensor) -> Tensor | Data:
    if isinstance(data, Tensor):
        return data.index_select(_node_axis(data), order.to(data.device))
    result = copy.copy(data)
    rank = order.argsort()
    for key, value in data.to_dict().items():
        if key == "edge_index":
            result[key] = rank.to(value.device)[value]
        elif isinstance(value, Tensor) and data.is_node_attr(key):
            result[key] = value.index_select(data.__cat_dim__(key, value), order.to(value.device))
    return result
