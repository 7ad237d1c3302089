"""`RecurrentAggregation`: an LSTM or GRU over a node's neighbours, read where they end."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.nn.aggr import Aggregation

from scge_pyg.graph.checks import whole_number

__all__ = ["RecurrentAggregation"]

_CELLS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


class RecurrentAggregation(Aggregation):
    r"""The state of a recurrent cell after the last of the elements, in the order in which they come.

    PyG's ``LSTMAggregation`` and ``GRUAggregation`` return the state after the padding, so that in 2.8.1 a node's value
    hangs on how many neighbours the largest neighbourhood in the batch has; here it doesn't, and a node without
    elements has zeros. The result depends on the order of the edges: GraphSAGE draws a random one in training
    (``shuffle``); with ``shuffle=False`` it is that of ``edge_index``, by source, which a lattice makes the same one
    everywhere.

    Args:
        in_channels: C.
        out_channels: C'.
        cell: ``"lstm"`` or ``"gru"``.
        shuffle: Whether elements come in random order in training.

    Cost: O(R M (C + C') C') for R targets with at most M elements each.

    Source: Hamilton, Ying, Leskovec, GraphSAGE, NeurIPS 2017; note 003, section 12.2.

    Example:
        >>> from torch_geometric.nn import SAGEConv
        >>> from scge_pyg import OnSharedGraph, SharedGraph
        >>> conv = SAGEConv(3, 8, aggr=RecurrentAggregation(3, 3))
        >>> OnSharedGraph(conv, SharedGraph.from_grid((4, 5)))(torch.randn(2, 20, 3)).shape
        torch.Size([2, 20, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, cell: str = "lstm", shuffle: bool = False) -> None:
        super().__init__()
        self.in_channels = whole_number("RecurrentAggregation", "in_channels", in_channels, 1)
        self.out_channels = whole_number("RecurrentAggregation", "out_channels", out_channels, 1)
        if cell not in _CELLS:
            raise ValueError(f"RecurrentAggregation: cell must be 'lstm' or 'gru', got {cell!r}")
        self.shuffle, self.cell = shuffle, cell
        self.recurrent = _CELLS[cell](self.in_channels, self.out_channels, batch_first=True)

    def reset_parameters(self) -> None:
        """Draw the cell anew."""
        self.recurrent.reset_parameters()

    def forward(
        self,
        x: Tensor,
        index: Tensor | None = None,
        ptr: Tensor | None = None,
        dim_size: int | None = None,
        dim: int = -2,
    ) -> Tensor:
        """Aggregate ``x [E, C]`` to ``[R, C']`` by sorted ``index [E]``."""
        if self.shuffle and self.training and index is not None:
            order = torch.randperm(len(index), device=index.device)
            order = order[index[order].argsort(stable=True)]
            x, index = x.index_select(dim, order), index[order]
        dense, mask = self.to_dense_batch(x, index, ptr, dim_size, dim)
        states, _ = self.recurrent(dense)
        count = mask.sum(1)
        last = (count - 1).clamp_min(0)[:, None, None].expand(-1, 1, self.out_channels)
        return states.gather(1, last).squeeze(1) * (count > 0)[:, None]

    def __repr__(self) -> str:
        return f"RecurrentAggregation({self.in_channels}, {self.out_channels}, cell={self.cell!r})"
