"""`discover`: from samples whose nodes have no known order to the geometry they share."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from tqdm.auto import tqdm

from scge_pyg.discovery.coupling.direct import Coupling, direct_coupling, local_coupling, stabilize
from scge_pyg.discovery.lattices.snapping import Cells, find_cells
from scge_pyg.discovery.maps.settling import settle
from scge_pyg.discovery.maps.wiring import strong_edges, wire
from scge_pyg.discovery.signals.moments import Moments, distinct_rows
from scge_pyg.discovery.signals.reading import Reservoir, batches
from scge_pyg.graph.drawing.assembly import cell_coordinates, choose_map
from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.drawing.wiring import Wiring, adjacency_of, strength_of
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["discover"]

logger = logging.getLogger("scge_pyg")

_DENSE_NODES = 2048  # up to here all pairs are compared; beyond, each node's nearest signals
_RESERVOIR_BYTES = 2**29


def discover(
    x: Any, *, dim: int | None = None, snap: bool = True, seed: int = 0, progress: bool | None = None
) -> SharedGraph:
    r"""Find the geometry of a node set from samples alone.

    1. *Coupling*: ridge partial correlations of the variance-stabilised signals; the ridge maximises the held-out
       pseudo-likelihood. Above 2,048 nodes: neighbourhood selection among each node's nearest signals.
    2. *Wiring*: mutual strongest partners that close short cycles; what jumps across the graph is dropped.
    3. *Map*: coordinates by landmark scaling of geodesics and a robust local stress, one map per connected part.
    4. *Lattice*: where the largest part is an axis-aligned unit grid, an integer cell for each node by maximum
       likelihood; ``pos`` then are the cells.

    Everything runs in a canonical node order, so shuffling the nodes permutes the result and changes no bit of it
    (nodes with exactly identical signals excepted).

    Cost: one pass, :math:`O(S N^2 C)` for the moments and :math:`O(N^3)` for the coupling up to 2,048 nodes; beyond,
    :math:`O(N^2 S)` in blocks with memory for at most 512 MiB of samples.

    Args:
        x: Samples ``[S, N]`` or ``[S, N, C]``: a tensor, an array, or an iterable (read once) of such batches, of
            tuples whose first item is one, or of PyG Batches.
        dim: Intrinsic dimension, 1 to 4. Default: estimated.
        snap: Look for a lattice. Without it the coordinates are never rounded to a grid.
        seed: Seed of all randomness.
        progress: Show a progress bar. Default: when work is long enough to wait for.

    Returns:
        The shared graph, in the node order of ``x``.

    Raises:
        TypeError: If ``x`` is no tensor, array or iterable of batches.
        ValueError: If values are NaN or infinite, shapes disagree, ``dim`` is out of range, or fewer than 3 nodes vary.

    Warns:
        UserWarning: If there are too few samples, or no coupling stands out from the noise.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> walk = torch.randn(500, 40, generator=generator).cumsum(1)        # neighbours in time are coupled
        >>> shuffle = torch.randperm(40, generator=generator)
        >>> graph = discover(walk[:, shuffle])
        >>> graph.dim, graph.lattice.shape
        (1, (40,))
    """
    if dim is not None and (isinstance(dim, bool) or not hasattr(dim, "__index__") or not 1 <= dim <= 4):
        raise ValueError(f"discover: dim must be an integer from 1 to 4, or None to estimate it, got {dim!r}")
    generator = np.random.default_rng(seed)
    with tqdm(total=4, desc="discover", leave=False, disable=_hide(progress, x)) as bar:
        coupling, order, twins, num_nodes, dtype = _couple(x, seed)
        bar.update()
        if coupling.gain <= 0:
            warnings.warn(
                "discover: no coupling between nodes stands out from the noise (knowing all other nodes does not help "
                "to predict one); the graph has no edges",
                UserWarning,
                stacklevel=2,
            )
            coupling = replace(coupling, matrix=sp.csr_matrix(coupling.matrix.shape), noise=0.0)
        strong = strong_edges(coupling.matrix, coupling.noise)
        dim = intrinsic_dimension(adjacency_of(strong, len(order))) if dim is None else int(dim)
        wiring = wire(coupling.matrix, coupling.noise, dim)
        bar.update()
        wiring, chart = choose_map(wiring, len(order), dim, seed, coupling.dissimilarity)
        edges, chart = settle(coupling, wiring, chart, dim, seed)
        logger.info(
            "ridge %.3g, held-out gain %.3g nats a node, dimension %d, %d of %d nodes live, %d edges; left out %d "
            "candidates that jump across the map or lie too long on it",
            *(coupling.ridge, coupling.gain, dim, len(order), num_nodes, edges.shape[1]),
            wiring.edges.shape[1] + wiring.doubtful.shape[1] - edges.shape[1],
        )
        bar.update()
        cells = None
        largest = np.flatnonzero(chart.component == 0)
        if snap and len(largest) > 0.9 * len(order):
            cells = find_cells(coupling.matrix, wiring, largest, dim, generator)
            logger.info("no lattice" if cells is None else f"lattice {cells.shape}, {cells.faulty:.1%} of edges off it")
        bar.update()
    return _assemble(coupling, wiring, edges, chart, cells, order, twins, num_nodes, dim, dtype)


def _hide(progress: bool | None, x: Any) -> bool | None:
    """Value for tqdm's ``disable``; ``None`` shows the bar on terminals only."""
    if progress is not None:
        return not progress
    short = isinstance(x, Tensor | np.ndarray) and (x.ndim < 2 or x.shape[0] * x.shape[1] ** 2 < 1e9)
    return True if short else None


