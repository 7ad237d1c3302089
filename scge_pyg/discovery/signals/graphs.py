"""PyG batches as sources: one sample a graph, nodes in order or placed by ``node_id``."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from scge_pyg.discovery.signals.numbers import as_floating
from scge_pyg.discovery.signals.source import Source

__all__ = ["from_graphs"]

_SAMPLE_BYTES = 2**29


def from_graphs(data: Data, where: str) -> Source:
    """Samples of a PyG ``Batch``, or the one of a ``Data``; ``x`` is ``[M, C]``, or ``[M]`` for one channel.

    With ``node_id`` ``[M]``, values are placed at those nodes, and absent nodes are missing.

    Raises:
        TypeError: If ``x`` is no dense tensor or ``node_id`` no tensor of integers.
        ValueError: If there is no ``x``, its shape is wrong, samples are unequal and have no ``node_id``, or a sample
            has a node twice or a negative one.
    """
    x = data.x
    if x is None:
        raise ValueError(
            f"discover: {where}, a {type(data).__name__}, has no x; store the values [N, C] of the nodes as data.x"
        )
    if not isinstance(x, Tensor) or x.layout != torch.strided:
        raise TypeError(f"discover: x in {where} must be a dense tensor; use data.x = data.x.to_dense()")
    if x.dim() not in (1, 2):
        raise ValueError(f"discover: x in {where} must be [M, C] or [M], got {list(x.shape)}")
    x = x if x.dim() == 2 else x.unsqueeze(1)
    sample = data.batch.cpu() if isinstance(data, Batch) else torch.zeros(x.shape[0], dtype=torch.long)
    count = data.num_graphs if isinstance(data, Batch) else 1
    if getattr(data, "node_id", None) is not None:
        return _placed(x, data.node_id, sample, count, where)
    sizes = torch.bincount(sample, minlength=count).unique().tolist()
    if len(sizes) > 1:
        named = " and ".join(map(str, sizes)) if len(sizes) == 2 else f"{sizes[0]} to {sizes[-1]}"
        raise ValueError(
            f"discover: {where} holds samples of {named} nodes; pass samples of equal size, or say which node each row "
            f"is with node_id [N], Data(x=x, node_id=node_id)"
        )
    dense = x.reshape(count, sizes[0], -1)
    return Source(tuple(dense.shape), lambda first, last: dense[first:last])


def _placed(x: Tensor, node_id: Tensor, sample: Tensor, count: int, where: str) -> Source:
    if not isinstance(node_id, Tensor) or node_id.is_floating_point() or node_id.dtype == torch.bool:
        raise TypeError(f"discover: node_id in {where} must be a tensor of integers, got {node_id!r:.100}")
    if tuple(node_id.shape) != (x.shape[0],):
        raise ValueError(
            f"discover: node_id in {where} must number the {x.shape[0]} rows of x, got shape {list(node_id.shape)}"
        )
    node = node_id.detach().cpu().long()
    if node.numel() and node.min() < 0:
        raise ValueError(f"discover: node_id in {where} must be 0 or more, got {int(node.min())}")
    num_nodes = int(node.max()) + 1 if node.numel() else 0
    if 4 * num_nodes * x.shape[1] > _SAMPLE_BYTES:
        raise ValueError(
            f"discover: node_id in {where} goes up to {num_nodes - 1}; number the nodes 0..N-1, for instance with "
            f"torch.unique(all_ids, return_inverse=True)"
        )
    key = sample * num_nodes + node
    found, times = key.unique(return_counts=True)
    if found.numel() < key.numel():
        twice = int(found[times > 1][0])
        raise ValueError(
            f"discover: sample {twice // num_nodes} of {where} has node {twice % num_nodes} twice; node_id must be "
            f"unique within each sample"
        )

    def rows(first: int, last: int) -> Tensor:
        within = (sample >= first) & (sample < last)
        values = as_floating(x[within.to(x.device)])
        dense = values.new_full((last - first, num_nodes, x.shape[1]), torch.nan)
        dense[sample[within] - first, node[within]] = values
        return dense

    return Source((count, num_nodes, x.shape[1]), rows, numbered=True)
