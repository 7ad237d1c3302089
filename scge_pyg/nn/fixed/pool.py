"""Pooling onto a coarser node set, back from it, and over all nodes."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.fixed.fingerprint import Fingerprinted, fingerprint_of
from scge_pyg.nn.fixed.tap_table import active_nodes
from scge_pyg.nn.layer.batching import as_batch, as_given

__all__ = ["ClusterPool", "ClusterUnpool", "NodeMean"]

_REDUCTIONS = ("max", "mean")


def _check_cluster(where: str, graph: SharedGraph, coarse: SharedGraph, cluster: Tensor) -> None:
    if cluster.shape != (graph.num_nodes,) or cluster.is_floating_point():
        raise ValueError(
            f"{where}: cluster must be int64 [{graph.num_nodes}], one coarse node for each node of graph, "
            f"got {cluster.dtype} {list(cluster.shape)}; graph.coarsen returns it"
        )
    if cluster.numel() and not -1 <= int(cluster.min()) <= int(cluster.max()) < coarse.num_nodes:
        raise ValueError(
            f"{where}: cluster holds {int(cluster.min())}..{int(cluster.max())}, "
            f"but coarse has {coarse.num_nodes} nodes (-1: in no cluster)"
        )


class ClusterPool(Fingerprinted):
    r"""Reduces the active nodes of each cluster to one coarse node.

    .. math::
        \mathbf{y}_c = \max_{i : \kappa(i) = c} \mathbf{x}_i \quad\text{or}\quad
        \mathbf{y}_c = \frac{1}{|\{i : \kappa(i) = c\}|} \sum_{i : \kappa(i) = c} \mathbf{x}_i

    On a full lattice coarsened by ``stride`` it equals ``torch.nn.MaxPool2d(stride, ceil_mode=True)`` or the mean
    over the same windows. Nodes that aren't live are left out, and a cluster without any other is 0.

    Args:
        graph: Node set of the input.
        coarse: Node set of the output.
        cluster: Coarse node :math:`\kappa(i)` of each node ``[N]``, -1 for none, as ``graph.coarsen`` returns it.
        reduce: ``"max"`` or ``"mean"``. Default: ``"max"``.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** :math:`(B, M, C)`, :math:`(B M, C)` or :math:`(M, C)`

    Example:
        >>> import torch
        >>> from scge_pyg import SharedGraph
        >>> graph = SharedGraph.from_grid((4, 4))
        >>> pool = ClusterPool(graph, *graph.coarsen(stride=2))
        >>> pool(torch.arange(16.0).view(16, 1)).squeeze(1).tolist()
        [5.0, 7.0, 13.0, 15.0]
    """

    cluster: Tensor
    members: Tensor
    present: Tensor
    size: Tensor

    def __init__(self, graph: SharedGraph, coarse: SharedGraph, cluster: Tensor, reduce: str = "max") -> None:
        super().__init__()
        _check_cluster("ClusterPool", graph, coarse, cluster)
        if reduce not in _REDUCTIONS:
            raise ValueError(f"ClusterPool: reduce must be one of {_REDUCTIONS}, got {reduce!r}")
        self.source, self.target, self.reduce = graph, coarse, reduce
        cluster = torch.where(active_nodes(graph), cluster, -1)
        node = (cluster >= 0).nonzero().squeeze(1)
        node = node[cluster[node].argsort(stable=True)]
        size = torch.bincount(cluster[node], minlength=coarse.num_nodes)
        row = cluster[node]
        column = torch.arange(node.numel(), device=node.device) - (size.cumsum(0) - size)[row]
        widest = max(1, int(size.max())) if size.numel() else 1
        members = torch.full((coarse.num_nodes, widest), -1, device=node.device)
        members[row, column] = node
        present = members >= 0
        members = torch.where(members >= 0, members, members[:, :1].clamp_min(0))
        self.register_table("cluster", cluster)
        self.register_table("members", members)
        self.register_table("present", present)
        self.register_table("size", size)
        self.has_empty = bool((size == 0).any())
        self.uniform = bool((size == widest).all())
        self.fingerprint = fingerprint_of(cluster, (coarse.num_nodes,))

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``."""
        batch = as_batch(x, self.source.num_nodes, None, "ClusterPool").transpose(0, 1)
        grouped = batch.contiguous().index_select(0, self.members.flatten()).unflatten(0, self.members.shape)
        if self.reduce == "max":
            y = grouped.max(1).values
            y = y * self.present[:, :1, None].to(x.device) if self.has_empty else y
        elif self.uniform:
            y = grouped.mean(1)
        else:
            present, size = self.present.to(x.device), self.size.to(x.device)
            y = (grouped * present[:, :, None, None]).sum(1) / size.clamp_min(1).view(-1, 1, 1)
        return as_given(y.transpose(0, 1), x)

    def extra_repr(self) -> str:
        return f"{self.source.num_nodes}->{self.target.num_nodes}, reduce={self.reduce!r}"


