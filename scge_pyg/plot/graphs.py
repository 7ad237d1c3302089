"""A learned graph drawn at its own coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from scge_pyg.graph import SharedGraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_graph"]

_GAP = 2.0


def plot_graph(
    graph: SharedGraph,
    color: Tensor | ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    edges: bool = True,
    title: str | None = None,
) -> Figure:
    """Nodes at their learned coordinates, joined by the graph's edges.

    The first coordinate runs down and the second to the right, as in an image. Components have coordinates of their
    own, so they are drawn side by side, the largest first. Nodes that are not live are left out.

    Args:
        graph: The graph.
        color: One value ``[N]`` or one colour ``[N, 3 or 4]`` per node, for instance from
            :func:`true_position_colors`. Default: the confidence in each node's place, with a colour bar.
        ax: Axes to draw on (three-dimensional ones for ``d = 3``). Default: a new figure.
        edges: Draw the edges as well.
        title: Title of the axes. Default: what the graph is.

    Returns:
        The figure; ``figure.savefig("graph.png")`` writes it.

    Example:
        >>> from scge_pyg import SharedGraph
        >>> figure = plot_graph(SharedGraph.from_grid((4, 5)))
        >>> figure.axes[0].get_title()
        '20 nodes, 31 edges, lattice 4 x 5'
    """
    live = graph.live.numpy(force=True)
    axes_count = min(graph.pos.shape[1], 3)
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
    return figure


def _describe(graph: SharedGraph) -> str:
    if graph.lattice is None:
        kind = f"dimension {graph.dim}, no lattice"
    else:
        kind = "lattice " + " x ".join(map(str, graph.lattice.shape))
    dead = graph.num_nodes - int(graph.live.sum())
    return f"{graph.num_nodes} nodes{f' ({dead} dead)' if dead else ''}, {graph.num_edges // 2} edges, {kind}"


def _side_by_side(graph: SharedGraph) -> NDArray[np.float64]:
    """Coordinates ``[N, 2 or 3]``, one component to the right of the other; a chain lies on a line."""
    pos = graph.pos[:, :3].double().numpy(force=True).copy()
    if pos.shape[1] == 1:
        pos = np.concatenate([np.zeros_like(pos), pos], 1)
        pos[np.isnan(pos[:, 1])] = np.nan
    component = graph.component.numpy(force=True)
    names, sizes = np.unique(component[component >= 0], return_counts=True)
    right = None
    for name in names[np.argsort(-sizes, kind="stable")]:
        member = component == name
        low = np.nanmin(pos[member], 0)
        if right is not None:
            pos[member] -= low
            pos[member, 1] += right + _GAP
        right = np.nanmax(pos[member, 1])
    return pos


def _draw_edges(ax: Axes, graph: SharedGraph, place: NDArray[np.float64]) -> None:
    source, target = graph.edge_index.numpy(force=True)
    once = (source < target) & np.isfinite(place[source]).all(1) & np.isfinite(place[target]).all(1)
    segments = np.stack([place[source[once]], place[target[once]]], 1)
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
    if graph.pos.shape[1] == 1:
        ax.set_xlabel("learned coordinate (node spacings)")
        ax.set_yticks([])
        ax.set_ylim(1.0, -1.0)
        return
    ax.set_xlabel("second learned coordinate")
    ax.set_ylabel("first learned coordinate")
