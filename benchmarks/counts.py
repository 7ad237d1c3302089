"""Places from counts and contacts: simulated arrays and genomes, a published array, many beads, chromosomes.

python benchmarks/counts.py --rows arrays genomes barcodes many hic
"""

from __future__ import annotations

import argparse
import gzip
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from bead_arrays import KERNELS, OUTLINES, bead_array, sparse_counts
from draws import Array
from memory import peak_gigabytes
from polymers import genome
from scipy.spatial import cKDTree
from scipy.stats import spearmanr

from scge_pyg import SharedGraph, discover

_BEADS = 65_536
_WIDTH = 4.0  # spacings
_GENOMES: dict[str, dict[str, float]] = {
    "plain genome": {},
    "genome with compartments": {
        "within": 0.55,
        "decay": 0.9,
        "knee": 6.0,
        "floor": 0.004,
        "compartments": 0.5,
        "arms": 0.6,
    },
    "genome with kin": {"affinities": 0.1, "kin": 0.7, "decay": 0.9, "floor": 0.004},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=list(_ROWS), default=list(_ROWS), help="which rows to run")
    parser.add_argument("--first-seed", type=int, default=3000, help="seed of the first draw")
    parser.add_argument("--draws", type=int, default=1, help="draws of each simulated row")
    parser.add_argument("--beads", type=int, default=_BEADS, help="beads of the row 'many'")
    args = parser.parse_args()
    for name in args.rows:
        for line in _ROWS[name](args):
            print(line, flush=True)


def fitted(found: Array, truth: Array) -> Array:
    """``found [N, d]`` moved onto ``truth`` by the best similarity transform (Procrustes)."""
    middle = truth.mean(0)
    x, y = found - found.mean(0), truth - middle
    u, s, v = np.linalg.svd(x.T @ y)
    return np.asarray(s.sum() / np.square(x).sum() * x @ (u @ v) + middle)


def nearest_shared(found: Array, truth: Array, k: int = 15, most: int = 4096) -> float:
    """Share of the ``k`` truly nearest that are among the ``k`` nearest found, over at most ``most`` places."""
    rows = np.linspace(0, len(truth) - 1, min(most, len(truth))).astype(int)
    near = [cKDTree(p).query(p[rows], k=k + 1)[1] for p in (found, truth)]
    return float(np.mean([len(set(a) & set(b)) - 1 for a, b in zip(*near, strict=True)]) / k)


def _timed(**source: Any) -> tuple[SharedGraph, str]:
    """The graph, and its verdict with seconds and peak memory above the start, as text."""
    before, start = peak_gigabytes(), time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = discover(**source)
    took, fit = time.perf_counter() - start, graph.fit
    judged = "not judged" if fit is None else f"{fit.verdict}, ratio {fit.ratio:.2f}, {fit.coupling}"
    return graph, f"dim {graph.dim}, {judged}, {took:.1f} s, peak +{peak_gigabytes() - before:.2f} GB"


def _places(graph: SharedGraph) -> Array:
    return graph.pos.double().numpy()


def _score(graph: SharedGraph, truth: Array) -> str:
    if graph.pos.shape[1] != truth.shape[1]:
        return "no map of the true columns"
    largest = (graph.component == 0).numpy()
    found, true = _places(graph)[largest], truth[largest]
    error = np.linalg.norm(fitted(found, true) - true, axis=1)
    shared = nearest_shared(found, true)
    return f"median error {np.median(error):.3f} spacings, 15 nearest {shared:.3f}, {len(found)} in one part"


def arrays(args: argparse.Namespace) -> Iterator[str]:
    """800 beads by 800 partners, kernels 0.1 of the root of the area wide."""
    seed = args.first_seed
    for outline in OUTLINES:
        for kernel in KERNELS:
            for a_bead, background in ((50, 0.0), (300, 0.3), (1000, 0.0)):
                for _ in range(args.draws):
                    rng = np.random.default_rng(seed)
                    drawn = bead_array(outline, kernel, rng, a_bead=a_bead, background=background)
                    graph, told = _timed(counts=drawn.counts)
                    name = f"{outline}, {kernel}, {a_bead} a bead, background {background}, seed {seed}"
                    yield f"{name}: {_score(graph, drawn.bead)}, {told}"
                    seed += 1


def genomes(args: argparse.Namespace) -> Iterator[str]:
    """23 chains of 18 to 125 bins, 50,000 contacts: as the reciprocal of distance, and with arms that hardly meet."""
    for name, options in _GENOMES.items():
        for seed in range(args.first_seed, args.first_seed + 3 * args.draws):
            rng = np.random.default_rng(seed)
            drawn = genome(rng, chains=23, longest=125, shortest=18, contacts=50_000, poor=0.04, **options)
            graph, told = _timed(affinity=drawn.contacts, balance=True, dim=1)
            yield f"{name}, seed {seed}: {_chains(graph, drawn.contacts, drawn.chain, drawn.place)}, {told}"