class ClusterUnpool(Fingerprinted):
    r"""Gives each node the value of its cluster, :math:`\mathbf{y}_i = \mathbf{x}_{\kappa(i)}`; 0 without one.

    Args:
        graph: Node set of the output.
        coarse: Node set of the input.
        cluster: Coarse node of each node ``[N]``, -1 for none, as ``graph.coarsen`` returns it.

    Shapes:
        - **input:** :math:`(B, M, C)`, flat :math:`(B M, C)` or one sample :math:`(M, C)`
        - **output:** :math:`(B, N, C)`, :math:`(B N, C)` or :math:`(N, C)`

    Example:
        >>> import torch
        >>> from scge_pyg import SharedGraph
        >>> graph = SharedGraph.from_grid((1, 4))
        >>> ClusterUnpool(graph, *graph.coarsen(stride=2))(torch.tensor([[1.0], [2.0]])).squeeze(1).tolist()
        [1.0, 1.0, 2.0, 2.0]
    """

    cluster: Tensor

    def __init__(self, graph: SharedGraph, coarse: SharedGraph, cluster: Tensor) -> None:
        super().__init__()
        _check_cluster("ClusterUnpool", graph, coarse, cluster)
        self.source, self.target = coarse, graph
        self.register_table("cluster", cluster)
        self.has_empty = bool((cluster < 0).any())
        self.fingerprint = fingerprint_of(cluster, (coarse.num_nodes,))

    def forward(self, x: Tensor) -> Tensor:
        """Spread ``[B, M, C]``, flat ``[B * M, C]`` or one sample ``[M, C]``."""
        batch = as_batch(x, self.source.num_nodes, None, "ClusterUnpool").transpose(0, 1)
        y = batch.index_select(0, self.cluster.clamp_min(0))
        if self.has_empty:
            y = y * (self.cluster >= 0).view(-1, 1, 1)
        return as_given(y.transpose(0, 1), x)

    def extra_repr(self) -> str:
        return f"{self.source.num_nodes}->{self.target.num_nodes}"


class NodeMean(Fingerprinted):
    r"""Mean over the active nodes, :math:`\mathbf{y} = \frac{1}{|A|} \sum_{i \in A} \mathbf{x}_i`.

    Args:
        graph: Node set of the input.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** :math:`(B, C)`

    Example:
        >>> import torch
        >>> from scge_pyg import SharedGraph
        >>> NodeMean(SharedGraph.from_grid((2, 3)))(torch.ones(4, 6, 5)).shape
        torch.Size([4, 5])
    """

    active: Tensor

    def __init__(self, graph: SharedGraph) -> None:
        super().__init__()
        self.source = graph
        self.register_table("active", active_nodes(graph).nonzero().squeeze(1))
        self.all_active = self.active.numel() == graph.num_nodes
        self.fingerprint = fingerprint_of(active_nodes(graph))

    def forward(self, x: Tensor) -> Tensor:
        """Average ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``."""
        batch = as_batch(x, self.source.num_nodes, None, "NodeMean")
        return (batch if self.all_active else batch[:, self.active]).mean(1)

    def extra_repr(self) -> str:
        return f"nodes={self.source.num_nodes}"
