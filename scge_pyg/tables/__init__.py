"""Measurements in tables: which columns they are, what their header says, and text tables as samples of nodes."""

__all__: list[str] = []
