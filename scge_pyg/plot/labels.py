"""Names beside the nodes of a drawn graph, where the text fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["label_nodes"]

_SIZES = (9.0, 8.0, 7.0, 6.0, 5.0)
_SIDES: tuple[tuple[tuple[int, int], Literal["center", "left", "right"], Literal["bottom", "top", "center"]], ...] = (
    ((0, 1), "center", "bottom"),
    ((0, -1), "center", "top"),
    ((1, 0), "left", "center"),
    ((-1, 0), "right", "center"),
)
_FEW = 64  # nodes, of which those are named whose text fits; of more nodes all or none
_MOST = 1000
_MARGIN = 1.1


def label_nodes(ax: Axes, figure: Figure, place: NDArray[np.float64], labels: Sequence[str], area: float) -> int:
    """Write a label beside each node, in the largest size at which none covers another or the middle of a node.

    If even the smallest size is too large, 64 nodes or fewer get the labels that fit, and more nodes get none.

    Args:
        ax: The axes, with the nodes on them.
        figure: The figure that they belong to.
        place: Where the nodes were drawn, ``[N, 2 or 3]`` in the units of the axes, in the order x, y, z.
        labels: One text a node.
        area: Area of a dot in square points.

    Returns:
        How many labels were written.
    """
    if not labels or len(labels) > _MOST:
        return 0
    figure.draw_without_rendering()  # settles the layout, without which nothing has a size
    points = figure.dpi / 72.0
    radius = (area**0.5 / 2 + 1.0) * points
    away = radius if place.shape[1] == 2 else 0.0
    node = _pixels(ax, place)
    extent = np.array([_extent(ax, label, _SIZES[0]) for label in labels]) * _MARGIN
    for size in _SIZES:
        side = _free_sides(node, extent * size / _SIZES[0], away, radius / 2)
        if (side >= 0).all():
            break
    if (side < 0).any() and len(labels) > _FEW:
        return 0
    style: dict[str, Any] = {"fontsize": size, "parse_math": False, "zorder": 3}
    style["path_effects"] = [patheffects.withStroke(linewidth=1.5, foreground="white")]
    for label, point, chosen in zip(labels, place.tolist(), side, strict=True):
        if chosen < 0:
            continue
        (right, up), ha, va = _SIDES[chosen]
        if len(point) == 3:
            ax.text(*point, label, ha=ha, va=va, **style)  # type: ignore[call-arg]
        else:
            shift = (right * away / points, up * away / points)
            ax.annotate(label, point, shift, textcoords="offset points", ha=ha, va=va, **style)
    return int((side >= 0).sum())


def _pixels(ax: Axes, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where places lie on the canvas, ``[N, 2]``."""
    if place.shape[1] == 3:
        from mpl_toolkits.mplot3d.proj3d import proj_transform  # type: ignore[import-untyped]

        x, y, _ = proj_transform(*place.T, ax.get_proj())  # type: ignore[attr-defined]
        place = np.stack([x, y], 1)
    pixels: NDArray[np.float64] = ax.transData.transform(place)
    return pixels


def _extent(ax: Axes, label: str, size: float) -> tuple[float, float]:
    """Width and height of a text in pixels."""
    text = ax.figure.text(0.0, 0.0, label, fontsize=size, parse_math=False)
    box = text.get_window_extent()
    text.remove()
    return box.width, box.height


def _free_sides(node: NDArray[np.float64], extent: NDArray[np.float64], away: float, core: float) -> NDArray[np.int64]:
    """For each node in turn, the first side on which its text covers no earlier text and no other node; -1 for none.

    Args:
        node: Nodes ``[N, 2]`` on the canvas.
        extent: Width and height of each text.
        away: How far from its node a text begins.
        core: Half the side of the square in the middle of a node that no text may cover.
    """
    side = np.full(len(node), -1)
    middle = np.full_like(node, np.inf)  # of the texts that have a side
    for j, size in enumerate(extent):
        others = np.arange(len(node)) != j
        for number, (direction, _, _) in enumerate(_SIDES):
            centre = node[j] + np.array(direction) * (away + size / 2)
            on_text = (np.abs(middle - centre) < (extent + size) / 2).all(1)
            on_node = (np.abs(node - centre) < core + size / 2).all(1) & others
            if not (on_text.any() or on_node.any()):
                side[j], middle[j] = number, centre
                break
    return side
