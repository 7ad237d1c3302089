"""`ClusterSampler`: batches of a large graph made of a few of its parts, which a map gives for nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import subgraph

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import whole_number
from scge_pyg.importing import import_extra

__all__ = ["ClusterSampler"]


class ClusterSampler:
    r"""Cuts the nodes into parts by k-means of their places, and draws some parts together as a batch.

    Edges between parts that are in one batch count (stochastic multiple partitions), those that leave it don't: the
    batch is a graph of its own. Every node is in one batch of each pass. ClusterGCN cuts by METIS, from edges alone;
    where there are places, parts that are round in them cut about as few edges. Use ``ClusterGCNConv`` on it, whose
    ``diag_lambda`` is the paper's diagonal enhancement, :math:`\tilde{A} + \lambda\, \mathrm{diag}(\tilde{A})`.

    Nodes that aren't live are in no batch.

    Args:
        graph: A graph with places.
        num_parts: Parts.
        parts_per_batch: Parts of a batch.
        seed: Of k-means and of what is drawn.

    Attributes:
        part: Part of each node ``[N]``, -1 where not live.

    Yields:
        ``Data`` with ``edge_index``, ``edge_weight``, ``pos``, and ``node_id [M]``: which nodes they are; features are
        ``x[:, data.node_id]``.

    Raises:
        ValueError: If the graph has no places, or fewer live nodes than parts.
        ImportError: If scikit-learn is missing (extra ``zoo``).

    Cost: k-means on N places once; O(E) a batch.

    Source: Chiang and others, Cluster-GCN, KDD 2019; note 003, section 18.

    Example:
        >>> sampler = ClusterSampler(SharedGraph.from_grid((16, 16)), num_parts=16, parts_per_batch=4)
        >>> sorted(torch.cat([batch.node_id for batch in sampler]).tolist()) == list(range(256))
        True
        >>> len(sampler), sampler.kept_edges() > 0.7
        (4, True)
    """

    def __init__(self, graph: SharedGraph, num_parts: int, parts_per_batch: int = 1, seed: int = 0) -> None:
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"ClusterSampler: graph must be a SharedGraph, got {type(graph).__name__}")
        if not graph.pos.shape[1]:
            raise ValueError(
                "ClusterSampler: the graph has no places (dim 0) to cut by; draw a map all the same with "
                "discover(x, dim=...), or cut its edges with METIS (pymetis)"
            )
        live = int(graph.live.sum())
        self.num_parts = whole_number("ClusterSampler", "num_parts", num_parts, 1, live)
        self.parts_per_batch = whole_number("ClusterSampler", "parts_per_batch", parts_per_batch, 1, self.num_parts)
        self.seed = whole_number("ClusterSampler", "seed", seed, 0, 2**31 - 1)
        self.graph = graph
        kmeans = import_extra("sklearn.cluster", "zoo", "ClusterSampler").KMeans
        places = graph.pos[graph.live].detach().cpu().double().numpy()
        label = kmeans(self.num_parts, n_init=1, random_state=self.seed).fit(places).labels_
        self.part = torch.full((graph.num_nodes,), -1)
        self.part[graph.live.cpu()] = torch.from_numpy(np.asarray(label, dtype=np.int64))
        self._generator = torch.Generator().manual_seed(self.seed)

    def __len__(self) -> int:
        return -(-self.num_parts // self.parts_per_batch)

    def __iter__(self) -> Iterator[Data]:
        for parts in torch.randperm(self.num_parts, generator=self._generator).split(self.parts_per_batch):
            yield self.batch(parts)

    def batch(self, parts: Tensor) -> Data:
        """The batch of these parts."""
        graph = self.graph
        node_id = torch.isin(self.part, parts).nonzero().squeeze(1).to(graph.pos.device)
        edges, weight = subgraph(node_id, graph.edge_index, graph.edge_weight, True, graph.num_nodes)
        return Data(
            edge_index=edges, edge_weight=weight, pos=graph.pos[node_id], node_id=node_id, num_nodes=len(node_id)
        )

    def kept_edges(self) -> float:
        """Share of the edges that lie within one part."""
        part = self.part[self.graph.edge_index.cpu()]
        return float((part[0] == part[1]).double().mean())

    def __repr__(self) -> str:
        counts = f"num_parts={self.num_parts}, parts_per_batch={self.parts_per_batch}"
        return f"ClusterSampler(nodes={self.graph.num_nodes}, {counts})"
