"""How many samples there really are, and which of them may judge a map drawn from the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["Split", "autocorrelation", "correlation_time", "effective_samples", "split_blocks"]

_FADED = 0.1
_FAINT = 0.25
_QUIET = 4
_FEWEST_BLOCKS = 8
_MOST_BLOCKS = 16
_VALUES = 2**20  # that are looked at at once
_ROWS = 256  # nodes, evenly spread, whose autocorrelation is looked at


@dataclass(frozen=True)
class Split:
    """Two sides of the samples that know nothing of each other.

    Attributes:
        block: Number of the block of each sample, ``[S]``; -1 where it lies too close to another block.
        num_blocks: Number of blocks; even ones are one side, odd ones the other.
        time: Samples until the signals have forgotten themselves; 1 for shuffled samples.
        effective: Effective number of samples, :math:`S / (1 + 2 \\sum \\rho_k^2)`.
        judged: Whether the recording is long enough for eight blocks.
    """

    block: np.ndarray
    num_blocks: int
    time: int
    effective: float
    judged: bool

    def side(self, which: int) -> np.ndarray:
        """Samples of side 0 or 1, ``[n]``."""
        return np.flatnonzero((self.block >= 0) & (self.block % 2 == which))


def autocorrelation(score: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    r"""Autocorrelation of each row, lags 0 to S - 1, by the fast Fourier transform with zero padding.

    .. math::
        \rho_k = \frac{1}{S - k} \sum_t z_t z_{t + k}

    Args:
        score: Rows ``[N, S]`` with mean 0 and variance 1.
        rows: Numbers of some of them ``[n]``. Default: all.

    Returns:
        ``[n, S]`` float64; lags beyond 3 S / 4, of which little is known, are left at 0.

    Example:
        >>> alternating = np.tile(np.array([1.0, -1.0], dtype=np.float32), 8)[None]
        >>> autocorrelation(alternating)[0, :3].round(4).tolist()
        [1.0, -1.0, 1.0]
    """
    samples = score.shape[1]
    size = 1 << (2 * samples - 1).bit_length()
    rows = np.arange(len(score)) if rows is None else rows
    rho = np.zeros((len(rows), samples))
    known = samples - samples // 4
    step = max(1, _VALUES // size)
    for first in range(0, len(rows), step):
        spectrum = torch.fft.rfft(torch.from_numpy(np.ascontiguousarray(score[rows[first : first + step]])), n=size)
        product = torch.fft.irfft(spectrum.abs().square(), n=size)[:, :known].numpy()
        rho[first : first + step, :known] = product / np.arange(samples, samples - known, -1)
    rho[:, :known] /= np.maximum(rho[:, :1], 1e-9)
    return rho


def correlation_time(rho: np.ndarray) -> int:
    r"""First lag from which on the median absolute autocorrelation stays faint for 4 lags, at least 1.

    Faint is below 0.1, or below what so few independent samples give by chance, :math:`1 / \sqrt{S_\text{eff}}`, but
    never above 0.25, unless independent samples exceed that. Rows that alternate between two recordings are unlike from
    one to the next, but not from one to the next but one.
    """
    step = max(1, _VALUES // len(rho))
    typical = np.concatenate([np.median(np.abs(rho[:, k : k + step]), 0) for k in range(0, rho.shape[1], step)])
    independent = 2.5 / np.sqrt(rho.shape[1])
    first = _settles(typical, max(_FADED, independent), 0)
    chance = 1 / np.sqrt(max(effective_samples(rho, first), 1.0))
    return _settles(typical, max(float(np.clip(chance, _FADED, _FAINT)), independent), _QUIET)


def _settles(typical: np.ndarray, level: float, quiet: int) -> int:
    """First lag from which on values stay below a level for so many lags."""
    above = typical >= level
    above[0] = True
    last = np.flatnonzero(above)
    return int(last[(np.diff(last, append=len(typical) + quiet + 1) > quiet + 1).argmax()]) + 1


def effective_samples(rho: np.ndarray, time: int) -> float:
    r"""Independent samples that tell as much about a correlation: :math:`S / (1 + 2 \sum_k \rho_k^2)` (Bartlett, 1946).

    The sum runs to four correlation times over the mean of :math:`\rho_k^2` over rows, less what S samples give by
    chance.

    Example:
        >>> independent = np.zeros((1, 100)); independent[0, 0] = 1
        >>> effective_samples(independent, 1)
        100.0
    """
    samples = rho.shape[1]
    reach = min(4 * time, samples - 1)
    if time <= 1:
        reach = min(1, samples - 1)
    square = np.maximum((rho[:, 1 : reach + 1].astype(float) ** 2).mean(0) - 1 / samples, 0)
    return float(samples / (1 + 2 * square.sum()))


def split_blocks(score: np.ndarray, number: np.ndarray) -> Split:
    """Blocks contiguous in time, at least eight, dealt alternately to two sides.

    Each is at least three correlation times long (two, where the recording gives no eight of three), and one such time
    is left out at each border. Where it is too short even for that, there are eight shorter ones and ``judged`` is
    False.

    Args:
        score: Normal scores ``[N, S]`` of one channel, 0 where missing.
        number: Number of each sample in the stream, ``[S]`` ascending.
    """
    rows = np.linspace(0, len(score) - 1, min(_ROWS, len(score))).astype(int)
    samples = score.shape[1]
    rho = autocorrelation(score, rows)
    time = correlation_time(rho)
    count = next((c for c in (samples // (3 * time), samples // (2 * time)) if c >= _FEWEST_BLOCKS), 0)
    judged = count > 0
    count = min(_MOST_BLOCKS, max(count, _FEWEST_BLOCKS), samples)
    count = max(2, count - count % 2)
    block = np.arange(samples) * count // samples
    if time > 1:
        border = np.flatnonzero(np.diff(block)) + 1
        gap = time if judged else min(time, samples // (3 * count))
        for edge in border.tolist():
            early = max(0, edge - gap // 2)
            near = slice(early, early + gap)
            block[near][np.abs(number[near] - number[edge]) < gap] = -1
    return Split(block, count, time, effective_samples(rho, time), judged)
