"""CGAE: images as a few movable parts, each a place, a prototype and a linear code."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.models.cgae.code import Code
    from scge_pyg.models.cgae.density.code_length import CodeLength, quantize
    from scge_pyg.models.cgae.density.constellation import Constellation
    from scge_pyg.models.cgae.encoders import ConvEncoder, EncoderFit, RecurrentEncoder, fit_encoder
    from scge_pyg.models.cgae.learning.collapse import most_alike, usage_entropy
    from scge_pyg.models.cgae.learning.estimators import RunningMean, importance_loss, posterior_loss, reinforce_loss
    from scge_pyg.models.cgae.learning.fit_parts import PartsFit, fit_parts
    from scge_pyg.models.cgae.learning.proposal_draws import draw_codes, relaxed_draws
    from scge_pyg.models.cgae.model import CGAE
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "CGAE",
    "Code",
    "CodeLength",
    "Constellation",
    "ConvEncoder",
    "EncoderFit",
    "PartsFit",
    "RecurrentEncoder",
    "RunningMean",
    "draw_codes",
    "fit_encoder",
    "fit_parts",
    "importance_loss",
    "most_alike",
    "posterior_loss",
    "quantize",
    "reinforce_loss",
    "relaxed_draws",
    "usage_entropy",
]
