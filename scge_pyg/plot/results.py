"""Results drawn beside the pictures they belong to: accuracies as bars, and the whole story in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.plot.colors import true_position_colors
from scge_pyg.plot.graphs import plot_graph
from scge_pyg.plot.samples import put_back, to_pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_accuracies", "plot_overview"]

_GEOMETRY, _NO_GEOMETRY = "#1a7f8e", "#b8b8b8"


def plot_accuracies(
    accuracies: Mapping[str, Sequence[float]],
    *,
    chance: float | None = None,
    highlight: Sequence[str] = (),
    ax: Axes | None = None,
    title: str | None = None,
) -> Figure:
    """One horizontal bar per model: mean accuracy over its seeds, with the single seeds as dots.

    Args:
        accuracies: Model name and its test accuracies in [0, 1], one per seed.
        chance: Accuracy of guessing, drawn as a dashed line.
        highlight: Names of the bars to draw in colour.
        ax: Axes to draw on. Default: a new figure.
        title: Title of the axes.

    Returns:
        The figure.

    Example:
        >>> figure = plot_accuracies({"MLP": [0.71, 0.69], "CNN": [0.88, 0.90]}, chance=0.25)
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['MLP', 'CNN']
    """
    if ax is None:
        figure = Figure(figsize=(6.0, 0.55 * len(accuracies) + 1.0), layout="constrained")
        ax = figure.add_subplot()
    else:
        root = ax.get_figure(root=True)
        if not isinstance(root, Figure):
            raise ValueError("plot_accuracies: ax must belong to a figure")
        figure = root
    names = list(accuracies)
    means = [100 * float(np.mean(accuracies[name])) for name in names]
    colors = [_GEOMETRY if name in highlight else _NO_GEOMETRY for name in names]
    ax.barh(names, means, color=colors, height=0.62)
    for line, name in enumerate(names):
        ax.plot(100 * np.asarray(accuracies[name]), [line] * len(accuracies[name]), ".", color="0.15", markersize=4)
        ax.text(100 * max(accuracies[name]) + 2, line, f"{means[line]:.1f} %", va="center")
    if chance is not None:
        ax.axvline(100 * chance, color="0.3", linestyle="--", linewidth=0.9)
        ax.annotate("chance", (100 * chance, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom", size=8)
    ax.invert_yaxis()
    ax.set_xlim(0, 116)
    ax.set_xticks(range(0, 101, 20))
    ax.set_xlabel("test accuracy (%)")
    ax.spines[["top", "right"]].set_visible(False)
    if title:
        ax.set_title(title)
    return figure


def plot_overview(
    shuffled: Tensor,
    graph: SharedGraph,
    true_cells: Tensor,
    accuracies: Mapping[str, Sequence[float]],
    *,
    shape: tuple[int, int],
    chance: float | None = None,
    highlight: Sequence[str] = (),
    task: str = "Accuracy",
    title: str | None = None,
) -> Figure:
    """The whole story from left to right: shuffled input, learned graph, samples put back, accuracies.

    Args:
        shuffled: Four or more samples ``[S, N, C]`` over the shuffled nodes; four are drawn.
        graph: What was discovered from such samples.
        true_cells: True places ``[N, 2]`` of the shuffled nodes; they colour the graph and turn the images upright.
        accuracies: As for :func:`plot_accuracies`.
        shape: Height and width in which the shuffled samples are drawn, row by row.
        chance: Accuracy of guessing.
        highlight: Bars to draw in colour.
        task: What the bars are about.
        title: Title of the figure.

    Returns:
        A landscape figure.
    """
    figure = Figure(figsize=(15.0, 4.1), layout="constrained")
    left, middle, right, bars = figure.subfigures(1, 4, squeeze=False, width_ratios=[3.0, 3.6, 3.0, 4.8])[0]
    before = shuffled.transpose(1, 2).unflatten(2, shape)
    for part, images, text in (
        (left, before, "1. Input: pixels in an unknown order"),
        (right, put_back(graph, shuffled, true_cells), "3. The same samples, put back"),
    ):
        part.suptitle(text, fontsize=11)
        for ax, picture in zip(part.subplots(2, 2).flat, to_pictures(images[:4]), strict=True):
            ax.imshow(picture, interpolation="nearest")
            ax.set_axis_off()
    middle.suptitle("2. Discovered graph, coloured by true place", fontsize=11)
    ax = middle.subplots()
    plot_graph(graph, true_position_colors(true_cells), ax=ax, title="")
    ax.set_axis_off()
    bars.suptitle(f"4. {task}", fontsize=11)
    plot_accuracies(accuracies, chance=chance, highlight=highlight, ax=bars.subplots())
    if title:
        figure.suptitle(title, fontweight="bold")
    return figure
