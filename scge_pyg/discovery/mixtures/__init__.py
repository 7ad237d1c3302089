"""Piles of samples of several modalities."""

from scge_pyg.discovery.mixtures.modality_mixture import ModalityMixture

__all__ = ["ModalityMixture"]
