"""What a call of a layer means: features, which nodes they are of, and in which sample each stands."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.data import BaseData

__all__ = ["common_dtype", "read_input"]

_SHOWN = 5


def read_input(
    x: Any, node_id: Any, batch: Any, num_nodes: int, where: str
) -> tuple[Any, Tensor | None, Tensor | None]:
    """Features, ``node_id`` and ``batch`` of a call; those of a PyG ``Data`` or ``Batch`` where one was given.

    Args:
        x: Features in any layout, a pair of them, or a ``Data`` that holds them.
        node_id: Node of each row ``[M]``, or None.
        batch: Sample of each row ``[M]``, or None.
        num_nodes: Nodes N of the layer's source.
        where: Name of the layer, for errors.

    Raises:
        TypeError: If ``x`` is another kind of graph data.
        ValueError: If ``Data`` has no ``x``, ``node_id`` is an ``edge_index``, or samples without ``node_id`` don't
            have N nodes each.

    Example:
        >>> from torch_geometric.data import Batch
        >>> samples = Batch.from_data_list([Data(x=torch.zeros(4, 1)), Data(x=torch.ones(4, 1))])
        >>> read_input(samples, None, None, num_nodes=4, where="layer")[0].shape
        torch.Size([8, 1])
    """
    if isinstance(x, BaseData):
        if not isinstance(x, Data):
            raise TypeError(
                f"{where}: {type(x).__name__} has several node sets, and the layer stands on one; call it with the "
                f"features of one of them, such as data['pixel'].x"
            )
        if x.x is None:
            raise ValueError(
                f"{where}: the {type(x).__name__} has no x; give node features as Data(x=features), with features "
                f"[{num_nodes}, C], or call the layer with a tensor [B, {num_nodes}, C]"
            )
        x, node_id, batch = x.x, getattr(x, "node_id", None), x.batch
        if batch is None and node_id is None and x.dim() == 2 and x.shape[0] != num_nodes:
            raise ValueError(_unequal([x.shape[0]], num_nodes, where))
    if node_id is not None:
        if not isinstance(node_id, Tensor):
            raise TypeError(f"{where}: node_id must be an int64 tensor [M], got {type(node_id).__name__}")
        if node_id.dim() == 2 and node_id.shape[0] == 2:
            raise ValueError(
                f"{where}: the second argument is node_id [M], got {list(node_id.shape)}, which looks like an "
                f"edge_index; the layer has a graph of its own: call it as layer(x), and use a PyG operator for edges "
                f"that change from call to call"
            )
        if node_id.dtype not in (torch.long, torch.int):
            raise ValueError(f"{where}: node_id must hold integers, got {node_id.dtype}")
    elif batch is not None and not isinstance(x, tuple) and x.dim() == 2:
        _check_samples(batch, x.shape[0], num_nodes, where)
    return x, node_id, batch


def common_dtype(x: Tensor, weight: Tensor, where: str) -> torch.dtype:
    """The dtype in which a layer computes: that of autocast, or of its features and its weights.

    Raises:
        TypeError: If these differ, and nothing says which of them to convert.
    """
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    if x.dtype != weight.dtype:
        raise TypeError(
            f"{where}: x is {x.dtype} and the layer {weight.dtype}; convert one of them, x.to({weight.dtype}) "
            f"or layer.to(x.dtype)"
        )
    return x.dtype


def _check_samples(batch: Tensor, rows: int, num_nodes: int, where: str) -> None:
    """Without ``node_id``, rows are the N nodes of one sample after the other."""
    if batch.shape != (rows,):
        raise ValueError(f"{where}: batch must be [{rows}], one sample for each row of x, got {list(batch.shape)}")
    sizes = torch.bincount(batch)
    if bool((sizes != num_nodes).any()):
        raise ValueError(_unequal(sizes.unique().tolist(), num_nodes, where))
    if bool((batch.diff() < 0).any()):
        raise ValueError(f"{where}: batch must be sorted, sample after sample, unless node_id says which node a row is")


def _unequal(sizes: list[int], num_nodes: int, where: str) -> str:
    shown = ", ".join(map(str, sizes[:_SHOWN])) + (", ..." if len(sizes) > _SHOWN else "")
    return (
        f"{where}: samples have {shown} nodes, and the layer's graph has {num_nodes}; where samples lack nodes, say "
        f"which they have: Data(x=features, node_id=...) with the node of each row, or layer(x, node_id, batch)"
    )
