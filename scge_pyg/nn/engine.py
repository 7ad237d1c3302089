"""From the arguments of a layer to what computes it: fixed tap tables, or attention over a table of neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.content import ContentScore
from scge_pyg.nn.estimators import make_estimator
from scge_pyg.nn.kernel import KernelMLP, KernelPoints, kernel_points
from scge_pyg.nn.neighbor_attention import NeighborAttention
from scge_pyg.nn.neighborhood import FixedPlaces, Neighborhood, edge_table, support_table
from scge_pyg.nn.node_embedding import NodeEmbedding
from scge_pyg.nn.tap_product import TapProduct
from scge_pyg.nn.tap_table import build_taps, shared_lattices, tap_spacing

__all__ = ["Engine", "NodeSet", "build_engine", "resolve_nodes"]

NodeSet = SharedGraph | NodeEmbedding
_DENSE = ("soft",)


class Engine(NamedTuple):
    """What computes a layer.

    Attributes:
        product: The module.
        kernel_size: Taps along each axis.
        dilation: Their distance along each axis.
        gain: Factor on the start of the weights that makes up for attention weights that sum to 1.
    """

    product: TapProduct | NeighborAttention
    kernel_size: tuple[int, ...]
    dilation: tuple[int, ...]
    gain: float


def resolve_nodes(
    nodes: NodeSet | tuple[NodeSet, NodeSet] | None, num_nodes: int | None, embedding_dim: int
) -> tuple[NodeSet, NodeSet]:
    """The pair (source, target) that a user means; the same object twice for a square layer."""
    if (nodes is None) == (num_nodes is None):
        raise ValueError(
            f"SCGEConv: give either nodes or num_nodes (a fresh NodeEmbedding), got nodes={nodes!r} and "
            f"num_nodes={num_nodes!r}"
        )
    if nodes is None:
        nodes = NodeEmbedding(num_nodes, embedding_dim)  # type: ignore[arg-type]
    pair = nodes if isinstance(nodes, tuple) else (nodes, nodes)
    if len(pair) != 2 or not all(isinstance(one, SharedGraph | NodeEmbedding) for one in pair):
        raise TypeError(
            f"SCGEConv: nodes must be a SharedGraph, a NodeEmbedding, or a pair (source, target) of them, "
            f"got {type(nodes).__name__}"
        )
    return pair


def _dim(nodes: NodeSet) -> int:
    return nodes.dim if isinstance(nodes, NodeEmbedding) else nodes.pos.shape[1]


def _modules(source: NodeSet, target: NodeSet) -> tuple[torch.nn.Module, torch.nn.Module]:
    fixed = isinstance(source, SharedGraph) and isinstance(target, SharedGraph)
    spacing = torch.ones(_dim(source), dtype=torch.float64)
    if fixed and shared_lattices(source, target) is None:  # type: ignore[arg-type]
        spacing = tap_spacing(source, target)  # type: ignore[arg-type]
    made: list[torch.nn.Module] = []
    for nodes in (source, target):
        if made and target is source:
            return made[0], made[0]
        made.append(nodes if isinstance(nodes, NodeEmbedding) else FixedPlaces(nodes.pos, nodes.live, spacing))
    return made[0], made[1]


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
    fixed = isinstance(source, SharedGraph) and isinstance(target, SharedGraph)
    if neighbors is None:
        neighbors = "support" if fixed and k is None else "nearest"
    _check(source, target, fixed, neighbors, kernel, k, tau, symmetric)
    lattices = shared_lattices(source, target) if fixed else None  # type: ignore[arg-type]
    dim = _dim(source) if lattices is None else lattices[0].dim
    plain = fixed and neighbors == "support" and kernel == "points" and not train_points and content is None
    points = kernel_points(kernel_size, dim if plain else _dim(source), dilation)
    per_axis = [(v,) * points.shape[1] if isinstance(v, int) else tuple(v) for v in (kernel_size, dilation)]
    if plain:
        return Engine(TapProduct(build_taps(source, target, points)), per_axis[0], per_axis[1], 1.0)  # type: ignore[arg-type]
    modules = _modules(source, target)
    reach = points.abs().amax(0) + 1
    function: torch.nn.Module | None = None
    if kernel == "points":
        function = KernelPoints(points, train_points)
    elif kernel == "mlp":
        function = KernelMLP(points.shape[1], points.shape[0], float(reach.norm()))
    live = [(source.live if one is source else target.live).cpu() for one in (source, target)]
    tau = (1.0 if neighbors == "nearest" else math.inf) if tau is None else tau
    score = None if content is None else ContentScore(content, in_channels, heads, head_channels)
    chooser: torch.nn.Module | None = None
    if neighbors == "nearest":
        k = min(points.shape[0] if k is None else k, int(live[0].sum()))
        every = estimator in _DENSE or k == int(live[0].sum())
        chooser = make_estimator("soft", k, max_sources=2**62) if every and estimator != "soft" else None
        chooser = make_estimator(estimator, k) if chooser is None else chooser
        width = int(live[0].sum()) if every else min(int(live[0].sum()), max(k, candidates or 4 * k))
        table = (
            None
            if every and bool(live[0].all()) and bool(live[1].all())
            else _nearest(width, modules, live, source is target)
        )
        count = k
    else:
        if neighbors == "support":
            index, valid = support_table(modules[1](), modules[0](), live[1], live[0], reach.double())
        else:
            index, valid = edge_table(_wiring(source, self_loops), target.num_nodes)  # type: ignore[arg-type]
        table = Neighborhood(*_with_own(index, valid, live, source is target))
        count = table.index.shape[1]
    normalised = content is not None or chooser is not None
    taps = 1 if function is None else points.shape[0]
    gain = math.sqrt(taps * min(count, taps)) if normalised else 1.0
    product = NeighborAttention(*modules, table, function, chooser, tau, score, symmetric)
    return Engine(product, per_axis[0], per_axis[1], gain)


def _check(
    source: NodeSet,
    target: NodeSet,
    fixed: bool,
    neighbors: str,
    kernel: str | None,
    k: int | None,
    tau: float | None,
    symmetric: bool,
) -> None:
    if _dim(source) != _dim(target):
        raise ValueError(
            f"SCGEConv: source has {_dim(source)} coordinates and target {_dim(target)}; a bipartite layer needs "
            f"both node sets in one frame, as coarsen returns them"
        )
    if neighbors not in ("support", "nearest", "edges"):
        raise ValueError(f"SCGEConv: neighbors must be 'support', 'nearest', 'edges' or None, got {neighbors!r}")
    if neighbors != "nearest" and not fixed:
        raise ValueError(f"SCGEConv: neighbors={neighbors!r} needs a fixed geometry; a NodeEmbedding takes 'nearest'")
    if neighbors == "edges" and source is not target:
        raise ValueError("SCGEConv: neighbors='edges' needs one graph, not a pair")
    if kernel not in ("points", "mlp", None):
        raise ValueError(f"SCGEConv: kernel must be 'points', 'mlp' or None, got {kernel!r}")
    if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1 or neighbors != "nearest"):
        raise ValueError(f"SCGEConv: k must be a positive integer, and goes with neighbors='nearest'; got {k!r}")
    if k is not None and k > int(source.live.sum()):
        raise ValueError(f"SCGEConv: k={k} neighbours are more than the {int(source.live.sum())} live source nodes")
    if tau is not None and not tau > 0:
        raise ValueError(f"SCGEConv: tau must be positive, got {tau!r}")
    if symmetric and (source is not target or neighbors != "nearest"):
        raise ValueError("SCGEConv: symmetric goes with one node set and neighbours by distance")


def _nearest(
    width: int, modules: tuple[torch.nn.Module, torch.nn.Module], live: list[Tensor], square: bool
) -> Neighborhood:
    index = torch.zeros(live[1].numel(), width, dtype=torch.long)
    table = Neighborhood(*_with_own(index, torch.zeros_like(index, dtype=torch.bool), live, square))
    places, query = (module().detach().cpu() for module in modules)
    table.search(query, places, live[1], live[0])
    return table


def _with_own(index: Tensor, valid: Tensor, live: list[Tensor], square: bool) -> tuple[Tensor, Tensor]:
    """In a square layer, a node that isn't live hears itself alone."""
    dead = (~live[1]).nonzero().squeeze(1)
    if square and dead.numel():
        index, valid = index.cpu().clone(), valid.cpu().clone()
        index[dead], valid[dead] = 0, False
        index[dead, 0], valid[dead, 0] = dead, True
    return index, valid


def _wiring(graph: SharedGraph, self_loops: bool) -> Tensor:
    edge_index = graph.edge_index.cpu()
    if not self_loops:
        return edge_index
    own = torch.arange(graph.num_nodes)
    return torch.cat([edge_index[:, edge_index[0] != edge_index[1]], own.expand(2, -1)], 1)
