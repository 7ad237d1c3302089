"""Other ways to find neighbours among shuffled nodes, run on the same samples as discovery."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from scge_pyg.discovery.lattices.snapping import find_cells
from scge_pyg.discovery.maps.wiring import wire
from scge_pyg.graph import knn

__all__ = ["PEERS", "PeerResult", "correlation_distance", "run_peers", "tsne", "umap"]

_KEPT = 32


class PeerResult(NamedTuple):
    """Edges ``[2, E]``, cells ``[N, 2]`` by our snapping (-1: none), and seconds without distances and snapping."""

    edge_index: Tensor
    cell: Tensor
    seconds: float


def correlation_distance(x: Tensor) -> Tensor:
    """One minus the correlation, averaged over channels, between the nodes of samples ``[S, N, C]``."""
    correlation = torch.stack([torch.corrcoef(channel.T) for channel in x.unbind(2)]).nan_to_num().mean(0)
    return (1 - correlation).clamp_min(0).fill_diagonal_(0)


def _symmetric(neighbours: Tensor) -> Tensor:
    source = torch.arange(neighbours.shape[0]).repeat_interleave(neighbours.shape[1])
    half = torch.stack([source, neighbours.flatten()])
    return torch.cat([half, half.flip(0)], 1)


def _nearest_four(embedding: Tensor) -> Tensor:
    return _symmetric(knn(embedding, embedding, 4, exclude_self=True)[1])


def _snapped(affinity: Tensor) -> Tensor:
    """Cells ``[N, 2]`` that our lattice search finds for an affinity ``[N, N]``, -1 where it finds none."""
    nodes = affinity.shape[0]
    value, index = affinity.clamp_min(0).fill_diagonal_(0).double().topk(_KEPT)
    row = torch.arange(nodes).repeat_interleave(_KEPT)
    coupling = sp.csr_matrix((value.flatten().numpy(), (row.numpy(), index.flatten().numpy())), (nodes, nodes))
    coupling = coupling.maximum(coupling.T).tocsr()
    coupling.eliminate_zeros()
    wiring = wire(coupling, 0.0, 2)
    found = find_cells(coupling, wiring, np.arange(nodes), 2, np.random.default_rng(0))
    return torch.full((nodes, 2), -1) if found is None else torch.from_numpy(found.cell)


def _affinity(embedding: Tensor) -> Tensor:
    """Affinity of places: a Gaussian with each node's distance to its fourth neighbour as its width."""
    distance = torch.cdist(embedding, embedding)
    width = distance.kthvalue(5, dim=1).values.clamp_min(1e-12)
    return torch.exp(-distance.square() / (width.unsqueeze(0) * width.unsqueeze(1)))


def covariance_top4(x: Tensor, distance: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Symmetric top-4 of the covariance, as in brain-bzh/MCNN, and the covariance."""
    centred = (x - x.mean(0)).transpose(1, 2).flatten(0, 1)
    covariance = (centred.T @ centred).fill_diagonal_(-torch.inf)
    return _symmetric(covariance.topk(4).indices), covariance


def isomap(x: Tensor, distance: Tensor, seed: int) -> Tensor:
    """scikit-learn's Isomap with its defaults."""
    from sklearn.manifold import Isomap

    return torch.from_numpy(Isomap(metric="precomputed").fit_transform(distance.numpy()))


def tsne(x: Tensor, distance: Tensor, seed: int) -> Tensor:
    """scikit-learn's t-SNE with its defaults."""
    from sklearn.manifold import TSNE

    model = TSNE(metric="precomputed", init="random", random_state=seed)
    return torch.from_numpy(model.fit_transform(distance.numpy()))


def umap(x: Tensor, distance: Tensor, seed: int) -> Tensor:
    """umap-learn with its defaults."""
    from umap import UMAP

    return torch.from_numpy(UMAP(metric="precomputed", random_state=seed).fit_transform(distance.numpy()))


PEERS: dict[str, Callable[..., Tensor | tuple[Tensor, Tensor]]] = {
    "covariance top-4": covariance_top4,
    "Isomap": isomap,
    "t-SNE": tsne,
    "UMAP": umap,
}


def run_peers(x: Tensor, seed: int, snap: bool) -> dict[str, PeerResult]:
    """Every peer that is installed, on shuffled samples ``[S, N, C]``. A peer sees nodes with any variance only.

    Without ``snap`` no cells are looked for.
    """
    live = (x.std(0) > 0).any(1)
    nodes = live.nonzero().squeeze(1)
    distance = correlation_distance(x[:, live])
    results = {}
    for name, method in PEERS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                start = time.perf_counter()
                found = method(x[:, live], distance, seed)
                seconds = time.perf_counter() - start
            except ImportError:
                continue
        edges, affinity = (
            found if isinstance(found, tuple) else (_nearest_four(found.double()), _affinity(found.double()))
        )
        cell = torch.full((live.numel(), 2), -1)
        if snap:
            cell[live] = _snapped(affinity)
        results[name] = PeerResult(nodes[edges], cell, seconds)
    return results
