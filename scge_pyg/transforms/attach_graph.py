"""The discovered graph on every sample, so that PyG's loaders yield ready batches."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from scge_pyg.graph import SharedGraph

__all__ = ["AttachGraph"]


class AttachGraph(BaseTransform):
    """Give each sample the graph of its modality: ``edge_index``, ``edge_weight``, ``pos`` and ``live``.

    The tensors are shared by all samples. Dead nodes get ``pos`` zero and ``live`` False, as in
    :meth:`SharedGraph.to_data`, so that no NaN enters a batch.

    Args:
        graph: The graph over the node set of the samples.

    Raises:
        TypeError: If ``graph`` is no :class:`SharedGraph`, or the sample is no PyG ``Data``.
        ValueError: If a sample has another number of nodes than the graph.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> attach = AttachGraph(SharedGraph.from_grid((2, 3)))
        >>> attach(Data(x=torch.rand(6, 1)))
        Data(x=[6, 1], edge_index=[2, 14], edge_weight=[14], pos=[6, 2], live=[6])
    """

    def __init__(self, graph: SharedGraph) -> None:
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"AttachGraph: graph must be a SharedGraph, got {type(graph).__name__}")
        self.num_nodes = graph.num_nodes
        data = graph.to_data()
        self._shared = {key: data[key] for key in ("edge_index", "edge_weight", "pos", "live")}

    def forward(self, data: Data) -> Data:
        """``data`` with the graph's tensors; attributes of the same names are replaced."""
        if not isinstance(data, Data):
            raise TypeError(f"AttachGraph: expected a PyG Data with one sample, got {type(data).__name__}")
        if data.x is None or data.x.shape[0] != self.num_nodes:
            came = "no x" if data.x is None else f"x of shape {list(data.x.shape)}"
            raise ValueError(
                f"AttachGraph: the graph has {self.num_nodes} nodes, so each sample needs x [{self.num_nodes}, C]; "
                f"got {came}. Attach to single samples, before batching"
            )
        for key, value in self._shared.items():
            data[key] = value
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_nodes={self.num_nodes})"
