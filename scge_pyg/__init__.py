"""Find the geometry of measurements with no known graph, and run PyTorch Geometric models on it."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.discovery import ModalityMixture, align, check_layout, discover
    from scge_pyg.graph import SharedGraph
    from scge_pyg.nn import (
        HebbianLoss,
        NodeCalibration,
        NodeEmbedding,
        OnSharedGraph,
        SCGEConv,
        fit_embedding,
        lower_to_conv,
    )
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "HebbianLoss",
    "ModalityMixture",
    "NodeCalibration",
    "NodeEmbedding",
    "OnSharedGraph",
    "SCGEConv",
    "SharedGraph",
    "align",
    "check_layout",
    "discover",
    "fit_embedding",
    "lower_to_conv",
]
__version__ = "0.1.0"