def _couple(x: Any, seed: int) -> tuple[Coupling, np.ndarray, np.ndarray, int, torch.dtype]:
    """Coupling of the distinct live nodes in canonical order, that order, twins, number of nodes, and dtype."""
    halves: list[Moments] = []
    reservoir: Reservoir | None = None
    low: Tensor | None = None
    count = 0
    for block in batches(x):
        num_nodes, channels = block.shape[1:]
        if low is None:
            low, high = block.amin(0), block.amax(0)
            if num_nodes > _DENSE_NODES:
                reservoir = Reservoir(max(64, _RESERVOIR_BYTES // (4 * num_nodes * channels)), seed)
            else:
                halves = [Moments(num_nodes, channels), Moments(num_nodes, channels)]
        low, high = torch.minimum(low, block.amin(0)), torch.maximum(high, block.amax(0))
        if reservoir is not None:
            reservoir.update(block)
        else:
            signal = stabilize(block)
            halves[count % 2].update(signal[::2])
            halves[1 - count % 2].update(signal[1::2])
        count += block.shape[0]
    if low is None or count < 2:
        raise ValueError(f"discover: at least 2 samples are needed, got {count}")
    live = (high > low).any(1).numpy()
    if live.sum() < 3:
        raise ValueError(
            f"discover: at least 3 nodes must vary over the samples, got {int(live.sum())} of {len(live)}; "
            f"is x really [samples, nodes]?"
        )
    if count < max(100, live.sum() // 10):
        warnings.warn(
            f"discover: {count} samples are few for {int(live.sum())} live nodes; about {int(live.sum())} are advised",
            UserWarning,
            stacklevel=3,
        )
    if reservoir is not None:
        signal = stabilize(reservoir.samples()).permute(1, 0, 2)[torch.from_numpy(live)].contiguous()
        nodes = np.flatnonzero(live)
        order, twins = _canonical(nodes, distinct_rows(signal.flatten(1).numpy())[1])
        signal = signal[torch.from_numpy(np.searchsorted(nodes, order))]
        return local_coupling(_standardise(signal), seed), order, twins, len(live), block.dtype
    whole = Moments(*halves[0].mean.shape).merge(halves[0]).merge(halves[1])
    order, twins = _canonical(np.flatnonzero(live), whole.rank[live])
    first, second, both = (m.correlation()[np.ix_(order, order)] for m in (*halves, whole))
    return direct_coupling(first, second, both), order, twins, len(live), block.dtype


def _canonical(nodes: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One node per distinct signal, by the rank of the signal, and pairs ``[2, T]`` of a twin and its original.

    Identical signals explain each other away and would lose their place among the others.
    """
    order = nodes[np.argsort(rank, kind="stable")]
    rank = np.sort(rank)
    new = np.r_[True, rank[1:] != rank[:-1]]
    twins = np.stack([order, order[new][new.cumsum() - 1]])[:, ~new]
    if new.sum() < 3:
        raise ValueError(f"discover: at least 3 nodes must differ in their signal, got {int(new.sum())} distinct ones")
    if twins.shape[1]:
        logger.info("%d nodes carry exactly the signal of another node and share its place", twins.shape[1])
    return order[new], twins


def _standardise(signal: Tensor) -> Tensor:
    """Node signals ``[N, S, C]`` with mean 0 and variance 1 in each channel, channels side by side, ``[N, S * C]``."""
    centred = signal.double() - signal.double().mean(1, keepdim=True)
    scale = centred.square().mean(1, keepdim=True).sqrt()
    shared = (scale > 0).sum(2, keepdim=True).clamp_min(1)
    scaled = torch.where(scale > 0, centred / scale, 0.0) * (signal.shape[2] / shared).sqrt()
    return scaled.flatten(1).float()


def _assemble(
    coupling: Coupling,
    wiring: Wiring,
    edges: np.ndarray,
    chart: Any,
    cells: Cells | None,
    order: np.ndarray,
    twins: np.ndarray,
    num_nodes: int,
    dim: int,
    dtype: torch.dtype,
) -> SharedGraph:
    """Back from canonical order to the nodes of the samples. A twin shares all but the cell of its original."""

    def scatter(values: np.ndarray, fill: float, shared: bool = True) -> Tensor:
        full = np.full((num_nodes, *values.shape[1:]), fill, dtype=values.dtype)
        full[order] = values
        if shared:
            full[twins[0]] = full[twins[1]]
        return torch.from_numpy(full)

    pos, confidence, lattice = chart.pos, _agreement(coupling, wiring, edges), None
    if cells is not None:
        placed = cells.cell[:, 0] >= 0
        on_grid = cell_coordinates(cells.cell, cells.shape, cells.periodic)
        aside = np.zeros_like(on_grid)
        aside[:, 0] = on_grid[placed, 0].max() + 3 + np.arange(len(order))
        pos = np.where(placed[:, None], on_grid, aside)
        confidence = cells.confidence
        lattice = Lattice(scatter(cells.cell, -1, shared=False), cells.shape, cells.periodic)
    half = np.concatenate([order[edges], twins], 1)
    both = np.concatenate([half, half[::-1]], 1)
    weight = np.r_[strength_of(coupling.matrix, edges), np.ones(twins.shape[1])]
    return SharedGraph(
        scatter(pos, np.nan).to(dtype),
        torch.from_numpy(both),
        torch.from_numpy(np.tile(weight, 2)).to(dtype),
        dim=dim,
        live=scatter(np.ones(len(order), dtype=bool), False),
        confidence=scatter(confidence, 0.0).to(dtype),
        lattice=lattice,
    )


def _agreement(coupling: Coupling, wiring: Wiring, edges: np.ndarray) -> np.ndarray:
    """Share of each node's wired coupling that the map agrees with, ``[N]`` in [0, 1]."""
    num_nodes = coupling.matrix.shape[0]

    def wired(pairs: np.ndarray) -> np.ndarray:
        return np.bincount(pairs.ravel(), np.tile(strength_of(coupling.matrix, pairs), 2), minlength=num_nodes)

    kept, before = wired(edges), wired(wiring.edges)
    return np.divide(np.minimum(kept, before), before, out=np.zeros(num_nodes), where=before > 0)
