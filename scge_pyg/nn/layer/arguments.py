"""The arguments of a layer: node sets, and what contradicts what."""

from __future__ import annotations

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.trained.node_embedding import NodeEmbedding

__all__ = ["NodeSet", "check_arguments", "check_sizes", "dim_of", "resolve_nodes"]

NodeSet = SharedGraph | NodeEmbedding


def resolve_nodes(
    nodes: NodeSet | tuple[NodeSet, NodeSet] | None, num_nodes: int | None, embedding_dim: int
) -> tuple[NodeSet, NodeSet]:
    """The pair (source, target) that a user means; the same object twice for a square layer."""
    if nodes is None and num_nodes is not None:
        fresh = NodeEmbedding(num_nodes, embedding_dim)
        return fresh, fresh
    if nodes is None or num_nodes is not None:
        raise ValueError(
            f"SCGEConv: give either nodes or num_nodes (a fresh NodeEmbedding), got nodes={nodes!r} and "
            f"num_nodes={num_nodes!r}"
        )
    pair = nodes if isinstance(nodes, tuple) else (nodes, nodes)
    if len(pair) != 2 or not all(isinstance(one, SharedGraph | NodeEmbedding) for one in pair):
        raise TypeError(
            f"SCGEConv: nodes must be a SharedGraph, a NodeEmbedding, or a pair (source, target) of them, "
            f"got {type(nodes).__name__}"
        )
    for one in pair:
        if isinstance(one, SharedGraph) and not one.pos.shape[1]:
            raise ValueError(
                f"SCGEConv: {one} has no geometry (dim 0, pos without columns), and a kernel needs offsets between "
                f"nodes; run a PyG operator on its edges, OnSharedGraph(GATConv(...), graph), or draw a map anyway "
                f"with discover(x, dim=2)"
            )
    return pair


def dim_of(nodes: NodeSet) -> int:
    """Number of coordinates of a node set."""
    return nodes.dim if isinstance(nodes, NodeEmbedding) else nodes.pos.shape[1]


def check_sizes(sizes: dict[str, int], content: str | None) -> None:
    """Refuse sizes, by name, that are no positive integers, and heads that nothing would tell apart."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"SCGEConv: {name} must be a positive integer, got {value!r}")
    if sizes["heads"] > 1 and content is None:
        raise ValueError(f"SCGEConv: heads={sizes['heads']} would all be alike without content; use content or heads=1")


def check_arguments(
    source: NodeSet,
    target: NodeSet,
    fixed: bool,
    neighbors: str,
    kernel: str | None,
    k: int | None,
    tau: float | None,
    symmetric: bool,
) -> None:
    """Refuse arguments of a layer that contradict each other."""
    if dim_of(source) != dim_of(target):
        raise ValueError(
            f"SCGEConv: source has {dim_of(source)} coordinates and target {dim_of(target)}; a bipartite layer needs "
            f"both node sets in one frame, as coarsen returns them"
        )
    if neighbors not in ("support", "nearest", "edges"):
        raise ValueError(f"SCGEConv: neighbors must be 'support', 'nearest', 'edges' or None, got {neighbors!r}")
    if neighbors == "edges" and not fixed:
        raise ValueError("SCGEConv: neighbors='edges' needs a fixed geometry; places that move take 'nearest'")
    if neighbors == "support" and not fixed and kernel != "points":
        raise ValueError(f"SCGEConv: neighbors='support' on a NodeEmbedding takes kernel='points', got {kernel!r}")
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
