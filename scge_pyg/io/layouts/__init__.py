"""Where channels are said to be: files of electrode caps, probes and sensor networks."""

from scge_pyg.io.layouts.layout import Layout
from scge_pyg.io.layouts.reading import read_layout

__all__ = ["Layout", "read_layout"]
