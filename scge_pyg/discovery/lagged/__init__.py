"""Which end of an edge leads: held-out prediction by the neighbours' past."""

from scge_pyg.discovery.lagged.lagged_coupling import LaggedCoupling, lagged_coupling

__all__ = ["LaggedCoupling", "lagged_coupling"]
