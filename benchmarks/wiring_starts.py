"""Other ways to lay out the same streaming coupling: a spectral start, and Monte Carlo moves on the same loss.

Data, permutations, random starts and recall are those of `wiring.py`, run s with seed s. Places are

* learned by `HebbianLoss` from a random start (what `wiring.py` measures);
* eigenvectors of the correlations, by Oja's rule on the same batches, the second and third of them;
* eigenvectors of the random walk on the partners that `HebbianLoss` names after the stream, by subspace iteration;
* those, and `HebbianLoss` from there;
* moved at random, one node beside another or a step away, better ones kept, worse ones with a chance that falls to
  zero (annealed) or never (greedy), on the pairs of nodes and distances that `HebbianLoss` draws;
* the same on the cells of a grid of the right shape, swapping two nodes: told that there is a grid.

Moves have as many seconds as the random start took with its statistics, beside the statistics. Their first temperature
and the number of nodes that move at once were chosen on run 100 of MNIST (10, 100 or 1,000; one or a fiftieth).

    python benchmarks/wiring_starts.py --quick           # MNIST, run 0
    python benchmarks/wiring_starts.py                   # 2 runs of CIFAR-10, MNIST and Fashion-MNIST; --resume goes on
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from report import Records, markdown_table
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from tqdm import tqdm
from wiring import _BATCH, _DATA, _DEVIATION, _samples, neighbour_recall

from scge_pyg.nn import NodeEmbedding, WiringSchedule
from scge_pyg.nn.trained.hebbian import HebbianLoss
from scge_pyg.transforms import ShuffleNodes

_SETS = ("cifar10", "mnist", "fashion")
_ROWS = {
    "random": "random start, `HebbianLoss`",
    "oja": "eigenvectors of correlations (Oja)",
    "walk": "eigenvectors of the walk on partners",
    "walk, taught": "the same, then `HebbianLoss`",
    "jumps, greedy": "random start, jumps, greedy",
    "jumps, annealed": "random start, jumps, annealed",
    "swaps, greedy": "told the grid, swaps, greedy",
    "swaps, annealed": "told the grid, swaps, annealed",
}
_VECTORS, _ITERATIONS = 8, 3_000
_DRAWS = 8  # of the loss's pairs
_MOVED = 0.02  # share of the nodes that a move tries at once
_HEAT = {"jumps": 10.0, "swaps": 100.0}


@dataclass
class Stream:
    """Shuffled samples, the cells of their live nodes, and which of these count.

    Attributes:
        x: Samples ``[S, N, C]``.
        live: Nodes that vary at all ``[N]``.
        cells: Cells of live nodes ``[L, 2]``.
        mask: Live nodes of a deviation above 0.02 ``[L]``.
        run: Seed.
    """

    x: Tensor
    live: Tensor
    cells: Tensor
    mask: Tensor
    run: int

    def batches(self, count: int) -> list[Tensor]:
        """Indices of random batches."""
        generator = torch.Generator().manual_seed(self.run)
        return [torch.randint(len(self.x), (_BATCH,), generator=generator) for _ in range(count)]

    def score(self, pos: Tensor) -> float:
        """Recall of 4-neighbours."""
        return neighbour_recall(pos, self.cells, self.mask)


def stream(name: str, run: int) -> Stream:
    """Samples of one run."""
    x, place = _samples(name)
    shuffle = ShuffleNodes(run)
    x, place = shuffle(x), place[shuffle.permutation(x.shape[1])]
    live = (x.amax(0) > x.amin(0)).any(1)
    return Stream(x, live, place[live], (x.std(0).mean(-1) > _DEVIATION)[live], run)


def taught(data: Stream, start: Tensor | None) -> tuple[Tensor, HebbianLoss, int]:
    """Places that `WiringSchedule` ends with, the teacher, and its lessons."""
    embedding = NodeEmbedding(data.x.shape[1], 2, live=data.live, seed=data.run)
    if start is not None:
        embedding.weight.data.copy_(start)
    hebbian = HebbianLoss(embedding, seed=data.run)
    schedule = WiringSchedule(hebbian, batch_size=_BATCH, seed=data.run)
    while schedule.phase != "weights":
        schedule.advance(data.x)
    return embedding.weight.detach().clone(), hebbian, schedule.count


def listened(data: Stream, lessons: int) -> HebbianLoss:
    """A teacher that has heard as many batches, and whose places are still where they were drawn."""
    hebbian = HebbianLoss(NodeEmbedding(data.x.shape[1], 2, live=data.live, seed=data.run), seed=data.run)
    with torch.no_grad():
        for chosen in data.batches(lessons):
            hebbian(data.x[chosen])
    return hebbian


def in_spacings(vectors: Tensor) -> Tensor:
    """Places whose median distance to the nearest is 1."""
    apart = torch.cdist(vectors, vectors).fill_diagonal_(torch.inf).amin(1)
    return (vectors - vectors.mean(0)) / apart.median().clamp_min(1e-12)


def by_oja(data: Stream, lessons: int) -> Tensor:
    """Second and third eigenvector of the correlations, from batches (Oja, 1982; rates fall as 1 / t)."""
    x = data.x[:, data.live].mean(2)
    middle, scale = x.mean(0), x.std(0).clamp_min(1e-6)
    vectors = torch.linalg.qr(torch.randn(x.shape[1], _VECTORS, generator=torch.Generator().manual_seed(data.run))).Q
    for step, chosen in enumerate(data.batches(lessons)):
        z = ((x[chosen] - middle) / scale).clamp(-10, 10)
        vectors = torch.linalg.qr(vectors + (z.T @ (z @ vectors)) / (_BATCH * (1 + 0.05 * step))).Q
    return in_spacings(vectors[:, 1:3])


def by_walk(hebbian: HebbianLoss, run: int) -> Tensor:
    """Second and third eigenvector of the lazy walk on the largest piece of partners, by subspace iteration."""
    node, slot = (hebbian.wiring >= 0).nonzero(as_tuple=True)
    ends = node.numpy(), hebbian.wiring[node, slot].numpy()
    nodes = len(hebbian.wiring)
    piece = connected_components(coo_matrix((np.ones(len(node)), ends), shape=(nodes, nodes)))[1]
    inside = torch.from_numpy(piece == np.bincount(piece).argmax())
    there = ((hebbian.wiring >= 0) & inside.unsqueeze(1)).float()
    partner, degree = hebbian.wiring.clamp_min(0), there.sum(1, keepdim=True)
    vectors = torch.randn(nodes, _VECTORS, generator=torch.Generator().manual_seed(run)) * inside.unsqueeze(1)
    for _ in range(_ITERATIONS):
        vectors = vectors / 2 + (vectors[partner] * there.unsqueeze(2)).sum(1) / (2 * degree.clamp_min(1))
        vectors = (vectors - (degree * vectors).sum(0) / degree.sum()) * inside.unsqueeze(1)  # less the constant one
        vectors = torch.linalg.qr(degree.sqrt() * vectors).Q / degree.sqrt().clamp_min(1)
    return in_spacings(vectors[:, :2])


def moved(data: Stream, hebbian: HebbianLoss, kind: str, seconds: float) -> Tensor:
    """Places after random moves, each tried on a fiftieth of the nodes at once."""
    swaps, annealed = kind.startswith("swaps"), kind.endswith("annealed")
    began, draw = time.process_time(), torch.Generator().manual_seed(data.run)
    pair, length, weight = pairs(hebbian, draw)
    place = hebbian.embedding.weight.detach().clone()
    if swaps:
        place = data.cells[torch.randperm(len(place), generator=draw)].float()
    count, tried = max(1, int(_MOVED * len(place))), 0
    while (done := (time.process_time() - began) / seconds) < 1:
        heat, tried = _HEAT[kind[:5]] * (1 - done) ** 3 if annealed else 0.0, tried + 1
        chosen = torch.randperm(len(place), generator=draw)[: 2 * count]
        one, other = chosen[:count], chosen[count:]
        new = place.clone()
        if swaps:
            new[one], new[other] = place[other], place[one]
            changed = chosen
        else:
            new[one] = place[other if tried % 2 else one] + torch.randn(count, 2, generator=draw)
            changed = one
        rise = energy(new, pair, length, weight, changed, new) - energy(place, pair, length, weight, changed, place)
        rise = rise.view(-1, count).sum(0)
        kept = (rise < 0) | (torch.rand(count, generator=draw) < (-rise / max(heat, 1e-9)).exp())
        for ends in (one, other) if swaps else (one,):
            place[ends[kept]] = new[ends[kept]]
    return place


def pairs(hebbian: HebbianLoss, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Partners of each node in the loss's pairs ``[L, K]`` (-1 for none), their distances, and the pairs' weights."""
    assert hebbian._lessons is not None
    kinds: list[list[Tensor]] = [[], [], [], []]
    for _ in range(_DRAWS):
        for drawn in hebbian._lessons.draw(draw):
            if drawn is not None:
                for ends in ((drawn.start, drawn.end), (drawn.end, drawn.start)):
                    parts = (*ends, drawn.length, torch.full_like(drawn.length, 1 / max(1, len(drawn.length))))
                    for kind, part in zip(kinds, parts, strict=True):
                        kind.append(part)
    start, end, length, weight = (torch.cat(kind) for kind in kinds)
    order = start.argsort(stable=True)
    count = torch.bincount(start, minlength=hebbian.embedding.weight.shape[0])
    slot = torch.arange(len(order)) - (count.cumsum(0) - count).repeat_interleave(count)
    shape = (len(count), int(count.max()))
    table = torch.full(shape, -1)
    tables = [torch.zeros(shape), torch.zeros(shape)]
    table[start[order], slot] = end[order]
    for one, values in zip(tables, (length, weight), strict=True):
        one[start[order], slot] = values[order].float()
    return table, tables[0], tables[1] / tables[1][tables[1] > 0].mean()


