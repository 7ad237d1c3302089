"""One self-contained page about a graph or a run: the map to walk about in, the verdict, samples, curves, downloads."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.plot.report.write import write_report
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["write_report"]
