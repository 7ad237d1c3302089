"""The ``scge`` command."""

from scge_pyg.cli.command import main

__all__ = ["main"]
