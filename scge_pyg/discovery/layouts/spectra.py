"""Correlation matrices as a coupling and the spectra of the channels would give them by chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

__all__ = ["Spectra", "drawn_correlations", "spectra_of"]

_BANDS = 8
_SMALLEST = 1e-6


class Spectra(NamedTuple):
    """Bands of equal power of all channels together: power of each channel in each, and frequencies that each holds."""

    power: np.ndarray
    frequencies: np.ndarray

    @property
    def overlap(self) -> np.ndarray:
        """Correlation ``[N, N]`` of channels that are the same but for their spectra."""
        root = np.sqrt(self.power)
        return np.asarray(root @ root.T)


def spectra_of(signals: np.ndarray) -> Spectra:
    """Spectra of ``signals [N, S]``, in up to 8 bands.

    Example:
        >>> noise = np.random.default_rng(0).standard_normal((3, 2000))
        >>> spectra = spectra_of(noise)
        >>> spectra.power.shape, int(spectra.frequencies.sum())
        ((3, 8), 1000)
    """
    centred = signals - signals.mean(1, keepdims=True)
    power = np.abs(np.fft.rfft(centred, axis=1)[:, 1:]) ** 2
    power /= power.sum(1, keepdims=True)
    share = power.mean(0).cumsum()
    bands = max(1, min(_BANDS, power.shape[1] // 2))
    edge = np.unique(np.searchsorted(share, np.arange(1, bands) / bands * share[-1]) + 1)
    edge = np.concatenate([[0], edge[edge < power.shape[1]]])
    return Spectra(np.add.reduceat(power, edge, 1), np.diff(edge, append=power.shape[1]))


def drawn_correlations(coupling: np.ndarray, spectra: Spectra, rng: Generator) -> np.ndarray:
    r"""Correlations ``[B, N, N]`` of signals with the couplings ``[B, N, N]`` and these spectra, one draw each.

    A band with m frequencies and power :math:`p_i` of channel i adds :math:`\sqrt{p_i p_j} W_{ij} / 2 m`, where W has
    Wishart's distribution with 2 m degrees of freedom: what 2 m Gaussian amplitudes add up to (drawn by Bartlett's
    decomposition, or one by one where there are at most N). Negative eigenvalues of the couplings are set to 0 first.

    Cost: :math:`O(N^3)` a band and draw.
    """
    count, size, _ = coupling.shape
    place = np.arange(size)
    value, vector = np.linalg.eigh(coupling / np.maximum(spectra.overlap, _SMALLEST))
    root = vector * np.sqrt(np.maximum(value, _SMALLEST))[:, None]
    root = (root / np.sqrt((root**2).sum(2, keepdims=True))).astype(np.float32)
    total = np.zeros_like(coupling)
    for power, frequencies in zip(spectra.power.T, spectra.frequencies.tolist(), strict=True):
        amplitudes = 2 * frequencies
        if amplitudes <= size:
            factor = rng.standard_normal((count, size, amplitudes), dtype=np.float32)
        else:
            factor = np.tril(rng.standard_normal((count, size, size), dtype=np.float32), -1)
            factor[:, place, place] = np.sqrt(rng.chisquare(amplitudes - place, (count, size)))
        part = root @ factor * np.sqrt(power / amplitudes)[:, None].astype(np.float32)
        total += part @ part.swapaxes(1, 2)
    scale = np.sqrt(np.diagonal(total, axis1=1, axis2=2))
    return np.asarray(total / scale[:, :, None] / scale[:, None])
