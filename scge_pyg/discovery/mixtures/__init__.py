"""Piles of samples of several modalities."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.discovery.mixtures.modality_mixture import ModalityMixture
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["ModalityMixture"]