def _chains(graph: SharedGraph, contacts: sp.csr_matrix, chain: Array, place: Array) -> str:
    """Agreement of parts with chains, and of the order within the largest part of each chain with its own.

    Usable are bins with at least a third of the median number of contacts.
    """
    from sklearn.metrics import adjusted_rand_score

    total = np.asarray(contacts.sum(1)).ravel()
    live = total >= np.median(total[total > 0]) / 3
    part = graph.component.numpy()
    found = []
    for own in np.unique(chain[live]):
        rows = live & (chain == own)
        label, size = np.unique(part[rows], return_counts=True)
        rows &= part == label[size.argmax()]
        if rows.sum() > 2:
            found.append(abs(spearmanr(_places(graph)[rows, 0], place[rows])[0]))
    rand = adjusted_rand_score(chain[live], part[live])
    order = f"|Spearman| median {np.median(found):.3f}, smallest {min(found):.3f}"
    usable = f"{int(live.sum())} usable of {int(graph.live.sum())} live bins"
    return f"{usable}, {len(np.unique(part[live]))} parts, adjusted Rand {rand:.3f}, {order}"


def _folder(name: str) -> Path | None:
    folder = Path(os.environ.get("SCGE_DATA", "")) / name
    return folder if "SCGE_DATA" in os.environ and folder.is_dir() else None


def barcodes(args: argparse.Namespace) -> Iterator[str]:
    """1,000 beads by 1,000 partners of a published array, beside the published map and UMAP."""
    folder = _folder("barcodes")
    if folder is None:
        yield "barcodes: skipped, SCGE_DATA names no folder that holds them"
        return
    with gzip.open(folder / "counts.csv.gz", "rt") as file:
        counts = np.loadtxt(file, delimiter=",", skiprows=1)
    truth = np.loadtxt(folder / "a_truth.csv", delimiter=",", skiprows=1)
    graph, told = _timed(counts=counts)
    maps = {"discover": (_places(graph), told)}
    maps["published"] = (np.loadtxt(folder / "a_recon.csv", delimiter=",", skiprows=1), "")
    try:
        from umap import UMAP

        start = time.perf_counter()
        flat = UMAP(metric="cosine", random_state=0).fit_transform(np.log1p(counts))
        maps["UMAP"] = (flat, f"{time.perf_counter() - start:.1f} s")
    except ImportError:
        yield "barcodes, UMAP: skipped, umap-learn is not installed"
    for name, (found, more) in maps.items():
        if found.shape[1] != 2:
            yield f"barcodes, {name}: no map of two columns, {more}"
            continue
        error = np.median(np.linalg.norm(fitted(found, truth) - truth, axis=1))
        yield f"barcodes, {name}: median error {error:.1f} um, 15 nearest {nearest_shared(found, truth):.3f} {more}"


def many(args: argparse.Namespace) -> Iterator[str]:
    """The places of a real array nearest to its centre, 300 counts a bead through a kernel four spacings wide."""
    folder = _folder("barcodes")
    if folder is None:
        yield "many: skipped, SCGE_DATA names no folder that holds the places"
        return
    with gzip.open(folder / "c58_8_matched_bead_location.csv.gz", "rt") as file:
        places = np.loadtxt(file, delimiter=",", skiprows=1, usecols=(1, 2))
    rng = np.random.default_rng(args.first_seed)
    away = np.square(places - np.median(places, 0)).sum(1)
    bead = rng.permutation(places[np.argsort(away)[: args.beads]])
    bead /= math.sqrt(math.pi * np.sort(away)[: args.beads].max() / len(bead))  # a disc of unit density
    counts = sparse_counts(bead, rng.permutation(bead), 300, _WIDTH, rng)
    graph, told = _timed(counts=counts)
    assert graph.fit is not None
    stages = ", ".join(f"{name} {spent:.0f}" for name, spent in graph.fit.seconds.items())
    yield f"{len(bead)} beads, {counts.nnz} entries: {_score(graph, bead)}, {told} ({stages})"


def hic(args: argparse.Namespace) -> Iterator[str]:
    """Contacts of 2 Mb bins of a human cell line; parts against chromosomes, order within each."""
    folder = _folder("hic")
    if folder is None:
        yield "hic: skipped, SCGE_DATA names no folder that holds it"
        return
    with gzip.open(next(folder.glob("*.bins.*.bed.gz")), "rt") as file:
        bins = [tuple(line.split()[:2]) for line in file]
    number = {own: k for k, own in enumerate(bins)}
    with gzip.open(next(folder.glob("*.bg2.gz")), "rt") as file:
        rows = [line.split() for line in file]
    one, other = (np.array([number[r[k], r[k + 1]] for r in rows]) for k in (0, 3))
    half = sp.csr_matrix((np.array([float(r[6]) for r in rows]), (one, other)), 2 * (len(bins),))
    half = sp.triu(half + sp.tril(half, -1).T, 1)
    contacts = sp.csr_matrix(half + half.T)
    graph, told = _timed(affinity=contacts, balance=True, dim=1)
    chain = np.unique([name for name, _ in bins], return_inverse=True)[1]
    place = np.array([float(start) for _, start in bins])
    yield f"hic: {_chains(graph, contacts, chain, place)}, {told}"


_ROWS: dict[str, Callable[[argparse.Namespace], Iterator[str]]] = {
    "arrays": arrays,
    "genomes": genomes,
    "barcodes": barcodes,
    "many": many,
    "hic": hic,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
