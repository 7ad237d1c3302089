"""Names beside the nodes of a drawn graph, where the text fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["label_nodes"]

_SIZES = (9.0, 8.0, 7.0, 6.0, 5.0)
_FEW = 64  # nodes, of which those are named whose text fits; of more nodes all or none
_MOST = 1000
_MARGIN = 1.1


def label_nodes(ax: Axes, figure: Figure, place: NDArray[np.float64], labels: Sequence[str], area: float) -> int:
    """Write a label above each node, in the largest size at which none covers another.

    If even the smallest size is too large, 64 nodes or fewer get the labels that don't cover an earlier one, and more
    nodes get none.

    Args:
        ax: The axes, with the nodes on them.
        figure: The figure that they belong to.
        place: Where the nodes were drawn, ``[N, 2 or 3]`` in the units of the axes, in the order x, y, z.
        labels: One text a node.
        area: Area of a dot in square points.

    Returns:
        How many labels were written.
    """
    if len(labels) > _MOST:
        return 0
    figure.draw_without_rendering()  # settles the layout, without which nothing has a size
    points = figure.dpi / 72.0
    lift = (area**0.5 / 2 + 1.0) * points if place.shape[1] == 2 else 0.0
    anchor = _pixels(ax, place) + np.array([0.0, lift])
    extent = np.array([_extent(ax, label, _SIZES[0]) for label in labels]).reshape(-1, 2) * _MARGIN
    for size in _SIZES:
        covered = _covered(anchor, extent * size / _SIZES[0])
        if not covered.any():
            break
    if covered.any() and len(labels) > _FEW:
        return 0
    style: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": size, "parse_math": False, "zorder": 3}
    style["path_effects"] = [patheffects.withStroke(linewidth=1.5, foreground="white")]
    free = [(label, point) for label, point, hidden in zip(labels, place.tolist(), covered, strict=True) if not hidden]
    for label, point in free:
        if len(point) == 3:
            ax.text(*point, label, **style)  # type: ignore[call-arg]
        else:
            ax.annotate(label, point, (0.0, lift / points), textcoords="offset points", **style)
    return len(free)


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


def _covered(anchor: NDArray[np.float64], extent: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which texts, standing on their anchors, overlap an earlier one that is itself free."""
    gap = np.abs(anchor[:, None] - anchor[None])
    reach = np.stack([(extent[:, None, 0] + extent[None, :, 0]) / 2, _below(anchor, extent)], 2)
    overlap = np.logical_and.reduce(gap < reach, axis=2)
    covered = np.zeros(len(anchor), dtype=bool)
    for j in range(len(anchor)):
        covered[j] = bool((overlap[j, :j] & ~covered[:j]).any())
    return covered


def _below(anchor: NDArray[np.float64], extent: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each pair, the height of the text that stands lower."""
    lower = anchor[:, None, 1] <= anchor[None, :, 1]
    return np.where(lower, extent[:, None, 1], extent[None, :, 1])
