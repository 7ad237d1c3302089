"""How fast the zoo's operators are, beside what is there: medians of paired repeats in one run.

SGWT: 65,536 nodes of a grid, degree 30, four scales and the low pass, one signal and eight, beside pygsp's Mexican hats
with the same polynomials and beside 300 vectors of a sparse eigensolver (scipy); its error on 2,048 nodes of a map,
against all eigenvectors. Layers: forward and backward of 16 samples of 1,024 nodes, 32 to 32 channels, beside ChebConv
of the same degree on the same graph. Walks: 10 of 80 steps from each of 4,096 nodes, beside first-order ones.

    python benchmarks/graph_learner_speed.py      # pip install pygsp; some minutes
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import scipy.sparse as sp
import torch
from report import markdown_table
from scipy.sparse.linalg import eigsh
from torch_geometric.nn import ChebConv

from scge_pyg import OnSharedGraph, SharedGraph
from scge_pyg.nn.fixed.sparse_rows import sparse_rows
from scge_pyg.zoo.embeddings import Node2VecWalks
from scge_pyg.zoo.operators import SGWT, GWNNConv, SGWTConv
from scge_pyg.zoo.operators.laplacian import laplacian_of


def paired(repeats: int, **calls: Callable[[], object]) -> dict[str, float]:
    """Median seconds of each call, one after the other in every repeat."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - start)
    return {name: median(seconds[1:]) for name, seconds in taken.items()}


def transforms(repeats: int) -> list[list[str]]:
    """SGWT beside pygsp and an eigensolver."""
    from pygsp import filters, graphs

    graph = SharedGraph.from_grid((256, 256))
    weight = (graph.edge_weight.double().numpy(), graph.edge_index.numpy())
    theirs = graphs.Graph(sp.csr_matrix(weight, shape=(graph.num_nodes,) * 2))
    theirs.estimate_lmax()
    bank = filters.MexicanHat(theirs, Nf=5)
    ours = SGWT(graph, 4, order=30)
    found = laplacian_of(graph)
    matrix = sp.csr_matrix((found.value.numpy(), found.column.numpy(), found.pointer.numpy()))
    start = time.perf_counter()
    eigsh(matrix, 300, sigma=-0.01)
    solver = time.perf_counter() - start
    rows = []
    for signals in (1, 8):
        x = np.random.default_rng(0).standard_normal((graph.num_nodes, signals))
        double = torch.from_numpy(x)
        single = double.float()
        t = paired(
            repeats, ours=lambda d=double: ours(d), single=lambda s=single: ours(s),
            pygsp=lambda x=x: bank.filter(x, order=30),
        )  # fmt: skip
        rows.append([str(signals), *(f"{1000 * t[name]:.0f}" for name in ("ours", "single", "pygsp")),
                     f"{t['pygsp'] / t['ours']:.1f}", f"{solver:.1f}", f"{solver / t['ours']:.0f}"])  # fmt: skip
    return rows


def error() -> float:
    """Largest error of a coefficient over the length of the signal, against all eigenvectors."""
    graph = SharedGraph.from_pos(torch.rand(2048, 2, generator=torch.Generator().manual_seed(0)))
    transform = SGWT(graph, 4, order=30)
    found = laplacian_of(graph)
    values, vectors = torch.linalg.eigh(sparse_rows(found.pointer, found.column, found.value, 2048).to_dense())
    x = torch.randn(2048, 1, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    spectrum = vectors.T @ x
    exact = torch.stack([vectors @ (band[:, None] * spectrum) for band in transform.kernels(values.clamp_min(0))], 1)
    return float((transform(x) - exact).abs().max() / x.norm())


def layers(repeats: int) -> list[list[str]]:
    """Layers beside ChebConv."""
    graph, x = SharedGraph.from_grid((32, 32)), torch.randn(16, 1024, 32)
    upstream = torch.randn(16, 1024, 32)

    def step(layer: torch.nn.Module) -> Callable[[], None]:
        def call() -> None:
            layer(x.clone().requires_grad_()).backward(upstream)

        return call

    rows = []
    for degree in (4, 30):
        t = paired(
            repeats,
            cheb=step(OnSharedGraph(ChebConv(32, 32, degree + 1), graph)),
            sgwt=step(SGWTConv(32, 32, graph, order=degree)),
            gwnn=step(GWNNConv(32, 32, graph, order=degree, threshold=1e-4)),
        )
        rows.append(
            [
                str(degree),
                *(f"{1000 * t[k]:.0f}" for k in t),
                f"{t['sgwt'] / t['cheb']:.2f}",
                f"{t['gwnn'] / t['cheb']:.2f}",
            ]
        )
    return rows


def walks(repeats: int) -> list[list[str]]:
    """node2vec beside first-order walks."""
    rows = []
    pos = torch.rand(4096, 2, generator=torch.Generator().manual_seed(0))
    for name, graph in (("grid", SharedGraph.from_grid((64, 64))), ("map, 8 nearest", SharedGraph.from_pos(pos, k=8))):
        first = Node2VecWalks(graph)
        for p, q in ((0.5, 2.0), (2.0, 0.5), (0.25, 4.0), (4.0, 0.25)):
            second = Node2VecWalks(graph, p, q)
            t = paired(repeats, first=lambda w=first: w(80, 10), second=lambda w=second: w(80, 10))
            rows.append(
                [name, f"{p:g}", f"{q:g}", f"{t['first']:.2f}", f"{t['second']:.2f}", f"{t['second'] / t['first']:.2f}"]
            )
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=11)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(2)
    head = ["signals", "ours, float64 (ms)", "float32", "pygsp", "pygsp / ours", "300 vectors (s)", "that / ours"]
    print(markdown_table(head, transforms(repeats)), f"\n\nerror on 2,048 nodes: {error():.1e}\n")
    print(
        markdown_table(
            ["degree", "ChebConv (ms)", "SGWTConv", "GWNNConv", "SGWT / Cheb", "GWNN / Cheb"], layers(repeats)
        ),
        "\n",
    )
    print(markdown_table(["graph", "p", "q", "first order (s)", "node2vec (s)", "ratio"], walks(min(repeats, 5))))


if __name__ == "__main__":
    main()
