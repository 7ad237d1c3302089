"""Point clouds as node sets, with the graph of nearest neighbours as a baseline."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import BaseTransform

from scge_pyg.graph import knn
from scge_pyg.transforms.pieces import checked_count

__all__ = ["PointsToNodes"]


class PointsToNodes(BaseTransform):
    """Points become nodes with their coordinates as channels and edges from the ``k`` nearest other points.

    A tensor ``[N, d]`` or a PyG ``Data`` with ``pos [N, d]`` gives a ``Data`` with ``x [N, d + C]`` (coordinates, then
    the ``x`` that was there), ``pos`` and ``edge_index [2, N * k]``; a tensor ``[S, N, d]`` gives a ``Batch``. Edges
    are those of PyG's ``KNNGraph``, from neighbour to point, ties to the lower number, by exact search in plain torch.

    They are the baseline of a cloud whose coordinates are known; points that are followed over samples ``[S, N, d]``
    are a node set as they are, for ``discover``.

    Args:
        k: Neighbours of a point.

    Raises:
        TypeError: If it is neither a tensor nor a single ``Data``.
        ValueError: If coordinates lack or aren't finite, or there are not more than ``k`` points.

    Example:
        >>> import torch
        >>> convert = PointsToNodes(k=4)
        >>> cloud = Data(pos=torch.rand(50, 3), x=torch.rand(50, 2))
        >>> nodes = convert(cloud)
        >>> nodes
        Data(x=[50, 5], pos=[50, 3], edge_index=[2, 200])
        >>> convert.inverse(nodes)
        Data(x=[50, 2], pos=[50, 3])
    """

    def __init__(self, k: int = 8) -> None:
        self.k = checked_count(k, "PointsToNodes: k")

    def forward(self, data: Tensor | Data) -> Data:
        """The node set of a cloud, or a batch of node sets."""
        if isinstance(data, Tensor):
            if data.dim() == 3:
                return Batch.from_data_list([self.forward(cloud) for cloud in data])
            data = Data(pos=data)
        if not isinstance(data, Data) or isinstance(data, Batch):
            raise TypeError(
                "PointsToNodes: expected a tensor [N, d] or [S, N, d], or a Data with pos, "
                f"got {type(data).__name__}; convert clouds before batching them"
            )
        pos = data.pos
        if pos is None or pos.dim() != 2 or not bool(pos.isfinite().all()):
            came = "nothing" if pos is None else f"{list(pos.shape)}" + (" with NaN or infinity" * (pos.dim() == 2))
            raise ValueError(f"PointsToNodes: pos must be finite coordinates [N, d], got {came}")
        if pos.shape[0] <= self.k:
            raise ValueError(f"PointsToNodes: k={self.k} needs more than {self.k} points, got {pos.shape[0]}")
        nearest = knn(pos, pos, self.k, exclude_self=True)[1]
        target = torch.arange(pos.shape[0], device=pos.device).repeat_interleave(self.k)
        data.edge_index = torch.stack([nearest.flatten(), target])
        data.x = pos if data.x is None else torch.cat([pos, data.x.view(pos.shape[0], -1)], 1)
        return data

    def inverse(self, data: Data) -> Data:
        """The cloud of a node set: coordinates from the channels in front, the others as ``x``, no edges."""
        dim = data.pos.shape[1]
        rest = data.x[:, dim:]
        attributes = {key: value for key, value in data.to_dict().items() if key not in ("x", "pos", "edge_index")}
        return Data(x=rest if rest.shape[1] else None, pos=data.x[:, :dim], **attributes)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(k={self.k})"
