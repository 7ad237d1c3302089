"""Files and objects of the field, read into plain arrays with names; numpy and nothing of ours."""

from scge_pyg.io.layouts import Layout, read_layout
from scge_pyg.io.readers import read
from scge_pyg.io.signals import Signals

__all__ = ["Layout", "Signals", "read", "read_layout"]
