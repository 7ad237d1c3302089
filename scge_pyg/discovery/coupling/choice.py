"""The coupling of all nodes that the judged ones have chosen."""

from __future__ import annotations

import numpy as np
import torch

from scge_pyg.discovery.coupling.direct import Coupling, direct_coupling, sparse_coupling
from scge_pyg.discovery.coupling.local import local_coupling
from scge_pyg.discovery.coupling.similar import DENSE_NODES, most_similar
from scge_pyg.discovery.signals.signals import Signals

__all__ = ["correlation_coupling", "partial_couplings"]

_KEPT = 32  # strongest couplings that are kept for each node


def partial_couplings(signals: Signals, seed: int = 0) -> list[Coupling]:
    """Partial correlation of all nodes: of their scores and, where values pile up at a floor, of their roots.

    Above 2,048 nodes by regression on each node's most similar signals. The first one predicts best.

    Cost: see :func:`scge_pyg.discovery.coupling.direct.direct_coupling` and ``local_coupling``.

    Args:
        signals: Signals of N nodes.
        seed: Seed of the nodes on which the ridge is chosen, above 2,048 nodes.
    """
    kinds = [signals.score] if signals.rooted is None else [signals.score, signals.rooted]
    return sorted((_partial(signals, kind, seed) for kind in kinds), key=lambda coupling: -coupling.gain)


def _partial(signals: Signals, signal: np.ndarray, seed: int) -> Coupling:
    if signals.num_nodes > DENSE_NODES:
        score = torch.from_numpy(signal)
        standard = score / score.square().mean(1, keepdim=True).sqrt().clamp_min(1e-6)
        return local_coupling(standard, seed, index=torch.from_numpy(signals.similar[0]))
    whole, first, second = signals.correlations if signal is signals.score else signals.correlations_of(signal)
    return direct_coupling(first, second, whole, signals.effective)


def correlation_coupling(signals: Signals, absolute: bool) -> Coupling:
    """Correlation of each node with the 32 most similar ones, or its absolute value.

    Cost: :math:`O(N^2 S)` above 2,048 nodes, else :math:`O(N^2)`.
    """
    index, value = most_similar(signals, _KEPT, signed=not absolute)
    strength = np.abs(value) if absolute else value
    noise = 1 / np.sqrt(max(signals.effective, 1.0))
    name = "|correlation|" if absolute else "correlation"
    matrix = sparse_coupling(index, strength, signals.num_nodes)

    def dissimilarity(pairs: np.ndarray) -> np.ndarray:
        if signals.num_nodes <= DENSE_NODES:
            own = signals.correlation[pairs[0], pairs[1]]
        else:
            own = _correlation(signals.score, pairs)
        return 1 - (np.abs(own) if absolute else own)

    return Coupling(name, matrix, float(noise), 0.0, np.nan, dissimilarity)


def _correlation(score: np.ndarray, pairs: np.ndarray, block: int = 4096) -> np.ndarray:
    """Correlation of pairs ``[2, E]`` of rows, in blocks of pairs."""
    length = np.sqrt((score.astype(np.float64) ** 2).sum(1))
    product = [
        np.einsum("es,es->e", score[i], score[j], dtype=np.float64)
        for i, j in (pairs[:, start : start + block] for start in range(0, pairs.shape[1], block))
    ]
    return np.concatenate([*product, np.zeros(0)]) / (length[pairs[0]] * length[pairs[1]])
