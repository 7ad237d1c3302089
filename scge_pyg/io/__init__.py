"""Files and objects of the field, read into plain arrays with names; numpy and nothing of ours."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.io.layouts import Layout, read_layout
    from scge_pyg.io.readers import read
    from scge_pyg.io.signals import Signals
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["Layout", "Signals", "read", "read_layout"]
