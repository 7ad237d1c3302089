"""From the arguments of a layer to what computes it: fixed tap tables, or attention over a table of neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.real import real
from scge_pyg.nn.fixed.fingerprint import described, fingerprint_of
from scge_pyg.nn.fixed.neighbor_attention import NeighborAttention
from scge_pyg.nn.fixed.neighborhood import FixedPlaces, Neighborhood, edge_table, edges_like, support_table
from scge_pyg.nn.fixed.tap_product import TapProduct
from scge_pyg.nn.fixed.tap_table import TapTable, build_taps, shared_lattices, tap_spacing
from scge_pyg.nn.layer.arguments import NodeSet, check_arguments, dim_of
from scge_pyg.nn.layer.content import ContentScore
from scge_pyg.nn.layer.kernel import Kernel, KernelMLP, KernelPoints, kernel_points
from scge_pyg.nn.trained.estimators import Soft, make_estimator
from scge_pyg.nn.trained.node_embedding import NodeEmbedding

__all__ = ["Engine", "build_engine"]

_SPARE = 2.0  # times the sources of a regular support: a ball around the box, and places that crowd


class Engine(NamedTuple):
    """What computes a layer.

    Attributes:
        product: The module.
        kernel_size: Taps along each axis.
        dilation: Their distance along each axis.
        gain: Factor on the start of the weights that makes up for attention weights that sum to 1, and for taps that no
            target meets together.
        fingerprint: Of the geometry that stays, None where all places are trained.
        edge_order: Where the edges of the graph are heard: the order that lists them as the graph does.
    """

    product: TapProduct | NeighborAttention
    kernel_size: tuple[int, ...]
    dilation: tuple[int, ...]
    gain: float
    fingerprint: tuple[int, ...] | None
    edge_order: Tensor | None = None


def _graphs(source: NodeSet, target: NodeSet) -> tuple[SharedGraph, SharedGraph] | None:
    """Both node sets, if both are fixed."""
    if isinstance(source, SharedGraph) and isinstance(target, SharedGraph):
        return source, target
    return None


def build_engine(
    source: NodeSet,
    target: NodeSet,
    *,
    in_channels: int,
    head_channels: int,
    k: int | None,
    kernel: str | None,
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int],
    train_points: bool,
    heads: int,
    content: str | None,
    estimator: str | torch.nn.Module,
    tau: float | None,
    neighbors: str | None,
    self_loops: bool,
    symmetric: bool,
    candidates: int | None,
) -> Engine:
    """Check the arguments of :class:`scge_pyg.SCGEConv` against each other and build what they mean."""
    graphs = _graphs(source, target)
    if neighbors is None:
        neighbors = "nearest" if graphs is None or k is not None else "support"
    check_arguments(source, target, graphs is not None, neighbors, kernel, k, tau, symmetric)
    if graphs is not None and neighbors == "support" and kernel == "points" and not train_points and content is None:
        lattices = shared_lattices(*graphs)
        points = kernel_points(kernel_size, dim_of(source) if lattices is None else lattices[0].dim, dilation)
        taps_met = build_taps(*graphs, points)
        gain = math.sqrt(points.shape[0] / _taps_met(taps_met))
        mark = _fingerprint(source, target, by_cells=lattices is not None)
        return Engine(TapProduct(taps_met), _per_axis(kernel_size, points), _per_axis(dilation, points), gain, mark)
    points = kernel_points(kernel_size, dim_of(source), dilation)
    reach = points.abs().amax(0) + 1
    function: Kernel | None = None
    if kernel == "points":
        function = KernelPoints(points, train_points)
    elif kernel == "mlp":
        function = KernelMLP(points.shape[1], points.shape[0], float(reach.norm()))
    places = _places(source, target, graphs)
    edges: Tensor | None = None
    chooser: torch.nn.Module | None = None
    means = neighbors == "support" and graphs is None
    if means and content is not None:
        raise ValueError(f"SCGEConv: content={content!r} on a NodeEmbedding needs neighbors='nearest', got 'support'")
    if neighbors == "nearest" or graphs is None:
        k = min(points.shape[0] if k is None else k, int(source.live.sum()))
        if means:
            width = _within_reach(reach, source, target) if candidates is None else candidates
            width = min(width, int(source.live.sum()))
        else:
            chooser, width = _chooser(estimator, k, int(source.live.sum()), candidates)
        complete = width == source.num_nodes and bool(target.live.all())
        table = None if complete else _empty_table(width, source, target)
        count = k
    else:
        if neighbors == "support":
            hears, speaks = target.live.cpu(), source.live.cpu()
            index, valid = support_table(places[1](), places[0](), hears, speaks, reach.double())
        else:
            edges = _wiring(graphs[0], self_loops)
            index, valid = edge_table(edges, target.num_nodes)
        table = Neighborhood(*_with_own(index, valid, source, target))
        count = table.index.shape[1]
    score = None if content is None else ContentScore(content, in_channels, heads, head_channels)
    tau = (1.0 if neighbors == "nearest" else math.inf) if tau is None else tau
    taps = 1 if function is None else points.shape[0]
    gain = 1.0 if score is None and chooser is None else math.sqrt(taps * min(count, taps))
    if means:  # towards more nodes, a target meets a source at as many taps less
        gain = math.sqrt(min(taps, max(1.0, int(target.live.sum()) / int(source.live.sum()))))
    attention = NeighborAttention(*places, table, function, chooser, tau, score, symmetric, means)
    order = None
    if edges is not None and isinstance(table, Neighborhood):
        hears, slot = table.valid.nonzero(as_tuple=True)
        order = edges_like(torch.stack([table.index[hears, slot], hears]), edges, source.num_nodes)
    wired = () if edges is None else (edges,)
    mark = _fingerprint(source, target, *wired, placed=edges is None or kernel is not None or tau < math.inf)
    return Engine(attention, _per_axis(kernel_size, points), _per_axis(dilation, points), gain, mark, order)


@real
def _fingerprint(
    source: NodeSet, target: NodeSet, *edges: Tensor, placed: bool = True, by_cells: bool = False
) -> tuple[int, ...] | None:
    """Of what the layer reads from its graphs; of a trainable node set only the sizes count."""
    nodes = (source,) if source is target else (source, target)
    if not any(isinstance(one, SharedGraph) for one in nodes):
        return None
    origin = source.lattice if by_cells and isinstance(source, SharedGraph) else None
    parts: list[Tensor | Sequence[float]] = list(edges)
    for one in nodes:
        if isinstance(one, NodeEmbedding):
            parts.append((one.num_nodes, one.dim))
        else:
            parts.extend(described(one, origin) if placed else (one.live,))
    return fingerprint_of(*parts)


def _within_reach(reach: Tensor, source: NodeSet, target: NodeSet) -> int:
    """Nearest sources that hold those in the kernel's support, with as many to spare for irregular places."""
    finer = max(int(source.live.sum()), int(target.live.sum()))
    return math.ceil(_SPARE * float((2 * reach).prod()) * int(source.live.sum()) / finer)


