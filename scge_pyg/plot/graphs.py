"""A learned graph drawn at its own coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.plot.labels import label_nodes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_graph"]

_GAP = 2.0
_MOST_SPRINGS = 2000  # nodes of a part, two seconds


def plot_graph(
    graph: SharedGraph,
    color: Tensor | ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    edges: bool = True,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Nodes at their learned coordinates, joined by the graph's edges.

    The first coordinate runs down and the second to the right, as in an image. Components have coordinates of their
    own, so they are drawn side by side, the largest first and single nodes last. Nodes that are not live are left out.
    A graph without a geometry is drawn by springs along its edges (parts of more than 2,000 nodes in rows): who is
    joined to whom, and nothing of places.

    Args:
        graph: The graph.
        color: One value ``[N]`` or one colour ``[N, 3 or 4]`` per node, for instance from
            :func:`true_position_colors`. Default: the confidence in each node's place, with a colour bar.
        ax: Axes to draw on (three-dimensional ones for ``d = 3``). Default: a new figure.
        edges: Draw the edges as well.
        labels: A text for each node, such as ``graph.names``, written where it covers no other. Default: none.
        title: Title of the axes. Default: what the graph is.

    Returns:
        The figure; ``figure.savefig("graph.png")`` writes it.

    Example:
        >>> from scge_pyg import SharedGraph
        >>> figure = plot_graph(SharedGraph.from_grid((4, 5)))
        >>> figure.axes[0].get_title()
        '20 nodes, 31 edges, lattice 4 x 5'
    """
    if labels is not None and len(labels) != graph.num_nodes:
        raise ValueError(f"plot_graph: labels must be {graph.num_nodes} texts, one a node, got {len(labels)}")
    live = graph.live.numpy(force=True)
    axes_count = min(graph.pos.shape[1], 3) if graph.dim else 2
    if ax is None:
        figure = Figure(figsize=(6.4, 6.0), layout="constrained")
        ax = figure.add_subplot(projection="3d" if axes_count == 3 else None)
    else:
        root = ax.get_figure(root=True)
        if not isinstance(root, Figure):
            raise ValueError("plot_graph: ax must belong to a figure")
        figure = root
    ax.set_title(_describe(graph) if title is None else title)
    if not live.any():
        ax.text(0.5, 0.5, *("no live node",) if axes_count < 3 else (0.5, "no live node"), transform=ax.transAxes)
        return figure

    place = _side_by_side(graph)
    shown = place[live]
    values = graph.confidence.numpy(force=True) if color is None else _as_colors(color, graph.num_nodes)
    options: dict[str, Any] = {"c": values[live], "s": _marker_area(shown, ax, figure), "zorder": 2, "linewidths": 0}
    if values.ndim == 1:
        options |= {"cmap": "viridis", **({"vmin": 0.0, "vmax": 1.0} if color is None else {})}
    if edges and graph.num_edges:
        _draw_edges(ax, graph, place)
    if axes_count == 3:
        points = ax.scatter(*shown.T, **options)
    else:
        points = ax.scatter(shown[:, 1], shown[:, 0], **options)
        ax.invert_yaxis()
        ax.set_aspect("equal")
        _label(ax, graph)
    if color is None:
        figure.colorbar(points, ax=ax, label="confidence", shrink=0.7)
    if labels is not None:
        texts = [label for label, lives in zip(labels, live, strict=True) if lives]
        label_nodes(ax, figure, shown if axes_count == 3 else shown[:, ::-1], texts, options["s"])
    return figure


def _describe(graph: SharedGraph) -> str:
    if graph.dim == 0:
        kind = "no geometry"
    elif graph.lattice is None:
        kind = f"dimension {graph.dim}, no lattice"
    else:
        kind = "lattice " + " x ".join(map(str, graph.lattice.shape))
    dead = graph.num_nodes - int(graph.live.sum())
    return f"{graph.num_nodes} nodes{f' ({dead} dead)' if dead else ''}, {graph.num_undirected_edges} edges, {kind}"


