"""Models that make data on a geometry."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.zoo.generative.folding_net import FoldingNet, chamfer_distance, local_covariance
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["FoldingNet", "chamfer_distance", "local_covariance"]