def _taps_met(table: TapTable) -> int:
    """Taps at which the best served target meets a source: all of them, but 4 of 16 in a transposed 4x4 layer."""
    taps, targets, _ = table.size
    met = torch.unique(table.target * taps + table.tap) // taps
    return max(1, int(torch.bincount(met, minlength=targets).max()))


def _per_axis(value: int | Sequence[int], points: Tensor) -> tuple[int, ...]:
    return (value,) * points.shape[1] if isinstance(value, int) else tuple(value)


@real
def _places(
    source: NodeSet, target: NodeSet, graphs: tuple[SharedGraph, SharedGraph] | None
) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Modules that give the places of both ends, in units of node spacing."""
    spacing = torch.ones(dim_of(source), dtype=torch.float64)
    if graphs is not None:
        found = tap_spacing(*graphs)
        spacing = found if found.shape == spacing.shape else spacing  # an axis that closes has two columns in pos

    def module(nodes: NodeSet) -> torch.nn.Module:
        return nodes if isinstance(nodes, NodeEmbedding) else FixedPlaces(nodes.pos, nodes.live, spacing)

    first = module(source)
    return first, first if source is target else module(target)


def _chooser(
    estimator: str | torch.nn.Module, k: int, sources: int, candidates: int | None
) -> tuple[torch.nn.Module, int]:
    """The estimator, and how many candidates it chooses from. All of them need no choice, only weights."""
    if estimator == "topk" and k == sources:
        return make_estimator("soft", k, max_sources=sources), sources
    chooser = make_estimator(estimator, k)
    if isinstance(chooser, Soft):
        if sources > chooser.max_sources:
            raise ValueError(
                f"SCGEConv: estimator='soft' has dense weights and takes at most {chooser.max_sources} sources, got "
                f"{sources}; use 'topk' with k neighbours, or Soft(max_sources={sources})"
            )
        return chooser, sources
    return chooser, min(sources, max(k, candidates or 4 * k))


@real
def _empty_table(width: int, source: NodeSet, target: NodeSet) -> Neighborhood:
    """A table for the nearest sources, which the layer searches when it resets its parameters."""
    index = torch.zeros(target.num_nodes, width, dtype=torch.long)
    return Neighborhood(*_with_own(index, torch.zeros_like(index, dtype=torch.bool), source, target), nearest=True)


def _with_own(index: Tensor, valid: Tensor, source: NodeSet, target: NodeSet) -> tuple[Tensor, Tensor]:
    """In a square layer, a node that isn't live hears itself alone."""
    dead = (~target.live.cpu()).nonzero().squeeze(1)
    if source is target and dead.numel():
        index, valid = index.clone(), valid.clone()
        index[dead], valid[dead] = 0, False
        index[dead, 0], valid[dead, 0] = dead, True
    return index, valid


@real
def _wiring(graph: SharedGraph, self_loops: bool) -> Tensor:
    edge_index = graph.edge_index.cpu()
    if not self_loops:
        return edge_index
    own = torch.arange(graph.num_nodes)
    return torch.cat([edge_index[:, edge_index[0] != edge_index[1]], own.expand(2, -1)], 1)
