"""Files and objects of the field, read into plain arrays with names; numpy and nothing of ours."""

from scge_pyg.io.layouts import Layout, read_layout

__all__ = ["Layout", "read_layout"]
