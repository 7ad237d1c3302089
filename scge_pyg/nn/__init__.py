"""Layers on a shared graph."""

from scge_pyg.nn.scge_conv import SCGEConv

__all__ = ["SCGEConv"]
