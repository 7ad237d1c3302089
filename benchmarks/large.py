"""Seconds, memory and truth of `discover(x)` on 4,096 to 65,536 nodes, read from a memory-mapped file.

Photograph patches of 64x64, 128x128 and 256x256 pixels, and Matern fields over the places of real beads (those nearest
to the centre of an array, scaled to unit spacing, in the file that SCGE_DATA names). Each run has a process of its own,
so that its peak memory is its own; the truth is used for scoring afterwards. With `--umap`, umap-learn (extra `bench`)
maps the same samples afterwards, by correlation and told that there are two columns.

    python benchmarks/large.py                         # everything; --resume goes on after an interruption
    python benchmarks/large.py --rows patches-4096 beads-4096 --first-seed 100
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from draws import Array
from memory import peak_gigabytes
from numpy.lib.format import open_memmap
from report import Records, markdown_table
from scipy.spatial import cKDTree

from scge_pyg import SharedGraph, discover
from scge_pyg.datasets import PhotoPatches
from scge_pyg.metrics import cell_accuracy

__all__ = ["ROWS", "bead_fields", "main", "photograph_patches", "sampled_trustworthiness"]

_SAMPLES = 5000
_WRITTEN = 250  # samples that are made at once
_WAVES = 4000
_SCORED = 4096
_BEADS = Path("barcodes") / "c58_8_matched_bead_location.csv.gz"
_NU, _LENGTH, _NOISE = 1.5, 4.0, 0.1

ROWS = {f"{kind}-{nodes}": (kind, nodes) for nodes in (4096, 16384, 65536) for kind in ("patches", "beads")}
"""Kind and number of nodes of every row, by its name."""


def photograph_patches(nodes: int, seed: int, file: Path) -> Array:
    """Write samples ``[S, N]`` of square patches with their pixels in an unknown order; returns cells ``[N, 2]``."""
    side = round(nodes**0.5)
    order = np.random.default_rng(seed).permutation(nodes)
    x = open_memmap(file, "w+", np.float32, (_SAMPLES, nodes))
    for number, start in enumerate(range(0, _SAMPLES, _WRITTEN)):
        x[start : start + _WRITTEN] = PhotoPatches(side, side, _WRITTEN, seed=1000 * seed + number).x[:, order, 0]
    x.flush()
    return np.argwhere(np.ones((side, side)))[order]


def bead_fields(nodes: int, seed: int, file: Path) -> Array:
    r"""Write samples ``[S, N]`` of Matern fields of smoothness 1.5 and length 4 spacings; returns places ``[N, 2]``.

    Random Fourier features: :math:`\sqrt{2 / M} \sum_m w_m \cos(k_m^\top p + b_m)`, with :math:`k_m` from the spectral
    density, which in the plane is a Student distribution of :math:`2 \nu` degrees of freedom (Rahimi and Recht, 2007).
    """
    rng = np.random.default_rng(seed)
    places = np.loadtxt(Path(os.environ["SCGE_DATA"]) / _BEADS, delimiter=",", skiprows=1, usecols=(1, 2))
    places -= np.median(places, axis=0)
    places = rng.permutation(places[np.argsort((places**2).sum(1), kind="stable")[:nodes]])
    places /= np.median(cKDTree(places).query(places, k=2)[0][:, 1])
    wave = rng.standard_normal((2, _WAVES)) / _LENGTH * np.sqrt(2 * _NU / rng.chisquare(2 * _NU, _WAVES))
    feature = np.cos(places @ wave + 2 * np.pi * rng.random(_WAVES)).astype(np.float32) * np.float32(
        (2 / _WAVES) ** 0.5
    )
    weight = torch.from_numpy(feature.T.copy())
    generator = torch.Generator().manual_seed(seed)
    x = open_memmap(file, "w+", np.float32, (_SAMPLES, nodes))
    for start in range(0, _SAMPLES, _WRITTEN):
        field = torch.randn(_WRITTEN, _WAVES, generator=generator) @ weight
        x[start : start + _WRITTEN] = (field + _NOISE * torch.randn(field.shape, generator=generator)).numpy()
    x.flush()
    return places


def sampled_trustworthiness(pos: Array, places: Array, k: int = 8) -> float:
    """Trustworthiness of the neighbourhoods of at most 4,096 nodes, each among all nodes."""
    count = len(pos)
    some = np.random.default_rng(0).permutation(count)[:_SCORED]
    near = cKDTree(pos).query(pos[some], k=k + 1)[1][:, 1:]
    penalty = 0.0
    for own, found in zip(np.array_split(some, 64), np.array_split(near, 64), strict=True):
        distance = np.linalg.norm(places[own, None] - places[None], axis=2)
        penalty += float(np.maximum(_ranks(distance, found) - k, 0).sum())
    return 1.0 - 2.0 * penalty / (len(some) * k * (2 * count - 3 * k - 1))


def _ranks(distance: Array, found: Array) -> Array:
    """Rank of the found nodes ``[n, k]`` among all others by ``distance [n, N]``, the nearest other one being 1."""
    ordered = np.sort(distance, axis=1)
    value = np.take_along_axis(distance, found, 1)
    return np.stack([np.searchsorted(row, own) for row, own in zip(ordered, value, strict=True)])


def _score(graph: SharedGraph, kind: str, truth: Array) -> dict[str, Any]:
    placed = torch.isfinite(graph.pos).all(1).numpy() & (graph.component.numpy() == 0)
    record: dict[str, Any] = {"graph": repr(graph), "placed": float(placed.mean())}
    if kind == "patches":
        cells = torch.from_numpy(truth)
        everyone = torch.ones(len(truth), dtype=torch.bool)
        record["cells"] = 0.0 if graph.lattice is None else cell_accuracy(graph, cells, everyone)
    if graph.pos.shape[1]:
        record["trust"] = sampled_trustworthiness(graph.pos.numpy()[placed], truth[placed])
    return record


def _umap(x: Array, truth: Array, seed: int) -> dict[str, float]:
    """Seconds and trustworthiness of umap-learn's map by the correlation of the nodes' signals."""
    from umap import UMAP

    start = time.perf_counter()
    pos = UMAP(metric="correlation", random_state=seed).fit_transform(np.ascontiguousarray(x.T))
    seconds = round(time.perf_counter() - start, 1)
    return {"umap_seconds": seconds, "umap_trust": sampled_trustworthiness(pos, truth)}


def _run(name: str, seed: int, with_umap: bool) -> dict[str, Any]:
    """One run in a process of its own."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    kind, nodes = ROWS[name]
    before = peak_gigabytes()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.npy"
        make = photograph_patches if kind == "patches" else bead_fields
        with ProcessPoolExecutor(1, get_context("spawn")) as maker:
            truth = maker.submit(make, nodes, seed, file).result()
        x = np.load(file, mmap_mode="r")
        start = time.perf_counter()
        graph = discover(x, progress=False)
        seconds = time.perf_counter() - start
        peak = peak_gigabytes() - before
        beside = _umap(x, truth, seed) if with_umap else {}
    record: dict[str, Any] = {"row": name, "run": seed, "seconds": round(seconds, 1), "gigabytes": round(peak, 2)}
    record["stages"] = {} if graph.fit is None else {k: round(v, 2) for k, v in graph.fit.seconds.items()}
    return record | _score(graph, kind, truth) | beside


