"""One geometry laid on another."""

from scge_pyg.discovery.alignment.align import Alignment, align

__all__ = ["Alignment", "align"]
