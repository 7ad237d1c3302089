"""CGAE: images as a few movable parts, each a place, a prototype and a linear code."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.models.cgae.code import Code
    from scge_pyg.models.cgae.collapse import most_alike, usage_entropy
    from scge_pyg.models.cgae.learning import PartsFit, fit_parts
    from scge_pyg.models.cgae.model import CGAE
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["CGAE", "Code", "PartsFit", "fit_parts", "most_alike", "usage_entropy"]
