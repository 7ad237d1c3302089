"""Operators of the survey on a shared graph."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.zoo.operators.gwnn_conv import GWNNConv
    from scge_pyg.zoo.operators.sgwt import SGWT
    from scge_pyg.zoo.operators.sgwt_conv import SGWTConv
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["SGWT", "GWNNConv", "SGWTConv"]
