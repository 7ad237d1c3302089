"""The dense view of nodes on a lattice: into the grid, through a stack of grid modules, and back."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.fixed.tables import Tabled
from scge_pyg.nn.fixed.tap_table import active_nodes
from scge_pyg.nn.layer.batching import as_batch, as_given

__all__ = ["GridView", "Reorder", "grid_mask", "node_of_cell"]


def node_of_cell(graph: SharedGraph) -> Tensor:
    """The active node in each cell of the lattice, row-major ``[prod(shape)]``; -1 in a hole."""
    lattice = graph.lattice
    if lattice is None:
        raise ValueError("GridView: the graph must have a lattice, and this one has none")
    node = torch.full((math.prod(lattice.shape),), -1, device=lattice.cell.device)
    node[lattice.flat_index] = lattice.placed.nonzero().squeeze(1)
    return torch.where((node >= 0) & active_nodes(graph)[node.clamp_min(0)], node, -1)


def grid_mask(graph: SharedGraph) -> Tensor:
    """Cells of the lattice that hold an active node, ``[*shape]`` bool; the others are holes."""
    held = node_of_cell(graph) >= 0
    return held if graph.lattice is None else held.view(graph.lattice.shape)


class _Gather(torch.autograd.Function):
    """Rows ``index`` of axis 1, zero where it is -1. No row is read twice, so the way back is a gather as well."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        # a row of zeros would cost a copy of x: read any row for -1, then clear it
        rows = x.index_select(1, index.clamp_min(0))
        return rows.masked_fill_((index < 0).unsqueeze(1), 0.0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        index, inverse = ctx.saved_tensors
        return _Gather.apply(grads[0], inverse, index), None, None


class _Permute(_Gather):
    """The same where every row is used exactly once."""

    @staticmethod
    def forward(x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        return x.index_select(1, index)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        index, inverse = ctx.saved_tensors
        return _Permute.apply(grads[0], inverse, index), None, None


class Reorder(Tabled):
    """Moves rows of ``[B, R, C]`` to other places: row ``index[r]`` to place r, zeros where ``index`` is -1.

    Args:
        index: Row for each place ``[R']``; no row twice.
        rows: Number of rows R of the input.

    Example:
        >>> import torch
        >>> move = Reorder(torch.tensor([2, -1, 0]), rows=3)
        >>> move(torch.tensor([[[5.0], [6.0], [7.0]]])).flatten().tolist()
        [7.0, 0.0, 5.0]
    """

    index: Tensor
    inverse: Tensor

    def __init__(self, index: Tensor, rows: int) -> None:
        super().__init__()
        inverse = torch.full((rows,), -1, device=index.device)
        places = (index >= 0).nonzero().squeeze(1)
        inverse[index[places]] = places
        self.register_table("index", index)
        self.register_table("inverse", inverse)
        self.permutes = bool((index >= 0).all() and (inverse >= 0).all())
        self.idle = self.permutes and torch.equal(index, torch.arange(rows, device=index.device))

    def forward(self, x: Tensor) -> Tensor:
        """Reorder axis 1 of ``x [B, R, C]``; ``x`` itself if nothing moves."""
        if self.idle:
            return x
        return (_Permute if self.permutes else _Gather).apply(x, self.index, self.inverse)

    def extra_repr(self) -> str:
        return f"{self.inverse.numel()}->{self.index.numel()}{', in order' if self.idle else ''}"


class GridView(Tabled):
    """Runs modules for dense grids ``[B, C, *shape]`` on nodes that sit on a lattice.

    The grid is laid out channels-last, so the way in and the way back are one gather each, and none for row-major
    nodes. Cells without an active node enter as zeros.

    Args:
        source: Node set of the input, with a lattice.
        target: Node set of the output, with a lattice; ``None`` if ``body`` ends at ``[B, C]``, without nodes.
        body: Modules that lead from the grid of ``source`` to that of ``target``.
        rest: What happens to nodes that are not on the grid, ``[B, R, C]`` in node order; only if the node set
            stays the same. Default: their output is 0.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** the same with the nodes of ``target``, or :math:`(B, C')`

    Example:
        >>> import torch
        >>> from scge_pyg import SharedGraph
        >>> graph = SharedGraph.from_grid((4, 5))
        >>> view = GridView(graph, graph, torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1)))
        >>> view(torch.randn(2, 20, 3)).shape
        torch.Size([2, 20, 8])
    """

    off_grid: Tensor

    def __init__(
        self,
        source: SharedGraph,
        target: SharedGraph | None,
        body: torch.nn.Sequential,
        rest: torch.nn.Sequential | None = None,
    ) -> None:
        super().__init__()
        node = node_of_cell(source)
        self.num_nodes = source.num_nodes
        self.shape: tuple[int, ...] = () if source.lattice is None else source.lattice.shape
        self.enter = Reorder(node, source.num_nodes)
        self.body = body
        self.leave: Reorder | None = None
        if target is not None:
            back = Reorder(node_of_cell(target), target.num_nodes)
            self.leave = Reorder(back.inverse, back.index.numel())
        self.rest = rest
        self.register_table("off_grid", (self.enter.inverse < 0).nonzero().squeeze(1))

    def forward(self, x: Tensor) -> Tensor:
        """Apply ``body`` to ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``."""
        batch = as_batch(x, self.num_nodes, None, "GridView")
        grid = self.body(self.enter(batch).unflatten(1, self.shape).movedim(-1, 1))
        if self.leave is None:
            return grid
        y = self.leave(grid.movedim(1, -1).flatten(1, -2))
        if self.rest is not None:
            y = y.index_copy(1, self.off_grid, self.rest(batch[:, self.off_grid]).to(y.dtype))
        return as_given(y, x)