def energy(place: Tensor, pair: Tensor, length: Tensor, weight: Tensor, nodes: Tensor, others: Tensor) -> Tensor:
    """Misfit of the distances of some nodes ``[M]``, all else where it is."""
    gap = (place[nodes].unsqueeze(1) - others[pair[nodes].clamp_min(0)]).norm(dim=2)
    return ((gap - length[nodes]).abs() * weight[nodes] * (pair[nodes] >= 0)).sum(1)


def measure(name: str, run: int) -> list[dict[str, Any]]:
    """All rows of one run."""
    data, records = stream(name, run), []

    def add(row: str, pos: Tensor, seconds: float) -> None:
        records.append({"data": name, "run": run, "row": row, "recall": data.score(pos), "seconds": seconds})

    began = time.process_time()
    pos, _, lessons = taught(data, None)
    limit = time.process_time() - began
    add("random", pos, limit)
    began = time.process_time()
    add("oja", by_oja(data, lessons), time.process_time() - began)
    began = time.process_time()
    hebbian = listened(data, lessons)
    heard = time.process_time() - began
    start = by_walk(hebbian, run)
    add("walk", start, time.process_time() - began)
    began = time.process_time()
    add("walk, taught", taught(data, start)[0], heard + time.process_time() - began)
    for kind in list(_ROWS)[4:]:
        add(kind, moved(data, hebbian, kind, limit), heard + limit)
    return records


