"""Containment by construction: convolutions, linear and locally connected layers as layers on a lattice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from scge_pyg.graph import Lattice, SharedGraph

__all__ = ["FromDense"]

Layer = TypeVar("Layer", bound="FromDense")


class FromDense:
    """Constructors of :class:`scge_pyg.SCGEConv` from torch's dense layers; weights are copied.

    Nodes of grids are row-major. Groups become blocks of zeros in the weights, so they cost what no groups would.
    """

    @classmethod
    def from_conv1d(cls: type[Layer], conv: nn.Conv1d, shape: int | tuple[int]) -> Layer:
        """The layer that equals ``conv`` on chains of ``shape`` nodes. See :meth:`from_conv2d`."""
        return _from_conv(cls, conv, (shape,) if isinstance(shape, int) else tuple(shape))

    @classmethod
    def from_conv2d(cls: type[Layer], conv: nn.Conv2d, shape: tuple[int, int]) -> Layer:
        """The layer that equals ``conv`` on images of ``shape = (H, W)`` whose nodes are row-major pixels.

        Any kernel size, stride, dilation, zero padding and groups; the output nodes are the row-major pixels of
        ``conv``'s output.

        Raises:
            ValueError: For another ``padding_mode``, or if the image is smaller than the kernel.

        Example:
            >>> import torch
            >>> from scge_pyg import SCGEConv
            >>> conv = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1)
            >>> layer = SCGEConv.from_conv2d(conv, (6, 7))
            >>> x = torch.randn(2, 3, 6, 7)
            >>> torch.allclose(layer(x.flatten(2).mT).mT, conv(x).flatten(2), atol=1e-5)
            True
        """
        return _from_conv(cls, conv, tuple(shape))

    @classmethod
    def from_conv3d(cls: type[Layer], conv: nn.Conv3d, shape: tuple[int, int, int]) -> Layer:
        """The layer that equals ``conv`` on volumes of ``shape = (D, H, W)``. See :meth:`from_conv2d`."""
        return _from_conv(cls, conv, tuple(shape))

    @classmethod
    def from_conv_transpose1d(cls: type[Layer], conv: nn.ConvTranspose1d, shape: int | tuple[int]) -> Layer:
        """The layer that equals a transposed convolution of chains. See :meth:`from_conv_transpose2d`."""
        return _from_transposed(cls, conv, (shape,) if isinstance(shape, int) else tuple(shape))

    @classmethod
    def from_conv_transpose2d(cls: type[Layer], conv: nn.ConvTranspose2d, shape: tuple[int, int]) -> Layer:
        """The layer that equals a transposed convolution of images of ``shape = (H, W)``: coarse sources, fine targets.

        Any kernel size, stride, dilation, padding, output padding and groups.

        Example:
            >>> import torch
            >>> from scge_pyg import SCGEConv
            >>> conv = torch.nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1)
            >>> layer = SCGEConv.from_conv_transpose2d(conv, (3, 4))
            >>> x = torch.randn(2, 3, 3, 4)
            >>> torch.allclose(layer(x.flatten(2).mT).mT, conv(x).flatten(2), atol=1e-5)
            True
        """
        return _from_transposed(cls, conv, tuple(shape))

    @classmethod
    def from_conv_transpose3d(cls: type[Layer], conv: nn.ConvTranspose3d, shape: tuple[int, int, int]) -> Layer:
        """The layer that equals a transposed convolution of volumes. See :meth:`from_conv_transpose2d`."""
        return _from_transposed(cls, conv, tuple(shape))

    @classmethod
    def from_linear(cls: type[Layer], linear: nn.Linear, num_nodes: int) -> Layer:
        """The layer that equals ``linear`` on the flattened input ``[B, N * C]``: one target node that hears all.

        A linear layer is a convolution whose kernel is as long as the chain of nodes, with one output node of
        ``out_features`` channels.

        Raises:
            ValueError: If ``in_features`` is no multiple of ``num_nodes``.

        Example:
            >>> import torch
            >>> from scge_pyg import SCGEConv
            >>> linear = torch.nn.Linear(20 * 3, 7)
            >>> layer = SCGEConv.from_linear(linear, num_nodes=20)
            >>> x = torch.randn(2, 20, 3)
            >>> torch.allclose(layer(x).flatten(1), linear(x.flatten(1)), atol=1e-5)
            True
        """
        channels, rest = divmod(linear.in_features, num_nodes)
        if rest or not channels:
            raise ValueError(
                f"from_linear: in_features={linear.in_features} must be a multiple of num_nodes={num_nodes}"
            )
        conv = nn.utils.skip_init(
            nn.Conv1d, channels, linear.out_features, num_nodes, bias=linear.bias is not None, dtype=linear.weight.dtype
        )
        with torch.no_grad():
            conv.weight.copy_(linear.weight.unflatten(1, (num_nodes, channels)).transpose(1, 2))
            if linear.bias is not None:
                conv.bias.copy_(linear.bias)
        return _from_conv(cls, conv.to(linear.weight.device), (num_nodes,))

    @classmethod
    def from_locally_connected(
        cls: type[Layer], weight: Tensor, shape: Sequence[int], bias: Tensor | None = None
    ) -> Layer:
        """A locally connected layer with an own kernel at every node: as many bases as nodes, gates the identity.

        Equals ``einsum("ncp,ndcp->nd")`` of zero-padded patches (``torch.nn.functional.unfold``) with the weights.

        Args:
            weight: Kernels ``[N, out_channels, in_channels, *kernel_size]`` of the row-major nodes, odd kernel sizes.
            shape: Extent of the grid.
            bias: Bias ``[out_channels]``, the same for all nodes.

        Raises:
            ValueError: If the sizes disagree.

        Example:
            >>> import torch
            >>> from scge_pyg import SCGEConv
            >>> layer = SCGEConv.from_locally_connected(torch.randn(20, 8, 3, 3, 3), (4, 5))
            >>> layer(torch.randn(2, 20, 3)).shape
            torch.Size([2, 20, 8])
        """
        nodes, out_channels, in_channels, *sizes = weight.shape
        if nodes != math.prod(shape) or len(sizes) != len(shape) or any(size % 2 == 0 for size in sizes):
            raise ValueError(
                f"from_locally_connected: weight must be [{math.prod(shape)}, out, in, *{len(shape)} odd kernel sizes] "
                f"for shape={tuple(shape)}, got {list(weight.shape)}"
            )
        graph = SharedGraph.from_grid(tuple(shape))
        build: Any = cls
        layer: Any = build(
            in_channels, out_channels, graph, kernel_size=tuple(sizes), num_bases=nodes, bias=bias is not None
        ).to(weight)
        with torch.no_grad():
            layer.weight.copy_(weight.flatten(3).permute(3, 2, 0, 1).flatten(2))
            layer.gate.copy_(torch.eye(nodes))
            if bias is not None:
                layer.bias.copy_(bias)
        result: Layer = layer
        return result


def _padding(conv: Any, reach: list[int]) -> tuple[list[int], list[int]]:
    """Zeros before, and zeros in all, along each axis."""
    if conv.padding == "valid":
        return [0] * len(reach), [0] * len(reach)
    if conv.padding == "same":
        return [r // 2 for r in reach], reach
    return [int(p) for p in conv.padding], [2 * int(p) for p in conv.padding]


def _checked(conv: Any, shape: tuple[int, ...], name: str) -> list[int]:
    """How far the kernel spans along each axis, after the checks that all convolutions share."""
    if len(shape) != len(conv.kernel_size):
        raise ValueError(f"{name}: shape must have {len(conv.kernel_size)} extents, got {shape}")
    if conv.padding_mode != "zeros":
        raise ValueError(
            f"{name}: padding_mode must be 'zeros', got {conv.padding_mode!r}; "
            f"for a torus use padding_mode='zeros' and a graph with periodic axes"
        )
    return [step * (size - 1) for step, size in zip(conv.dilation, conv.kernel_size, strict=True)]


def _grid_at(cells: Sequence[int], origin: Sequence[float], stride: Sequence[float]) -> SharedGraph:
    """A row-major grid whose cell zero lies at ``origin`` in the frame of another."""
    axes = [torch.arange(n) for n in cells]
    lattice = Lattice(torch.cartesian_prod(*axes).view(-1, len(axes)), cells, None, origin, stride)
    return SharedGraph(lattice.pos, SharedGraph.from_grid(tuple(cells)).edge_index, lattice=lattice)


def _from_conv(cls: type[Layer], conv: Any, shape: tuple[int, ...]) -> Layer:
    name = f"from_conv{len(conv.kernel_size)}d"
    reach = _checked(conv, shape, name)
    before, total = _padding(conv, reach)
    cells = [(n + p - r - 1) // step + 1 for n, p, r, step in zip(shape, total, reach, conv.stride, strict=True)]
    if min(cells) < 1:
        raise ValueError(
            f"{name}: shape={shape} with padding={conv.padding} is smaller than the kernel, "
            f"which spans {[r + 1 for r in reach]} pixels"
        )
    source = SharedGraph.from_grid(shape)
    origin = [r / 2 - p for r, p in zip(reach, before, strict=True)]
    same = cells == list(shape) and not any(origin) and set(conv.stride) == {1}
    nodes: Any = source if same else (source, _grid_at(cells, origin, conv.stride))
    return _filled(cls, conv, nodes, conv.weight.flatten(2), conv.groups)


def _from_transposed(cls: type[Layer], conv: Any, shape: tuple[int, ...]) -> Layer:
    name = f"from_conv_transpose{len(conv.kernel_size)}d"
    reach = _checked(conv, shape, name)
    cells = [
        (n - 1) * step - 2 * p + r + extra + 1
        for n, step, p, r, extra in zip(shape, conv.stride, conv.padding, reach, conv.output_padding, strict=True)
    ]
    if min(cells) < 1:
        raise ValueError(f"{name}: shape={shape} with padding={conv.padding} leaves no output node")
    # source cell c adds its kernel to the targets stride * c - padding + dilation * t: seen from the target, the taps
    # are mirrored, and lie centred if the source grid starts at reach / 2 - padding
    origin = [r / 2 - p for r, p in zip(reach, conv.padding, strict=True)]
    source, target = _grid_at(shape, origin, conv.stride), SharedGraph.from_grid(tuple(cells))
    groups = conv.groups
    weight = conv.weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)  # [out, in / groups, *kernel]
    return _filled(cls, conv, (source, target), weight.flatten(2).flip(2), groups)


def _filled(cls: type[Layer], conv: Any, nodes: Any, weight: Tensor, groups: int) -> Layer:
    """The layer with ``weight [out, in / groups, P]``."""
    build: Any = cls
    layer: Any = build(
        conv.in_channels,
        conv.out_channels,
        nodes,
        kernel_size=tuple(conv.kernel_size),
        dilation=tuple(conv.dilation),
        bias=conv.bias is not None,
    ).to(conv.weight)
    blocks = [block.permute(2, 1, 0) for block in weight.chunk(groups)]
    with torch.no_grad():
        layer.weight.copy_(torch.stack([torch.block_diag(*parts) for parts in zip(*blocks, strict=True)]))
        if conv.bias is not None:
            layer.bias.copy_(conv.bias)
    result: Layer = layer
    return result
