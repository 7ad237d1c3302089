"""Find the geometry of measurements with no known graph, and run PyTorch Geometric models on it."""

from scge_pyg.graph import SharedGraph

__all__ = ["SharedGraph"]
__version__ = "0.1.0"