def _side_by_side(graph: SharedGraph) -> NDArray[np.float64]:
    """Coordinates ``[N, 2 or 3]``, one component beside the other, single nodes last; a chain lies on a line."""
    pos = graph.pos[:, :3].double().numpy(force=True).copy() if graph.dim else _springs(graph)
    if pos.shape[1] == 1:
        pos = np.concatenate([np.zeros_like(pos), pos], 1)
        pos[np.isnan(pos[:, 1])] = np.nan
    group = graph.component.clamp(max=len(graph.part_dim)).numpy(force=True)
    right = None
    for number in range(group.max() + 1):
        member = group == number
        low = np.nanmin(pos[member], 0)
        if right is not None:
            pos[member] -= low
            pos[member, 1] += right + _GAP
        right = np.nanmax(pos[member, 1])
    return pos


def _springs(graph: SharedGraph) -> NDArray[np.float64]:
    """Places ``[N, 2]``, about one apart: springs along the edges of a part, rows for single nodes and large parts."""
    import networkx

    component = graph.component.numpy(force=True)
    whole = graph.to_networkx()
    place = np.full((len(component), 2), np.nan)
    for number in range(len(graph.part_dim) + 1):
        nodes = np.flatnonzero(component == number if number < len(graph.part_dim) else component >= number)
        side = np.sqrt(len(nodes))
        if number == len(graph.part_dim) or len(nodes) > _MOST_SPRINGS:
            place[nodes] = np.stack(np.divmod(np.arange(len(nodes)), max(1, int(side))), 1)
            continue
        steps = min(50, 20_000 // len(nodes))
        found = networkx.spring_layout(whole.subgraph(nodes.tolist()), iterations=steps, seed=0, scale=side / 2)
        place[nodes] = [found[node] for node in nodes.tolist()]
    return place


def _draw_edges(ax: Axes, graph: SharedGraph, place: NDArray[np.float64]) -> None:
    pairs = np.unique(np.sort(graph.edge_index.numpy(force=True), 0), axis=1)
    segments = place[pairs.T]
    segments = segments[np.isfinite(segments).all((1, 2))]
    style: dict[str, Any] = {"colors": "0.6", "linewidths": 0.6, "zorder": 1}
    if place.shape[1] == 3:
        from mpl_toolkits.mplot3d.art3d import Line3DCollection  # type: ignore[import-untyped]

        ax.add_collection(Line3DCollection(list(segments), **style))
    else:
        ax.add_collection(LineCollection(list(segments[:, :, ::-1]), **style))


def _as_colors(color: Tensor | ArrayLike, num_nodes: int) -> NDArray[Any]:
    values = color.numpy(force=True) if isinstance(color, Tensor) else np.asarray(color)
    if values.shape[:1] != (num_nodes,) or values.ndim > 2 or (values.ndim == 2 and values.shape[1] not in (3, 4)):
        raise ValueError(
            f"plot_graph: color must be [{num_nodes}] values or [{num_nodes}, 3 or 4] colours, got {list(values.shape)}"
        )
    return values


def _marker_area(place: NDArray[np.float64], ax: Axes, figure: Figure) -> float:
    """Area of a dot, in square points, that covers about half of the distance between neighbours."""
    extent = float(np.ptp(place[:, :2], axis=0).max()) + 1.0
    box = ax.get_position()
    inches = min(box.width * figure.get_figwidth(), box.height * figure.get_figheight())
    return float(np.clip((0.6 * 72 * inches / extent) ** 2, 2.0, 120.0))


def _label(ax: Axes, graph: SharedGraph) -> None:
    if graph.dim == 0:
        ax.set_xticks([])
        ax.set_yticks([])
        return
    if graph.pos.shape[1] == 1:
        ax.set_xlabel("learned coordinate (node spacings)")
        ax.set_yticks([])
        ax.set_ylim(1.0, -1.0)
        return
    ax.set_xlabel("second learned coordinate")
    ax.set_ylabel("first learned coordinate")