def _table(records: list[dict[str, Any]]) -> str:
    head = [
        "row",
        "run",
        "seconds",
        "GB above the import",
        "cells",
        "trustworthiness",
        "placed",
        "UMAP seconds",
        "UMAP trust",
        "stages",
    ]
    lines = []
    for r in records:
        figures = [f"{r[key]:.4f}" if key in r else "" for key in ("cells", "trust", "placed")]
        figures += [f"{r[key]:.4g}" if key in r else "" for key in ("umap_seconds", "umap_trust")]
        stages = ", ".join(f"{key} {value:g}" for key, value in r["stages"].items())
        lines.append([r["row"], str(r["run"]), f"{r['seconds']:g}", f"{r['gigabytes']:g}", *figures, stages])
    return markdown_table(head, lines)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW")
    parser.add_argument("--runs", type=int, default=1, help="runs a row")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first run; tune with 100 and above only")
    parser.add_argument("--umap", action="store_true", help="UMAP beside it, from all samples in memory")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, default=Path("results/large.json"))
    args = parser.parse_args()
    records = Records(args.output, {"first_seed": args.first_seed, "umap": args.umap}, resume=args.resume)
    data = os.environ.get("SCGE_DATA")
    for name in args.rows:
        if name.startswith("beads") and (data is None or not (Path(data) / _BEADS).exists()):
            print(f"{name}: left out, SCGE_DATA names no folder with {_BEADS}", file=sys.stderr)
            continue
        for seed in range(args.first_seed, args.first_seed + args.runs):
            if not records.find(row=name, run=seed):
                with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                    records.add(pool.submit(_run, name, seed, args.umap).result())
                print(_table(records.items[-1:]), flush=True)
    print(_table(records.items))
    return 0


if __name__ == "__main__":
    sys.exit(main())
