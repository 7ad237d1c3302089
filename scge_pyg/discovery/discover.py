"""`discover`: from samples whose nodes have no known order to the geometry they share."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from scge_pyg.discovery.advice import advice
from scge_pyg.discovery.assemble import assemble
from scge_pyg.discovery.clock import Clock
from scge_pyg.discovery.counts.discover_affinity import discover_affinity
from scge_pyg.discovery.counts.discover_counts import discover_counts
from scge_pyg.discovery.coupling.similar import connected_rows
from scge_pyg.discovery.parts.discover_part import discover_part
from scge_pyg.discovery.parts.part import FEWEST, Part
from scge_pyg.discovery.progress import showing
from scge_pyg.discovery.sharing.sameness import digest, machine
from scge_pyg.discovery.sharing.workers import sharing
from scge_pyg.discovery.signals.delays import aligned_in_time, node_delays
from scge_pyg.discovery.signals.hints import hint
from scge_pyg.discovery.signals.own_floor import with_own_floor
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read
from scge_pyg.discovery.signals.signals import Signals
from scge_pyg.discovery.signals.twins import without_near_twins
from scge_pyg.graph.checks import checked_names
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["discover"]

logger = logging.getLogger("scge_pyg")

_LONG = 1e9  # samples times nodes squared above which a progress bar is shown on a terminal


def discover(
    x: Any = None,
    *,
    affinity: Any = None,
    counts: Any = None,
    balance: bool = False,
    names: Sequence[str] | None = None,
    dim: int | None = None,
    snap: bool = True,
    missing_value: float | None = None,
    seed: int = 0,
    progress: bool | None = None,
    group: Any = None,
) -> SharedGraph:
    r"""Find the geometry of a node set from samples alone, and say where there is none.

    1. *Signals*: a sample of the samples as normal scores, so that units, offsets, heavy tails and spikes don't matter;
       what was recorded twice counts once.
    2. *Parts*: what correlates beyond chance hangs together; each part is a geometry of its own.
    3. *Judgement*: several couplings (correlation, its absolute value, partial correlations) draw maps from one side
       of the samples, and each map is judged by how well it predicts the other side from neighbours on it. That chooses
       the coupling and the number of columns, and tells a geometry from none.
    4. *Lattice or map*: where the winner is an axis-aligned unit grid, an integer cell for each node by maximum
       likelihood; otherwise coordinates by landmark scaling of geodesics and a robust local stress. Edges are the
       strongest partners that lie side by side.

    Where there is no low-dimensional geometry, ``graph.dim`` is 0, ``pos`` has no columns, edges are the couplings that
    stand out from the noise, and a warning says so. ``graph.fit`` holds the figures.

    Instead of samples there may be whole numbers of contacts or other similarities between the nodes (``affinity``), or
    counts between the nodes and partners of another kind (``counts``); these are placed and judged by likelihood
    (:mod:`scge_pyg.discovery.counts`), and no lattice is looked for.

    Everything runs in a canonical node order, so shuffling the nodes permutes the result and changes no bit of it.

    Cost: :math:`O(S N^2 C)` for correlations and :math:`O(N^3)` for partial ones up to 2,048 nodes; beyond,
    :math:`O(N^2 S)` in blocks. At most 262,144 samples are kept and 512 MiB of
    them, or 1 GiB of more than 32,768 nodes.

    Args:
        x: Samples ``[S, N]`` or ``[S, N, C]``: a tensor, an array, a data frame, or an iterable (read once) of such
            batches, of tuples whose first item is one, or of PyG Batches; in any order, if they are
            :class:`~scge_pyg.discovery.Numbered`. ``NaN`` and masked values are missing. Also arrays and frames of
            dask, read by tasks of its scheduler, recordings of mne and SpikeInterface, arrays of xarray, an AnnData
            (its variables are nodes), and what :func:`scge_pyg.io.read` gives, which takes options; bad channels and
            land are nodes that are not live.
        affinity: Symmetric ``[N, N]``, dense or sparse (scipy, torch), instead of ``x``.
        counts: Whole numbers ``[N, M]``, dense or sparse, instead of ``x``; the columns get ``partner_pos [M, d]``.
        balance: Divide uneven yields of the nodes out of ``affinity``.
        names: One name a node. Default: the columns of a frame of samples, the index of one of counts or affinities.
        dim: Intrinsic dimension, 1 to 4: always draws a map. Default: judged.
        snap: Look for a lattice. Without it the coordinates are never rounded to a grid.
        missing_value: A value that marks missing ones, such as -999. They are taken to be missing at random.
        seed: Seed of all randomness.
        progress: Show progress bars, with the time that long loops have to go. Default: where work takes long enough.
        group: A ``torch.distributed`` process group, or ``True`` for all processes, whose workers call ``discover``
            together, each with its own part of the samples: :class:`~scge_pyg.discovery.Numbered` batches, or one array
            on each, the parts in order of ranks. They share the work, and each returns the graph of one worker that has
            all samples, bit for bit, if they run on processors of one kind with as many threads. Needs gloo or MPI.

    Returns:
        The shared graph, float32, in the node order of ``x``.

    Raises:
        TypeError: If not exactly one of ``x``, ``affinity`` and ``counts`` is given, or ``x`` is no tensor, array, data
            frame or iterable of batches.
        ValueError: If values are infinite, shapes or names disagree, an argument is out of range, fewer than 3 nodes
            vary, or workers disagree; what is wrong on one worker is raised on all.

    Warns:
        UserWarning: If there is no geometry, no edge, or too few samples; or if ``x`` looks like something else.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> walk = torch.randn(500, 40, generator=generator).cumsum(1)        # neighbours in time are coupled
        >>> shuffle = torch.randperm(40, generator=generator)
        >>> graph = discover(walk[:, shuffle])
        >>> graph.dim, graph.lattice.shape
        (1, (40,))
    """
    with sharing(group) as workers:
        with workers.agreeing() as facts:
            _check_options(dim, seed)
            _check_source(x, affinity, counts, balance, missing_value, group)
            dim = None if dim is None else int(dim)
            facts |= {"dim": dim, "snap": bool(snap), "seed": int(seed), "missing_value": repr(missing_value)}
            facts |= {"names": None if names is None else list(map(str, names)), **machine(workers)}
        if affinity is not None:
            return discover_affinity(
                affinity, balance=balance, names=names, dim=dim, seed=seed, progress=progress, stacklevel=2
            )
        if counts is not None:
            return discover_counts(counts, names=names, dim=dim, seed=seed, progress=progress, stacklevel=2)
        hidden = _hide(progress, x) if workers.rank == 0 else progress is not True
        with showing(hidden), tqdm(total=3, desc="discover", leave=False, disable=hidden) as bar:
            graph, texts = _from_samples(x, names, dim, snap, missing_value, seed, bar)
        with workers.agreeing() as facts:
            if workers.size > 1:
                facts["the graph found; are their processors of one kind?"] = digest(graph)
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=2)
    return graph


def _from_samples(
    x: Any, names: Sequence[str] | None, dim: int | None, snap: bool, missing_value: float | None, seed: int, bar: Any
) -> tuple[SharedGraph, list[str]]:
    """The graph of samples, and what to warn of."""
    clock = Clock()
    samples = read(x, missing_value=missing_value, seed=seed)
    names = checked_names("discover", samples.names if names is None else names, len(samples.live))
    clock("reading")
    hints = [*(f"discover: {text}" for text in samples.notes), *hint(samples, names)]
    signals = without_near_twins(prepare(samples))
    number = signals.number
    signals = aligned_in_time(signals, node_delays(signals))
    clock("signals")
    bar.update()
    rows = _rows_of_parts(signals, dim)
    clock("parts")
    bar.update()
    parts: list[tuple[np.ndarray, Part]] = []
    for nodes in rows:
        if len(nodes) == 1:
            parts.append((nodes, _single()))
            continue
        whole = len(nodes) == signals.num_nodes
        own = signals if whole else with_own_floor(signals.take(nodes), samples, number)
        parts.append((nodes, discover_part(own, dim, snap, seed)))
    if dim is None and FEWEST <= signals.num_nodes and (parts[0][1].choice is None or not parts[0][1].dim):
        # beside nothing that was judged to be a geometry, a handful of nodes is none
        parts = [(nodes, part.without_map() if part.choice is None else part) for nodes, part in parts]
    bar.update()
    graph = assemble(signals, parts, len(samples.live), names, len(samples.values), clock.seconds)
    _log(graph, signals)
    return graph, [*hints, *(f"discover: {text}" for text in advice(graph, signals, samples.count, dim))]


def _check_options(dim: Any, seed: Any) -> None:
    if dim is not None and (isinstance(dim, bool) or not hasattr(dim, "__index__") or not 1 <= dim <= 4):
        raise ValueError(f"discover: dim must be an integer from 1 to 4, or None to estimate it, got {dim!r}")
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0:
        raise ValueError(f"discover: seed must be an integer of at least 0, got {seed!r}")


def _check_source(x: Any, affinity: Any, counts: Any, balance: bool, missing_value: float | None, group: Any) -> None:
    """There is one thing to discover from, and what is asked for belongs to it."""
    named = {"x": x, "affinity": affinity, "counts": counts}
    given = [name for name, value in named.items() if value is not None]
    if len(given) != 1:
        raise TypeError(
            f"discover: exactly one of x (samples), affinity and counts must be given, got {', '.join(given) or 'none'}"
        )
    if balance and affinity is None:
        raise ValueError(f"discover: balance=True belongs to affinity=, got {given[0]}")
    if missing_value is not None and x is None:
        raise ValueError(f"discover: missing_value belongs to x, got {given[0]}; what is not there counts 0")
    if group is not None and x is None:
        raise ValueError(f"discover: group belongs to x, got {given[0]}, which one worker takes in whole")


def _rows_of_parts(signals: Signals, dim: int | None) -> list[np.ndarray]:
    """Rows of each connected part; all of them if a map is to be drawn of what hardly hangs together."""
    rows = connected_rows(signals)
    if dim is not None and len(rows[0]) < 3:
        return [np.arange(signals.num_nodes)]
    return rows


def _single() -> Part:
    """A node that hangs together with no other."""
    none = np.zeros((2, 0), dtype=np.int64)
    one = np.ones(1, dtype=np.int64)
    return Part(np.zeros((1, 0)), none, np.zeros(0), 0, np.zeros(1), one, None, None, None, np.zeros(0, np.int64), "")


def _hide(progress: bool | None, x: Any) -> bool | None:
    """Value for tqdm's ``disable``; ``None`` shows the bar on terminals only."""
    if progress is not None:
        return not progress
    shape = getattr(x, "shape", None)
    short = shape is not None and (len(shape) < 2 or shape[0] * shape[1] ** 2 < _LONG)
    return True if short else None


def _log(graph: SharedGraph, signals: Signals) -> None:
    if graph.fit is not None:
        logger.info(
            "%s, held-out gain %.3g of %.3g nats a node, ratio %.3f +- %.3f: %s, dimension %d, %d columns",
            *(graph.fit.coupling, graph.fit.gain, graph.fit.ceiling, graph.fit.ratio, graph.fit.error),
            *(graph.fit.verdict, graph.dim, graph.pos.shape[1]),
        )
    logger.info(
        "%d of %d nodes live, %d edges, %.0f effective samples, %s",
        *(int(graph.live.sum()), graph.num_nodes, graph.num_undirected_edges, signals.effective),
        "no lattice" if graph.lattice is None else f"lattice {graph.lattice.shape}",
    )