def table(records: list[dict[str, Any]]) -> str:
    """Recall of each row, one column a data set."""
    sets = [name for name in _SETS if any(r["data"] == name for r in records)]
    lines = []
    for row, words in _ROWS.items():
        cells = []
        for name in sets:
            own = [r for r in records if r["data"] == name and r["row"] == row]
            values = " / ".join(f"{r['recall']:.3f}" for r in own)
            cells.append(f"{values} ({mean(r['seconds'] for r in own):.0f} s)" if own else "")
        lines.append([words, *cells])
    return markdown_table(["places", *(_DATA[name][0] for name in sets)], lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="MNIST, run 0")
    parser.add_argument("--data", nargs="+", choices=_SETS, help="data sets")
    parser.add_argument("--runs", type=int, help="number of runs (default: 2, with --quick 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="number of the first run; tune with 100 and above")
    parser.add_argument("--resume", action="store_true", help="keep the runs of an interrupted start")
    parser.add_argument("--output", type=Path, default=Path("results/wiring_starts.json"))
    options = parser.parse_args()
    if not os.environ.get("SCGE_DATA"):
        parser.error("the environment variable SCGE_DATA must name the data folder, which holds cifar10/ and mnist/")
    records = Records(options.output, {"batch_size": _BATCH}, resume=options.resume)
    sets = options.data or (["mnist"] if options.quick else list(_SETS))
    runs = range(options.first_seed, options.first_seed + (options.runs or (1 if options.quick else 2)))
    for name, run in tqdm([(name, run) for run in runs for name in sets], disable=not sys.stderr.isatty()):
        if records.find(data=name, run=run) is None:
            for record in measure(name, run):
                records.add(record)
    print(table(records.items))


if __name__ == "__main__":
    main()
