"""Curves of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

__all__ = ["plot_curves"]

_COLUMNS = 3


def plot_curves(metrics: Mapping[str, Sequence[tuple[int, float]]], *, title: str | None = None) -> Figure:
    """One panel for each quantity over the steps; those that differ in their first word, as ``val_loss``, share one.

    Args:
        metrics: Steps and values by name, ``train_``, ``val_`` or ``test_`` in front.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no metric.

    Example:
        >>> found = {"train_loss": [(0, 2.0), (9, 1.0)], "val_loss": [(9, 1.2)], "val_accuracy": [(9, 0.5)]}
        >>> figure = plot_curves(found)
        >>> [ax.get_title() for ax in figure.axes]
        ['loss', 'accuracy']
    """
    if not metrics:
        raise ValueError("plot_curves: metrics must hold at least one series of (step, value), got none")
    panels: dict[str, list[str]] = {}
    for name in metrics:
        panels.setdefault(name.partition("_")[2] or name, []).append(name)
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.0 * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax, (quantity, names) in zip(axes, panels.items(), strict=False):
        for name in names:
            steps, values = zip(*metrics[name], strict=True)
            ax.plot(steps, values, marker="o" if len(steps) < 40 else "", markersize=3, label=name.partition("_")[0])
        ax.set_title(quantity)
        ax.set_xlabel("step")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
    for ax in axes[len(panels) :]:
        ax.remove()
    if title:
        figure.suptitle(title)
    return figure
