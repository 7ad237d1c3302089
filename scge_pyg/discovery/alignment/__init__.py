"""One geometry laid on another."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.discovery.alignment.align import Alignment, align
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["Alignment", "align"]
