"""Matplotlib figures of graphs, samples and results, which are returned and not shown, and the report as a page."""

try:
    import matplotlib as _matplotlib  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("scge_pyg.plot needs the extra 'plot': pip install 'scge-pyg[plot]'") from error

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.plot.colors import true_position_colors
    from scge_pyg.plot.curves import plot_curves
    from scge_pyg.plot.graphs import plot_graph
    from scge_pyg.plot.layouts import plot_layout
    from scge_pyg.plot.report import write_report
    from scge_pyg.plot.results import plot_accuracies, plot_overview
    from scge_pyg.plot.samples import plot_samples, put_back
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "plot_accuracies",
    "plot_curves",
    "plot_graph",
    "plot_layout",
    "plot_overview",
    "plot_samples",
    "put_back",
    "true_position_colors",
    "write_report",
]
