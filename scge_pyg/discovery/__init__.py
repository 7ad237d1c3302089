"""Samples to geometry: signals, coupling, map, lattice."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.discovery.alignment import Alignment, align
    from scge_pyg.discovery.check_layout import check_layout
    from scge_pyg.discovery.couple import couple
    from scge_pyg.discovery.coupling.direct import direct_coupling, partial_correlation
    from scge_pyg.discovery.coupling.local import local_coupling
    from scge_pyg.discovery.discover import discover
    from scge_pyg.discovery.lagged import LaggedCoupling, lagged_coupling
    from scge_pyg.discovery.mixtures import ModalityMixture
    from scge_pyg.discovery.signals.moments import Moments
    from scge_pyg.discovery.signals.numbered import Numbered
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "Alignment",
    "LaggedCoupling",
    "ModalityMixture",
    "Moments",
    "Numbered",
    "align",
    "check_layout",
    "couple",
    "direct_coupling",
    "discover",
    "lagged_coupling",
    "local_coupling",
    "partial_correlation",
]
