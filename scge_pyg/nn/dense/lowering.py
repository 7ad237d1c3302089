"""`lower_to_conv`: layers on a lattice become the dense convolutions that equal them."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.dense.grid_modules import CentreTap, ChannelsLast, GridBatchNorm, GridFill, GridMean
from scge_pyg.nn.dense.grid_view import GridView, grid_mask
from scge_pyg.nn.dense.lowered_layers import CannotLowerError, lowered_conv, lowered_pool, lowered_unpool
from scge_pyg.nn.fixed.norm import NodeBatchNorm
from scge_pyg.nn.fixed.on_shared_graph import OnSharedGraph
from scge_pyg.nn.fixed.pool import ClusterPool, ClusterUnpool, NodeMean
from scge_pyg.nn.fixed.tap_table import active_nodes
from scge_pyg.nn.layer.scge_conv import SCGEConv

__all__ = ["lower_to_conv"]

_logger = logging.getLogger(__name__)
_NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_ELEMENTWISE = (
    nn.Identity, nn.Dropout, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.LogSigmoid,
)  # fmt: skip
_OF_CHANNELS = (nn.Linear, nn.LayerNorm)


@dataclass
class _Step:
    """One layer as modules on the grid.

    ``needs`` is the value that it wants in the holes of its input (None: any), ``zero_holes`` says whether the holes
    of its output are 0, and ``rest`` does the same for nodes outside the grid (None: can't be said node by node).
    """

    modules: list[nn.Module]
    source: SharedGraph
    target: SharedGraph | None
    needs: float | None = None
    zero_holes: bool = False
    rest: nn.Module | None = None


def lower_to_conv(model: nn.Module, strict: bool = False) -> nn.Module:
    r"""A copy of ``model`` that computes the same function with dense convolutions.

    Each :class:`SCGEConv` whose nodes sit on a lattice becomes a ``torch.nn.Conv*d`` (or ``ConvTranspose*d`` where
    it leads to a finer lattice) inside a grid view. Within a ``torch.nn.Sequential``, consecutive layers share the
    view: pooling, :class:`NodeBatchNorm`, :class:`NodeMean`, activations, dropout, ``LayerNorm`` and ``Linear`` are
    carried out on the grid. Holes of the lattice are cleared between layers, so that they never count as nodes.
    Nodes outside the lattice keep their output, the centre tap plus bias.

    What is left as it is, and why, is logged at level INFO and stands in the attribute ``left_alone`` of the result:
    names in ``model`` to reasons, for layers and pools on a graph, such as one without a geometry.

    Parameters are copied, so an optimizer must be built for the copy. Modules inside a lowered ``Sequential`` are
    renumbered; names elsewhere stay.

    Args:
        model: Any module.
        strict: Raise if an :class:`SCGEConv` can't be lowered, instead of leaving it as it is. Default: ``False``.

    Raises:
        ValueError: With ``strict=True``; the message names the layers and says why.

    Example:
        >>> import torch
        >>> from scge_pyg import SCGEConv, SharedGraph, lower_to_conv
        >>> graph = SharedGraph.from_grid((4, 5))
        >>> net = torch.nn.Sequential(SCGEConv(3, 8, graph), torch.nn.ReLU(), SCGEConv(8, 2, graph))
        >>> x = torch.randn(2, 20, 3)
        >>> lowered = lower_to_conv(net, strict=True)
        >>> torch.allclose(lowered(x), net(x), atol=1e-5)
        True
        >>> len(lowered)  # both convolutions in one grid view
        1
        >>> lower_to_conv(torch.nn.Sequential(SCGEConv(3, 8, graph, content="dot"))).left_alone
        {'0': 'its weights depend on content'}
    """
    lowered = _Lowering().lower(copy.deepcopy(model))
    layers = dict(model.named_modules())
    left = {name: reason for name, layer in layers.items() if (reason := _reason(layer))}
    convs = [name for name, layer in layers.items() if isinstance(layer, SCGEConv)]
    if strict and (named := [_named(name, left[name]) for name in convs if name in left]):
        raise ValueError(
            f"lower_to_conv: {len(named)} of {len(convs)} SCGEConv layers can't be lowered: "
            f"{', '.join(named)}; use strict=False to leave them as they are"
        )
    for name, reason in left.items():
        _logger.info("lower_to_conv: left alone: %s", _named(name, reason))
    lowered.left_alone = left  # type: ignore[assignment]
    return lowered


def _named(name: str, reason: str) -> str:
    return f"{name or 'the model'} ({reason})"


def _reason(layer: nn.Module) -> str | None:
    """Why a layer on a graph stays as it is; None if it doesn't, or is no such layer."""
    try:
        if isinstance(layer, SCGEConv):
            lowered_conv(layer)
        elif type(layer) is ClusterPool:
            lowered_pool(layer)
        elif type(layer) is ClusterUnpool:
            lowered_unpool(layer)
    except CannotLowerError as error:
        return str(error)
    return f"it runs {type(layer.conv).__name__} on edges" if isinstance(layer, OnSharedGraph) else None


class _Lowering:
    """One pass over a copy of a model. What occurs several times in it stays one object, with one set of weights."""

    def __init__(self) -> None:
        self.done: dict[nn.Module, nn.Module] = {}
        self.convs: dict[nn.Module, tuple[list[nn.Module], nn.Module]] = {}

    def lower(self, module: nn.Module) -> nn.Module:
        """``module`` with everything in it lowered, in place where it stays."""
        if module not in self.done:
            self.done[module] = self._lowered(module)
        return self.done[module]

    def _lowered(self, module: nn.Module) -> nn.Module:
        if type(module) is nn.Sequential:
            return nn.Sequential(*self._lowered_run(list(_leaves(module)))).train(module.training)
        step = self._step(module, None)
        if step is not None:
            return _view([step]).train(module.training)
        for name, child in module._modules.items():
            if child is not None:
                module._modules[name] = self.lower(child)
        return module

    def _lowered_run(self, leaves: list[nn.Module]) -> list[nn.Module]:
        """Replace each longest run of layers that share a grid by one view."""
        result: list[nn.Module] = []
        while leaves:
            step = self._step(leaves[0], None)
            if step is None:
                result.append(self.lower(leaves.pop(0)))
                continue
            run = [step]
            for leaf in leaves[1:]:
                following = None if run[-1].target is None else self._step(leaf, run[-1].target)
                if following is None:
                    break
                run.append(following)
            if _keeps_off_grid_nodes(run):
                run = run[: next((n for n, step in enumerate(run) if step.rest is None), len(run))]
            result.append(_view(run))
            leaves = leaves[len(run) :]
        return result

    def _step(self, module: nn.Module, current: SharedGraph | None) -> _Step | None:
        """``module`` on the grid of ``current``, or None if it can't act there. Without ``current`` it opens a view."""
        source = getattr(module, "source", None)
        if isinstance(source, SharedGraph):
            if current is not None and not _same_nodes(source, current):
                return None
        elif current is None:
            return None
        try:
            return self._geometric_step(module) or (None if current is None else _nodewise_step(module, current))
        except CannotLowerError:
            return None

    def _geometric_step(self, module: nn.Module) -> _Step | None:
        if isinstance(module, SCGEConv):
            if module not in self.convs:
                self.convs[module] = lowered_conv(module)
            layers, conv = self.convs[module]
            assert isinstance(module.source, SharedGraph)
            assert isinstance(module.target, SharedGraph)
            rest = CentreTap(conv) if module.source is module.target else None
            return _Step(layers, module.source, module.target, needs=0.0, rest=rest)
        if type(module) is ClusterPool:
            layers, needs = lowered_pool(module)
            return _Step(layers, module.source, module.target, needs=needs, zero_holes=True)
        if type(module) is ClusterUnpool:
            return _Step(lowered_unpool(module), module.source, module.target)
        return None


def _leaves(sequential: nn.Sequential) -> Iterator[nn.Module]:
    for child in sequential:
        if type(child) is nn.Sequential:
            yield from _leaves(child)
        else:
            yield child


def _keeps_off_grid_nodes(run: list[_Step]) -> bool:
    return not bool(active_nodes(run[0].source).all()) and all(step.target is step.source for step in run)


def _view(run: list[_Step]) -> GridView:
    modules: list[nn.Module] = []
    zero_holes = True
    for step in run:
        mask = grid_mask(step.source)
        if step.needs is not None and not (zero_holes and step.needs == 0) and not bool(mask.all()):
            modules.append(GridFill(mask, step.needs))
        modules += step.modules
        zero_holes = step.zero_holes
    rest = None
    if _keeps_off_grid_nodes(run):
        rest = nn.Sequential(*[step.rest for step in run if step.rest is not None])
    view = GridView(run[0].source, run[-1].target, nn.Sequential(*modules), rest)
    parameter = next(view.parameters(), None)
    return view if parameter is None else view.to(parameter.device)


def _same_nodes(a: SharedGraph, b: SharedGraph) -> bool:
    if a is b:
        return True
    if a.lattice is None or b.lattice is None or a.lattice.shape != b.lattice.shape:
        return False
    return torch.equal(a.lattice.cell, b.lattice.cell) and torch.equal(active_nodes(a), active_nodes(b))


def _nodewise_step(module: nn.Module, graph: SharedGraph) -> _Step | None:
    if isinstance(module, _ELEMENTWISE):
        return _Step([module], graph, graph, rest=module)
    if isinstance(module, _OF_CHANNELS):
        return _Step([ChannelsLast(module)], graph, graph, rest=module)
    if type(module) is NodeMean:
        return _Step([GridMean(grid_mask(graph))], graph, None)
    if type(module) is NodeBatchNorm:
        return _Step([_lowered_norm(module, graph)], graph, graph)
    return None


def _lowered_norm(module: NodeBatchNorm, graph: SharedGraph) -> nn.Module:
    mask = grid_mask(graph)
    norm = _NORM[mask.dim()](
        module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats
    ).to(active_nodes(graph).device)
    # the very tensors: parameters and statistics of the copy that is being lowered
    norm._parameters.update(module._parameters)
    norm._buffers.update({name: value for name, value in module._buffers.items() if name != "active"})
    norm.train(module.training)
    return norm if bool(mask.all()) else GridBatchNorm(norm, mask)
