"""A claimed layout, and arrows to where channels fit better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from numpy.typing import ArrayLike
from torch import Tensor

from scge_pyg.plot.labels import label_nodes

__all__ = ["plot_layout"]

_FITS, _SUSPECT, _UNKNOWN = "#2a7f8e", "#c2452d", "0.75"
_ARROW: dict[str, Any] = {
    "arrowstyle": "-|>",
    "connectionstyle": "arc3,rad=0.18",
    "color": _SUSPECT,
    "linewidth": 1.3,
    "shrinkA": 5,
    "shrinkB": 5,
    "mutation_scale": 13,
    "zorder": 3,
}


def plot_layout(
    positions: Tensor | ArrayLike,
    best_place: Tensor | ArrayLike,
    suspicion: Tensor | ArrayLike,
    *,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Channels at their claimed places, suspects in red with an arrow to where they fit, those not judged in grey.

    The first coordinate runs to the right and the second up. Of three coordinates the one with the least extent is left
    out, which looks on an electrode cap from above.

    Args:
        positions: Claimed places ``[N, d]``, d from 1 to 3; channels without one are left out.
        best_place: The channel at whose place each one fits, ``[N]``; -1 where unknown.
        suspicion: ``[N]``, suspect above 0.5.
        labels: A text for each channel. Default: its number.
        title: Title of the axes, wrapped.

    Returns:
        The figure; ``figure.savefig("layout.png")`` writes it.

    Example:
        >>> figure = plot_layout([[0.0], [1.0], [2.0]], [1, 0, 2], [0.9, 0.9, 0.1], title="0 and 1 are swapped")
        >>> len(figure.axes[0].patches)
        2
    """
    places, best, doubt = (_array(values) for values in (positions, best_place, suspicion))
    if places.ndim != 2 or not len(places) == len(best) == len(doubt):
        raise ValueError(
            f"plot_layout: positions [N, d], best_place [N] and suspicion [N] must agree, got {list(places.shape)}, "
            f"{list(best.shape)} and {list(doubt.shape)}"
        )
    flat = _flat(places.astype(float))
    best = best.astype(int)
    shown = np.isfinite(flat).all(1)
    suspect = doubt > 0.5
    color = np.where(best < 0, _UNKNOWN, np.where(suspect, _SUSPECT, _FITS))
    figure = Figure(figsize=(7.0, 6.4), layout="constrained")
    ax = figure.add_subplot()
    ax.scatter(flat[shown, 0], flat[shown, 1], c=color[shown].tolist(), s=70, zorder=2, linewidths=0)
    moved = shown & suspect & (best >= 0) & (best != np.arange(len(best)))
    for channel in np.flatnonzero(moved).tolist():
        ax.add_patch(FancyArrowPatch(tuple(flat[channel]), tuple(flat[best[channel]]), **_ARROW))
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.08)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if title is not None:
        ax.set_title(title, wrap=True, fontsize=10)
    texts = [str(channel) for channel in range(len(places))] if labels is None else list(labels)
    label_nodes(ax, figure, flat[shown], [text for text, is_shown in zip(texts, shown, strict=True) if is_shown], 70.0)
    return figure


def _array(values: Tensor | ArrayLike) -> np.ndarray:
    return values.numpy(force=True) if isinstance(values, Tensor) else np.asarray(values)


def _flat(places: np.ndarray) -> np.ndarray:
    """Two coordinates to draw."""
    if places.shape[1] == 1:
        return np.concatenate([places, np.where(np.isfinite(places), 0.0, np.nan)], 1)
    if places.shape[1] == 2:
        return places
    extent = np.nanmax(places, 0) - np.nanmin(places, 0)
    return np.asarray(places[:, np.sort(np.argsort(-extent, kind="stable")[:2])])
