"""Where channels are said to be: files of electrode caps, probes and sensor networks."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.io.layouts.layout import Layout
    from scge_pyg.io.layouts.reading import read_layout
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["Layout", "read_layout"]
