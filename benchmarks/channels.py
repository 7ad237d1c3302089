"""How to combine the channels of two nodes: the average of their correlations, or their canonical correlation.

Mutual top-4 partners, by correlation and by ridge partial correlation (the best of three ridges), against the true
4-neighbours on CIFAR-10 in colour. Tuning subsets s = 100 and 101.

    python benchmarks/channels.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from report import markdown_table

from scge_pyg import SharedGraph
from scge_pyg.datasets import CIFAR10Nodes
from scge_pyg.discovery import Moments, partial_correlation
from scge_pyg.discovery.coupling.direct import stabilize
from scge_pyg.discovery.maps.wiring import mutual_top
from scge_pyg.metrics import edge_scores, grid_edges

_RIDGES = (0.05, 0.1, 0.2)


def averaged(signal: torch.Tensor) -> np.ndarray:
    """Correlation averaged over channels."""
    return Moments(*signal.shape[1:]).update(signal).correlation()


def canonical(signal: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Largest and mean canonical correlation of each pair of nodes."""
    centred = (signal - signal.mean(0)).double()
    num_nodes, channels = signal.shape[1:]
    cross = torch.einsum("sic,sjd->ijcd", centred, centred) / len(signal)
    nodes = torch.arange(num_nodes)
    value, vector = torch.linalg.eigh(cross[nodes, nodes] + 1e-6 * torch.eye(channels))
    whiten = vector @ torch.diag_embed(value.rsqrt()) @ vector.transpose(1, 2)
    white = torch.einsum("iab,ijbc,jcd->ijad", whiten, cross, whiten)
    square = torch.linalg.eigvalsh((white @ white.transpose(2, 3)).flatten(0, 1)).clamp(0, 1)
    return tuple(
        _unit(part.view(num_nodes, num_nodes).numpy()) for part in (square[:, -1].sqrt(), square.sqrt().mean(1))
    )


def _unit(correlation: np.ndarray) -> np.ndarray:
    correlation = (correlation + correlation.T) / 2
    np.fill_diagonal(correlation, 1)
    return correlation


def _scores(matrix: np.ndarray, truth: torch.Tensor) -> tuple[float, float]:
    matrix = np.maximum(matrix - np.diag(np.diag(matrix)), 0)
    edges = torch.from_numpy(mutual_top(sp.csr_matrix(matrix), 4))
    graph = SharedGraph(torch.zeros(len(matrix), 2), torch.cat([edges, edges.flip(0)], 1))
    found = edge_scores(graph, truth)
    return found.precision, found.recall


def main() -> None:
    """Print the table."""
    data = CIFAR10Nodes(Path("results/cache/cifar10"))
    assert data.cells is not None
    truth = grid_edges(data.cells)
    rows = []
    for samples in (200, 1000):
        for run in (100, 101):
            chosen = torch.randperm(len(data), generator=torch.Generator().manual_seed(run))[:samples]
            signal = stabilize(data.x[chosen])
            largest, mean = canonical(signal)
            named = {"averaged": averaged(signal), "canonical": largest, "mean canonical": mean}
            for name, correlation in named.items():
                floor = max(0.0, -float(np.linalg.eigvalsh(correlation).min()))
                direct = max(
                    (_scores(partial_correlation(correlation, ridge + floor), truth) for ridge in _RIDGES), key=sum
                )
                plain = _scores(correlation, truth)
                rows.append([str(samples), str(run), name, *(f"{p:.3f} / {r:.3f}" for p, r in (plain, direct))])
    print(markdown_table(["images", "s", "channels", "correlation (precision / recall)", "partial correlation"], rows))


if __name__ == "__main__":
    main()
