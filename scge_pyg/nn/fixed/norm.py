"""Batch normalisation over the nodes of a shared graph."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.fixed.fingerprint import Fingerprinted, fingerprint_of
from scge_pyg.nn.fixed.tap_table import active_nodes
from scge_pyg.nn.layer.batching import as_batch, as_given
from scge_pyg.nn.trained.node_embedding import NodeEmbedding

__all__ = ["NodeBatchNorm", "masked_batch_norm"]


def masked_batch_norm(norm: torch.nn.modules.batchnorm._BatchNorm, x: Tensor, mask: Tensor, count: int) -> Tensor:
    """Normalise rows ``[R, C]`` by the statistics of the ``count`` rows in ``mask [R]``; updates running ones."""
    running = norm.running_mean is not None and norm.running_var is not None
    if not norm.training and running:
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)
    if count < 2:
        raise ValueError(f"batch norm: at least 2 values a channel are needed in training, got {count}")
    share = mask.to(x).unsqueeze(1) / count
    mean = (x * share).sum(0)
    centred = x - mean
    variance = (centred.square() * share).sum(0)
    if norm.training and norm.running_mean is not None and norm.running_var is not None:
        with torch.no_grad():
            momentum = norm.momentum
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
                momentum = 1 / float(norm.num_batches_tracked) if momentum is None else momentum
            momentum = 0.1 if momentum is None else momentum
            norm.running_mean.lerp_(mean.to(norm.running_mean), momentum)
            norm.running_var.lerp_((variance * (count / (count - 1))).to(norm.running_var), momentum)
    y = centred * (variance + norm.eps).rsqrt()
    return y if norm.weight is None else y * norm.weight + norm.bias


class NodeBatchNorm(Fingerprinted, torch.nn.BatchNorm1d):
    r"""Batch normalisation of each channel over the samples and the nodes.

    .. math::
        \mathbf{y}_{bi} = \frac{\mathbf{x}_{bi} - \boldsymbol{\mu}}{\sqrt{\boldsymbol{\sigma}^2 + \epsilon}}
            \odot \boldsymbol{\gamma} + \boldsymbol{\beta}

    with mean and variance over all samples and all *active* nodes of ``graph``: live and, where the graph has a
    lattice, placed on it. The other nodes are normalised by the same numbers. On a full grid it equals
    ``torch.nn.BatchNorm2d``.

    Args:
        num_features: Channels.
        graph: Node set of the input, fixed or learned.
        **kwargs: Further arguments of ``torch.nn.BatchNorm1d``.

    Shapes:
        - **input and output:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`

    Example:
        >>> import torch
        >>> from scge_pyg import SharedGraph
        >>> norm = NodeBatchNorm(3, SharedGraph.from_grid((4, 5)))
        >>> norm(torch.randn(2, 20, 3)).mean((0, 1)).abs().max() < 1e-5
        tensor(True)
    """

    active: Tensor

    def __init__(self, num_features: int, graph: SharedGraph | NodeEmbedding, **kwargs: object) -> None:
        super().__init__(num_features, **kwargs)  # type: ignore[arg-type]
        self._source = (graph,)  # a table is a parameter of the layers on it, none of the norm
        active = active_nodes(graph) if isinstance(graph, SharedGraph) else graph.live
        self.register_table("active", active)
        self.num_active = int(self.active.sum())
        self.fingerprint = fingerprint_of(self.active)

    @property
    def source(self) -> SharedGraph | NodeEmbedding:
        """Node set of the input."""
        return self._source[0]

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``."""
        batch = as_batch(x, self.active.numel(), self.num_features, "NodeBatchNorm").transpose(0, 1)
        rows = batch.reshape(-1, self.num_features)
        if self.num_active == batch.shape[0]:
            y = super().forward(rows)
        else:
            copies = batch.shape[1]
            y = masked_batch_norm(self, rows, self.active.repeat_interleave(copies), copies * self.num_active)
        return as_given(y.view(batch.shape).transpose(0, 1), x)
