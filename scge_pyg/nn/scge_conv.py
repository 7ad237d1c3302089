"""`SCGEConv`: one kernel shared by all nodes of a discovered geometry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn.conv import MessagePassing

from scge_pyg.graph import Lattice, SharedGraph
from scge_pyg.nn.batching import as_batch, as_given
from scge_pyg.nn.kernel import build_taps, kernel_points, shared_lattices
from scge_pyg.nn.tap_product import TapProduct

__all__ = ["SCGEConv"]


class SCGEConv(MessagePassing):
    r"""The convolution of a shared computational graph: all nodes share one kernel of relative positions.

    .. math::
        \mathbf{Y} = \mathbf{1} \mathbf{b}^{\top} + \sum_p \boldsymbol{\Phi}_p \mathbf{X} \mathbf{W}_p, \qquad
        \mathbf{y}_i = \mathbf{b} + \sum_{j \in \mathcal{N}(i)} a_{ij}
            \sum_p \phi_p(\mathbf{e}_j - \mathbf{q}_i)\, \mathbf{W}_p \mathbf{x}_j

    where :math:`\mathbf{q}_i` and :math:`\mathbf{e}_j` are the coordinates of target and source nodes,
    :math:`\phi_p` the interpolation weight of kernel point :math:`\mathbf{c}_p` (see :mod:`scge_pyg.nn.kernel`),
    :math:`\mathcal{N}(i)` the sources inside the kernel's support and :math:`a_{ij} = 1`. The kernel points are a
    cubic lattice of ``kernel_size ** d`` points with the nodes' own spacing, the finer one of a pair. On a lattice
    the layer is the ordinary convolution of the grid with zero padding, and wraps around periodic axes.

    Nodes that aren't live are never sources; their output is the centre tap of their own value, plus bias.

    The geometry is fixed and computed once. It moves with the module, but is not part of its ``state_dict``:
    keep the graph beside it with :meth:`SharedGraph.save`.

    Cost: :math:`O(N\,k^d\,B\,C\,(C' + S))` time, with :math:`k` = ``kernel_size``, batch size :math:`B` and
    :math:`S` sources per tap (1 on a lattice, about :math:`2^d` between its points); memory for input, output and
    one gathered tap.

    Args:
        in_channels: Channels of each source node.
        out_channels: Channels of each target node.
        nodes: The node set, or a pair (source, target) of node sets in one frame: ``(graph, coarse)`` gives a
            strided layer, ``(coarse, graph)`` a transposed one.
        kernel_size: Taps along each axis, one number or one per axis. Default: 3.
        dilation: Distance of neighbouring taps in units of node spacing, likewise. Default: 1.
        bias: Whether to add a bias. Default: ``True``.
        **kwargs: Further arguments of :class:`torch_geometric.nn.conv.MessagePassing`.

    Shapes:
        - **input:** :math:`(B, N_s, C)`, PyG's flat :math:`(B N_s, C)`, or one sample :math:`(N_s, C)`
        - **output:** :math:`(B, N_t, C')`, :math:`(B N_t, C')` or :math:`(N_t, C')`

    Raises:
        TypeError: If ``nodes`` is neither a graph nor a pair of graphs.
        ValueError: If the node sets differ in dimension, or the input doesn't fit.

    Example:
        >>> import torch
        >>> from scge_pyg import SCGEConv, SharedGraph
        >>> graph = SharedGraph.from_grid((4, 5))
        >>> conv = SCGEConv(3, 8, graph)
        >>> conv
        SCGEConv(3, 8, nodes=20, taps=9)
        >>> conv(torch.randn(2, 20, 3)).shape
        torch.Size([2, 20, 8])
        >>> coarse, _ = graph.coarsen(stride=2)
        >>> SCGEConv(3, 8, (graph, coarse))(torch.randn(2, 20, 3)).shape
        torch.Size([2, 6, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        nodes: SharedGraph | tuple[SharedGraph, SharedGraph],
        *,
        kernel_size: int | Sequence[int] = 3,
        dilation: int | Sequence[int] = 1,
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"aggr": "add", "node_dim": -2, **kwargs})
        for name, value in (("in_channels", in_channels), ("out_channels", out_channels)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"SCGEConv: {name} must be a positive integer, got {value!r}")
        pair = nodes if isinstance(nodes, tuple) else (nodes, nodes)
        if len(pair) != 2 or not all(isinstance(graph, SharedGraph) for graph in pair):
            raise TypeError(
                f"SCGEConv: nodes must be a SharedGraph or a pair (source, target) of them, got {type(nodes).__name__}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.source, self.target = pair
        lattices = shared_lattices(*pair)
        dim = self.source.pos.shape[1] if lattices is None else lattices[0].dim
        self.kernel_points = kernel_points(kernel_size, dim, dilation)
        per_axis = (kernel_size,) * dim if isinstance(kernel_size, int) else tuple(kernel_size)
        self.kernel_size = tuple(int(k) for k in per_axis)
        self.dilation = (dilation,) * dim if isinstance(dilation, int) else tuple(dilation)
        self.product = TapProduct(build_taps(self.source, self.target, self.kernel_points))
        self.weight = torch.nn.Parameter(torch.empty(self.product.taps, in_channels, out_channels))
        self.bias = torch.nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and bias as ``torch.nn.Conv2d`` does, with ``fan_in = in_channels * taps``."""
        super().reset_parameters()
        bound = 1 / math.sqrt(self.in_channels * self.product.taps)
        torch.nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            torch.nn.init.uniform_(self.bias, -bound, bound)

    @property
    def edge_index(self) -> Tensor:
        """The wiring of the layer ``[2, E]``: from each source to the targets that hear it."""
        return self._edges()[0]

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``."""
        batch = as_batch(x, self.product.sources, self.in_channels, "SCGEConv")
        weight: Tensor = self.weight
        bias: Tensor | None = self.bias
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            batch, weight, bias = batch.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
        layer = self._propagated if self.explain else self.product
        return as_given(layer(batch, weight, bias), x)

    def _edges(self) -> tuple[Tensor, Tensor]:
        """Edges ``[2, E]`` and their weights at all taps ``[E, P]``."""
        product = self.product
        row = torch.repeat_interleave(product.pointer.diff())
        tap, target = row // product.targets, row % product.targets
        key, edge = torch.unique(target * product.sources + product.index, return_inverse=True)
        phi = product.phi.new_zeros(key.numel(), product.taps)
        phi[edge, tap] = product.phi
        return torch.stack([key % product.sources, key // product.sources]), phi

    def _propagated(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The same map by PyG's ``propagate``: slower, but open to explanation and to subclasses."""
        edge_index, phi = self._edges()
        size = (self.product.sources, self.product.targets)
        y = self.propagate(edge_index, x=(x, None), phi=phi.to(x.dtype), weight=weight, size=size)
        return y if bias is None else y + bias

    def message(self, x_j: Tensor, phi: Tensor, weight: Tensor) -> Tensor:
        taps = torch.einsum("ep,bec->bepc", phi, x_j)
        return taps.flatten(-2) @ weight.flatten(0, 1)

    @classmethod
    def from_conv2d(cls, conv: torch.nn.Conv2d, shape: tuple[int, int]) -> SCGEConv:
        """The layer that equals ``conv`` on images of ``shape = (H, W)`` whose nodes are row-major pixels.

        Any kernel size, stride, dilation and zero padding; the output nodes are the row-major pixels of
        ``conv``'s output. Weights are copied.

        Raises:
            ValueError: For another ``padding_mode``, for groups, or if the image is smaller than the kernel.

        Example:
            >>> import torch
            >>> conv = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1)
            >>> layer = SCGEConv.from_conv2d(conv, (6, 7))
            >>> x = torch.randn(2, 3, 6, 7)
            >>> torch.allclose(layer(x.flatten(2).mT).mT, conv(x).flatten(2), atol=1e-5)
            True
        """
        if conv.padding_mode != "zeros":
            raise ValueError(
                f"from_conv2d: padding_mode must be 'zeros', got {conv.padding_mode!r}; "
                f"for a torus use padding_mode='zeros' and a graph with periodic axes"
            )
        if conv.groups != 1:
            raise ValueError(f"from_conv2d: groups must be 1, got groups={conv.groups}; convert one group at a time")
        reach = [step * (size - 1) for step, size in zip(conv.dilation, conv.kernel_size, strict=True)]
        if conv.padding == "valid":
            before, total = [0, 0], [0, 0]
        elif conv.padding == "same":
            before, total = [r // 2 for r in reach], reach
        else:
            before = [int(p) for p in conv.padding]
            total = [2 * p for p in before]
        cells = [(n + p - r - 1) // step + 1 for n, p, r, step in zip(shape, total, reach, conv.stride, strict=True)]
        if min(cells) < 1:
            raise ValueError(
                f"from_conv2d: shape={tuple(shape)} with padding={conv.padding} is smaller than the kernel, "
                f"which spans {[r + 1 for r in reach]} pixels"
            )
        source = SharedGraph.from_grid(shape)
        grid = SharedGraph.from_grid(cells)
        origin = [r / 2 - p for r, p in zip(reach, before, strict=True)]
        if list(cells) == list(shape) and not any(origin) and set(conv.stride) == {1}:
            nodes: SharedGraph | tuple[SharedGraph, SharedGraph] = source
        else:
            lattice = Lattice(torch.cartesian_prod(*map(torch.arange, cells)), cells, None, origin, conv.stride)
            nodes = (source, SharedGraph(lattice.pos, grid.edge_index, lattice=lattice))
        layer = cls(
            conv.in_channels,
            conv.out_channels,
            nodes,
            kernel_size=conv.kernel_size,
            dilation=conv.dilation,
            bias=conv.bias is not None,
        ).to(conv.weight)
        with torch.no_grad():
            layer.weight.copy_(conv.weight.flatten(2).permute(2, 1, 0))
            if layer.bias is not None and conv.bias is not None:
                layer.bias.copy_(conv.bias)
        return layer

    def __repr__(self) -> str:
        source, target = self.source.num_nodes, self.target.num_nodes
        nodes = f"{source}" if self.source is self.target else f"{source}->{target}"
        return (
            f"{self.__class__.__name__}({self.in_channels}, {self.out_channels}, nodes={nodes}, "
            f"taps={self.product.taps})"
        )
