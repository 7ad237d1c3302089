"""Autoencoders with a small, deterministic bottleneck: SCGE and what it is compared with."""

from scge_pyg.models.autoencoders.base import AutoEncoder

__all__ = ["AutoEncoder"]
