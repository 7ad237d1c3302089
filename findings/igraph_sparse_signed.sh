#!/usr/bin/env bash
# python-igraph builds an undirected graph from a SciPy sparse matrix by taking the larger of 0 and the entry. A signed
# graph, such as correlations of sensors in two groups that swing against each other, keeps its negative edges with
# weight 0; the same matrix as a NumPy array keeps the weights. A sparse matrix without entries is refused.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check igraph==1.0.0 numpy==2.4.6 scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect

import igraph
import numpy as np
from igraph.sparse_matrix import _graph_from_weighted_sparse_matrix
from scipy.sparse import csr_matrix

print("igraph", igraph.__version__)
doc = inspect.getdoc(igraph.Graph.Weighted_Adjacency)
print("documented:", " ".join(doc[doc.index("Only edges"):doc.index("@param matrix")].split()), "|",
      " ".join(doc[doc.index('C{"undirected"}'):doc.index('- C{"max"}')].split()))

# Six sensors on one wave, the last three turned over: positive correlations within the groups, negative between them.
rng = np.random.default_rng(0)
wave = rng.standard_normal((500, 1))
samples = wave * np.array([1, 1, 1, -1, -1, -1]) + 0.7 * rng.standard_normal((500, 6))
matrix = np.corrcoef(samples.T).round(3)
np.fill_diagonal(matrix, 0)
assert np.array_equal(matrix, matrix.T) and (matrix < 0).sum() == 18


def build(source, mode):
    graph = igraph.Graph.Weighted_Adjacency(source, mode=mode)
    weights = np.zeros((graph.vcount(), graph.vcount()))
    for edge in graph.es:
        weights[edge.tuple] = weights[edge.tuple[::-1]] = edge["weight"]
    return graph, weights


for mode in ("undirected", "max"):
    dense, kept = build(matrix, mode)
    sparse, lost = build(csr_matrix(matrix), mode)
    print(f"{mode}: edges {dense.ecount()} and {sparse.ecount()}; weights of sensor 0, dense {kept[0].tolist()},"
          f" sparse {lost[0].tolist()}")
    assert np.array_equal(kept, matrix), "the dense behaviour changed"
    assert np.array_equal(lost, np.maximum(matrix, 0)) and sparse.ecount() == 15, "the behaviour changed"
source = inspect.getsource(_graph_from_weighted_sparse_matrix)
print("why:", *(line.strip() for line in source.splitlines() if "pair, 0), n" in line), "where fun is max, n the entry")

dense, sparse = build(matrix, "undirected")[0], build(csr_matrix(matrix), "undirected")[0]
print("strength, dense ", np.round(dense.strength(weights="weight"), 2).tolist())
print("strength, sparse", np.round(sparse.strength(weights="weight"), 2).tolist())
assert min(dense.strength(weights="weight")) < 0 < min(sparse.strength(weights="weight")), "the behaviour changed"

igraph.Graph.Weighted_Adjacency(np.zeros((3, 3)), mode="undirected")
try:
    igraph.Graph.Weighted_Adjacency(csr_matrix((3, 3)), mode="undirected")
    raise SystemExit("an empty sparse matrix is taken now: the behaviour changed")
except ValueError as error:
    print("three sensors without any edge, dense: a graph; sparse: ValueError", error)

# Remedy: hand over one triangle, which is read as it stands.
upper, mended = build(csr_matrix(matrix), "upper")
print("remedy, mode='upper': sensor 0", mended[0].tolist())
assert np.array_equal(mended, matrix) and upper.ecount() == 15 and not upper.is_directed()
assert np.allclose(upper.strength(weights="weight"), dense.strength(weights="weight"))
assert igraph.Graph.Weighted_Adjacency(csr_matrix((3, 3)), mode="upper").vcount() == 3
E
