"""Single layers on a lattice as torch's dense layers: convolutions, transposed convolutions, pooling."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from scge_pyg.graph import Lattice, SharedGraph
from scge_pyg.nn.dense.grid_modules import GridFill, GridMeanOf, GridPad, GridSize
from scge_pyg.nn.dense.grid_view import grid_mask
from scge_pyg.nn.fixed.pool import ClusterPool, ClusterUnpool
from scge_pyg.nn.fixed.tap_product import TapProduct
from scge_pyg.nn.fixed.tap_table import active_nodes, shared_lattices, tap_spacing
from scge_pyg.nn.layer.scge_conv import SCGEConv

__all__ = ["CannotLowerError", "lowered_conv", "lowered_pool", "lowered_unpool"]

_CONV: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED: dict[int, Any] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_MAX_POOL: dict[int, Any] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
_AVG_POOL: dict[int, Any] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
_TOLERANCE = 1e-5


class CannotLowerError(Exception):
    """Says why a layer stays as it is."""


def _lattices(source: SharedGraph, target: SharedGraph) -> tuple[Lattice, Lattice]:
    lattices = shared_lattices(source, target)
    if lattices is None:
        raise CannotLowerError("its nodes have no lattice")
    if lattices[0].dim > 3:
        raise CannotLowerError(f"its lattice has {lattices[0].dim} axes, and torch convolves at most 3")
    if target is not source and not bool(active_nodes(target).all()):
        raise CannotLowerError("some of its target nodes are dead or have no cell")
    return lattices


def _whole(values: Tensor, what: str) -> list[int]:
    rounded = values.round()
    if bool(((values - rounded).abs() > _TOLERANCE).any()):
        raise CannotLowerError(f"{what}: {[round(v, 3) for v in values.tolist()]} cells")
    return [int(v) for v in rounded]


def lowered_conv(layer: SCGEConv) -> tuple[list[nn.Module], Any]:
    """Grid modules that equal ``layer``, and the convolution among them.

    Target cell c and tap t meet source cell ``stride * c - before + dilation * t`` along each axis.

    Raises:
        CannotLowerError: If there is no such convolution.
    """
    if type(layer) is not SCGEConv:
        raise CannotLowerError(f"{type(layer).__name__} is a subclass, which may compute something else")
    for reason, applies in (
        ("its embedding is trained", layer.trainable),
        ("its weights depend on content", getattr(layer.product, "content", None) is not None),
        ("its neighbours are not the support of fixed kernel points", not isinstance(layer.product, TapProduct)),
        ("its nodes mix several kernels", layer.num_bases > 1),
        ("it has a root weight", layer.root is not None),
        ("hooks on its messages are registered", layer.watched),
    ):
        if applies:
            raise CannotLowerError(reason)
    assert isinstance(layer.source, SharedGraph)
    assert isinstance(layer.target, SharedGraph)
    source, target = _lattices(layer.source, layer.target)
    step = torch.tensor([source.stride, target.stride], dtype=torch.float64)
    shift = torch.tensor(target.origin, dtype=torch.float64) - torch.tensor(source.origin, dtype=torch.float64)
    size, dilation = torch.tensor(layer.kernel_size), torch.tensor(layer.dilation)
    spacing = tap_spacing(layer.source, layer.target)
    if bool((step[0] > step[1]).any()):
        return _lowered_transposed(layer, source, target, (step[0] / step[1], shift / step[1]))
    stride = _whole(step[1] / step[0], "the target nodes are no whole number of source cells apart")
    between = "taps fall between the source cells, by"
    before = _whole(dilation * (size - 1) / 2 * spacing / step[0] - shift / step[0], between)
    reach = (dilation * (size - 1)).tolist()
    after = [
        (n_out - 1) * s + r - lo - (n_in - 1)
        for n_out, s, r, lo, n_in in zip(target.shape, stride, reach, before, source.shape, strict=True)
    ]
    fits = [
        lo >= 0 and (n_in + 2 * lo - r - 1) // s + 1 == n_out
        for n_out, s, r, lo, n_in in zip(target.shape, stride, reach, before, source.shape, strict=True)
    ]
    by_itself = all(fits) and not any(source.periodic)
    conv = _empty(
        _CONV[source.dim],
        layer,
        stride=tuple(stride),
        padding=tuple(before) if by_itself else 0,
        dilation=tuple(layer.dilation),
    )
    _fill(conv, layer, layer.weight.permute(2, 1, 0).unflatten(2, layer.kernel_size))
    return ([conv] if by_itself else [GridPad(before, after, source.periodic), conv]), conv


def _lowered_transposed(
    layer: SCGEConv, source: Lattice, target: Lattice, ratio_shift: tuple[Tensor, Tensor]
) -> tuple[list[nn.Module], Any]:
    if any(source.periodic) or any(target.periodic):
        raise CannotLowerError("it is transposed on a periodic lattice")
    stride = _whole(ratio_shift[0], "the source nodes are no whole number of target cells apart")
    size, dilation = torch.tensor(layer.kernel_size), torch.tensor(layer.dilation)
    padding = _whole(dilation * (size - 1) / 2 + ratio_shift[1], "taps fall between the target cells, by")
    extra = [
        n_out - ((n_in - 1) * s - 2 * p + d * (k - 1) + 1)
        for n_out, n_in, s, p, d, k in zip(
            target.shape, source.shape, stride, padding, layer.dilation, layer.kernel_size, strict=True
        )
    ]
    room = [max(s, d) for s, d in zip(stride, layer.dilation, strict=True)]
    if min(padding) < 0 or any(e >= r for e, r in zip(extra, room, strict=True)):
        raise CannotLowerError("its target lattice is not the outcome of a transposed convolution")
    conv = _empty(
        _TRANSPOSED[source.dim],
        layer,
        stride=tuple(stride),
        padding=tuple(padding),
        output_padding=tuple(max(0, e) for e in extra),
        dilation=tuple(layer.dilation),
    )
    weight = layer.weight.permute(1, 2, 0).unflatten(2, layer.kernel_size)
    _fill(conv, layer, weight.flip(tuple(range(2, weight.dim()))))
    return ([conv, GridSize(target.shape)] if min(extra) < 0 else [conv]), conv


def _empty(kind: Any, layer: SCGEConv, **kwargs: Any) -> Any:
    # drawn weights would move the global random state
    return nn.utils.skip_init(
        kind,
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        bias=layer.bias is not None,
        device=layer.weight.device,
        dtype=layer.weight.dtype,
        **kwargs,
    ).train(layer.training)


def _fill(conv: Any, layer: SCGEConv, weight: Tensor) -> None:
    with torch.no_grad():
        conv.weight.copy_(weight)
        if layer.bias is not None:
            conv.bias.copy_(layer.bias)
            conv.bias.requires_grad_(layer.bias.requires_grad)
    conv.weight.requires_grad_(layer.weight.requires_grad)


def _block_size(fine: SharedGraph, coarse: SharedGraph, cluster: Tensor) -> tuple[int, ...]:
    """Cells of a block along each axis, if clusters are the blocks of the lattice."""
    fine_lattice, coarse_lattice = _lattices(fine, coarse)
    ratio = torch.tensor(coarse_lattice.stride, dtype=torch.float64) / torch.tensor(fine_lattice.stride)
    block = _whole(ratio, "blocks are no whole number of cells")
    shape = tuple(-(-n // b) for n, b in zip(fine_lattice.shape, block, strict=True))
    active = active_nodes(fine)
    own = cluster.to(active.device)[active]  # the layer may have moved; the graphs stay where they were
    wanted = fine_lattice.cell[active] // torch.tensor(block, device=own.device)
    if shape != coarse_lattice.shape or bool((own < 0).any()) or not torch.equal(coarse_lattice.cell[own], wanted):
        raise CannotLowerError("its clusters are not the blocks of the lattice")
    return tuple(block)


def lowered_pool(layer: ClusterPool) -> tuple[list[nn.Module], float]:
    """Grid modules that equal ``layer``, and the value they need in holes.

    Raises:
        CannotLowerError: If clusters are not the blocks of a lattice.
    """
    block = _block_size(layer.source, layer.target, layer.cluster)
    mask = grid_mask(layer.source)
    after = [-n % b for n, b in zip(mask.shape, block, strict=True)]
    if layer.reduce == "max":
        pool = _MAX_POOL[mask.dim()](block, ceil_mode=any(after))
        held = pool(mask[None].float())[0] > 0
        return [pool] if bool(held.all()) else [pool, GridFill(held)], -math.inf
    modules: list[nn.Module] = [_AVG_POOL[mask.dim()](block)]
    if any(after):
        modules.insert(0, GridPad([0] * len(block), after, [False] * len(block)))
    cells = math.prod(block)
    count = (nn.Sequential(*modules)(mask[None].double())[0] * cells).round().long()
    if not bool((count == cells).all()):
        modules.append(GridMeanOf(count, cells))
    return modules, 0.0


def lowered_unpool(layer: ClusterUnpool) -> list[nn.Module]:
    """Grid modules that equal ``layer``.

    Raises:
        CannotLowerError: If clusters are not the blocks of a lattice, or a node has none.
    """
    if layer.has_empty or not bool(active_nodes(layer.target).all()):
        raise CannotLowerError("some of its nodes have no cluster")
    block = _block_size(layer.target, layer.source, layer.cluster)
    modules: list[nn.Module] = [nn.Upsample(scale_factor=tuple(float(b) for b in block))]
    shape = grid_mask(layer.target).shape
    coarse = grid_mask(layer.source).shape
    if any(n * b != m for n, b, m in zip(coarse, block, shape, strict=True)):
        modules.append(GridSize(shape))
    return modules
