"""Which end of an edge leads: held-out prediction by the neighbours' past."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.discovery.lagged.lagged_coupling import LaggedCoupling, lagged_coupling
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["LaggedCoupling", "lagged_coupling"]
